package message

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// lexical reports what a client would stumble over in an item of a cache
// record that it is sent as it is: anything but atoms, numbers, parentheses,
// quoted strings and whole literals.
func lexical(b []byte) error {
	depth := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '(':
			depth++
			i++
		case c == ')':
			if depth--; depth < 0 {
				return fmt.Errorf("')' too many at %d of %q", i, b)
			}
			i++
		case c == '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
				if i < len(b) && (b[i] == '\r' || b[i] == '\n' || b[i] == 0 || b[i] >= 0x80) {
					return fmt.Errorf("byte %#x in a quoted string: %q", b[i], b)
				}
			}
			i++
		case c == '{':
			end := strings.Index(string(b[i:]), "}\r\n")
			if end < 0 {
				return fmt.Errorf("broken literal: %q", b)
			}
			n, err := strconv.Atoi(string(b[i+1 : i+end]))
			if err != nil || i+end+3+n > len(b) {
				return fmt.Errorf("wrong literal: %q", b)
			}
			i += end + 3 + n
		case c == ' ', c == '-', '0' <= c && c <= '9', 'A' <= c && c <= 'Z':
			i++
		default:
			return fmt.Errorf("byte %#x outside of a string: %q", c, b)
		}
	}
	if depth != 0 {
		return fmt.Errorf("%d times ')' missing: %q", depth, b)
	}
	return nil
}

// pieces are what hostile header fields are made of.
var pieces = []string{
	"From: ", "To: ", "Sender: ", "Reply-To: ", "Cc: ", "Subject: ", "Date: ", "Message-ID: ", "In-Reply-To: ", "Content-Type: ", "Content-ID: ",
	"Content-Description: ", "Content-Disposition: ", "Content-Language: ", "Content-Location: ", "Content-MD5: ", "Content-Transfer-Encoding: ",
	"\r\n", "\r\n ", "\r", "\n", "\x00", "\x80", "\xff", "\"", "\\", "(", ")", "{5}\r\n", "{5+}", "}", "<", ">", "@", ";", ":", ",", "=", "*0*=", "a", "text/plain",
	"multipart/mixed; boundary=b", "message/rfc822", "--b\r\n", "--b--\r\n", "\r\n\r\n", "name", "filename", "inline", "=?utf-8?q?=0D=0A?=", "%", "NIL", " ",
	"* OK injected\r\n", "\x7f", "\x1b",
}

// TestHostileHeaders: whatever a message contains, what is sent of it cannot
// be taken for something else.
func TestHostileHeaders(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 30000 {
		var b strings.Builder
		for range 1 + rnd.IntN(40) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		msg, err := Parse([]byte(b.String()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := ParseCache(msg.CacheRecord(), CacheVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range []Item{ItemEnvelope, ItemBodyStructure, ItemBody} {
			if err := lexical(c.Item(item)); err != nil {
				t.Fatalf("%v\nof %q", err, b.String())
			}
		}
	}
}

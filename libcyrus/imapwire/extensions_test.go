package imapwire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func extensionReader(line string) *Reader {
	r := NewReader(strings.NewReader(line+"\r\n"), Limits{Word: 1000, Quoted: 1000, Literal: 1000, Args: 10000, Nesting: 10})
	r.Start("Test")
	return r
}

// TestSortKeys has the texts of Cyrus 3.6.1.
func TestSortKeys(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"(SUBJECT)", "[{Op:7 Reverse:false Flag: Entry: Private:false}]"},
		{`(reverse date HASFLAG \Seen)`, `[{Op:2 Reverse:true Flag: Entry: Private:false} {Op:12 Reverse:false Flag:\Seen Entry: Private:false}]`},
		{`(ANNOTATION /comment value.priv)`, "[{Op:9 Reverse:false Flag: Entry:/comment Private:true}]"},
		{"SUBJECT", "Missing Sort criteria"},
		{"()", "Missing Sort criteria"},
		{"(FOO)", "Invalid Sort criterion foo"},
		{"(REVERSE)", "Missing Sort criterion to reverse"},
		{"(HASFLAG)", "Missing argument to Sort criterion hasflag"},
		{"(ANNOTATION /x foo)", "Missing argument to Sort criterion foo"},
		{"(SUBJECT", "Missing close parenthesis in Sort"},
		{"(" + strings.Repeat("SIZE ", 40) + "SIZE)", "[LIMIT] Too many Sort criteria"},
	} {
		keys, err := extensionReader(c.in).SortKeys()
		got := fmt.Sprintf("%+v", keys)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParseMessageURL(t *testing.T) {
	for _, c := range []struct {
		in   string
		want MessageURL
		ok   bool
	}{
		{"/INBOX/;UID=2", MessageURL{Mailbox: "INBOX", UID: 2}, true},
		{"/a%20b/c;UIDVALIDITY=7/;uid=2/;section=1.mime/;partial=2.5", MessageURL{Mailbox: "a b/c", UIDValidity: 7, UID: 2, Section: "1.MIME", Offset: 2, Length: 5}, true},
		{";UID=2", MessageURL{UID: 2}, true},
		{"/;UID=99999999999", MessageURL{}, true},
		{"junk", MessageURL{Mailbox: "junk"}, true},
		{"imap://host/INBOX/;UID=1", MessageURL{}, false},
		{"IMAP:x", MessageURL{}, false},
		{"//host/x", MessageURL{}, false},
	} {
		if got, ok := ParseMessageURL(c.in); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v", c.in, got, ok)
		}
	}
}

func TestParseSignedURL(t *testing.T) {
	date := time.Date(2035, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		in   string
		want SignedURL
		ok   bool
	}{
		{"imap://fred@host/INBOX/;uid=1;urlauth=anonymous", SignedURL{MessageURL: MessageURL{Mailbox: "INBOX", UID: 1}, User: "fred", Server: "host", Access: "anonymous", Rump: "imap://fred@host/INBOX/;uid=1;urlauth=anonymous"}, true},
		{"imap://f%40x@host/a%20b;uidvalidity=7/;uid=1/;section=1/;partial=2.3;expire=2035-01-02T03:04:05Z;urlauth=user+eve:internal:00ff",
			SignedURL{MessageURL: MessageURL{Mailbox: "a b", UIDValidity: 7, UID: 1, Section: "1", Offset: 2, Length: 3}, User: "f@x", Server: "host", Expire: date, Access: "user+eve", Mechanism: "internal", Token: []byte{0, 255},
				Rump: "imap://f%40x@host/a%20b;uidvalidity=7/;uid=1/;section=1/;partial=2.3;expire=2035-01-02T03:04:05Z;urlauth=user+eve"}, true},
		{"imap://fred@host/x/;uid=1;expire=soon;urlauth=anonymous:internal:xyz", SignedURL{MessageURL: MessageURL{Mailbox: "x", UID: 1}, User: "fred", Server: "host", BadExpire: true, Access: "anonymous", Mechanism: "internal", Rump: "imap://fred@host/x/;uid=1;expire=soon;urlauth=anonymous"}, true},
		{"imap://fred@host/x/;uid=1/;section=", SignedURL{MessageURL: MessageURL{Mailbox: "x", UID: 1, NoSection: true}, User: "fred", Server: "host", Rump: "imap://fred@host/x/;uid=1/;section="}, true},
		{"imap://host/x/;uid=1", SignedURL{}, false},
		{"imap://fred@host", SignedURL{}, false},
		{"/x;uid=1", SignedURL{}, false},
		{"", SignedURL{}, false},
	} {
		got, ok := ParseSignedURL(c.in)
		if len(got.Token) == 0 {
			got.Token = nil
		}
		if !reflect.DeepEqual(got, c.want) || ok != c.ok {
			t.Errorf("%s: %+v %v", c.in, got, ok)
		}
	}
}

func TestWithin(t *testing.T) {
	s := SeqSet{{2, 4}, {7, 7}, {9, 20}}
	for _, c := range []struct {
		first, last uint32
		want        string
	}{{1, 1, ""}, {1, 2, "2"}, {3, 9, "3:4,7,9"}, {5, 6, ""}, {8, Star - 1, "9:20"}, {1, Star - 1, "2:4,7,9:20"}, {20, 30, "20"}} {
		if got := s.Within(c.first, c.last).String(); got != c.want {
			t.Errorf("%d to %d: %s, want %s", c.first, c.last, got, c.want)
		}
	}
}

// FuzzExtensions reads what the extensions brought: nothing may panic, and
// nothing may be taken twice.
func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		"(SUBJECT REVERSE DATE ANNOTATION /comment value.shared)", "(MIN MAX ALL) x", " UTF-8 OR FUZZY SUBJECT x MODSEQ \"/flags/x\" all 12",
		"(BINARY[1.2]<0.5> BINARY.SIZE[] PREVIEW (LAZY) UID)", "/INBOX;UIDVALIDITY=1/;UID=2/;SECTION=1.TEXT/;PARTIAL=1.2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(*Reader) error{
			func(r *Reader) error { _, err := r.SortKeys(); return err },
			func(r *Reader) error { return r.SearchReturn(&Search{}, "CONTEXT=SORT") },
			func(r *Reader) error { _, err := r.Fetch(); return err },
			func(r *Reader) error { _, err := r.Modseq(); return err },
			func(r *Reader) error {
				_, err := r.SearchProgram(time.UTC, func(string) bool { return true })
				return err
			},
		} {
			r := extensionReader(s)
			_ = parse(r)
			r.SkipLine()
		}
		ParseMessageURL(s)
		if u, ok := ParseSignedURL(s); ok && !strings.HasPrefix(s, u.Rump) {
			t.Errorf("%q: the rump is %q", s, u.Rump)
		}
		if sec, ok := ParseSection(s); ok && len(sec.Numbers) > maxPartNumbers {
			panic("too deep")
		}
	})
}

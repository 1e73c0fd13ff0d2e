//go:build reference

package reference

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// slip makes a mistake in a command, or writes it in another way.
func (g *dialogs) slip(text string) string {
	if strings.Contains(text, "\r\n") && g.percent(70) {
		return text
	}
	words := strings.Split(text, " ")
	at := g.IntN(len(words))
	switch g.IntN(11) {
	case 0:
		words = append(words[:at], words[at+1:]...)
	case 1:
		words = append(words[:at+1], words[at:]...)
	case 2:
		words[at] = swapCase(words[at])
	case 3:
		words[at] = " " + words[at]
	case 4:
		return text + g.of(" ", " x", "x", ")", " (", "(", `"`, " {3}", "\t", "*")
	case 5:
		if !strings.ContainsAny(words[at], "\"{(\r") {
			words[at] = `"` + words[at] + `"`
		}
	case 6:
		if !strings.ContainsAny(words[at], "\"{(\r)") && at > 0 {
			words[at] = fmt.Sprintf("{%d%s}\r\n%s", len(words[at]), g.of("+", ""), words[at])
		}
	case 7:
		i := g.IntN(len(text) + 1)
		return text[:i] + g.of("(", ")", " ", "\"", "*", "%", "\\", "0", "[", "]", "<", "é", "\x01") + text[i:]
	case 8:
		if i := g.IntN(len(text)); text[i] != '\r' && text[i] != '\n' {
			return text[:i] + text[i+1:]
		}
	case 9:
		return text[:g.IntN(len(text)+1)]
	case 10:
		other := g.IntN(len(words))
		words[at], words[other] = words[other], words[at]
	}
	out := strings.Join(words, " ")
	if strings.HasPrefix(strings.ToUpper(out), "LOG") {
		return text
	}
	return out
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// recordings is the commands of the recorded dialogs.
var recordings = sync.OnceValue(func() []string {
	files, _ := filepath.Glob("../golden/imap/*.txt")
	var out []string
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		if strings.Contains(string(data), "# config:") {
			continue
		}
		for line := range strings.Lines(string(data)) {
			m := recordedLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			text := m[2]
			if m[1] == "X" {
				var err error
				if text, err = strconv.Unquote(text); err != nil {
					continue
				}
			}
			text = strings.TrimSuffix(text, "\r\n")
			if _, rest, ok := strings.Cut(text, " "); ok && len(rest) < 3000 && !leftOutOfDialogs.MatchString(rest) && whole(rest) {
				out = append(out, rest)
			}
		}
	}
	return out
})

var recordedLine = regexp.MustCompile(`^C\d?(X?): (.*)\n$`)

// leftOutOfDialogs is commands that end or change the session, that README
// says differ, or that need what the server said before.
var leftOutOfDialogs = regexp.MustCompile(`(?i)^(LOGIN|LOGOUT|AUTHENTICATE|STARTTLS|UNAUTH|COMPRESS|ID |SCAN|XFER|DUMP|UNDUMP|RECONSTRUCT|MUPDATEPUSH|XKILLMY|XFOREVER|XWARMUP|XSTATS|IDLE|DONE|XCONV|LOCALAPPEND|LOCALDELETE|AUTH|X-|SYNC|XSNIPPETS|XRUN|XAPPLEPUSH|XLOGOUT)|\$|XLISTID|XATTACH|CONV|QRESYNC`)

// whole reports whether a text is a command and nothing more: its literals are
// as long as they say, and no line follows.
func whole(text string) bool {
	for {
		at := strings.Index(text, "\r\n")
		if at < 0 {
			return !strings.HasSuffix(text, "}")
		}
		m := regexp.MustCompile(`\{(\d+)\+?\}$`).FindStringSubmatch(text[:at])
		if m == nil {
			return false
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n > len(text)-at-2 {
			return false
		}
		text = text[at+2+n:]
	}
}

// recorded is a command of a recorded dialog.
func (g *dialogs) recorded() string { return g.of(recordings()...) }

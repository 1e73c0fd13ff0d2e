package transcript

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
)

// A rule replaces what varies by nature, from run to run or from server
// to server.
type rule struct {
	re   *regexp.Regexp
	with string
	why  string
}

// rules is every such replacement; nothing else is forgiven.
var rules = []rule{
	{regexp.MustCompile(`:internal:00[0-9a-f]{40}"`), `:internal:$token"`, "signed with a random key"},
	{regexp.MustCompile(`SESSIONID=<[^>]*>`), "SESSIONID=<$id>", "holds time, pid and a random number"},
	{regexp.MustCompile(`Cyrus (IMAP|POP3|LMTP|timsieved) (?:Murder )?v?\d\S*`), "Cyrus $1 $version", "the version is ours"},
	{regexp.MustCompile(`"3\.6\.1[^"]*"`), `"$version"`, "the version is ours"},
	{regexp.MustCompile(`Mailbox is over %s quota`), "Too many messages in mailbox", "a text that 3.6.1 does not fill in"},
	{regexp.MustCompile(`from \S+ \[127\.0\.0\.1\]`), "from $$host [127.0.0.1]", "what the machine calls itself"},
	{regexp.MustCompile(`v3\.6\.1\S*`), "$version", "the version is ours"},
	{regexp.MustCompile(`UIDVALIDITY \d+`), "UIDVALIDITY $n", "the time of creation"},
	{regexp.MustCompile(`(APPENDUID|COPYUID) \d+ `), "$1 $n ", "the time of creation"},
	{regexp.MustCompile(`((?:GONE|DELETED)[./]\S+[./])[0-9A-F]{8}\b`), "${1}$$time", "when a mailbox was deleted"},
	{regexp.MustCompile(`MAILBOXID \([^)]*\)`), "MAILBOXID ($id)", "random"},
	{regexp.MustCompile(`(/freespace[a-z/]*" (?:\("value.shared" )?)"[\d;]+"`), `$1"$$n"`, "what the disk has room for"},
	{regexp.MustCompile(`(INTERNALDATE|SAVEDATE|LASTUPDATED) "[^"]*"`), `$1 "$$date"`, "the time of delivery"},
	{regexp.MustCompile(`(Completed|No matching messages|Mailbox does not exist) \(\d+\.\d+ secs?( \d+ calls)?\)`), "$1 ($$time)", "how long it took"},
	{regexp.MustCompile(`msgs in \d+\.\d+ secs`), "msgs in $$time secs", "how long it took"},
	{regexp.MustCompile(`^\* ID \(.*\)\r`), "* ID ($$who)\r", "who the server is"},
	{regexp.MustCompile(`<\d+\.\d+@[^>]*>`), "<$apop>", "the APOP challenge"},
	{regexp.MustCompile(`^((?:\+OK )?\d+ )\d{10}([.-]\d+)\r`), "$1$n$2\r", "UIDL: the time of creation"},
	{regexp.MustCompile(`^((?:\+OK )?\d+ [0-9a-f]{8})[0-9a-f]{8}\r`), "$1$n\r", "UIDL like Dovecot: the time of creation"},
}

// hidden is a capability that the recorded server has and ours has not
// yet: it is left out on both sides.
type hidden struct {
	word string
	used bool
}

// A Masker replaces what varies by nature and leaves out what is hidden. It
// may be used by several goroutines.
type Masker struct {
	mu     sync.Mutex
	hidden []*hidden
	added  []*hidden
	any    bool
}

// NewMasker returns a Masker that leaves the given words out of lines of
// capabilities.
func NewMasker(words []string) *Masker {
	m := &Masker{}
	for _, w := range words {
		m.hidden = append(m.hidden, &hidden{word: w})
	}
	return m
}

// Adds names capabilities that ours has and the recorded server has not: one
// may stand in our list where the recorded list lacks it. All others have to
// be the same in both.
func (m *Masker) Adds(words []string) {
	for _, w := range words {
		m.added = append(m.added, &hidden{word: w})
	}
}

// Hides reports whether a recorded line is left out: it belongs to a
// capability that is hidden.
func (m *Masker) Hides(line []byte) bool {
	for prefix, word := range linesOf {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return m.hides(word)
		}
	}
	return false
}

// linesOf is untagged lines that only servers with a capability send.
var linesOf = map[string]string{
	"* OK [ANNOTATIONS ": "ANNOTATE-EXPERIMENT-1",
}

// noCode finds a NO without a response code, anyCode one with a code of
// RFC 5530, which ours puts in front where Cyrus has none.
var (
	noCode  = regexp.MustCompile(`^(\S+ NO )[^\[]`)
	anyCode = regexp.MustCompile(`^(\S+ NO )\[[A-Z]+\] `)
)

// where is the place of a syntax error, which ours names behind Cyrus's text.
var where = regexp.MustCompile(`^(\S+ BAD .*) \(octet \d+: .*\)\r`)

// Equal reports whether a server's line says what was recorded.
func (m *Masker) Equal(recorded, got []byte) bool {
	if noCode.Match(recorded) {
		got = anyCode.ReplaceAll(got, []byte("$1"))
	}
	if !where.Match(recorded) {
		got = where.ReplaceAll(got, []byte("$1\r"))
	}
	return m.fits(m.Mask(recorded), m.Mask(m.withoutAdded(recorded, got)))
}

// Wildcards lets $any in a line stand for any text: for dialogs that were not
// recorded but written by hand.
func (m *Masker) Wildcards() { m.any = true }

// fits is Equal for lines that are masked already.
func (m *Masker) fits(want, got []byte) bool {
	if !m.any || !bytes.Contains(want, []byte("$any")) {
		return bytes.Equal(want, got)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(string(want)), `\$any`, `.*`)
	return regexp.MustCompile(`^` + pattern + `$`).Match(got)
}

// withoutAdded takes capabilities that are ours alone out of our list.
func (m *Masker) withoutAdded(recorded, got []byte) []byte {
	theirs := bytes.Fields(capabilities.Find(recorded))
	return capabilities.ReplaceAllFunc(got, func(list []byte) []byte {
		out := bytes.Fields(list)[:0]
		for _, w := range bytes.Fields(list) {
			same := func(t []byte) bool { return bytes.Equal(t, w) }
			if slices.ContainsFunc(theirs, same) || !m.isIn(m.added, string(w)) {
				out = append(out, w)
			}
		}
		return bytes.Join(out, []byte(" "))
	})
}

// addsLine reports whether a line that a server sent is one more in its answer
// to LHLO than was recorded, of a capability that is ours alone.
func (m *Masker) addsLine(recorded, got []byte) bool {
	word, ok := bytes.CutPrefix(bytes.TrimRight(got, "\r\n"), []byte("250-"))
	return ok && !bytes.HasPrefix(recorded, got) && m.isIn(m.added, string(word))
}

// Unused returns the words that no recording held, and those that were added
// nowhere: their rows hide nothing and have to go.
func (m *Masker) Unused() []string {
	var out []string
	for _, h := range append(slices.Clone(m.hidden), m.added...) {
		if !h.used {
			out = append(out, h.word)
		}
	}
	sort.Strings(out)
	return out
}

// capabilities finds the list of capabilities in a greeting or a reply.
var capabilities = regexp.MustCompile(`CAPABILITY ([^\]\r]*)|"SIEVE" "[^"]*"`)

// Mask is the form of a line that is compared.
func (m *Masker) Mask(line []byte) []byte {
	line = capabilities.ReplaceAllFunc(line, m.hide)
	for _, r := range rules {
		line = r.re.ReplaceAll(line, []byte(strings.ReplaceAll(r.with, "$n", "$$n")))
	}
	return line
}

func (m *Masker) hide(list []byte) []byte {
	words := bytes.Fields(list)
	out := words[:0]
	for _, w := range words {
		if !m.hides(string(w)) {
			out = append(out, w)
		}
	}
	return bytes.Join(out, []byte(" "))
}

func (m *Masker) hides(word string) bool { return m.isIn(m.hidden, word) }

// isIn reports whether a word is in a table, and notes that its row is used.
func (m *Masker) isIn(table []*hidden, word string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range table {
		if h.word == word {
			h.used = true
			return true
		}
	}
	return false
}

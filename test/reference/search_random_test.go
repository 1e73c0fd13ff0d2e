//go:build reference

package reference

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestRandomSearches compares SEARCH, SORT and THREAD with the real Cyrus: 200
// odd mails, appended by ours for one user and by the real Cyrus for another,
// and programs that chance makes. Both servers have to give the same answers
// for both users. SEED in the environment chooses other ones.
func TestRandomSearches(t *testing.T) {
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = n
	}
	g := &chance{rand.New(rand.NewPCG(seed, 7))}
	var mails, programs []string
	for range 200 {
		mails = append(mails, g.appended())
	}
	for range 500 {
		programs = append(programs, g.searching())
	}
	for range 200 {
		programs = append(programs, g.sorting())
	}
	for range 100 {
		programs = append(programs, g.threading())
	}
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "user2", "user3", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2", "user3")
	fill(t, s, "user1", mails)
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	var real [2][]string
	cyrusServes(t, s, func() {
		fill(t, s, "user2", mails)
		for i, user := range []string{"user1", "user2"} {
			real[i] = foundBy(t, s, user, programs)
		}
	})
	s.Run()
	for i, user := range []string{"user1", "user2"} {
		wrong := 0
		for k, ours := range foundBy(t, s, user, programs) {
			ours = octet.ReplaceAllString(ours, "")
			if ours != real[i][k] {
				if wrong++; wrong <= 40 {
					t.Errorf("%s (seed %d): %q\nCyrus: %.400s\nours:  %.400s", user, seed, programs[k], real[i][k], ours)
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d of %d answers differ", user, wrong, len(programs))
		}
	}
}

// fill appends mails; those that are refused are left out by both servers.
func fill(t *testing.T, s *server.Site, user string, mails []string) {
	c := s.Login(user)
	defer c.Close()
	refused := 0
	for _, m := range mails {
		_, tagged, err := c.Do("APPEND INBOX " + m)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(tagged, "OK") {
			refused++
		}
	}
	if refused > len(mails)/4 {
		t.Errorf("%d of %d mails were refused", refused, len(mails))
	}
}

var inTime = regexp.MustCompile(`in \d+\.\d+ secs`)

// foundBy is what a server answers to each program.
func foundBy(t *testing.T, s *server.Site, user string, programs []string) []string {
	c := s.Login(user)
	defer c.Close()
	c.Must("EXAMINE INBOX")
	var out []string
	for _, p := range programs {
		untagged, tagged, err := c.Do(p)
		if err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		// Ours puts RFC 5530's codes in front.
		tagged = inTime.ReplaceAllString(tagged, "")
		out = append(out, strings.Join(untagged, "")+tagged)
	}
	return out
}

// chance makes mails and programs.
type chance struct{ *rand.Rand }

func (g *chance) of(from ...string) string { return from[g.IntN(len(from))] }

func (g *chance) percent(n int) bool { return g.IntN(100) < n }

var oddSubjects = []string{
	"hello", "Hello", "Re: hello", "RE[2]: hello", "re : hello", "Fwd: hello", "fw: Re: hello", "hello (fwd)", "hello (FWD) (fwd)", "[list] hello",
	"[Fwd: hello]", "[fwd: Re: hello]", "[a] [b] Re: [c] hello", "Re: [list] hello", "[hello]", "[]", "Re:", "(fwd)", "", " ", "hello  world",
	"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?iso-8859-1?Q?Gr=FC=DFe?=", "=?UTF-8?B?R3LDvMOfZQ==?=", "Re: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?utf-8?Q?Re:_Gr=C3=BC=C3=9Fe?=",
	"=?koi8-r?B?8NLJ18XU?=", "=?utf-8?Q?Gr=C3=BC", "=?x-unknown?Q?abc?=", "=?utf-8?Q?a?= =?utf-8?Q?b?=", "=?utf-8?Q?a?=  b", "a =?utf-8?Q?b?= c",
	"=?utf-8?B?!!!?=", "=?utf-8?Q?=ZZ?=", "=?utf-8?X?abc?=", "=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "=?windows-1252?Q?=93quoted=94?=", "=?utf-8*en?Q?lang?=",
	"Grüße roh", "Gr\xfc\xdfe latin", "folded\r\n subject", "folded\r\n\tsubject", "tab\there", "100% \\ \"quoted\"", "ABC abc ÄÖÜ äöü", "zzz", "Zebra", "apple", "Apple",
	"=?utf-8?Q?=E2=82=AC_100?=", "re: RE: Re: apple", "Re: [x] apple (fwd)", "[fwd: [fwd: apple]]", "Re: Re[3]: apple", "Aw: apple", "=?utf-8?Q?_spaced_?=",
}

var oddAddresses = []string{
	"alice@example.org", "Alice <alice@example.org>", "\"Doe, John\" <john@example.com>", "friends: a@b.example, c@d.example;", "undisclosed-recipients:;",
	"=?utf-8?Q?J=C3=BCrgen?= <j@example.org>", "(comment) bob@example.net", "bob@example.net (Bob B)", "<>", "local", "Bob", "a@b, c@d", "<@route:x@y>",
	"Zed <zed@EXAMPLE.org>", "=?iso-8859-1?B?TfxsbGVy?= <m@example.de>", "\"quoted local\"@example.org", "J\xfcrgen <raw@example.org>", "Grüße <utf8@example.org>",
	"a.b.c <d@e>,\r\n f <g@h>", "\"\" <empty@example.org>", "broken <broken@example.org", "@nohost", "ALICE@EXAMPLE.ORG", "x@[127.0.0.1]",
}

var oddDates = []string{
	"Mon, 02 Jan 2006 15:04:05 +0000", "2 Jan 2006 15:04:05 -0800", "Tue, 3 Jan 06 01:02:03 EST", "Wed, 4 Jan 2006 23:59:59 +1400", "Wed, 4 Jan 2006 00:00:00 -1200",
	"31 Dec 1969 23:00:00 +0000", "1 Jan 1970 00:00:00 +0000", "Tue, 19 Jan 2038 03:14:08 +0000", "1 Jan 2200 00:00:00 +0000", "32 Foo 2020", "garbage", "",
	"Thu, 29 Feb 2024 12:00:00 +0100", "30 Feb 2024 12:00:00 +0100", "Fri, 1 Mar 2024 12:00 +0100", "1 Mar 2024 25:61:61 +0000", "Fri, 1 Mar 2024 12:00:00",
	"Fri, 01 Mar 2024 12:00:00 (comment) +0100", "Fri, 1 Mar 2024 12:00:00 +0100 (CET)", "Sat, 2 Mar 2024\r\n 12:00:00 GMT", "5 May 99 10:00:00 Z", "5 May 102 10:00:00 UT",
}

// id is one of few Message-IDs, sometimes a broken one.
func (g *chance) id() string {
	if g.percent(5) {
		return g.of("no-brackets@example.org", "<>", "<a b@c>", "<\"q\"@x>", "<unclosed@x", "text", "<é@x>")
	}
	return fmt.Sprintf("<m%d@example.org>", g.IntN(40))
}

// header is the header of a mail or part, without what says of the content.
func (g *chance) header() string {
	var b strings.Builder
	field := func(percent int, name, value string) {
		if g.percent(percent) {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	field(90, "From", g.of(oddAddresses...))
	field(80, "To", g.of(oddAddresses...))
	field(20, "Cc", g.of(oddAddresses...))
	field(10, "Bcc", g.of(oddAddresses...))
	field(10, "Sender", g.of(oddAddresses...))
	field(90, g.of("Subject", "SUBJECT", "subject"), g.of(oddSubjects...))
	field(3, "Subject", g.of(oddSubjects...))
	field(85, "Date", g.of(oddDates...))
	field(85, "Message-ID", g.id())
	if g.percent(50) {
		var ids []string
		for range 1 + g.IntN(4) {
			ids = append(ids, g.id())
		}
		field(100, "References", strings.Join(ids, g.of(" ", "\r\n ", "", ",")))
	}
	field(30, "In-Reply-To", g.id())
	field(15, "X-Spam-score", g.of("1.5", "-3", "99", "x", "0.005", " 7 "))
	field(20, "X-Odd", g.of("value", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "a\r\n b", ""))
	field(10, "Received", "from a by b; Mon, 02 Jan 2006 15:04:05 +0000")
	return b.String()
}

var texts = []string{
	"plain words hello", "Grüße aus Köln", "apple   banana\r\ncherry", "ÄÖÜ äöü ß", "日本語 text", "needle", "NEEDLE in caps", "a=b=20c", "<b>bold</b> &amp; tag", "", "\r\n\r\n", "soft =\r\nbreak",
	"long " + strings.Repeat("word ", 60), "€ 100", "naïve café", "tabs\tand\tspaces",
}

// latin turns a text into ISO-8859-1, without what that lacks.
func latin(s string) string {
	var b []byte
	for _, r := range s {
		if r < 256 {
			b = append(b, byte(r))
		}
	}
	return string(b)
}

// unread is what the real Cyrus does not look at: the end of a text in another
// charset than US-ASCII and UTF-8. No program looks for it.
var unread = "\r\n" + strings.Repeat(strings.Repeat("~", 70)+"\r\n", 130)

// entity is a part with its header fields.
func (g *chance) entity(depth int) string {
	text := g.of(texts...)
	if depth > 3 || g.percent(60) {
		switch g.IntN(9) {
		case 0:
			return "\r\n" + text
		case 1:
			return "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + latin(text) + unread
		case 2:
			return "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64Lines(text)
		case 3:
			return "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>" + text + "</p><!-- hidden --></body></html>"
		case 4:
			return "Content-Type: application/octet-stream; name=\"needle.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64Lines(text)
		case 5:
			return "Content-Type: text/plain; charset=x-none\r\n\r\n" + text
		case 6:
			return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.NewReplacer("=", "=3D", "ü", "=C3=BC", "ß", "=c3=9f").Replace(text) + "\r\n" // else the real Cyrus does not look at the last line
		case 7:
			return "Content-Type: image/png; name=\"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\"\r\nContent-Disposition: attachment; filename=x.png\r\nContent-Description: hello\r\n\r\n" + text
		}
		return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + g.of("base64\r\n\r\n!!broken", "x-odd\r\n\r\n"+text, "7bit\r\n\r\n"+text)
	}
	if g.percent(25) {
		return "Content-Type: message/rfc822\r\n\r\n" + g.header() + g.entity(depth+1)
	}
	return g.multipart(depth)
}

func (g *chance) multipart(depth int) string {
	boundary := fmt.Sprintf("b%d", g.IntN(1000))
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=%q\r\n\r\npreamble needle\r\n", g.of("mixed", "alternative", "digest", "related"), boundary)
	for range 1 + g.IntN(3) {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n", boundary, g.entity(depth+1))
	}
	if g.percent(85) {
		fmt.Fprintf(&b, "--%s--\r\nepilogue hello\r\n", boundary)
	}
	return b.String()
}

// appended is the arguments of an APPEND behind the mailbox.
func (g *chance) appended() string {
	m := g.header()
	if g.percent(80) {
		m += "MIME-Version: 1.0\r\n"
	}
	m += g.entity(0)
	if g.percent(2) {
		m = "\r\nno header at all\r\n"
	}
	var flags []string
	for _, f := range []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "$Label1", "work"} {
		if g.percent(25) {
			flags = append(flags, f)
		}
	}
	date := time.Unix(1e9+int64(g.IntN(1e8)), 0).UTC().Format("_2-Jan-2006 15:04:05 -0700")
	return fmt.Sprintf("(%s) %q {%d+}\r\n%s", strings.Join(flags, " "), date, len(m), m)
}

// wanted is a string to look for.
func (g *chance) wanted() string {
	s := g.of("hello", "HELLO", "grüße", "GRÜSSE", "Köln", "needle", "apple banana", "apple  banana", "word word", "e", "", "日本", "a", "b c", "example.org", "alice", "Müller",
		"re: hello", "=?utf-8", "bold", "hidden", "€", "cafe", "café", "\"quoted\"", "%", "\\", "folded subject", "spaced", "Jürgen", "J", "list", "epilogue", "preamble", "no header", "nothing of it", "x.png", "ss", "ß")
	if g.percent(20) && len([]rune(s)) > 3 {
		r := []rune(s)
		s = string(r[1 : len(r)-1])
	}
	return s
}

// word is a string on the wire.
func (g *chance) word(s string) string { return fmt.Sprintf("{%d+}\r\n%s", len(s), s) }

func (g *chance) day() string {
	return time.Unix(1e9+int64(g.IntN(1e8)), 0).UTC().Format(g.of("_2-Jan-2006", "2-Jan-2006", `"2-Jan-2006"`))
}

func (g *chance) set() string {
	n := func() string { return g.of(strconv.Itoa(1+g.IntN(210)), "*") }
	return g.of(n(), n()+":"+n(), n()+","+n()+":"+n())
}

// key is a search key; encode makes the octets of strings.
func (g *chance) key(depth int, encode func(string) string) string {
	text := func() string { return g.word(encode(g.wanted())) }
	if depth < 3 && g.percent(35) {
		inner := func() string { return g.key(depth+1, encode) }
		switch g.IntN(4) {
		case 0:
			return "NOT " + inner()
		case 1:
			return "OR " + inner() + " " + inner()
		}
		return "(" + inner() + " " + inner() + ")"
	}
	switch g.IntN(14) {
	case 0, 1:
		return g.of("FROM", "TO", "CC", "BCC") + " " + text()
	case 2, 3:
		return "SUBJECT " + text()
	case 4, 5:
		return "BODY " + text()
	case 6:
		return "TEXT " + text()
	case 7:
		return "HEADER " + g.of("Subject", "X-Odd", "Received", "Message-ID", "References", "Content-Type", "Date", "From", "X-None") + " " + text()
	case 8:
		return g.of("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE") + " " + g.day()
	case 9:
		return g.of("ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN", "ALL", "NEW", "OLD", "RECENT")
	case 10:
		return g.of("KEYWORD ", "UNKEYWORD ") + g.of("$Label1", "work", "WORK", "none")
	case 11:
		return g.of("LARGER ", "SMALLER ") + strconv.Itoa(g.IntN(1500))
	case 12:
		return g.of("", "UID ") + g.set()
	}
	return g.of("MODSEQ "+strconv.Itoa(g.IntN(300)), "OLDER 5", "YOUNGER 100000000", "SPAMABOVE 1", "SPAMBELOW 2", "XCONTENTTYPE html", "XCONTENTTYPE multipart")
}

// program is a charset and keys in it.
func (g *chance) program() (charset, keys string) {
	charset, encode := "UTF-8", func(s string) string { return s }
	if g.percent(15) {
		charset, encode = "ISO-8859-1", latin
	}
	var all []string
	for range 1 + g.IntN(3) {
		all = append(all, g.key(0, encode))
	}
	return charset, strings.Join(all, " ")
}

func (g *chance) searching() string {
	charset, keys := g.program()
	returned := ""
	if g.percent(20) {
		returned = g.of("RETURN () ", "RETURN (MIN MAX COUNT) ", "RETURN (ALL COUNT) ")
	}
	return g.of("", "UID ") + "SEARCH " + returned + "CHARSET " + charset + " " + keys
}

func (g *chance) sorting() string {
	charset, keys := g.program()
	if g.percent(60) {
		keys = "ALL"
	}
	var order []string
	for range 1 + g.IntN(3) {
		k := g.of("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "MODSEQ", "UID", "HASFLAG $Label1", "HASFLAG \\Flagged", "SPAMSCORE")
		if g.percent(30) {
			k = "REVERSE " + k
		}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	return g.of("", "UID ") + "SORT (" + strings.Join(order, " ") + ") " + charset + " " + keys
}

func (g *chance) threading() string {
	charset, keys := g.program()
	if g.percent(50) {
		keys = "ALL"
	}
	return g.of("", "UID ") + "THREAD " + g.of("REFERENCES", "ORDEREDSUBJECT", "REFS") + " " + charset + " " + keys
}

// base64Lines is a text in base64, in lines.
func base64Lines(s string) string {
	b := base64.StdEncoding.EncodeToString([]byte(s))
	var out strings.Builder
	for len(b) > 76 {
		out.WriteString(b[:76] + "\r\n")
		b = b[76:]
	}
	return out.String() + b
}

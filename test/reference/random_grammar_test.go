//go:build reference

package reference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dialogs makes dialogs.
type dialogs struct {
	*chance
	alt  bool // altnamespace
	dots bool // no unixhierarchysep
}

// dialog is steps: some that make things to work on, then whatever comes.
func (g *dialogs) dialog(n int, only string) []asked {
	var out []asked
	for _, name := range []string{"INBOX/a", "INBOX/a/b", "INBOX/b c", "INBOX/&APw-"} {
		if g.percent(80) {
			out = append(out, asked{1, "CREATE " + g.wire(g.named(name))})
		}
	}
	for range 2 + g.IntN(4) {
		out = append(out, asked{1, "APPEND " + g.wire(g.named(g.of("INBOX", "INBOX", "INBOX/a"))) + " " + g.mail()})
	}
	if g.percent(70) {
		out = append(out, asked{1, "SETACL " + g.wire(g.named(g.of("INBOX", "INBOX/a"))) + " user2 " + g.rights()})
	}
	if g.percent(60) {
		out = append(out, asked{1, "SELECT INBOX"})
	}
	commands := grammar
	if only != "" {
		commands = slices.DeleteFunc(slices.Clone(grammar), func(r production) bool {
			return !slices.Contains(strings.Split(only, ","), r.name)
		})
	}
	total := 0
	for _, r := range commands {
		total += r.weight
	}
	for range n {
		conn, pick := 1+g.IntN(4), g.IntN(total)
		if g.percent(40) {
			conn = 1
		}
		for _, r := range commands {
			if pick -= r.weight; pick < 0 {
				text := r.text(g, conn)
				if g.percent(8) {
					text = g.slip(text)
				}
				out = append(out, asked{conn, text})
				break
			}
		}
	}
	return out
}

// production is a command of the grammar.
type production struct {
	name   string
	weight int
	text   func(g *dialogs, conn int) string
}

var grammar = []production{
	{"select", 9, func(g *dialogs, c int) string {
		return g.of("SELECT ", "SELECT ", "EXAMINE ") + g.box(c) + g.selectParameters()
	}},
	{"leave", 3, func(g *dialogs, c int) string {
		return g.of("UNSELECT", "CLOSE", "CHECK", "NOOP", "NOOP", "NOOP", "IDLE")
	}},
	{"create", 5, func(g *dialogs, c int) string {
		return "CREATE " + g.box(c) + g.rarely(" default", ` (USE (\Drafts))`, ` (USE (\Sent \Junk))`, " (TYPE EMAIL)", " (PARTITION default)", " (USE (\\Nosuch))", "  x")
	}},
	{"delete", 4, func(g *dialogs, c int) string { return "DELETE " + g.box(c) }},
	{"rename", 5, (*dialogs).renaming},
	{"subscribe", 4, func(g *dialogs, c int) string {
		if c == 3 { // the real Cyrus does not let him have what he sees
			return "UNSUBSCRIBE " + g.box(c)
		}
		return g.of("SUBSCRIBE ", "SUBSCRIBE ", "UNSUBSCRIBE ") + g.box(c)
	}},
	{"list", 8, (*dialogs).listing},
	{"lsub", 3, func(g *dialogs, c int) string {
		return g.of("LSUB ", "LSUB ", "RLSUB ", "XLIST ", "RLIST ") + g.reference(c) + " " + g.pattern(c)
	}},
	{"status", 4, func(g *dialogs, c int) string {
		return "STATUS " + g.box(c) + " (" + g.several(4, statusItems...) + ")"
	}},
	{"append", 6, func(g *dialogs, c int) string { return "APPEND " + g.box(c) + " " + g.mails() }},
	{"store", 10, (*dialogs).storing},
	{"fetch", 12, (*dialogs).fetching},
	{"copy", 6, func(g *dialogs, c int) string {
		return g.of("", "UID ") + g.of("COPY ", "COPY ", "MOVE ", "XMOVE ") + g.numbers() + " " + g.box(c)
	}},
	{"expunge", 4, func(g *dialogs, c int) string { return g.of("EXPUNGE", "EXPUNGE", "UID EXPUNGE "+g.numbers()) }},
	{"search", 6, func(g *dialogs, c int) string { return g.finding() }},
	{"acl", 8, (*dialogs).acl},
	{"quota", 5, (*dialogs).quota},
	{"metadata", 8, (*dialogs).metadata},
	{"annotation", 4, (*dialogs).annotation},
	{"session", 2, func(g *dialogs, c int) string {
		return g.of("NAMESPACE", "CAPABILITY", "ID NIL", `ID ("name" "x")`, "ENABLE "+g.several(2, "CONDSTORE", "QRESYNC", "NOSUCH"), "ENABLE CONDSTORE", "ENABLE QRESYNC")
	}},
	{"urlauth", 2, (*dialogs).url},
	{"recorded", 8, func(g *dialogs, c int) string { return g.recorded() }},
}

// rarely is one of some texts, or mostly nothing.
func (g *dialogs) rarely(from ...string) string {
	if g.percent(90) {
		return ""
	}
	return g.of(from...)
}

// several is one to n words.
func (g *dialogs) several(n int, from ...string) string {
	var out []string
	for range 1 + g.IntN(n) {
		out = append(out, g.of(from...))
	}
	return strings.Join(out, " ")
}

// named is a name of the user's namespace, as this configuration writes it.
func (g *dialogs) named(name string) string {
	if g.alt {
		if rest, ok := strings.CutPrefix(name, "INBOX/"); ok {
			name = rest
		} else if rest, ok := strings.CutPrefix(name, "user/"); ok {
			name = "Other Users/" + rest
		} else if strings.HasPrefix(name, "shared") {
			name = "Shared Folders/" + name
		}
	}
	if g.dots {
		name = strings.ReplaceAll(name, "/", ".")
	}
	return name
}

var ownNames = []string{"INBOX", "INBOX", "INBOX", "INBOX", "INBOX/a", "INBOX/a", "INBOX/a", "INBOX/a/b", "INBOX/b c", "INBOX/&APw-", "INBOX/a/b/c/d"}

var otherNames = []string{"shared", "shared/x", "shared/x/y", "user/user1", "user/user1/a", "user/user1/a/b", "user/user2", "user/user2/q", "user/user3", "user/user1/b c", "user/user4"}

var oddNames = []string{
	"inbox", "InBox", "iNBOX/a", "INBOX/", "INBOX/a/", "/INBOX", "INBOX//a", "INBOX/a.b", "INBOX/a^b", "a.b", "INBOX.a", "INBOX/.", "INBOX/..", "INBOX/ ", "INBOX/x ", "INBOX/a%", "INBOX/a*b",
	"INBOX/&", "INBOX/&-", "INBOX/&AOQ", "INBOX/&AOQA5A-", "INBOX/&AEE-", "INBOX/&AOQ-&APY-", "INBOX/&2D0-", "INBOX/&ZeVnLIqe-", "&APw-", "INBOX/INBOX", "INBOX/INBOX/a", "INBOX/inbox", "user", "user/", "user/user1/", "user/user1/INBOX",
	"user/USER1", "user/user1.x", "user.user1", "user/us er", "DELETED", "DELETED/user/user1", "DELETED/user/user1/a", "", " ", "~x", "x~", "#news", "INBOX/#x", "INBOX/a\"b", "INBOX/a\\b", "INBOX/(x)", "INBOX/{5}", "INBOX/[x]", "INBOX/'", "INBOX/;x", "INBOX/x:y", "INBOX/!@$", "INBOX/+x", "-x", "INBOX/-",
	"INBOX/" + strings.Repeat("l", 100), "INBOX/" + strings.Repeat("L", 480), "INBOX/" + strings.Repeat("m/", 40) + "m", strings.Repeat("x", 500), strings.Repeat("x", 1100),
	"nosuch", "nosuch/x", "shared/", "SHARED", "shared/X", "Shared Folders/shared", "Other Users/user1", "a", "INBOX/A", "INBOX/B C", "INBOX/a/B", "#sieve", "INBOX/#sieve", "user/user1/#sieve", "INBOX/#calendars", "user/anyone", "user/cyrus", "INBOX/\x7f", "INBOX/\t",
}

// box is the name of a mailbox on the wire, more likely one that is there.
func (g *dialogs) box(conn int) string {
	var name string
	switch p := g.IntN(100); {
	case p < 12:
		name = g.of(oddNames...)
	case conn == 3 && p < 90 || conn == 2 && p < 60 || p < 30:
		name = g.of(otherNames...)
	default:
		name = g.of(ownNames...)
	}
	return g.wire(g.named(name))
}

// wire is a text as an astring, in one of its forms.
func (g *dialogs) wire(s string) string {
	odd := s == "" || strings.ContainsAny(s, " (){%*\"\\]\x7f\t") || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0
	switch {
	case strings.ContainsAny(s, "\r\n") || g.percent(3):
		return fmt.Sprintf("{%d+}\r\n%s", len(s), s)
	case g.percent(2):
		return fmt.Sprintf("{%d}\r\n%s", len(s), s)
	case odd && !g.percent(5) || g.percent(10):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

func (g *dialogs) selectParameters() string {
	if g.percent(80) {
		return ""
	}
	return g.of(" (CONDSTORE)", " (CONDSTORE)", " ()", " (NOSUCH)", " (ANNOTATE)", " (QRESYNC (1 1))", " (QRESYNC (1 5 1:*))", " (QRESYNC (1 1 1:3))", " x")
}

var statusItems = []string{"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "SIZE", "CREATEDMODSEQ", "messages", "NOSUCH"}

// reference is the first argument of LIST.
func (g *dialogs) reference(conn int) string {
	if g.percent(75) {
		return `""`
	}
	if g.percent(50) {
		return g.box(conn)
	}
	return g.wire(g.named(g.of("INBOX/", "INBOX/a/", "user/", "user/user1/", "shared/", "/", "user", "x/")))
}

// pattern is the name in LIST.
func (g *dialogs) pattern(conn int) string {
	switch g.IntN(4) {
	case 0:
		return g.of("*", "%", `"*"`, `""`, `"%"`)
	case 1:
		return g.box(conn)
	}
	var b strings.Builder
	for range 1 + g.IntN(5) {
		b.WriteString(g.of("*", "%", "INBOX", "inbox", "/", "user", "user1", "user2", "a", "b", "shared", "x", " ", "&", "IN", "**", "%%", ".", "/%", "/*"))
	}
	return `"` + g.named(b.String()) + `"`
}

func (g *dialogs) listing(c int) string {
	options := ""
	if g.percent(35) {
		options = "(" + g.of("", g.several(3, "SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE", "SUBSCRIBED", "NOSUCH", "subscribed")) + ") "
	}
	pattern := g.pattern(c)
	if g.percent(10) { // an empty one in a list makes the real imapd loop
		pattern = strings.ReplaceAll("("+g.pattern(c)+" "+g.pattern(c)+")", `""`, "a")
	}
	returned := ""
	if g.percent(50) {
		returned = " RETURN (" + g.of("", g.several(3, "SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS", "STATUS ("+g.several(3, statusItems[:7]...)+")", "METADATA (/shared/comment /private/comment)", "METADATA (DEPTH infinity) (/private)", "NOSUCH")) + ")"
	}
	return "LIST " + options + g.reference(c) + " " + pattern + returned
}

// numbers is a set of messages, mostly good.
func (g *dialogs) numbers() string {
	n := func() string { return g.of("1", "2", "3", "4", "5", "*", "1", "2", "7") }
	return g.of("1:*", "1:*", n(), n(), n()+":"+n(), n()+","+n(), n()+","+n()+":"+n(), g.of("0", "x", "1:", ",", "1,,2", "99", "4294967295", "4294967296", "1:99", "*:*"))
}

var flagNames = []string{`\Seen`, `\Seen`, `\Deleted`, `\Deleted`, `\Flagged`, `\Answered`, `\Draft`, "$Label1", "work", "WORK", "NonJunk", `\seen`}

var oddFlags = []string{`\Recent`, `\Nosuch`, `\*`, "a]b", "a[b", strings.Repeat("k", 300), "a\"b", "$MDNSent", `\`, "Junk", "(x)", "é"}

// renaming is a RENAME, but not to below itself: the mailbox that takes the
// place of the old one has other rights then.
func (g *dialogs) renaming(c int) string {
	from, to := g.box(c), g.box(c)
	if strings.Contains(strings.ToUpper(from), "INBOX") && !strings.Contains(from, "/") && !g.percent(10) {
		from = "INBOX/a" // that of INBOX ends the real imapd if no mailbox is selected
	}
	if strings.Contains(to, "a/b/c/d") {
		to = "INBOX/e"
	}
	return "RENAME " + from + " " + to + g.rarely(" default")
}

func (g *dialogs) flags() string {
	if g.percent(8) {
		return g.several(3, append(slices.Clone(flagNames), oddFlags...)...)
	}
	return g.several(3, flagNames...)
}

func (g *dialogs) storing(c int) string {
	unchanged := ""
	if g.percent(20) {
		unchanged = "(UNCHANGEDSINCE " + g.of("0", "1", strconv.Itoa(g.IntN(40)), strconv.Itoa(g.IntN(40)), "99999", "x", "9223372036854775807") + ") "
	}
	list := "(" + g.flags() + ")"
	switch g.IntN(12) {
	case 0:
		list = g.flags()
	case 1:
		list = "()"
	}
	return g.of("", "UID ") + "STORE " + g.numbers() + " " + unchanged + g.of("+", "+", "-", "", "+") + "FLAGS" + g.of("", "", ".SILENT") + " " + list
}

var fetchItems = []string{"FLAGS", "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ", "RFC822", "RFC822.HEADER", "RFC822.TEXT", "BODY[]", "BODY.PEEK[]", "BODY[TEXT]", "BODY[HEADER]",
	"EMAILID", "THREADID", "PREVIEW", "PREVIEW (LAZY)", "DIGEST.SHA1", "RFC822.SHA1", "RFC822.FILESIZE", "CREATEDMODSEQ", "CID", "BASECID", "FOLDER", "LASTUPDATED", "SAVEDATE", "MAILBOXES", "RFC822.HEADER.LINES (Subject)", "RFC822.PEEK", "NOSUCH", "ANNOTATION (/comment (value.priv value.shared))", "ANNOTATION (/* (value))", "RFC822.HEADER.LINES.NOT (From)"}

// section is what stands between the brackets of BODY.
func (g *dialogs) section() string {
	var parts []string
	for range g.IntN(3) {
		parts = append(parts, g.of("1", "1", "2", "3", "0", "9", "10", "01"))
	}
	if g.percent(60) || len(parts) == 0 {
		parts = append(parts, g.of("HEADER", "TEXT", "MIME", "text", "HEADER.FIELDS (Subject From)", "HEADER.FIELDS.NOT (Subject)", "HEADER.FIELDS ()", `HEADER.FIELDS ("Subject" X-None)`, "HEADER.FIELDS (subject {4+}\r\nfrom)", "HEADER.FIELDS.NOT ()", "NOSUCH", ""))
	}
	return strings.Join(parts, ".")
}

func (g *dialogs) partial() string {
	if g.percent(65) {
		return ""
	}
	return g.of("<0.5>", "<3.10>", "<0.0>", "<1000.5>", "<5.1>", "<0>", "<x>", "<0.4294967295>", "<0.5", "<5>", "<2147483648.1>", "<1.2147483647>")
}

func (g *dialogs) item() string {
	if g.percent(60) {
		return g.of(fetchItems...)
	}
	switch g.IntN(4) {
	case 0:
		return g.of("BINARY", "BINARY.PEEK") + "[" + g.of("", "1", "2", "1.1", "2.1", "3", "9", "0", "1.MIME") + "]" + g.partial()
	case 1:
		return "BINARY.SIZE[" + g.of("", "1", "2", "1.1", "9") + "]"
	}
	return g.of("BODY", "BODY.PEEK") + "[" + g.section() + "]" + g.partial()
}

func (g *dialogs) fetching(c int) string {
	what := g.item()
	switch g.IntN(5) {
	case 0:
		what = g.of("ALL", "FAST", "FULL", "(FAST)", "(ALL UID)", "()", "(FLAGS UID)")
	case 1, 2:
		var all []string
		for range 1 + g.IntN(4) {
			all = append(all, g.item())
		}
		what = "(" + strings.Join(all, " ") + ")"
	}
	modifier := ""
	if g.percent(12) {
		modifier = " (" + g.of("CHANGEDSINCE "+strconv.Itoa(g.IntN(40)), "CHANGEDSINCE 1 VANISHED", "VANISHED", "CHANGEDSINCE x", "CHANGEDSINCE 0", "CHANGEDSINCE 99999", "NOSUCH", "VANISHED CHANGEDSINCE 5") + ")"
	}
	return g.of("", "UID ") + "FETCH " + g.numbers() + " " + what + modifier
}

// texts of mails that are small and odd.
var smallMails = []string{
	"Subject: x\r\n\r\nText\r\n", "Subject: x\r\n\r\n", "\r\n", "x", "Subject: x\nbare\n\nnewlines\n", "Subject: x\r\n", "Subject: x\r\n y\r\n\tz\r\n\r\nfolded\r\n", "no colon\r\n\r\nbody\r\n", "A:\r\n\r\n", ": empty\r\n\r\n", "S p: x\r\n\r\nx", "From x\r\nSubject: y\r\n\r\nz", ">From x\r\n\r\n", "Subject: a\rb\r\n\r\nc\rd", "Subject: \x01\r\n\r\n\x02",
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nA\r\n--c\r\nContent-Type: text/html\r\n\r\n<b>B</b>\r\n--c--\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n",
	"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n",
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever ends",
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe=\r\n soft\r\n",
	"From: a@b\r\nTo: c@d\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@y>\r\nSubject: plain\r\n\r\nHello\r\n",
}

// mail is the arguments of an APPEND behind the mailbox, for one message.
func (g *dialogs) mail() string {
	if g.percent(50) {
		return g.appended()
	}
	m := g.of(smallMails...)
	flags, date := "", ""
	if g.percent(50) {
		flags = "(" + g.of("", g.flags()) + ") "
	}
	if g.percent(40) {
		date = g.of(`" 1-Jan-2001 10:00:00 +0000" `, `"01-Jan-2001 10:00:00 -0130" `, `"1-Jan-2001 10:00:00 +0000" `, `"29-Feb-2000 23:59:60 +1400" `, `"01-Jan-1970 00:00:00 +0000" `, `"31-Dec-1969 00:00:00 +0000" `, `"32-Jan-2001 10:00:00 +0000" `, `"" `, `"01-Foo-2001 10:00:00 +0000" `)
	}
	if g.percent(10) {
		date += `ANNOTATION (/comment (value.` + g.of("priv", "shared") + ` "appended")) `
	}
	switch g.IntN(14) {
	case 0:
		return flags + date + fmt.Sprintf("CATENATE (TEXT {%d+}\r\n%s TEXT {3+}\r\nabc)", len(m), m)
	case 1:
		return flags + date + fmt.Sprintf("CATENATE (URL %q TEXT {3+}\r\nabc)", g.of("/INBOX/;UID=1", "/INBOX/;UID=1/;SECTION=HEADER", "/INBOX/a/;UID=1/;SECTION=TEXT", "/INBOX/;UID=99", ";UID=1", "junk", "/INBOX/;UID=2/;SECTION=1.MIME/;PARTIAL=0.3"))
	case 2:
		return flags + date + fmt.Sprintf("~{%d+}\r\n%s", len(m), m)
	case 3:
		return flags + date + fmt.Sprintf("{%d}\r\n%s", len(m), m)
	}
	return flags + date + fmt.Sprintf("{%d+}\r\n%s", len(m), m)
}

// mails is that for several messages.
func (g *dialogs) mails() string {
	out := g.mail()
	for g.percent(15) {
		out += " " + g.mail()
	}
	return out
}

func (g *dialogs) finding() string {
	if g.percent(50) {
		switch g.IntN(5) {
		case 0:
			return g.sorting()
		case 1:
			return g.threading()
		}
		return g.searching()
	}
	key := g.of("ALL", "UNSEEN", "DELETED", "KEYWORD work", "RECENT", "NEW", "OLD", "MODSEQ 5", "UID 1:3", "1:2", "NOT SEEN", "OR SEEN FLAGGED", "ANNOTATION /comment value x", "ANNOTATION /comment value.shared appended", "SAVEDSINCE 1-Jan-2001", "EMAILID x", "THREADID x", "LARGER 100", "FUZZY SUBJECT hello", "MODSEQ \"/flags/\\\\Seen\" all 3", "0", "99:*")
	return g.of("", "UID ") + "SEARCH " + g.rarely("RETURN (MIN) ", "RETURN (MAX ALL) ", "RETURN (COUNT) ", "RETURN (RELEVANCY ALL) ") + key
}

func (g *dialogs) rights() string {
	sign := g.of("", "", "+", "-")
	if g.percent(15) {
		return sign + g.of("all", "read", "post", "append", "write", "delete", "none", "z", "0", "9", "\"\"", "c", "d", "cd", "LRS", "lrs0", "anyone", "n", "+l", "-")
	}
	var b strings.Builder
	for _, r := range "lrswipkxtecda" {
		if g.percent(50) {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 && sign == "" {
		return `""`
	}
	return sign + b.String()
}

func (g *dialogs) identifier() string {
	return g.of("user1", "user2", "user2", "user3", "anyone", "anonymous", "-user2", "-user3", "cyrus", "nosuch", `""`, "group:x", "user/user2", `"us er"`, "user2@example.org", "--user2", "admin", "owner")
}

func (g *dialogs) acl(c int) string {
	switch g.IntN(8) {
	case 0:
		return "GETACL " + g.box(c)
	case 1:
		return "MYRIGHTS " + g.box(c)
	case 2:
		return "LISTRIGHTS " + g.box(c) + " " + g.identifier()
	case 3:
		return "DELETEACL " + g.box(c) + " " + g.identifier()
	}
	return "SETACL " + g.box(c) + " " + g.identifier() + " " + g.rights()
}

func (g *dialogs) quota(c int) string {
	switch g.IntN(5) {
	case 0:
		return "GETQUOTA " + g.box(c)
	case 1:
		return "GETQUOTAROOT " + g.box(c)
	}
	limit := g.of("0", "1", "2", "3", "10", "1000", "-1", "2000000", "x", "")
	return "SETQUOTA " + g.wire(g.named(g.of("user/user1", "user/user1", "user/user1/a", "shared", "shared/x", "user/user2", "nosuch", "INBOX", "", "user/user3"))) + " (" + g.of("", "STORAGE "+limit, "MESSAGE "+limit, "X-NUM-FOLDERS "+limit, "X-ANNOTATION-STORAGE "+limit, "STORAGE 10 MESSAGE "+limit, "NOSUCH 1", "storage "+limit) + ")"
}

var entryNames = []string{"comment", "comment", "admin", "motd", "specialuse", "vendor/cmu/cyrus-imapd/expire", "vendor/cmu/cyrus-imapd/sharedseen", "vendor/cmu/cyrus-imapd/size", "vendor/cmu/cyrus-imapd/uniqueid", "vendor/cmu/cyrus-imapd/annotsize",
	"vendor/cmu/cyrus-imapd/pop3newuidl", "vendor/cmu/cyrus-imapd/squat", "vendor/cmu/cyrus-imapd/duplicatedeliver", "nosuch", "", "*", "%", "comment/x", "vendor", "vendor/*", "vendor/cmu/cyrus-imapd/archive", "check", "checkperiod", "sort", "thread", "vendor/x/y", "vendor/cmu/cyrus-imapd/sieve"}

func (g *dialogs) entry() string {
	return g.of("/shared/", "/private/", "/private/", "/", "/Shared/", "shared/") + g.of(entryNames...)
}

func (g *dialogs) value() string {
	return g.of(`"x"`, `"a longer value"`, "NIL", `""`, `"3"`, `"true"`, `"false"`, `"\\Sent"`, `"\\Junk"`, "{3+}\r\nabc", "{4}\r\na\"b\\", "x", "~{3+}\r\na\x00b", `"`+strings.Repeat("v", 2000)+`"`)
}

func (g *dialogs) metadata(c int) string {
	box := g.box(c)
	if g.percent(15) {
		box = `""`
	}
	switch g.IntN(8) {
	case 0, 1, 2:
		var all []string
		for range 1 + g.IntN(2) {
			all = append(all, g.entry()+" "+g.value())
		}
		return "SETMETADATA " + box + " (" + strings.Join(all, " ") + ")"
	case 3:
		return "SETANNOTATION " + box + " " + strings.TrimPrefix(strings.TrimPrefix(g.entry(), "/shared"), "/private") + " (" + g.of(`"value.priv"`, `"value.shared"`, "value.priv", `"content-type.priv"`) + " " + g.value() + ")"
	case 4:
		return "GETANNOTATION " + box + " " + g.of(`"/comment"`, `"*"`, `"/*"`, `"%"`, `("/comment" "/admin")`, `"/vendor/cmu/cyrus-imapd/size"`, `"/vendor/%"`) + " " + g.of(`"value.priv"`, `"value.shared"`, `"*"`, `("value.priv" "value.shared")`, `"size.shared"`, `"value"`)
	}
	options := ""
	if g.percent(50) {
		options = "(" + g.several(2, "DEPTH 0", "DEPTH 1", "DEPTH infinity", "MAXSIZE 5", "MAXSIZE 0", "MAXSIZE 1024", "DEPTH x", "NOSUCH") + ") "
	}
	entries := g.entry()
	if g.percent(40) {
		entries = "(" + g.entry() + " " + g.entry() + ")"
	}
	if g.percent(80) {
		return "GETMETADATA " + options + box + " " + entries
	}
	return "GETMETADATA " + box + " " + options + entries
}

func (g *dialogs) annotation(c int) string {
	entry := g.of("/comment", "/comment", "/altsubject", "/nosuch", "/vendor/cmu/cyrus-imapd/thrid", "/flags/x", "/*", "/1/comment")
	if g.percent(50) {
		return g.of("", "UID ") + "STORE " + g.numbers() + " ANNOTATION (" + entry + " (" + g.of("value.priv", "value.shared", "value", "size.priv") + " " + g.value() + "))"
	}
	return g.of("", "UID ") + "FETCH " + g.numbers() + " (" + g.of("", "UID ", "FLAGS ") + "ANNOTATION (" + entry + " " + g.of("value", "value.priv", "(value.priv value.shared)", "size", "*", `("value.priv" "size.priv")`) + "))"
}

func (g *dialogs) url(c int) string {
	url := "imap://" + g.of("user1", "user2", "user1;AUTH=*") + "@reference.example.org/" + g.of("INBOX", "INBOX/a", "shared", "nosuch", "INBOX/b%20c") + g.of("", ";uidvalidity=1") + "/;uid=" + g.of("1", "2", "99", "x") +
		g.of("", "", "/;section=1", "/;section=HEADER", "/;section=TEXT", "/;section=1/;partial=0.3") + g.of("", "", ";expire=2000-01-01T00:00:00Z", ";expire=2035-01-01T00:00:00Z") + g.of(";urlauth=anonymous", ";urlauth=authuser", ";urlauth=user+user2", ";urlauth=submit+user1", "", ";urlauth=nobody")
	switch g.IntN(4) {
	case 0:
		return "RESETKEY" + g.of("", " "+g.box(c), " INBOX INTERNAL")
	case 1:
		return "URLFETCH " + strconv.Quote(url+g.of(":internal:00", ""))
	}
	return "GENURLAUTH " + strconv.Quote(url) + g.of(" INTERNAL", " internal", " x", "")
}

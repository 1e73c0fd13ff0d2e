//go:build reference

package reference

import (
	"fmt"
	"strings"
)

// sieveExtensions are those that scripts made by chance may use.
var sieveExtensions = []string{
	"encoded-character", "fileinto", "copy", "mailbox", "imap4flags", "variables", "relational", "comparator-i;ascii-numeric", "envelope", "subaddress", "regex", "body",
	"date", "index", "editheader", "environment", "ihave", "special-use", "reject", "ereject", "vacation", "vacation-seconds", "redirect-dsn", "redirect-deliverby", "mboxmetadata",
	"servermetadata", "duplicate", "mailboxid", "enotify", "notify", "include", "fcc",
}

// scripting makes a Sieve script. All that its tests find out shows in flags
// and in fields that it adds.
type scripting struct {
	*chance
	n      int // of the case: for what may not be used twice
	marks  int
	fields int
	quiet  bool // nothing that sends, rejects or files
}

// script makes a whole script.
func (g *scripting) script() string {
	var list []string
	for _, e := range sieveExtensions {
		if g.IntN(400) > 0 {
			list = append(list, fmt.Sprintf("%q", e))
		}
	}
	if g.percent(50) { // numbers of lines
		list[0] = "\n" + list[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "require [%s];\n", strings.Join(list, ", "))
	for range 1 + g.IntN(8) {
		b.WriteString(g.statement(0))
	}
	return b.String()
}

// statement is a command with its line end.
func (g *scripting) statement(depth int) string {
	if depth < 3 && g.percent(60) {
		return g.conditional(depth)
	}
	switch g.IntN(8) {
	case 0, 1, 2:
		return g.setting()
	case 3:
		return g.flagging()
	case 4:
		return g.editing()
	}
	return g.action()
}

func (g *scripting) mark() string {
	g.marks++
	return fmt.Sprintf("addflag \"t%02d\"; ", g.marks)
}

func (g *scripting) block(depth int) string {
	var b strings.Builder
	b.WriteString("{ " + g.mark())
	if g.percent(25) {
		b.WriteString(g.showing())
	}
	for g.percent(25) {
		b.WriteString(g.statement(depth + 1))
	}
	return b.String() + "}"
}

func (g *scripting) conditional(depth int) string {
	s := "if " + g.test(0) + " " + g.block(depth)
	for g.percent(20) {
		s += " elsif " + g.test(0) + " " + g.block(depth)
	}
	if g.percent(25) {
		s += " else " + g.block(depth)
	}
	return s + "\n"
}

// quoted is a string of Sieve.
func quotedSieve(s string) string {
	if strings.Contains(s, "\n") && !strings.Contains(s, "\r") && len(s)%2 == 0 {
		return "text:\n" + strings.ReplaceAll("\n"+s, "\n.", "\n..")[1:] + "\n.\n"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// variable is a reference to one, right or not quite.
func (g *scripting) variable() string {
	return g.of("${v}", "${w}", "${V}", "${x_1}", "${none}", "${0}", "${1}", "${2}", "${3}", "${9}", "${01}", "${}", "${ v}", "${v", "$v", "$${v}", "${1}${2}", "${v-w}")
}

// text is a string in which variables may stand.
func (g *scripting) text(from ...string) string {
	s := g.of(from...)
	if g.percent(15) {
		s = g.of(s+g.variable(), g.variable()+s, g.variable())
	}
	if g.percent(2) {
		s = g.of("${hex:48 65 6c}", "${unicode:e4}", "${hex: 4 }", "${HEX:c3 a4}", "${hex:zz}", "x${hex:40}", "${unicode: 20ac 41}", "${hex:24 7b}v}")
	}
	return quotedSieve(s)
}

// texts is a string or a list.
func (g *scripting) texts(from ...string) string {
	if g.percent(65) {
		return g.text(from...)
	}
	var all []string
	for range 1 + g.IntN(3) {
		all = append(all, g.text(from...))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

var (
	fieldNames   = []string{"Subject", "subject", "SUBJECT", "From", "To", "Cc", "X-Odd", "X-Multi", "X-Num", "X-None", "X-Empty", "Date", "Message-ID", "Content-Type", "Sender", "X-8bit", "X-Long", "X-Fold", "References", ""}
	addressNames = []string{"from", "From", "to", "To", "cc", "CC", "bcc", "sender", "reply-to", "resent-to", "message-id", "references"}
	words        = []string{"hello", "Hello", "HELLO world", "re: hello", "Grüße", "grüße", "GRÜSSE", "", " ", "a", "one", "two", "three", "b c", "a b", "10", "9", "007", "5", "-3", "1.5", "x", "list", "[list] hello", "value",
		"alice@example.org", "Alice <alice@example.org>", "alice", "example.org", "EXAMPLE.ORG", "@", "doe", "Doe, John", "john@example.com", "MAILER-DAEMON", "unspecified-domain", "text/plain", "needle", "Köln", "日本語", "m1@example.org", "<m1@example.org>", "folded subject",
		"apple", "fwd", "yes", "tab\there", "line one\nline two", "ÄÖÜ", "(comment)", "friends", "user", "detail", "b", "=?utf-8?Q?a?=", "€ 100"}
	patterns = []string{"*", "?", "", "**", "?*", "*?", "h*", "*o*", "*o", "h?l*", "*hello*", "* *", "*@*", "*@*.*", "*<*>*", "a?b", "a\\?b", "a\\*b", "*\\**", "\\\\", "*\\", "[*]*", "Re: *", "*e*e*", "??*", "*ü*", "*\u00fc??e", "?rü*", "*:*", "*l*l*l*l*l*l*l*l*l*l*",
		"text/*", "*one*", "*\n*", "${1}*", "*${v}*", "Gr??e", "Gr*e", "<*>", "*.org", "?lice*", "*\t*"}
	regexes = []string{"^hello", "o$", "h.*o", "(h)(e)(l+)o", "(foo|hel+o)", "^$", "", ".", "[a-z]+@[a-z.]+", "^(.*)@(.*)$", "[[:space:]]", "[[:alpha:]]+", "\\bhello\\b", "^[0-9]{1,3}$", "(a)?(b)?(.*)", "gr.{1,3}e", "\\d+", "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "[^a-z]", "\\.", "h|e|l",
		"(?i)HELLO", "x*", "^.*$", "(?:re|fwd): (.*)", "\\w+\\s\\w+", "ü", "[üß]", "^\\S+$", "a{2,}", "[]a]"}
	wrongRegexes = []string{"(", "[a", "a**", "*a", "a{2,1}", "\\", "(?<n>a)", "[z-a]", ")", "a{,3}"}
)

// matching is tags of matching, and the keys that go with them.
func (g *scripting) matching(more ...string) (tags, keys string) {
	var list []string
	pool := append(words[:len(words):len(words)], more...)
	switch g.IntN(10) {
	case 0, 1:
		list = append(list, ":is")
	case 2:
		list = append(list, ":contains")
	case 3, 4, 5:
		list = append(list, ":matches")
		if !g.percent(20) {
			pool = patterns
		}
	case 6:
		list = append(list, ":regex")
		if !g.percent(20) {
			pool = regexes
		}
		if g.percent(2) {
			pool = wrongRegexes
		}
	case 7:
		list = append(list, fmt.Sprintf(":count %q", g.of("gt", "ge", "lt", "le", "eq", "ne")))
		if !g.percent(1) {
			list = append(list, `:comparator "i;ascii-numeric"`)
			pool = []string{"0", "1", "2", "3", "4", "x", ""}
		}
	case 8:
		list = append(list, fmt.Sprintf(":value %q", g.of("gt", "ge", "lt", "le", "eq", "ne")))
	}
	if len(list) < 2 && g.percent(30) {
		list = append(list, `:comparator "`+g.of("i;octet", "i;ascii-casemap")+`"`)
	} else if len(list) == 1 && strings.HasPrefix(list[0], ":value") && g.percent(60) {
		list = append(list, `:comparator "i;ascii-numeric"`)
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return strings.Join(list, " "), g.texts(pool...)
}

func (g *scripting) index() string {
	if !g.percent(15) {
		return ""
	}
	return fmt.Sprintf(":index %d ", g.IntN(4)) + g.of("", ":last ", "")
}

// test is a test of any kind.
func (g *scripting) test(depth int) string {
	if depth < 3 && g.percent(25) {
		switch g.IntN(3) {
		case 0:
			return "not " + g.test(depth+1)
		default:
			var all []string
			for range 1 + g.IntN(3) {
				all = append(all, g.test(depth+1))
			}
			return g.of("anyof", "allof") + " (" + strings.Join(all, ", ") + ")"
		}
	}
	if g.percent(30) {
		return g.otherTest(depth > 0)
	}
	tags, keys := g.matching()
	part := ""
	if g.percent(60) {
		part = g.of(":all", ":localpart", ":domain", ":user", ":detail") + " "
	}
	switch g.IntN(11) {
	case 0, 1, 2:
		return "header " + g.index() + tags + " " + g.texts(fieldNames...) + " " + keys
	case 3, 4:
		return "address " + part + g.index() + tags + " " + g.texts(addressNames...) + " " + keys
	case 5:
		return "envelope " + part + tags + " " + g.texts("from", "to", "From", "auth", "TO") + " " + keys
	case 6, 7:
		where := g.of("", ":raw ", ":text ", ":content "+g.texts("text", "text/plain", "text/html", "image", "", "multipart", "message", "message/rfc822", "text/", "/", "application/octet-stream", "TEXT/PLAIN", "multipart/mixed")+" ")
		return "body " + where + tags + " " + keys
	case 8:
		return "string " + tags + " " + g.texts(words...) + " " + keys
	case 9:
		return "hasflag " + tags + " " + g.of("", g.texts("v", "w", "fl")+" ") + g.texts("t01", "t02", "T03", `\Seen`, "a", "A b", "*", "1")
	}
	return g.dateTest(tags)
}

func (g *scripting) dateTest(tags string) string {
	keys := g.texts("2006", "2026", "01", "02", "10", "00", "2006-01-02", "15:04:05", "0", "4", "7", "+0000", "-0800", "+1400", "53737", "2453738", "2006-01-02T15:04:05+00:00", "2006-01-02T15:04:05Z", "Mon, 02 Jan 2006 15:04:05 +0000", "*", "?*", "[0-9]+")
	part := `"` + g.of("year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday", "YEAR") + `"`
	zone := g.of("", "", ":originalzone ", ":zone "+g.text("+0000", "+0500", "-0330", "bad", "", "+2500", "0100", "+01:00")+" ")
	if g.percent(10) {
		return "currentdate " + g.of("", `:zone "+0000" `, `:zone "-0500" `) + `:value "ge" "year" "2020"`
	}
	return "date " + zone + g.index() + tags + " " + quotedSieve(g.of("date", "Date", "received", "x-date", "subject", "x-none", "resent-date")) + " " + part + " " + keys
}

// otherTest is a test that does not look into the mail, or compares nothing. The
// real one misreads what follows some of them within others.
func (g *scripting) otherTest(within bool) string {
	tags, keys := g.matching("MDA", "during", "127.0.0.1")
	boxes := []string{"INBOX", "INBOX/a", "INBOX/b", "inbox/A", "INBOX/none", "a", "INBOX/Junk", "", "user/cyrus"}
	entries := []string{"/private/comment", "/shared/comment", "/private/specialuse", "/shared/vendor/cmu/cyrus-imapd/none", "/private/none", "/shared/admin", "comment", ""}
	kind := g.IntN(15)
	if within && (kind == 5 || kind == 7 || kind == 9 || kind == 13) {
		kind = 0
	}
	switch kind {
	case 0, 1:
		return "exists " + g.texts(fieldNames...)
	case 2:
		return "size " + g.of(":over", ":under") + " " + g.of("0", "100", "500", "1K", "2k", "1000", "1M", "1G")
	case 3:
		return g.of("true", "false")
	case 4:
		return "mailboxexists " + g.texts(boxes...)
	case 5:
		return "metadata " + tags + " " + g.text(boxes...) + " " + g.text(entries...) + " " + keys
	case 6:
		return "metadataexists " + g.text(boxes...) + " " + g.texts(entries...)
	case 7:
		return "servermetadata " + tags + " " + g.text(entries...) + " " + keys
	case 8:
		return "servermetadataexists " + g.texts(entries...)
	case 9:
		return "environment " + tags + " " + quotedSieve(g.of("domain", "host", "location", "name", "phase", "remote-ip", "Domain", "x", "vnd.cyrus.x", "imap.user")) + " " + keys
	case 10:
		return "ihave " + g.texts("fileinto", "none", "vacation", "comparator-i;ascii-numeric", "regex", "FILEINTO", "mime", "spamtest")
	case 11:
		return g.duplicateTest()
	case 12:
		return "valid_notify_method " + g.texts("mailto:a@example.org", "mailto:", "xmpp:x@y", "mailto:a@example.org?subject=x", "", "mailto:x y")
	case 13:
		return "notify_method_capability " + tags + " " + g.text("mailto:a@example.org", "xmpp:x@y") + " " + g.text("online", "Online", "x") + " " + g.texts("maybe", "yes", "MAYBE", "*")
	}
	return "specialuse_exists " + g.of("", g.text(boxes...)+" ") + g.texts(`\Junk`, `\junk`, `\Sent`, `\Inbox`, "Junk", "")
}

func (g *scripting) duplicateTest() string {
	s := "duplicate"
	switch g.IntN(3) {
	case 0:
		s += " :header " + g.text("Subject", "X-Odd", "X-None", "Message-ID", "X-Empty")
	case 1:
		s += " :uniqueid " + g.text("u", "", "Grüße", "x y")
	}
	if g.percent(30) {
		s += " :handle " + g.text("h", "", "handle")
	}
	if g.percent(30) {
		s += " :seconds " + g.of("60", "0", "1000000000", "1")
	}
	if g.percent(20) {
		s += " :last"
	}
	return s
}

func (g *scripting) setting() string {
	s := "set "
	for g.percent(45) {
		s += g.of(":lower", ":upper", ":lowerfirst", ":upperfirst", ":quotewildcard", ":quoteregex", ":length", ":encodeurl") + " "
	}
	value := g.text(words...)
	if g.percent(40) {
		value = quotedSieve(g.of("${0}", "${1}|${2}|${3}", "a*b?c\\d", "[x].(y)", "a b&c=d/e~f", "${v}${v}", "Ünïcode Straße", "éa", "juMBlEd lETteRS", "${1} and ${v}", "abc\nDEF"))
	}
	if strings.Contains(s, "encodeurl") {
		value = quotedSieve(g.of("a b&c=d/e~f", "%", "", "plain", "x-_.~!*'()"))
	}
	return s + quotedSieve(g.of("v", "w", "V", "x_1", "v", "_a")) + " " + value + ";\n" + g.showing()
}

// showing makes the variables visible.
func (g *scripting) showing() string {
	g.fields++
	return fmt.Sprintf("addheader :last \"X-V%d\" \"[%s]\"; ", g.fields, g.of("${v}", "${w}|${x_1}", "${0}|${1}|${2}|${3}", "${1}", "${2}|${9}", "${v}|${0}"))
}

func (g *scripting) flagging() string {
	return g.of("addflag", "setflag", "removeflag", "addflag") + " " + g.of("", "", `"fl" `, `"v" `) + g.flags() + ";\n"
}

func (g *scripting) flags() string {
	return g.texts(`\Seen`, `\Flagged`, `\\Deleted`, `\answered`, "a", "A", "b c", "$Label1", "bad(", "", `\Bogus`, "t01", "ü", "a  b", " x ", `\Recent`, "a]", "*", `\Seen \Draft`)
}

func (g *scripting) editing() string {
	if g.percent(50) {
		name := g.of("X-New", "x-new", "X-${v}") // of a field that is there the real one counts it as the last
		value := g.of("new", "Grüße", "", "two\nlines", " padded ", strings.Repeat("long ", 40), "${1}", "=?utf-8?Q?a?=", "tab\tin", "${v}", "cr\r\nlf")
		return "addheader " + g.of("", "", ":last ") + quotedSieve(name) + " " + quotedSieve(value) + ";\n"
	}
	tags, keys := g.matching()
	s := "deleteheader "
	if g.percent(40) {
		s += fmt.Sprintf(":index %d ", g.IntN(4)) + g.of("", ":last ")
	}
	s += tags + " " + quotedSieve(g.of("X-Multi", "Subject", "x-odd", "X-Num", "X-None", "To", "X-Empty", "Message-ID", "Date", "X-V1"))
	if g.percent(50) {
		s += " " + keys
	}
	return s + ";\n"
}

// boxTags are tags of fileinto and of the copies of what is sent.
func (g *scripting) boxTags() string {
	s := ""
	if g.percent(30) {
		s += ":create "
	}
	if g.percent(25) {
		s += ":flags " + g.flags() + " "
	}
	if g.percent(15) {
		s += ":specialuse " + quotedSieve(g.of(`\Junk`, `\Sent`, `\junk`, "Junk", "", `\Bogus`)) + " "
	} else if g.percent(10) {
		s += ":mailboxid " + quotedSieve(g.of("none", "", "F1234")) + " "
	}
	return s
}

func (g *scripting) box() string {
	return g.text("INBOX/a", "INBOX/b", "INBOX", "inbox", "inbox/a", "INBOX/none", "INBOX/Entwürfe", "INBOX/new/deep", "", "a", "INBOX.a", "INBOX/", "INBOX//x", "INBOX/a/", "INBOX/x%y", "INBOX/&", "user/cyrus", "INBOX/Junk", "/INBOX/a", "INBOX/a b", "INBOX/.x", "INBOX/x.y",
		"INBOX/"+strings.Repeat("long", 30), "INBOX/Entw&APw-rfe", "shared", "INBOX/x*", "INBOX/\t", "INBOX/~a", "INBOX/b", "INBOX/a")
}

// action is an action that decides what becomes of the mail.
func (g *scripting) action() string {
	if g.quiet {
		return g.flagging()
	}
	people := []string{"x@example.net", "y@example.net", "X Y <x@example.net>", "\"q q\"@example.net", "me@example.com"}
	switch g.IntN(20) {
	case 0, 1, 2:
		return "keep" + g.of("", "", " :flags "+g.flags()) + ";\n"
	case 3:
		return g.of("discard", "discard", "stop") + ";\n"
	case 4, 5, 6, 7, 8:
		return "fileinto " + g.of("", "", ":copy ") + g.boxTags() + g.box() + ";\n"
	case 9, 10, 11:
		s := "redirect " + g.of("", "", ":copy ")
		if g.percent(15) {
			s += ":notify " + quotedSieve(g.of("NEVER", "SUCCESS", "failure, delay", "SUCCESS,FAILURE")) + " "
		}
		if g.percent(15) {
			s += ":ret " + quotedSieve(g.of("FULL", "hdrs")) + " "
		}
		return s + g.text(people...) + ";\n"
	case 12:
		return g.of("reject", "ereject") + " " + g.text("go away", "geh wäg", "two\nlines", "..dots\n.x", strings.Repeat("long ", 30), "trailing\n", "a\n\nb") + ";\n"
	case 13, 14, 15:
		return g.vacation(people)
	case 16:
		return g.notifying()
	case 17:
		return "include " + g.of("", ":personal ", ":global ", ":global ") + g.of(":optional ", "") + quotedSieve(g.of("inc1", "inc2", "inc3", "none", "global1", "a/b")) + ";\n"
	}
	return g.flagging()
}

func (g *scripting) vacation(people []string) string {
	s := "vacation "
	tag := func(percent int, text string) {
		if g.percent(percent) {
			s += text + " "
		}
	}
	tag(90, `:addresses `+g.texts("me@example.com", "me@example.com", "Me@Example.Com", "other@example.com"))
	tag(30, ":days "+g.of("0", "1", "7", "30", "100000"))
	tag(10, ":seconds "+g.of("0", "60", "1000"))
	tag(30, ":subject "+g.text("Away", "Über alle Berge", "", "${1}", strings.Repeat("long subject ", 12), "two\nlines", "Re: ${v}"))
	tag(30, ":from "+g.text(people...))
	tag(30, ":handle "+g.text("h", "Grüße", "", "handle two"))
	if g.percent(15) {
		return s + ":mime " + g.text("Content-Type: text/html\n\n<b>away</b>", "Content-Type: text/plain; charset=utf-8\nX-More: y\n\nGrüße", "no header at all", "\nbody only", "") + ";\n"
	}
	if g.percent(20) {
		s += ":fcc " + g.box() + " " + g.boxTags()
	}
	return s + g.text("gone", "gone\nfor good", "Grüße", "", ".\n..x", strings.Repeat("a long line of words ", 20), "${v} away", "trailing \n \n") + ";\n"
}

func (g *scripting) notifying() string {
	s := "notify "
	if g.percent(30) { // of the older draft
		if g.percent(60) {
			s += ":method " + g.text("log", "mailto", "x") + " "
		}
		if g.percent(40) {
			s += ":id " + g.text("i1") + " "
		}
		if g.percent(30) {
			s += ":options " + g.texts("x@example.org", "o2") + " "
		}
		s += g.of("", ":low ", ":normal ", ":high ")
		if g.percent(60) {
			s += ":message " + g.text("$from$ says $subject$", "$text[10]$", "$text$", "$env-from$", "plain", "$$", "$none$", "$text[0]$") + " "
		}
		return s + ";\n"
	}
	if g.percent(40) {
		s += ":from " + g.text("me@example.com", "x y") + " "
	}
	if g.percent(40) {
		s += ":importance " + g.of(`"1"`, `"2"`, `"3"`) + " "
	}
	if g.percent(30) {
		s += ":options " + g.texts("a=b", "c") + " "
	}
	if g.percent(70) {
		s += ":message " + g.text("mail from $from$", "${1}", "Grüße", "$subject$", "two\nlines", "") + " "
	}
	return s + g.text("mailto:x@example.org", "mailto:x@example.org?subject=y", "mailto:a@b?body=c&to=d@e", "MAILTO:x@example.org", "xmpp:a@b", "", "mailto:") + ";\n"
}

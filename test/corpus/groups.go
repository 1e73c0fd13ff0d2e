package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// folders is a user with folders that take mail, and some that do not, and
// shared mailboxes.
var folders = []string{
	"cyrus CREATE user/plain", "cyrus CREATE user/other", "cyrus CREATE user/full", "cyrus CREATE user/UPPER", "cyrus SETACL user/UPPER cyrus lrs",
	"plain CREATE INBOX/open", "plain SETACL INBOX/open anyone p",
	"plain CREATE INBOX/open/sub", "plain SETACL INBOX/open/sub anyone lrsp",
	"plain CREATE INBOX/Case", "plain SETACL INBOX/Case anyone p",
	"plain CREATE INBOX/closed",
	"plain CREATE INBOX/others", "plain SETACL INBOX/others other lrsp",
	`plain CREATE "INBOX/two words"`, `plain SETACL "INBOX/two words" anyone p`,
	`plain CREATE "INBOX/with-dash_and.dot"`, `plain SETACL "INBOX/with-dash_and.dot" anyone p`,
	"plain CREATE INBOX/Entw&APw-rfe", "plain SETACL INBOX/Entw&APw-rfe anyone p",
	"plain CREATE INBOX/R&-D", "plain SETACL INBOX/R&-D anyone p", "plain CREATE INBOX/Junk", `plain SETMETADATA INBOX/Junk (/private/specialuse "\\Junk")`, "plain SETACL INBOX/Junk anyone p",
	"cyrus CREATE shared", "cyrus CREATE shared/open", "cyrus SETACL shared/open anyone lrsp",
	"cyrus CREATE shared/closed", "cyrus SETACL shared/closed anyone lrs", "cyrus SETACL shared/closed other lrsp",
	"cyrus CREATE shared/hidden", "cyrus SETACL shared/hidden anyone p", "cyrus SETACL shared/hidden cyrus lrswipkxtea",
	"full APPEND INBOX " + fill(3000), "cyrus SETQUOTA user/full (STORAGE 1)",
}

// fill is a literal of some size.
func fill(n int) string {
	text := usual("fill") + "\r\n" + strings.Repeat("fill fill fill\r\n", n/16)
	return fmt.Sprintf("{%d+}\r\n%s", len(text), text)
}

var folderUsers = []string{"plain", "other", "full"}

// paths is the addresses that mail goes to.
var paths = []string{
	"<plain>", "<plain@reference.example.org>", "<plain@example.net>", "<PLAIN>", "<Plain+open>", "<upper>", "<UPPER>",
	"<plain+open>", "<plain+open@example.net>", "<plain+OPEN>", "<plain+Open/Sub>", "<plain+open/sub>", "<plain+open.sub>", "<plain+case>", "<plain+Case>",
	"<plain+closed>", "<plain+others>", "<plain+missing>", "<plain+open/missing>", "<plain+>", "<plain++open>", "<plain+open+sub>", "<plain+INBOX>", "<plain+INBOX/open>",
	`<plain+two_words>`, `<plain+two-words>`, `<plain+"two words">`, `<"plain"+open>`, `<"plain+open">`, `<"plain@example.net">`,
	"<plain+with-dash_and.dot>", "<plain+with_dash-and.dot>", "<plain+Entw&APw-rfe>", "<plain+Junk>",
	"<bb+shared/open>", "<bb+shared.open>", "<BB+shared/open>", "<bb+shared/closed>", "<bb+shared/hidden>", "<bb+shared/none>", "<bb+shared>", "<bb+>", "<bb>", "<bb+user/plain>", "<bb+user/plain/open>",
	"<+shared/open>", "<+>", "<>", "<shared/open>", "<user/plain>", "<plain/open>", "<bb+shared/open@example.net>",
	"<nobody>", "<nobody+open>", "<full>", "<full> IGNOREQUOTA", "<full+missing>", "<other>",
	"<@relay:plain>", "<@relay,@other.example:plain+open>", "<plain@>", "<plain@[127.0.0.1]>", "<plain@example_net>", "<plain@-x>", "<pl ain>", "<plain@a@b>", "<pla,in>", "<plain>x", "plain", "<plain", "<plain> ignorequota", "<plain> FOO", "<plain> ", "<plain> IGNOREQUOTA ", "<plain> IGNOREQUOTA IGNOREQUOTA", "<plain+R&D>", "<plain>  IGNOREQUOTA",
	"<anyone>", "<cyrus>", "<postmaster>", "<plain%example.net>", "<example.net!plain>", "<..>", "<.>", "<a..b>", "<pl*in>", "<pl%in>", "<DELETED/plain>",
}

// each is the dialog that sends a mail to each of some addresses.
func each(mail string, paths ...string) (dialog []string) {
	for _, p := range paths {
		dialog = append(dialog, "MAIL FROM:<sender@example.org>", "RCPT TO:"+p, "DATA", "@"+mail, "RSET")
	}
	return dialog
}

// transaction is the dialog of one mail to several.
func transaction(from, mail string, paths ...string) []string {
	dialog := []string{"MAIL FROM:" + from}
	for _, p := range paths {
		dialog = append(dialog, "RCPT TO:"+p)
	}
	return append(dialog, "DATA", "@"+mail, "RSET")
}

func join(dialogs ...[]string) (all []string) {
	for _, d := range dialogs {
		all = append(all, d...)
	}
	return all
}

// fifty is one recipient many times.
func fifty() (all []string) {
	for range 50 {
		all = append(all, "<plain>")
	}
	return all
}

// addressed is a group that mails to all of paths.
func addressed(name string, config ...string) Group {
	return Group{Name: name, Config: append([]string{"duplicatesuppression: no"}, config...), Users: folderUsers, Setup: folders, Dialog: each("plain", paths...),
		Look: append([]string{"cyrus"}, folderUsers...)}
}

// fuzzyScripts names folders in other ways than they are called.
var fuzzyScripts = []Script{
	{"f-case", `require "fileinto"; fileinto "INBOX/JUNK";`},
	{"f-words", `require "fileinto"; fileinto "INBOX/Two_Words";`},
	{"f-longer", `require "fileinto"; fileinto "INBOX/a/b/c";`},
	{"f-create", `require ["fileinto", "mailbox"]; fileinto :create "INBOX/TWO-WORDS";`},
	{"f-none", `require "fileinto"; fileinto "INBOX/nothing";`},
	{"f-keep", `keep;`},
}

// seenScripts files messages that are seen into mailboxes of others.
var seenScripts = []Script{
	{"seen-other", `require ["fileinto", "imap4flags"]; fileinto :flags ["\\Seen", "\\Flagged", "\\Deleted", "key"] "user/other/all";`},
	{"seen-open", `require ["fileinto", "imap4flags"]; fileinto :flags ["\\Seen", "\\Flagged", "key"] "user/other/open";`},
	{"seen-one", `require ["fileinto", "imap4flags"]; fileinto :flags ["\\Seen"] "user/other/one";`},
	{"seen-shared", `require ["fileinto", "imap4flags"]; fileinto :flags ["\\Seen", "key"] "shared";`},
	{"seen-own", `require ["fileinto", "imap4flags"]; fileinto :flags ["\\Seen"] "INBOX/a";`},
}

// few is some scripts and mails of what More has all of.
func few() Group {
	g := scriptsAndMails("scripts", some("plain", "header-only"))
	var scripts []Script
	for _, s := range g.Script {
		if slices.Contains([]string{"s-create", "s-two", "s-flags", "s-reject", "s-redirect", "s-vacation", "s-edit", "s-fails"}, s.User) {
			scripts = append(scripts, s)
		}
	}
	g.Script, g.Look = scripts, append([]string{"cyrus", "plain", "other"}, userNames(scripts)...)
	return g
}

// fuzzy is the folders of addresses, and of scripts, that are spelled in other
// ways.
func fuzzy() Group {
	g := addressed("fuzzy", "lmtp_fuzzy_mailbox_match: yes")
	g.Dialog = each("plain", "<plain+OPEN>", "<plain+Open/Sub>", "<plain+case>", "<plain+closed>", "<plain+CLOSED>", "<plain+missing>", "<plain+open/missing>", "<plain+two_words>", "<plain+two-words>", "<plain+Two-Words/x>",
		"<plain+with_dash-and.dot>", "<plain+r&d>", "<plain+JUNK>", "<bb+shared/open>", "<full+missing>", "<other+x>")
	return scripted(g, fuzzyScripts)
}

// scripted adds scripts to a group, and some mails for them.
func scripted(g Group, scripts []Script) Group {
	g.Script, g.Mails = scripts, Mails()[:3]
	g.Dialog = append(g.Dialog, each("plain", "<f-keep+JUNK>", "<f-keep+junk>", "<f-keep+A/B>", "<f-keep+nothing>")...)
	for _, s := range scripts {
		for _, box := range []string{"Junk", "a", `"INBOX/two words"`} {
			if !strings.HasPrefix(box, `"`) {
				box = "INBOX/" + box
			}
			g.Look = append(g.Look, s.User)
			g.Setup = append(g.Setup, s.User+" SETACL "+box+" anyone p")
		}
	}
	g.Look = slices.Compact(g.Look)
	return g
}

// some is the mails of these names.
func some(names ...string) (mails []Mail) {
	for _, m := range Mails() {
		if slices.Contains(names, m.Name) {
			mails = append(mails, m)
		}
	}
	return mails
}

func scriptsAndMails(name string, mails []Mail) Group {
	return Group{Name: name, Users: folderUsers, Setup: folders, Script: Scripts, Mails: mails, Look: append(append([]string{"cyrus"}, folderUsers...), userNames(Scripts)...),
		To: []string{"<plain>", "<plain@example.net>", "<plain+open>", "<plain+closed>", "<plain+missing>", `<plain+open/sub>`,
			"<bb+shared/open>", "<bb+shared/closed>", "<bb+shared/hidden>", "<nobody>", "<full>", "<full> IGNOREQUOTA", "<other>", "<other>"}}
}

// Groups is what is done with each test. What stands in More takes longer and
// shows less.
func Groups() []Group {
	return []Group{
		few(),
		addressed("addresses"),
		fuzzy(),
		domains(),
		untrusted(),
		newUsers(),
		{Name: "duplicates", Users: folderUsers, Look: folderUsers, Setup: append(slices.Clone(folders),
			`cyrus SETACL user/plain/open cyrus lrswipkxtea`, `cyrus SETMETADATA user/plain/open (/shared/vendor/cmu/cyrus-imapd/duplicatedeliver "true")`),
			Dialog: join(transaction(sender, "plain", "<plain>", "<plain>", "<plain+open>", "<plain+open>", "<other>"),
				transaction(sender, "plain", "<plain>", "<plain+open>", "<plain+Case>", "<other>"),
				transaction(sender, "again", "<plain>"), transaction(sender, "again-later", "<plain>"),
				transaction(sender, "no-id", fifty()...), transaction(sender, "resent", fifty()...),
				transaction(sender, "resent", "<other>", "<plain>"), transaction(sender, "resent-same", "<other>", "<plain>"),
				transaction(sender, "two-ids", "<other>"), transaction(sender, "two-ids", "<other>"), transaction(sender, "blanks-id", "<other>"), transaction(sender, "blanks-id", "<other>"),
				transaction(sender, "odd-id", "<other>"), transaction(sender, "odd-id", "<other>"), transaction(sender, "no-id", "<other>"), transaction(sender, "no-id", "<other>"),
				transaction(sender, "no-date", "<other>"))}, // again it is another in the next second
		{Name: "seen", Users: []string{"other"}, Setup: []string{"cyrus CREATE user/other", "cyrus CREATE shared", "cyrus SETACL shared anyone lrs", "cyrus SETACL shared seen-shared lrswip",
			"other CREATE INBOX/all", "other SETACL INBOX/all seen-other lrswipkxte",
			"other CREATE INBOX/open", "other SETACL INBOX/open seen-open lrsip", "other CREATE INBOX/one", "other SETACL INBOX/one seen-one lrswip", `other SETMETADATA INBOX/one (/shared/vendor/cmu/cyrus-imapd/sharedseen "true")`},
			Script: seenScripts, Mails: some("plain"),
			LookIn: []string{"seen-other user/other/all", "other INBOX/all", "seen-open user/other/open", "other INBOX/open", "seen-one user/other/one", "other INBOX/one",
				"seen-shared shared", "other shared"}},
		bytesOf("munge8bit", "munge8bit: yes"),
		bytesOf("reject8bit", "reject8bit: yes"),
		quotas("quota-both", "lmtp_strict_quota: yes", "lmtp_over_quota_perm_failure: yes"),
		{Name: "size", Config: []string{"maxmessagesize: 3000"}, Users: []string{"plain"}, Setup: []string{"cyrus CREATE user/plain"},
			Dialog: join([]string{"LHLO me", "MAIL FROM:<a@b.c> SIZE=3001", "RSET", "MAIL FROM:<a@b.c> SIZE=3000", "RSET", "MAIL FROM:<a@b.c> SIZE=99999999999999999999", "RSET", "MAIL FROM:<a@b.c> SIZE", "RSET"},
				transaction(sender, "plain", "<plain>"), transaction(sender, "long-line", "<plain>"), transaction(sender, "many-fields", "<plain>"), transaction(sender, "mixed", "<plain>"))},
		{Name: "auth", Users: folderUsers, Setup: folders, Look: append([]string{"cyrus"}, folderUsers...),
			Dialog: join(transaction("<a@b.c> AUTH=other", "plain", "<plain+others>", "<plain+closed>", "<bb+shared/closed>"),
				transaction("<a@b.c> AUTH=plain", "resent", "<plain+others>", "<plain+closed>", "<bb+shared/closed>", "<bb+shared/open>"),
				transaction("<a@b.c> AUTH=<>", "folded", "<plain+others>", "<plain+open>"),
				transaction("<a@b.c> AUTH=bad=x", "no-date", "<plain+others>"), transaction("<a@b.c> AUTH=", "bare-lf", "<plain+others>"), transaction("<a@b.c> AUTH", "spam", "<plain+others>"),
				transaction("<a@b.c> BODY=8BITMIME SIZE=10", "mixed", "<plain>"), transaction("<a@b.c> BODY=7BIT", "nested", "<plain>"), transaction("<a@b.c> BODY=BINARYMIME", "nested", "<plain>"),
				transaction("<a@b.c> BODY=", "nested", "<plain>"), transaction("<a@b.c> RET=HDRS ENVID=1", "utf8-header", "<plain>"))},
	}
}

// domains is a site with users in several.
func domains() Group {
	g := Group{Name: "domains", Config: []string{"virtdomains: userid", "defaultdomain: example.com", "duplicatesuppression: no"}, Users: []string{"plain", "fred@one.example", "fred@two.example"},
		Setup: []string{"cyrus CREATE user/plain", "cyrus CREATE user/fred@one.example", "cyrus CREATE user/fred@two.example", "cyrus CREATE user/plain/open", "cyrus SETACL user/plain/open anyone p",
			"cyrus CREATE user/fred/open@one.example", "cyrus SETACL user/fred/open@one.example anyone p", "cyrus CREATE shared", "cyrus CREATE shared@one.example", "cyrus SETACL shared@one.example anyone lrsp"},
		Dialog: each("plain", "<plain>", "<plain@example.com>", "<plain@one.example>", "<plain@nowhere.example>", "<plain+open@example.com>", "<fred>", "<fred@one.example>", "<FRED@One.Example>", "<fred+open@one.example>",
			"<fred+open@two.example>", "<fred@three.example>", "<fred@>", "<@relay:fred@two.example>")}
	g.Dialog = append(g.Dialog, "MAIL FROM:<sender@example.org>", "RCPT TO:<bb+shared>", "RCPT TO:<bb+shared@example.com>", "RCPT TO:<bb+shared@one.example>", "RCPT TO:<bb+shared@two.example>")
	return g
}

// More is other configurations; they are compared beside a real Cyrus alone.
func More() []Group {
	return []Group{
		addressed("case", "lmtp_downcase_rcpt: no"),
		addressed("nopostuser", "postuser: no-such-name"),
		addressed("catchall", "lmtp_catchall_mailbox: other"),
		addressed("lax", "lmtp_strict_rfc2821: no"),
		addressed("exclude", `lmtp_exclude_specialuse: \Junk \Trash`),
		bytesOf("dirty8bit", "munge8bit: no"),
		quotas("quota"),
		quotas("quota-strict", "lmtp_strict_quota: yes"),
		quotas("quota-permanent", "lmtp_over_quota_perm_failure: yes"),
		scriptsAndMails("corpus", Mails()), // minutes
	}
}

// userNames is whose scripts they are.
func userNames(scripts []Script) (all []string) {
	for _, s := range scripts {
		all = append(all, s.User)
	}
	return all
}

// bytesOf delivers all mails to one user.
func bytesOf(name string, config ...string) Group {
	g := Group{Name: name, Config: config, Users: []string{"plain"}, Setup: []string{"cyrus CREATE user/plain"}}
	for _, m := range Mails() {
		g.Dialog = append(g.Dialog, transaction(m.From, m.Name, "<plain>")...)
	}
	return g
}

// newUsers get mail before they have a mailbox.
func newUsers() Group {
	g := Group{Name: "new", Users: []string{"plain", "one", "two", "three", "not"}, Look: []string{"one", "two", "three"},
		Files: map[string]string{"new.sieve": `require "fileinto"; if header :contains "subject" "folded" { fileinto "INBOX/made"; } elsif header :contains "subject" "spam" { fileinto "INBOX/unmade"; }`},
		Config: []string{"autocreate_post: yes", "autocreate_quota: 1000", "autocreate_quota_messages: 50", "autocreate_users: one two three full", "autocreate_inbox_folders: Sent|Junk|two words|a/b",
			"autocreate_subscribe_folders: Sent|missing", "autocreate_subscribe_sharedfolders: shared|none", "autocreate_sieve_folders: made|Sent", "autocreate_sieve_script: $ETC/new.sieve",
			`xlist-Junk: Junk`},
		Setup: []string{"cyrus CREATE user/plain", "cyrus CREATE shared", "cyrus SETACL shared anyone lrs"},
		Dialog: join(each("plain", "<one>", "<one+Junk>", "<two+Sent>", "<not>", "<not+Sent>", "<nobody>", "<plain>", "<THREE>"),
			transaction(sender, "folded", "<one>", "<two>", "<plain>"), transaction(sender, "spam", "<one>", "<three+a/b>"))}
	for _, u := range []string{"one", "two", "three"} {
		g.Ask = append(g.Ask, u+` LSUB "" "*"`, u+` LIST "" "*" RETURN (SPECIAL-USE)`, u+" GETQUOTAROOT INBOX", u+" GETACL INBOX/Sent")
	}
	g.Ask = append(g.Ask, `cyrus LIST "" "user/%"`)
	return g
}

// quotas delivers to users who have little room, and to one who has none.
func quotas(name string, config ...string) Group {
	return Group{Name: name, Config: append([]string{"serverinfo: off"}, config...), Users: append([]string{"near", "few", "none"}, folderUsers...), Setup: append(slices.Clone(folders),
		"cyrus CREATE user/near", "cyrus CREATE user/few", "cyrus CREATE user/none", "near CREATE INBOX/a", "near SETACL INBOX/a anyone p", "cyrus SETQUOTA user/near (STORAGE 3)", "cyrus SETQUOTA user/few (MESSAGE 2)",
		"cyrus SETQUOTA user/none (STORAGE 0)", "cyrus SETQUOTA shared/open (STORAGE 1)"),
		Look: []string{"near", "few", "none", "full", "cyrus"},
		Dialog: join(transaction("<a@b.c> SIZE=100000", "plain", "<near>", "<few>", "<none>", "<full>", "<plain>", "<near> IGNOREQUOTA"),
			transaction("<a@b.c> SIZE=100", "long-line", "<near>", "<few>", "<none>", "<full>", "<plain>"),
			transaction("<a@b.c>", "mixed", "<near>", "<near+a>", "<few>", "<none>", "<full>"),
			transaction("<a@b.c>", "dots", "<near>", "<near+a>", "<few>", "<none> IGNOREQUOTA", "<full> IGNOREQUOTA", "<plain>"),
			transaction("<a@b.c>", "folded", "<near>", "<near+a>", "<few>", "<few> IGNOREQUOTA", "<none>", "<full>", "<bb+shared/open>"),
			transaction("<a@b.c>", "long-subject", "<near>", "<near+a>", "<few>", "<none>", "<full>", "<bb+shared/open>"))}
}

//go:build reference

package reference

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/test/server"
)

// roots is the quota roots of the site.
func (m *made) roots() []string {
	all := []string{m.admin("alice", ""), m.admin("alice", "Archive"), m.admin("bob", ""), m.admin(m.users[3], ""), "shared"}
	if m.domain != "" {
		all = append(all, `"@`+m.domain+`"`)
	}
	return all
}

// put is an APPEND with flags and a date, as long after the first as n days.
func (m *made) put(c *server.IMAP, box, flags string, n int, text string) {
	m.t.Helper()
	c.Must(fmt.Sprintf("APPEND %s (%s) \"%02d-Sep-2026 12:00:00 +0200\" {%d+}\r\n%s", box, flags, 1+n, len(text), text))
}

// build has the server do everything that leaves something on the disk.
func (m *made) build() {
	a := m.Login("cyrus")
	defer a.Close()
	if m.domain != "" { // only mailboxes that are made later get a root of a domain
		a.Must(`SETQUOTA "@` + m.domain + `" (STORAGE 20000 MESSAGE 900)`)
	}
	for _, u := range append(m.users, "denied") {
		a.Must("CREATE " + m.admin(u, ""))
	}
	a.Must("CREATE shared second")
	a.Must("CREATE shared" + m.sep + "team")
	a.Must("SETACL shared anyone lrs")
	a.Must("SETACL shared bob lrswipkxte")
	a.Must("SETACL shared -carol w")
	a.Must("SETACL shared" + m.sep + "team group:staff lrswi")
	a.Must("SETACL shared" + m.sep + "team -group:staff w")
	a.Must("SETACL shared" + m.sep + "team alice lrswipkxte")
	m.folders()
	m.limits(a)
	a.Must(`SETMETADATA "" (/shared/comment "of the server" /private/comment "of the admin" /shared/vendor/cmu/cyrus-imapd/expire "900")`)
	m.filled()
	m.arrived()
	m.seen()
	m.script("alice", "main", "keep;\n")
	m.script("alice", "other", "# none\nif header :is \"subject\" \"away\" { discard; }\nkeep;\n")
	m.removed(a)
	if out, status := tool(m.t, m.Site, "cyr_deny", "-m", "go away", "denied"); status != 0 {
		m.t.Fatalf("cyr_deny: %s", out)
	}
	args := []string{"-E", "30", "-X", "30", "-D", "30"}
	if strings.Contains(strings.Join(m.config, "\n"), "archive_enabled") {
		args = append(args, "-A", "10d")
	}
	if out, status := tool(m.t, m.Site, "cyr_expire", args...); status != 0 {
		m.t.Fatalf("cyr_expire: %s", out)
	}
	if m.relocated != "" {
		if out, status := tool(m.t, m.Site, "relocate_by_id", "-u", m.relocated); status != 0 {
			m.t.Fatalf("relocate_by_id: %s", out)
		}
		if dirs, _ := filepath.Glob(filepath.Join(m.Dir, "spool*/uuid/*/*/*")); len(dirs) < 2 {
			m.t.Fatalf("relocated: %q", dirs)
		}
	}
}

// folders makes alice's, with what a mailbox can have.
func (m *made) folders() {
	c := m.Login("alice")
	defer c.Close()
	for _, f := range []string{"Work", "Work/deep/er", "Archive", "Archive/2025", "Keys", "Shared seen", "Gone", "Gone/too", "Entw&APw-rfe", "Old"} {
		c.Must(`CREATE "` + m.own(f) + `"`)
	}
	for i, use := range []string{`\Sent`, `\Trash`, `\Junk`, `\Drafts`, `\Archive`} {
		c.Must(fmt.Sprintf(`CREATE %s (USE (%s))`, m.own(fmt.Sprintf("Special%d", i)), use))
	}
	c.Must("SETACL " + m.own("Work") + " bob lrswipkxten")
	c.Must("SETACL " + m.own("Work") + " anyone l")
	c.Must("SETACL " + m.own("Work") + " -carol r")
	c.Must(`SETACL "` + m.own("Shared seen") + `" bob lrsw`)
	c.Must(`SETMETADATA ` + m.own("Work") + ` (/shared/comment "for all" /private/comment "for me" /shared/vendor/cmu/cyrus-imapd/expire "100" /private/own/thing {6+}` + "\r\na\r\nb\xe4c)")
	c.Must(`SETMETADATA "` + m.own("Shared seen") + `" (/shared/vendor/cmu/cyrus-imapd/sharedseen "true" /shared/vendor/cmu/cyrus-imapd/duplicatedeliver "true")`)
	c.Must(`SETMETADATA ` + m.own("Archive") + ` (/shared/vendor/cmu/cyrus-imapd/archive "0" /shared/vendor/cmu/cyrus-imapd/pop3newuidl "false")`)
	for _, f := range []string{"", "Work", "Work/deep/er", "Entw&APw-rfe", "Shared seen", "Gone"} {
		c.Must(`SUBSCRIBE "` + m.own(f) + `"`)
	}
	b := m.Login("bob")
	defer b.Close()
	b.Must("SUBSCRIBE " + m.others("alice", "Work"))
	b.Must("CREATE " + m.own("Mine"))
	b.Must("SETMETADATA " + m.others("alice", "Work") + ` (/private/comment "of bob" /private/own/thing "also his")`)
}

// limits sets quota roots, one in another.
func (m *made) limits(a *server.IMAP) {
	for i, root := range m.roots()[:5] {
		limit := []string{
			"STORAGE 100000 MESSAGE 1000 X-ANNOTATION-STORAGE 1000 X-NUM-FOLDERS 100", "STORAGE 50000 X-NUM-FOLDERS 20", "MESSAGE 500", "", "STORAGE 10000",
		}[i]
		a.Must(fmt.Sprintf("SETQUOTA %s (%s)", root, limit))
	}
}

// filled appends, copies and flags.
func (m *made) filled() {
	c := m.Login("alice")
	defer c.Close()
	for i := range 6 {
		m.put(c, "INBOX", []string{"", `\Seen`, `\Flagged $Label1`, `\Answered \Draft`, `$MDNSent NonJunk`, `\Deleted`}[i], i, fmt.Sprintf(mail, fmt.Sprintf("number %d", i), fmt.Sprintf("made-%d", i)))
	}
	big := from + "Subject: big\r\nMessage-ID: <made-big@example.org>\r\n\r\n" + strings.Repeat(strings.Repeat("big ", 18)+"\r\n", 400)
	m.put(c, "INBOX", "", 10, big)
	m.put(c, `"`+m.own("Shared seen")+`"`, "", 11, big)
	c.Must("SELECT INBOX")
	c.Must("COPY 1:7 " + m.own("Work"))
	c.Must("COPY 1:3 " + m.own("Archive"))
	c.Must(`COPY 1:4 "` + m.own("Shared seen") + `"`)
	m.put(c, m.own("Keys"), "", 12, fmt.Sprintf(mail, "keywords", "made-keys"))
	c.Must("COPY 1:2 " + m.own("Gone/too"))
	c.Must("COPY 1:2 " + m.team())
	c.Must("UID MOVE 4 " + m.own("Archive/2025"))
	c.Must(`STORE 1:2 ANNOTATION (/comment (value.priv "mine" value.shared "ours"))`)
	c.Must(`STORE 3 ANNOTATION (/altsubject (value.shared "another"))`)
	c.Must("SELECT " + m.own("Keys"))
	for i := range 4 {
		var all []string
		for k := range 25 { // 100 are all that a client may make
			all = append(all, fmt.Sprintf("kw%d", i*25+k))
		}
		c.Must("STORE 1 +FLAGS (" + strings.Join(all, " ") + ")")
	}
	for _, u := range m.users[1:] {
		o := m.Login(u)
		for i := range 3 {
			m.put(o, "INBOX", "", i, fmt.Sprintf(mail, fmt.Sprintf("of %s %d", u, i), fmt.Sprintf("made-%d-%s", i, strings.ReplaceAll(u, "@", "-"))))
		}
		o.Close()
	}
}

// arrived is what comes by LMTP: all odd shapes, and one mail twice.
func (m *made) arrived() {
	for _, r := range raw {
		lmtpTo(m.t, m.Site, "<alice@example.org>", m.users[3], r.text)
	}
	for _, u := range append(m.users, "alice") {
		m.deliver(u, fmt.Sprintf(mail, "once", "made-once"))
	}
}

// seen has bob look at what is alice's.
func (m *made) seen() {
	b := m.Login("bob")
	defer b.Close()
	b.Must("SELECT " + m.others("alice", "Work"))
	b.Must(`STORE 1,3,5 +FLAGS (\Seen)`)
	b.Must(`STORE 2 ANNOTATION (/comment (value.priv "of bob") /altsubject (value.priv "his"))`)
	b.Must("SELECT " + m.others("alice", "Shared seen"))
	b.Must(`STORE 2 +FLAGS (\Seen)`)
}

// removed expunges, deletes and renames.
func (m *made) removed(a *server.IMAP) {
	c := m.Login("alice")
	defer c.Close()
	c.Must("SELECT INBOX")
	c.Must(`STORE 1 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
	c.Must("CLOSE")
	c.Must("DELETE " + m.own("Gone/too"))
	c.Must("DELETE " + m.own("Gone"))
	c.Must("RENAME " + m.own("Old") + " " + m.own("New"))
	a.Must("CREATE " + m.admin("temp", ""))
	a.Must("SETACL " + m.admin("temp", "") + " cyrus lrswipkxtecda")
	a.Must("DELETE " + m.admin("temp", ""))
	a.Must("RENAME " + m.admin("bob", "Mine") + " " + m.admin("bob", "Mine") + " second")
}

// script puts a Sieve script by ManageSieve, and the first is made active.
func (m *made) script(user, name, text string) {
	m.t.Helper()
	c, err := net.Dial("tcp", m.Site.Sieve)
	if err != nil {
		m.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	word := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00pass"))
	steps := []string{"", fmt.Sprintf("AUTHENTICATE \"PLAIN\" {%d+}\r\n%s\r\n", len(word), word), fmt.Sprintf("PUTSCRIPT %q {%d+}\r\n%s\r\n", name, len(text), text)}
	if name == "main" {
		steps = append(steps, `SETACTIVE "main"`+"\r\n")
	}
	for _, step := range steps {
		fmt.Fprint(c, step)
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
				m.t.Fatalf("ManageSieve %q: %s %v", step, line, err)
			}
			if strings.HasPrefix(line, "OK") {
				break
			}
		}
	}
}

// work has the server do all kinds of changes; round is part of the new names.
func (m *made) work(round string) {
	m.t.Helper()
	c := m.Login("alice")
	defer c.Close()
	for i := range 3 {
		m.put(c, "INBOX", []string{"", `\Seen kw` + round, `\Flagged`}[i], 20+i, fmt.Sprintf(mail, fmt.Sprintf("%s %d", round, i), fmt.Sprintf("made-%s-%d", round, i)))
	}
	m.put(c, "INBOX", "", 25, from+"Message-ID: <made-big-"+round+"@example.org>\r\n\r\n"+strings.Repeat(strings.Repeat("big ", 18)+"\r\n", 300))
	c.Must("SELECT INBOX")
	c.Must("COPY 1:4 " + m.own("Work"))
	c.Must("MOVE 2:3 " + m.own("Archive"))
	c.Must("COPY * " + m.team())
	c.Must(`STORE 1:2 +FLAGS (\Answered $` + round + `)`)
	c.Must(`STORE 2 -FLAGS (\Answered)`)
	c.Must(`STORE 3 FLAGS (\Seen \Deleted)`)
	c.Must("EXPUNGE")
	c.Must(`STORE 1 ANNOTATION (/comment (value.priv "mine ` + round + `" value.shared NIL))`)
	c.Must("CREATE " + m.own(round+"/below"))
	c.Must("COPY 1:3 " + m.own(round+"/below"))
	c.Must("RENAME " + m.own(round) + " " + m.own("Moved"+round))
	c.Must("CREATE " + m.own("gone"+round))
	c.Must("COPY 1:2 " + m.own("gone"+round))
	c.Must("DELETE " + m.own("gone"+round))
	c.Must("SETACL " + m.own("Work") + " carol lrs")
	c.Must("DELETEACL " + m.own("Archive") + " anyone")
	c.Must("SETMETADATA " + m.own("Work") + ` (/shared/comment "` + round + `" /private/comment NIL)`)
	c.Must("SUBSCRIBE " + m.own("Moved"+round))
	c.Must(`UNSUBSCRIBE "` + m.own(map[string]string{"shared": "Shared seen", "own": "Movedshared", "real": "Movedown"}[round]) + `"`)
	c.Must("SELECT " + m.own("Work"))
	c.Must(`STORE 2 +FLAGS (\Deleted)`)
	c.Must("CLOSE")
	b := m.Login("bob")
	defer b.Close()
	b.Must("SELECT " + m.others("alice", "Work"))
	b.Must(`STORE 2:4 +FLAGS (\Seen)`)
	b.Must(`STORE 2 ANNOTATION (/comment (value.priv "of bob ` + round + `") /altsubject (value.priv NIL))`)
	b.Must("SETMETADATA " + m.others("alice", "Work") + ` (/private/comment "` + round + `")`)
	b.Must("COPY 1:2 INBOX")
	for _, u := range m.users {
		m.deliver(u, fmt.Sprintf(mail, "once", "made-once"))
		m.deliver(u, fmt.Sprintf(mail, round, "made-lmtp-"+round))
	}
	m.administered(round)
	if m.real {
		if out, status := tool(m.t, m.Site, "cyr_expire", m.expiry(round)...); status != 0 {
			m.t.Errorf("cyr_expire: %s", out)
		}
		return
	}
	out, err := m.Try("", "cyr_expire", m.expiry(round)...)
	if err != nil {
		m.t.Errorf("cyr_expire: %v\n%s", err, out)
	}
}

// expiry is the nightly job, which in own mode forgets all that it may.
func (m *made) expiry(round string) []string {
	args := []string{"-E", "30", "-X", "30", "-D", "30"}
	if round == "own" {
		args = []string{"-E", "30", "-X", "0", "-D", "0", "-t"}
	}
	if strings.Contains(strings.Join(m.config, "\n"), "archive_enabled") {
		args = append(args, "-A", "1s")
	}
	return args
}

// administered is what an admin changes; users get other names.
func (m *made) administered(round string) {
	a := m.Login("cyrus")
	defer a.Close()
	a.Must("SETQUOTA " + m.admin("alice", "") + " (STORAGE 200000 MESSAGE 2000 X-NUM-FOLDERS 200)")
	a.Must("SETQUOTA " + m.admin("alice", "Moved"+round) + " (MESSAGE 100)")
	a.Must(`SETMETADATA "" (/shared/comment "` + round + `")`)
	a.Must("CREATE shared" + m.sep + round + " default")
	a.Must("SETACL shared" + m.sep + round + " carol lrswipkxte")
	a.Must("DELETEACL shared" + m.sep + "team -group:staff")
	to := map[string]string{"shared": "default", "own": "second", "real": "default"}[round]
	a.Must("RENAME " + m.admin("bob", "Mine") + " " + m.admin("bob", "Mine") + " " + to)
	name := round
	if m.sep == "/" || m.dots {
		name += ".user"
	}
	a.Must("RENAME " + m.admin(m.users[3], "") + " " + m.admin(name, ""))
	m.users[3] = name
	if m.domain != "" {
		a.Must("RENAME " + m.admin(m.users[4], "") + " " + m.admin(round+"@"+m.domain, ""))
		m.users[4] = round + "@" + m.domain
		a.Must(`SETQUOTA "@` + m.domain + `" (STORAGE 30000)`)
	}
	a.Must("CREATE " + m.admin("temp"+round, "") + " second")
	a.Must("SETACL " + m.admin("temp"+round, "") + " cyrus lrswipkxtecda")
	a.Must("DELETE " + m.admin("temp"+round, ""))
}

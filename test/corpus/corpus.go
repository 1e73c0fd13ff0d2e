// Package corpus delivers a corpus of mails to a running server, and says
// in lines that can be compared what was answered and what was stored. The
// lines of a real Cyrus are in testdata.
package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/test/server"
)

// A Group is mail for one site.
type Group struct {
	Name   string
	Config []string          // lines of imapd.conf
	Files  map[string]string // in the folder that Config calls $ETC
	Users  []string          // besides those that Scripts names
	Setup  []string          // "USER COMMAND" of IMAP
	Script []Script
	Dialog []string // what an LMTP client sends; a line "@NAME" is that mail of Mails
	// Mails is delivered to each user of Script, and then to all of To in one
	// transaction.
	Mails []Mail
	To    []string
	// Look is whose mailboxes are looked at, if not those of Users and Script.
	Look []string
	// LookIn is more mailboxes that are looked at: "USER MAILBOX".
	LookIn []string
	// Ask is commands of IMAP whose answers are looked at in the end: "USER COMMAND".
	Ask []string
	// Sessions is what clients send that are not trusted, each on a connection of
	// its own: the first line is "plain", or "secure" where no password may be in
	// clear. After STARTTLS goes on in TLS what was begun without.
	Sessions [][]string
	// Chunks has the mails of Dialog sent by BDAT. The lines are those of DATA.
	Chunks bool
}

// An Outcome is what a server did: a line for each answer, mail sent and
// message stored, and the texts of messages by the sum that stands in the line.
type Outcome struct {
	Lines []string
	Texts map[string]string
}

// Accounts is all users of the group.
func (g *Group) Accounts() []string {
	all := slices.Clone(g.Users)
	for _, s := range g.Script {
		all = append(all, s.User)
	}
	return all
}

// Options is the site for the group, in shared mode, so that a real Cyrus
// can serve it. mailHost is where mail goes out to.
func (g *Group) Options(mailHost string) server.Options {
	o := server.Options{Shared: true, Bare: true, Users: append([]string{"cyrus"}, g.Accounts()...),
		Config: append([]string{"smtp_backend: host", "smtp_host: " + mailHost + "/noauth", "postuser: bb"}, g.Config...)}
	if g.Sessions != nil {
		o.Services = untrusting
	}
	return o
}

// NewSite is a site for the group, not started.
func (g *Group) NewSite(tb testing.TB, mailHost string) *server.Site {
	tb.Helper()
	s := server.New(tb, g.Options(mailHost))
	if g.Sessions != nil {
		giveCertificate(tb, s)
	}
	g.place(tb, s)
	return s
}

// place writes the files of the group, and what "$ETC" in imapd.conf means.
func (g *Group) place(tb testing.TB, s *server.Site) {
	tb.Helper()
	etc := filepath.Dir(s.Conf())
	for name, text := range g.Files {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	conf, err := os.ReadFile(s.Conf())
	if err == nil {
		err = os.WriteFile(s.Conf(), bytes.ReplaceAll(conf, []byte("$ETC"), []byte(etc)), 0o644)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// runner is one run of a group.
type runner struct {
	tb   testing.TB
	s    *server.Site
	g    *Group
	sink *Sink
	out  Outcome
	lmtp *client
}

// Run does all of the group.
func (g *Group) Run(tb testing.TB, s *server.Site, sink *Sink) Outcome {
	tb.Helper()
	r := &runner{tb: tb, s: s, g: g, sink: sink, out: Outcome{Texts: map[string]string{}}}
	r.prepare()
	for _, lines := range g.Sessions {
		r.session(lines)
	}
	r.lmtp = dial(tb, s.LMTP)
	r.dialog(g.Dialog)
	for _, m := range g.Mails {
		for _, sc := range g.Script {
			r.deliver(m, "<"+sc.User+">")
		}
		if len(g.To) > 0 {
			r.deliver(m, g.To...)
		}
	}
	r.lmtp.c.Close()
	look := g.Look
	if look == nil {
		look = g.Accounts()
	}
	for _, u := range look {
		r.look(u)
	}
	for _, line := range g.LookIn {
		user, box, _ := strings.Cut(line, " ")
		c := s.Login(user)
		r.lookIn(c, user, box)
		c.Close()
	}
	for _, line := range g.Ask {
		user, command, _ := strings.Cut(line, " ")
		c := s.Login(user)
		for _, answer := range c.Must(command) {
			r.add("%s: %s", user, strings.TrimRight(used.ReplaceAllString(answer, "$1 $$n"), "\r\n"))
		}
		c.Close()
	}
	return r.out
}

// used is what a quota root has in use: ours counts a new user's script, which
// Cyrus has beside his mailboxes until he logs in to change it.
var used = regexp.MustCompile(`(STORAGE|MESSAGE) \d+`)

// prepare makes mailboxes and scripts.
func (r *runner) prepare() {
	admin := r.s.Login("cyrus")
	for _, sc := range r.g.Script {
		for _, box := range []string{"", "/a", "/Junk", "/two words"} {
			admin.Must(`CREATE "user/` + sc.User + box + `"`)
		}
	}
	for _, line := range r.g.Setup {
		user, command, _ := strings.Cut(line, " ")
		if user == "cyrus" {
			admin.Must(command)
			continue
		}
		c := r.s.Login(user)
		c.Must(command)
		c.Close()
	}
	admin.Close()
	for _, sc := range r.g.Script {
		putScript(r.tb, r.s, sc.User, sc.Text)
	}
}

// putScript stores a script by ManageSieve and makes it active.
func putScript(tb testing.TB, s *server.Site, user, text string) {
	tb.Helper()
	conn, err := net.Dial("tcp", s.Sieve)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	ok := func(what string) {
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
				tb.Fatalf("ManageSieve, %s of %s: %s%v", what, user, line, err)
			}
			if strings.HasPrefix(line, "OK") {
				return
			}
		}
	}
	ok("greeting")
	fmt.Fprintf(conn, "AUTHENTICATE \"PLAIN\" \"%s\"\r\n", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00pass")))
	ok("AUTHENTICATE")
	fmt.Fprintf(conn, "PUTSCRIPT \"test\" {%d+}\r\n%s\r\n", len(text), text)
	ok("PUTSCRIPT")
	fmt.Fprint(conn, "SETACTIVE \"test\"\r\n")
	ok("SETACTIVE")
}

func (r *runner) add(format string, args ...any) {
	r.out.Lines = append(r.out.Lines, Mask(fmt.Sprintf(format, args...)))
}

// dialog sends lines as they are, and mails.
func (r *runner) dialog(lines []string) {
	if len(lines) == 0 {
		return
	}
	mails := map[string]Mail{}
	for _, m := range Mails() {
		mails[m.Name] = m
	}
	accepted, going := 0, false
	for _, line := range lines {
		name, isMail := strings.CutPrefix(line, "@")
		if !isMail && line == "DATA" && r.g.Chunks && accepted > 0 {
			going = true
			r.add("DATA -> 354 go ahead")
			continue
		}
		if !isMail {
			r.lmtp.send([]byte(line + "\r\n"))
			reply := r.lmtp.reply()
			verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
			switch {
			case verb == "RCPT" && strings.HasPrefix(reply, "250"):
				accepted++
			case verb == "RSET":
				accepted = 0
			case verb == "DATA":
				going = strings.HasPrefix(reply, "354")
			}
			r.add("%s -> %s", line, reply)
			if line == "STARTTLS" && strings.HasPrefix(reply, "220") {
				r.lmtp.startTLS()
			}
			continue
		}
		m, ok := mails[name]
		if !ok {
			r.tb.Fatalf("there is no mail %q", name)
		}
		if !going {
			continue
		}
		going = false
		r.sendText(m)
		for i := range accepted {
			r.add("  %s %d -> %s", name, i+1, r.lmtp.reply())
		}
		accepted = 0
		r.sent()
	}
}

// sendText sends a mail, after DATA or in chunks of several sizes, all at once.
func (r *runner) sendText(m Mail) {
	if !r.g.Chunks {
		r.lmtp.send(wire(m.Text))
		return
	}
	var all []byte
	rest, chunks := m.Text, 0
	for ; rest != ""; chunks++ {
		n := min([]int{1, 0, 7, 1000, 100000, 2}[chunks%6], len(rest))
		all = append(fmt.Appendf(all, "BDAT %d\r\n", n), rest[:n]...)
		rest = rest[n:]
	}
	r.lmtp.send(append(all, "BDAT 0 LAST\r\n"...))
	for range chunks {
		if reply := r.lmtp.reply(); !strings.HasPrefix(reply, "250 2.0.0 ") {
			r.tb.Errorf("%s: a chunk is answered %q", m.Name, reply)
		}
	}
}

// deliver is one transaction.
func (r *runner) deliver(m Mail, to ...string) {
	c := r.lmtp
	what := m.Name + " "
	if len(to) == 1 {
		what += to[0]
	}
	c.send([]byte("RSET\r\nMAIL FROM:" + m.From + "\r\n"))
	c.reply()
	if reply := c.reply(); reply[0] != '2' {
		r.add("%s: MAIL -> %s", what, reply)
		return
	}
	var accepted []string
	for _, rcpt := range to {
		c.send([]byte("RCPT TO:" + rcpt + "\r\n"))
		reply := c.reply()
		if strings.HasPrefix(reply, "250") {
			accepted = append(accepted, rcpt)
		} else {
			r.add("%s: RCPT %s -> %s", what, rcpt, reply)
		}
	}
	if len(accepted) == 0 {
		return
	}
	c.send([]byte("DATA\r\n"))
	if reply := c.reply(); reply[0] != '3' {
		r.add("%s: DATA -> %s", what, reply)
		return
	}
	c.send(wire(m.Text))
	for _, rcpt := range accepted {
		reply := c.reply()
		if len(to) == 1 {
			rcpt = ""
		}
		r.add("%s%s -> %s", what, rcpt, reply)
	}
	r.sent()
}

// sent adds what was mailed since.
func (r *runner) sent() {
	mails := r.sink.Take()
	for i := range mails {
		mails[i] = Mask(mails[i])
	}
	slices.Sort(mails)
	for _, m := range mails {
		first, _, _ := strings.Cut(m, "\r\n")
		r.add("  mailed %s %s", r.sum(m), first)
	}
}

// sum keeps a text and returns what stands for it.
func (r *runner) sum(text string) string {
	text = Mask(text)
	sum := fmt.Sprintf("%x", sha1.Sum([]byte(text)))[:12]
	r.out.Texts[sum] = text
	return sum
}

var (
	literal   = regexp.MustCompile(`\{(\d+)\}\r\n$`)
	fetched   = regexp.MustCompile(`^\* (\d+) FETCH `)
	flagsItem = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	dateItem  = regexp.MustCompile(`INTERNALDATE "([^"]*)"`)
)

// look adds what is in the mailboxes of a user.
func (r *runner) look(user string) {
	c := r.s.Login(user)
	defer c.Close()
	for _, line := range c.Must(`LIST "" "*"`) {
		_, box, _ := strings.Cut(line, `"/" `)
		box = strings.TrimSpace(box)
		plain := strings.Trim(box, `"`)
		if user == "cyrus" && !strings.HasPrefix(plain, "shared") && plain != "user/UPPER" ||
			user != "cyrus" && !strings.HasPrefix(plain, "INBOX") || strings.Contains(line, `\Noselect`) {
			continue
		}
		r.lookIn(c, user, box)
	}
}

// lookIn adds what a user sees in a mailbox.
func (r *runner) lookIn(c *server.IMAP, user, box string) {
	untagged := c.Must("EXAMINE " + box)
	if slices.Contains(untagged, "* 0 EXISTS\r\n") {
		r.add("%s: %s is empty", user, box)
		return
	}
	all := c.Must("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
	for i := 0; i < len(all); i++ {
		m := literal.FindStringSubmatch(all[i])
		if !fetched.MatchString(all[i]) || m == nil {
			continue
		}
		head, size, text := all[i], 0, ""
		size, _ = strconv.Atoi(m[1])
		for len(text) < size && i+1 < len(all) {
			i++
			text += all[i]
		}
		r.stored(user, box, head, text[:min(size, len(text))])
	}
}

// stored adds one message.
func (r *runner) stored(user, box, head, text string) {
	flags, when := "", ""
	if m := flagsItem.FindStringSubmatch(head); m != nil {
		list := slices.DeleteFunc(strings.Fields(m[1]), func(s string) bool { return s == `\Recent` })
		slices.Sort(list)
		flags = strings.Join(list, " ")
	}
	if m := dateItem.FindStringSubmatch(head); m != nil {
		t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", m[1])
		if when = "now"; err != nil || time.Since(t).Abs() > 24*time.Hour {
			when = m[1]
		}
	}
	r.add("%s: %s (%s) %s %s", user, box, flags, when, r.sum(text))
}

// client is one LMTP connection.
type client struct {
	tb testing.TB
	c  net.Conn
	r  *bufio.Reader
}

func dial(tb testing.TB, addr string) *client {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	l := &client{tb, c, bufio.NewReader(c)}
	l.reply()
	l.send([]byte("LHLO test\r\n"))
	l.reply()
	return l
}

func (l *client) send(b []byte) {
	if _, err := l.c.Write(b); err != nil {
		l.tb.Fatal(err)
	}
}

// reply returns all lines of a reply, joined by blanks.
func (l *client) reply() string {
	_ = l.c.SetReadDeadline(time.Now().Add(time.Minute))
	all := ""
	for {
		line, err := l.r.ReadString('\n')
		if err != nil {
			return all + "<" + err.Error() + ">"
		}
		all += strings.TrimRight(line, "\r\n")
		if len(line) < 4 || line[3] != '-' {
			return all
		}
		all += " "
	}
}

// Differences compares with the lines of a real Cyrus, and where they are
// known its texts; the result is "" if nothing differs.
func (o *Outcome) Differences(want []string, texts map[string]string) string {
	diff := cmp.Diff(wholes(want), wholes(o.Lines), cmp.Comparer(func(a, b whole) bool { return a == b }))
	if diff == "" {
		return ""
	}
	var theirs, ours []string
	for line := range strings.Lines(diff) {
		if sum := sumIn(line, texts); strings.HasPrefix(line, "-") && sum != "" {
			theirs = append(theirs, texts[sum])
		}
		if sum := sumIn(line, o.Texts); strings.HasPrefix(line, "+") && sum != "" {
			ours = append(ours, o.Texts[sum])
		}
	}
	for i := range min(len(theirs), len(ours)) {
		diff += textDifference(theirs[i], ours[i])
	}
	return "(-Cyrus +ours)\n" + diff
}

// A whole is a line that is shown as it is, not piece by piece.
type whole struct{ Line string }

func wholes(lines []string) (all []whole) {
	for _, l := range lines {
		all = append(all, whole{l})
	}
	return all
}

// sumIn is the sum of a text that stands in a line.
func sumIn(line string, texts map[string]string) string {
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \",\n\t", r) }) {
		if _, ok := texts[word]; ok {
			return word
		}
	}
	return ""
}

// textDifference shows where two texts part.
func textDifference(want, got string) string {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	piece := func(s string) string { return s[max(0, min(at, len(s))-60):min(len(s), at+150)] }
	return fmt.Sprintf("  from octet %d\n  Cyrus %q\n  ours  %q\n", at, piece(want), piece(got))
}

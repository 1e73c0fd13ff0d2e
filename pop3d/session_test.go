package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/linewire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/userdeny"
)

// talk sends lines one by one and returns the first line of each answer,
// after the greeting.
func (s *testSite) talk(lines ...string) []string {
	s.t.Helper()
	c, ended, err := s.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { c.Close(); <-ended }() // or the next finds the maildrop in use
	return s.talkOn(c, bufio.NewReader(c), lines...)
}

// talkOn waits for the greeting, and then is sayOn.
func (s *testSite) talkOn(c net.Conn, r *bufio.Reader, lines ...string) []string {
	s.t.Helper()
	if g := readOn(c, r); !strings.HasPrefix(g, "+OK") {
		return []string{g}
	}
	return s.sayOn(c, r, lines...)
}

// sayOn sends lines, and returns the first line of the answer to each.
func (s *testSite) sayOn(c net.Conn, r *bufio.Reader, lines ...string) (out []string) {
	s.t.Helper()
	for _, l := range lines {
		if _, err := c.Write([]byte(l + "\r\n")); err != nil {
			return append(out, "<"+err.Error()+">")
		}
		out = append(out, readOn(c, r))
	}
	return out
}

func readOn(c net.Conn, r *bufio.Reader) string {
	c.SetReadDeadline(time.Now().Add(time.Minute))
	l, err := r.ReadString('\n')
	if err != nil {
		return "<" + err.Error() + ">"
	}
	return strings.TrimSuffix(l, "\r\n")
}

// open opens a user's INBOX for reading.
func (s *testSite) open(user string) *mailbox.Mailbox {
	s.t.Helper()
	m, err := s.site.Store.Open(s.t.Context(), s.create("user/"+user).Ref(), mailbox.Read)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// TestUpdate: what QUIT leaves in the mailbox.
func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newSite(t, "popuseimapflags: yes", "auditlog: yes")
	for range 3 {
		s.append("user1", "INBOX", "", "Subject: x\r\n\r\nx\r\n")
	}
	before := time.Now().Truncate(time.Second)
	got := s.talk("USER user1", "PASS pass", "DELE 2", "RETR 3")
	if len(got) != 4 || got[3] != "+OK Message follows" {
		t.Fatalf("%q", got)
	}
	m := s.open("user1")
	if h := m.Header(); h.Exists != 3 || h.POP3LastLogin != 0 {
		t.Errorf("without QUIT: %+v", h)
	}
	m.Close()
	s.talk("USER user1", "PASS pass", "DELE 2", "TOP 1 0", "XXX", "NOOP")
	got = s.talk("USER user1", "PASS pass", "DELE 2", "QUIT")
	if got[3] != "+OK" {
		t.Errorf("QUIT: %q", got)
	}
	m = s.open("user1")
	defer m.Close()
	h := m.Header()
	if h.Exists != 2 || h.POP3LastLogin.Time().Before(before) {
		t.Errorf("after QUIT: %d messages, last log-in %v", h.Exists, h.POP3LastLogin.Time())
	}
	r, ok, err := m.FindUID(2, 0)
	if err != nil || !ok || r.Live() {
		t.Errorf("message 2: %+v, %v, %v", r, ok, err)
	}
}

// TestSeen: RETR sets \Seen with popuseimapflags, TOP does not.
func TestSeen(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"yes", "no"} {
		s := newSite(t, "popuseimapflags: "+on)
		for range 3 {
			s.append("user1", "INBOX", "", "Subject: x\r\n\r\n")
		}
		c, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		// one write: the answers are not looked at
		c.Write([]byte("USER user1\r\nPASS pass\r\nRETR 1\r\nTOP 2 1\r\nQUIT\r\n"))
		readAll(t, c)
		m := s.open("user1")
		for uid := uint32(1); uid <= 3; uid++ {
			r, _, err := m.FindUID(uid, 0)
			if want := uid == 1 && on == "yes"; err != nil || (r.Flags&mailbox.Seen != 0) != want {
				t.Errorf("popuseimapflags: %s: message %d has flags %x, %v", on, uid, r.Flags, err)
			}
		}
		m.Close()
	}
}

func readAll(t *testing.T, c net.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	var b strings.Builder
	if _, err := bufio.NewReader(c).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestOneClient: a second client is turned away until the first has left,
// with or without QUIT; what the first had deleted without QUIT is there.
func TestOneClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append("user1", "INBOX", "", "Subject: x\r\n\r\n")
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	s.talkOn(c, bufio.NewReader(c), "USER user1", "PASS pass", "DELE 1")
	const inUse = "-ERR [IN-USE] Unable to open maildrop: Mailbox has been locked by POP server"
	if got := s.talk("USER user1", "PASS pass"); got[len(got)-1] != inUse {
		t.Errorf("a second client: %q", got)
	}
	if got := s.talk("USER user2", "PASS pass", "QUIT"); !strings.HasPrefix(got[1], "+OK") {
		t.Errorf("another user: %q", got)
	}
	c.Close()
	for end := time.Now().Add(time.Minute); ; {
		got := s.talk("USER user1", "PASS pass", "STAT", "QUIT")
		if len(got) > 2 && got[2] == "+OK 1 14" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after the first has gone: %q", got)
		}
	}
}

// TestNotLocked: while a client is logged in, mail comes in and others work.
func TestNotLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append("user1", "INBOX", "", "Subject: x\r\n\r\n")
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	s.talkOn(c, r, "USER user1", "PASS pass")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.append("user1", "INBOX", "", "Subject: y\r\n\r\n")
	m, err := s.site.Store.Open(ctx, s.create("user/user1").Ref(), mailbox.Exclusive)
	if err != nil {
		t.Fatalf("the mailbox is locked: %v", err)
	}
	m.Close()
	c.Write([]byte("STAT\r\n"))
	if l, _ := r.ReadString('\n'); l != "+OK 1 14\r\n" {
		t.Errorf("STAT: %q", l)
	}
}

// TestGone: messages whose files are gone, and a mailbox that is.
func TestGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append("user1", "INBOX", "", "Subject: x\r\n\r\n")
	e := s.create("user/user1")
	dir, err := s.site.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "1.")); err != nil {
		t.Fatal(err)
	}
	got := s.talk("USER user1", "PASS pass", "RETR 1", "TOP 1 0", "STAT")
	want := "-ERR [SYS/PERM] Could not read message file"
	if got[2] != want || got[3] != want || got[4] != "+OK 1 14" {
		t.Errorf("%q", got)
	}
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	s.talkOn(c, r, "USER user1", "PASS pass")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("RETR 1\r\nQUIT\r\n"))
	if l, _ := r.ReadString('\n'); !strings.HasPrefix(l, "-ERR [SYS/PERM] Could not read") {
		t.Errorf("RETR in a mailbox that is gone: %q", l)
	}
}

// TestSentAway: clients that an admin wants gone.
func TestSentAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.shutdown = func() (string, bool) { return "[x] Back at noon", true }
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); !strings.HasSuffix(got, "server ready \r\n-ERR [SYS/TEMP] x] Back at noon\r\n") {
		t.Errorf("%q", got)
	}
	s = newSite(t)
	if err := s.site.UserDeny.Set(t.Context(), "user1", userdeny.Entry{Services: "pop3", Message: "no"}); err != nil {
		t.Fatal(err)
	}
	if got := s.talk("USER user1", "PASS pass", "USER user2", "PASS pass"); got[1] != "-ERR [AUTH] Invalid login" ||
		!strings.HasPrefix(got[3], "+OK") {
		t.Errorf("a denied user: %q", got)
	}
}

// TestLongLine: a line over the limit is refused, and the session goes on.
func TestLongLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if got := s.talk("NOOP "+strings.Repeat("x", 100000), "CAPA"); got[0] != "-ERR Syntax error" || !strings.HasPrefix(got[1], "+OK") {
		t.Errorf("%q", got)
	}
}

func TestFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, "popsubfolders: yes", "virtdomains: userid", "unixhierarchysep: no")
	n := &session{server: s.server}
	for name, want := range map[string][2]string{
		"fred": {"fred", ""}, "fred+a": {"fred", "+a"}, "fred+a+b": {"fred", "+a+b"}, "fred+a@x.org": {"fred@x.org", "+a"},
		"fred@x.org": {"fred@x.org", ""}, "+": {"", "+"},
	} {
		if u, f := n.splitUser(name); u != want[0] || f != want[1] {
			t.Errorf("splitUser(%q) = %q, %q", name, u, f)
		}
	}
	for id, want := range map[string]bool{"fred": true, "fr.ed": false, "fred@x.org": true, "fr.ed@x.org": false} {
		if n.validUser(id) != want {
			t.Errorf("validUser(%q) = %v", id, !want)
		}
	}
	n.subfolder = "+Work.Old"
	if got := n.dropName("fred@x.org"); got != "x.org!user.fred.Work.Old" {
		t.Errorf("dropName = %q", got)
	}
	for in, want := range map[string]string{
		"user1\x00user1+A\x00p+w": "user1\x00user1\x00p+w",
		"\x00user1+A\x00pw":       "\x00user1\x00pw",
		"\x00user1\x00p+w":        "\x00user1\x00p+w",
		"+":                       "",
	} {
		if got := n.withoutSubfolder("plain", 0, []byte(in)); string(got) != want {
			t.Errorf("PLAIN %q became %q", in, got)
		}
	}
	n.subfolder = ""
	if got := n.withoutSubfolder("LOGIN", 1, []byte("user1+A")); string(got) != "user1" || n.subfolder != "+A" {
		t.Errorf("LOGIN: %q, %q", got, n.subfolder)
	}
	if got := n.withoutSubfolder("LOGIN", 2, []byte("p+w")); string(got) != "p+w" {
		t.Errorf("LOGIN: password %q", got)
	}
}

func TestLastLogin(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		conf []string
		last int64 // seconds before now
		want int64
	}{
		{nil, 500, 0},
		{[]string{"popminpoll: 5"}, 500, 0},
		{[]string{"popminpoll: 5", "poppollpadding: 3"}, 5000, 600}, // three times 300 s saved, one used
		{[]string{"popminpoll: 5", "poppollpadding: 3"}, 600, 300},
	} {
		s := newSite(t, c.conf...)
		n := &session{server: s.server, drop: &maildrop{opened: now}}
		if got := n.lastLogin(now.Add(-time.Duration(c.last) * time.Second)); now.Unix()-got.Unix() != c.want {
			t.Errorf("%q, last log-in %d s ago: kept as %d s ago, want %d", c.conf, c.last, now.Unix()-got.Unix(), c.want)
		}
	}
}

func TestArguments(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "": "Not a number", "x": "Not a number", "1x": "Unexpected extra argument", "4294967296": "Not a number",
		"00000000000000000001": "1", "4294967295": "4294967295",
	} {
		n, err := number(in)
		got := reply(err)
		if err == nil {
			got = itoa(n)
		}
		if got != want {
			t.Errorf("number(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"1 2": "1 2", "": "Missing argument", "1": "Missing argument", "1 ": "Invalid number of lines", "1 2 3": "Unexpected extra argument",
		"1 -1": "Invalid number of lines",
	} {
		m, l, err := twoNumbers(in)
		got := reply(err)
		if err == nil {
			got = itoa(m) + " " + itoa(l)
		}
		if got != want {
			t.Errorf("twoNumbers(%q) = %s, want %s", in, got, want)
		}
	}
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestCopyTop(t *testing.T) {
	long := strings.Repeat("x", 10000)
	for _, c := range []struct {
		in    string
		lines uint32
		want  string
	}{
		{"a: b\r\n\r\n1\r\n2\r\n3", 0, "a: b\r\n\r\n"},
		{"a: b\r\n\r\n1\r\n2\r\n3", 2, "a: b\r\n\r\n1\r\n2\r\n"},
		{"a: b\r\n\r\n1\r\n2\r\n3", 9, "a: b\r\n\r\n1\r\n2\r\n3"},
		{"a: b\r\n", 0, "a: b\r\n"},
		{"", 5, ""},
		{"a: b\n\n1\n", 0, "a: b\n\n1\n"}, // no CR: all of it is header
		{"a: " + long + "\r\n\r\n" + long + "\r\n2\r\n", 1, "a: " + long + "\r\n\r\n" + long + "\r\n"},
		{"a: b\r\n\r\n" + long, 0, "a: b\r\n\r\n"},
		{"\r\n1\r\n", 0, "\r\n"},
	} {
		var b strings.Builder
		if err := copyTop(&b, strings.NewReader(c.in), c.lines); err != nil || b.String() != c.want {
			t.Errorf("copyTop(%.30q, %d) = %.60q, %v", c.in, c.lines, b.String(), err)
		}
	}
}

func TestDecodeSASL(t *testing.T) {
	for in, want := range map[string]any{
		"": "", "YQ==": "a", "!!!": auth.NotDone, "YQ": auth.NotDone, "YWJjYQ": auth.NotDone, "YQ== x": auth.BadProt,
		"AUTH PLAIN": auth.BadProt, "Y!==": auth.BadProt,
	} {
		b, fail := decodeSASL(in)
		switch want := want.(type) {
		case string:
			if fail != nil || b == nil || string(b) != want {
				t.Errorf("decodeSASL(%q) = %q, %v", in, b, fail)
			}
		case auth.Code:
			if fail == nil || fail.Code != want {
				t.Errorf("decodeSASL(%q) = %q, %v; want code %d", in, b, fail, want)
			}
		}
	}
}

func TestReply(t *testing.T) {
	for want, err := range map[string]error{
		"No such message":              errNoSuch,
		"[SYS/TEMP] Internal Error":    errors.New("x"),
		"[SYS/TEMP] Mailbox is locked": errs.New(errs.Locked, "x", "", nil),
	} {
		if got := reply(err); got != want {
			t.Errorf("reply(%v) = %q, want %q", err, got, want)
		}
	}
	if ofServer(nil) || ofServer(errNoSuch) || !ofServer(errors.New("x")) {
		t.Error("ofServer is wrong")
	}
}

// FuzzCommands: each line gets an answer, in either state.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"", "STAT", "LIST 1", "TOP 1 1", "TOP", "UIDL x", "RETR 1", "DELE 1", "AUTH", "AUTH PLAIN =", "PASS  x",
		" ", "QUIT x", "CAPA", "USER x", "USER user1+a", "STLS", "RSET", "AUTH LOGIN dXNlcjE="} {
		f.Add(s, true)
		f.Add(s, false)
	}
	s := newSite(f, "popsubfolders: yes", "failedloginpause: 0")
	s.append("user1", "INBOX", "", "Subject: x\r\n\r\nx\r\n")
	e := s.create("user/user1")
	a, b := net.Pipe()
	f.Cleanup(func() { a.Close(); b.Close() })
	f.Fuzz(func(t *testing.T, line string, loggedIn bool) {
		if strings.HasPrefix(strings.ToLower(line), "quit") {
			return // it would change the mailbox
		}
		var out strings.Builder
		n := newSession(s.server, t.Context(), &pipe{Conn: a, r: bufio.NewReader(a)})
		n.r = linewire.NewReader(strings.NewReader("\r\n\r\n"), maxLine)
		n.w = linewire.NewWriter(&out)
		if loggedIn {
			n.userID = "user1"
			n.drop = &maildrop{ref: e.Ref(), msgs: []dropped{{uid: 1}, {uid: 2, deleted: true}, {uid: 3}}}
		}
		err := n.do(line)
		n.w.Flush()
		if answered := strings.HasPrefix(out.String(), "+"); answered && !strings.HasSuffix(out.String(), "\r\n") || !answered && err == nil {
			t.Errorf("%q: answer %q, error %v", line, out.String(), err)
		}
	})
}

// TestMadeAnew: a maildrop that was deleted and made anew while a client was
// there has other messages under the same UIDs. They stay.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mailbox_legacy_dirs: yes", "delete_mode: immediate")
	s.append("user1", "INBOX", "", "Subject: old\r\n\r\n")
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	s.talkOn(c, r, "USER user1", "PASS pass", "DELE 1")
	if err := s.site.List.Delete(t.Context(), s.admin, "user.user1", mboxlist.DeleteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	s.append("user1", "INBOX", "", "Subject: new\r\n\r\n")
	if got := s.sayOn(c, r, "QUIT"); strings.HasPrefix(got[0], "<") {
		t.Errorf("QUIT: %q", got)
	}
	if got := s.talk("USER user1", "PASS pass", "STAT", "QUIT"); got[2] != "+OK 1 16" {
		t.Errorf("%q", got)
	}
}

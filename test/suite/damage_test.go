package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// liveDamages is what happens to a file under running servers.
var liveDamages = []struct {
	name string
	do   func(path string, b []byte) error
}{
	{"truncated", func(path string, _ []byte) error { return os.Truncate(path, 0) }},
	{"zeroed", func(path string, b []byte) error { return overwrite(path, make([]byte, len(b))) }},
	{"noise", func(path string, b []byte) error {
		x := uint32(2463534242)
		for i := range b {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b[i] = byte(x)
		}
		return overwrite(path, b)
	}},
	{"removed", func(path string, _ []byte) error { return os.Remove(path) }},
}

// overwrite changes a file in place, as a disk would.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// ruin is one site whose user1 loses files.
type ruin struct {
	*testing.T
	s      *server.Site
	victim *server.IMAP
	other  *server.IMAP
	files  map[string]string
	n      int // messages delivered
	read   int // octets of the log that were looked at
}

// TestDamageLive damages each file of a user in each way while imapd and lmtpd
// serve him. They answer clearly and name the file in the log, others are
// served, mail waits, and reconstruct brings the mailbox back without a
// restart.
func TestDamageLive(t *testing.T) {
	s := server.Start(t, server.Options{Users: []string{"user1", "user2"}})
	r := &ruin{T: t, s: s, victim: s.Login("user1"), other: s.Login("user2")}
	for _, c := range []*server.IMAP{r.victim, r.other} {
		c.Must("SUBSCRIBE INBOX")
		c.Must("SETACL INBOX anyone lrsp")
		for i := range 3 {
			c.Append("INBOX", fmt.Sprintf("From: a@b.example\r\nSubject: first %d\r\n\r\nx\r\n", i))
		}
		c.Must("SELECT INBOX")
		c.Must("STORE 1 +FLAGS (kw \\Flagged)")
		c.Must(`SETMETADATA INBOX (/private/comment "x")`)
	}
	admin := s.Login("cyrus")
	admin.Must("SETQUOTA user/user1 (STORAGE 10000)")
	r.other.Must("SELECT user/user1") // his seen state of it
	r.other.Must("STORE 2 +FLAGS \\Seen")
	r.other.Must("SELECT INBOX")
	r.find()
	for _, file := range []string{"cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.annotations", "seen", "sub", "quota"} {
		for _, d := range liveDamages {
			r.once(file, d.name, d.do)
			if t.Failed() {
				t.Fatalf("log:\n%s", r.log())
			}
		}
	}
}

// find looks up where the files are.
func (r *ruin) find() {
	dir := strings.TrimSpace(r.s.Tool("", "mbpath", "user/user1"))
	id, of2 := filepath.Base(dir), filepath.Base(strings.TrimSpace(r.s.Tool("", "mbpath", "user/user2")))
	r.files = map[string]string{}
	for _, f := range []string{"cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.annotations"} {
		r.files[f] = filepath.Join(dir, f)
	}
	for f, pattern := range map[string]string{
		"sub":   "conf/user/uuid/*/*/" + id + "/sub.db",
		"seen":  "conf/user/uuid/*/*/" + of2 + "/seen.db",
		"quota": "conf/quota/*/user.user1",
	} {
		got, err := filepath.Glob(filepath.Join(r.s.Dir, pattern))
		if err != nil || len(got) != 1 {
			r.Fatalf("%s: %q, %v", pattern, got, err)
		}
		r.files[f] = got[0]
	}
}

// log is what was logged since the last call.
func (r *ruin) log() string {
	b, err := os.ReadFile(filepath.Join(r.s.Dir, "log/out"))
	if err != nil {
		r.Fatal(err)
	}
	from := r.read
	r.read = len(b)
	return string(b[from:])
}

// once damages one file, looks at what is served, and repairs.
func (r *ruin) once(file, how string, do func(string, []byte) error) {
	path := r.files[file]
	was, err := os.ReadFile(path)
	if err != nil && !(os.IsNotExist(err) && file == "cyrus.annotations") {
		r.Fatal(err)
	}
	before := r.count()
	r.log()
	if was == nil { // nobody has annotated a message
		was = make([]byte, 200)
		if err := os.WriteFile(path, was, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	if err := do(path, append([]byte(nil), was...)); err != nil {
		r.Fatal(err)
	}
	what := file + " " + how
	if file == "cyrus.header" {
		r.forget("lmtpd")
	}
	refused := r.serve(what)
	log := r.log()
	if file == "cyrus.header" && !strings.Contains(log, path) || file == "cyrus.index" && (!refused || !strings.Contains(log, path)) {
		r.Errorf("%s: refused %v, and the log does not name %s:\n%s", what, refused, path, log)
	}
	if strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		r.Errorf("%s: a panic:\n%s", what, log)
	}
	switch file {
	case "seen", "sub":
		err := os.WriteFile(path+".tmp", was, 0o600)
		if err == nil {
			err = os.Rename(path+".tmp", path)
		}
		if err != nil {
			r.Fatal(err)
		}
	case "quota":
		os.Remove(path)
		r.s.Login("cyrus").Must("SETQUOTA user/user1 (STORAGE 10000)")
	}
	out := r.s.Tool("", "reconstruct", "-G", "user/user1")
	if file == "quota" {
		r.s.Tool("", "quota", "-f", "user/user1")
	}
	if after := r.count(); after < before {
		r.Errorf("%s: %d messages, before %d:\n%s", what, after, before, out)
	}
	r.victim.Must("SELECT INBOX")
	r.victim.Must("UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])")
	r.victim.Must("LSUB \"\" *")
	r.victim.Append("INBOX", "Subject: after\r\n\r\nx\r\n")
	if _, dot := r.deliver("user1"); !strings.HasPrefix(dot, "250") {
		r.Errorf("%s: repaired, but lmtpd says %q", what, dot)
	}
}

// forget ends the processes of a program: those that come know no header of a
// mailbox, whose checksum in cyrus.index others are content with.
func (r *ruin) forget(program string) {
	for _, pid := range r.s.Processes(program) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for end := time.Now().Add(time.Minute); alive(pid) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
	}
}

// count is the messages of the victim's INBOX.
func (r *ruin) count() (n int) {
	r.Helper()
	line := strings.Join(r.victim.Must("STATUS INBOX (MESSAGES)"), "")
	if _, err := fmt.Sscanf(line[strings.Index(line, "(MESSAGES"):], "(MESSAGES %d)", &n); err != nil {
		r.Fatalf("%q: %v", line, err)
	}
	return n
}

func (r *ruin) deliver(user string) (rcpt, dot string) {
	r.n++
	return deliverTo(r.T, r.s, "<>", "<"+user+">", fmt.Sprintf("Message-ID: <%d@x.example>\r\nSubject: d\r\n\r\nx", r.n))
}

// serve has the servers do everything for both users. The victim may be
// refused, but with a reason and without losing the connection.
func (r *ruin) serve(what string) (refused bool) {
	for _, c := range []string{
		"SELECT INBOX", "FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])", "STORE 1 +FLAGS \\Answered", "SEARCH BODY x", "STATUS INBOX (MESSAGES UNSEEN)",
		`LIST "" *`, `LSUB "" *`, "APPEND INBOX {17+}\r\nSubject: a\r\n\r\nx\r\n", "SUBSCRIBE INBOX", "GETQUOTAROOT INBOX", "GETMETADATA INBOX /private/comment",
	} {
		_, tagged, err := r.victim.Do(c)
		switch {
		case err != nil:
			r.Fatalf("%s: %q: %v", what, c, err)
		case strings.HasPrefix(tagged, "OK"):
		case strings.HasPrefix(tagged, "NO ") && len(tagged) > 10 && !strings.Contains(tagged, "does not exist"):
			refused = true
		case strings.HasPrefix(tagged, "BAD") && refused: // nothing is selected
		default:
			r.Errorf("%s: %q: %s", what, c, tagged)
		}
	}
	if rcpt, dot := r.deliver("user1"); !tempOrGood(rcpt) || dot != "" && !tempOrGood(dot) {
		r.Errorf("%s: LMTP %q, %q", what, rcpt, dot)
	}
	for _, c := range []string{"SELECT user/user1", "STORE 1 +FLAGS \\Seen", "NOOP"} { // as a guest
		if _, _, err := r.other.Do(c); err != nil {
			r.Fatalf("%s: %q as a guest: %v", what, c, err)
		}
	}
	r.other.Must("SELECT INBOX")
	r.other.Must("FETCH 1:* (FLAGS BODY.PEEK[])")
	r.other.Append("INBOX", "Subject: b\r\n\r\nx\r\n")
	r.other.Must(`LIST "" *`)
	if _, dot := r.deliver("user2"); !strings.HasPrefix(dot, "250") {
		r.Errorf("%s: mail for another: %q", what, dot)
	}
	return refused
}

func tempOrGood(reply string) bool {
	return strings.HasPrefix(reply, "250") || strings.HasPrefix(reply, "4")
}

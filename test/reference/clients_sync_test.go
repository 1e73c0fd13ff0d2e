//go:build reference

package reference

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// local is a tree of maildirs that a client keeps the same as the server.
type local struct {
	t   *testing.T
	dir string
	n   int
}

// find is the file of the message with a subject.
func (l *local) find(folder, subject string) string {
	l.t.Helper()
	names, _ := filepath.Glob(filepath.Join(l.dir, folder, "[cn]??", "*"))
	for _, n := range names {
		if data, err := os.ReadFile(n); err == nil && strings.Contains(string(data), "Subject: "+subject+"\n") {
			return n
		}
	}
	l.t.Fatalf("no message %q in %s: %q", subject, folder, names)
	return ""
}

// put writes a new message, as mail programs do.
func (l *local) put(folder, flags string, text []byte) {
	l.t.Helper()
	l.n++
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(l.dir, folder, sub), 0o700); err != nil {
			l.t.Fatal(err)
		}
	}
	name := fmt.Sprintf("17625000%02d.M1P%d.host:2,%s", l.n, l.n, flags)
	if err := os.WriteFile(filepath.Join(l.dir, folder, "cur", name), text, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// take reads a message and removes it, if it is to go.
func (l *local) take(folder, subject string, remove bool) []byte {
	l.t.Helper()
	name := l.find(folder, subject)
	data, err := os.ReadFile(name)
	if err == nil && remove {
		err = os.Remove(name)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

// flag sets the flags of a message.
func (l *local) flag(folder, subject, flags string) {
	l.t.Helper()
	old := l.find(folder, subject)
	base, _, _ := strings.Cut(filepath.Base(old), ":2,")
	if err := os.Rename(old, filepath.Join(l.dir, folder, "cur", base+":2,"+flags)); err != nil {
		l.t.Fatal(err)
	}
}

// subjects is what a folder holds.
func (l *local) subjects(folder string) (all []string) {
	names, _ := filepath.Glob(filepath.Join(l.dir, folder, "[cn]??", "*"))
	for _, n := range names {
		data, _ := os.ReadFile(n)
		_, rest, _ := strings.Cut(string(data), "Subject: ")
		subject, _, _ := strings.Cut(rest, "\n")
		all = append(all, subject)
	}
	slices.Sort(all)
	return all
}

// dayOfSync does the day in maildirs: in the morning the client fetches all,
// in the evening it sends what has changed; between them new mail comes.
func dayOfSync(t *testing.T, s *server.Site, user string, l *local, inbox, day string, sync func()) {
	sync()
	if got := l.subjects(inbox); !slices.Equal(got, []string{"m1", "m2", "m3", "m4", "m5"}) {
		t.Fatalf("the client got %q", got)
	}
	c := s.Login(user)
	l.put(day, "FS", []byte(strings.ReplaceAll(madeByClient, "\r\n", "\n")))
	l.put(day, "", []byte(strings.Replace(string(l.take(inbox, "m1", false)), "X-TUID: ", "X-Was: ", 1)))
	l.put(day, "", []byte(strings.Replace(string(l.take(inbox, "m2", true)), "X-TUID: ", "X-Was: ", 1)))
	l.flag(inbox, "m3", "FR")
	l.flag(inbox, "m4", "ST")
	s.Tool(strings.ReplaceAll(aDay(6), "\r\n", "\n"), "deliver", user)
	sync()
	if got := l.subjects(inbox); !slices.Contains(got, "m6") {
		t.Errorf("the new message did not come: %q", got)
	}
	// The server's side changes, too.
	c.Must("SELECT INBOX")
	c.Must(`UID STORE 5 +FLAGS (\Seen)`)
	c.Must("SUBSCRIBE INBOX/Day") // what it cannot do
	sync()
	if name := l.find(inbox, "m5"); !strings.Contains(name, ":2,") || !strings.Contains(name[strings.LastIndex(name, ":2,"):], "S") {
		t.Errorf("m5 is not seen here: %s", name)
	}
	state := func() []string {
		return append(c.Must("EXAMINE INBOX"), c.Must("UID FETCH 1:* FLAGS")...)
	}
	sync()
	before := state()
	sync()
	if after := state(); !slices.Equal(before, after) {
		t.Errorf("with nothing to do, this changed:\n%q\n%q", before, after)
	}
	c.Close()
}

func dayOfMbsync(t *testing.T, s *server.Site) {
	dir := t.TempDir()
	host, p, _ := strings.Cut(s.IMAP, ":")
	rc := filepath.Join(dir, "rc")
	conf := fmt.Sprintf("IMAPAccount a\nHost %s\nPort %s\nUser mbsync\nPass pass\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount a\nPath INBOX/\n\n"+
		"MaildirStore near\nPath %[3]s/mail/\nInbox %[3]s/mail/INBOX\nSubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX *\nCreate Both\nRemove Both\nSync All\nExpunge Both\nSyncState *\n", host, p, dir)
	if err := os.WriteFile(rc, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	dayOfSync(t, s, "mbsync", &local{t: t, dir: filepath.Join(dir, "mail")}, "INBOX", "Day", func() {
		t.Helper()
		if out, err := exec.Command("mbsync", "-V", "-c", rc, "-a").CombinedOutput(); err != nil {
			t.Fatalf("mbsync: %v\n%s", err, tail(string(out)))
		}
	})
}

func dayOfOfflineIMAP(t *testing.T, s *server.Site) {
	dir := t.TempDir()
	host, p, _ := strings.Cut(s.IMAP, ":")
	rc := filepath.Join(dir, "rc")
	conf := fmt.Sprintf("[general]\nmetadata = %[3]s/meta\naccounts = a\nui = basic\n\n[Account a]\nlocalrepository = near\nremoterepository = far\n\n"+
		"[Repository near]\ntype = Maildir\nlocalfolders = %[3]s/mail\nsep = /\n\n"+
		"[Repository far]\ntype = IMAP\nremotehost = %[1]s\nremoteport = %[2]s\nremoteuser = offlineimap\nremotepass = pass\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\nusecompression = no\n", host, p, dir)
	if err := os.WriteFile(rc, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"mail", "meta"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	dayOfSync(t, s, "offlineimap", &local{t: t, dir: filepath.Join(dir, "mail")}, "INBOX", "INBOX/Day", func() {
		t.Helper()
		cmd := exec.Command("timeout", "90", "offlineimap", "-o", "-c", rc)
		cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("offlineimap: %v\n%s", err, tail(string(out)))
		}
	})
}

// dayOfMutt types keys. The program starts anew for each folder: what is
// pushed runs when the folder is open.
func dayOfMutt(t *testing.T, s *server.Site, program string) {
	dir := t.TempDir()
	common := fmt.Sprintf("set imap_user=%s imap_pass=pass ssl_starttls=no ssl_force_tls=no imap_authenticators=login\n"+
		"set folder=imap://%s/ confirmappend=no confirmcreate=no quit=yes copy=no delete=yes mark_old=no move=no wait_key=no imap_check_subscribed=no sleep_time=0 timeout=1 resolve=no\n", program, s.IMAP)
	type keys struct{ folder, keys string }
	made := filepath.Join(dir, "made")
	if err := os.WriteFile(made, []byte("From you@example.org Mon Nov  2 10:00:00 2026\nStatus: RO\n"+strings.ReplaceAll(madeByClient, "\r\n", "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inbox, day := "imap://"+s.IMAP+"/INBOX", "imap://"+s.IMAP+"/INBOX/Day"
	c := s.Login(program)
	defer c.Close()
	c.Must("CREATE INBOX/Day")
	c.Must("CREATE INBOX/Gone")
	for i, k := range []keys{
		{made, "<copy-message>" + day + "<enter><exit>"},
		{day, "<flag-message><display-message><exit><quit>"},
		{inbox, "<search>~s m1<enter><copy-message>" + day + "<enter><exit>"},
		{inbox, "<search>~s m2<enter><save-message>" + day + "<enter><sync-mailbox><exit>"},
		{inbox, "<search>~s m3<enter><flag-message><set-flag>r<quit>"},
		{inbox, "<search>~s m4<enter><delete-message><sync-mailbox><exit>"},
	} {
		rc := filepath.Join(dir, fmt.Sprint("rc", i))
		if err := os.WriteFile(rc, []byte(common+"push '"+k.keys+"'\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("script", "-qec", fmt.Sprintf("timeout 60 %s -n -F %s -f %s", program, rc, k.folder), "/dev/null")
		cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C", "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", program, k.keys, err, tail(string(out)))
		}
	}
	c.Must("SUBSCRIBE INBOX/Day")
	c.Must("DELETE INBOX/Gone")
}

package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
)

func write(t *testing.T, dir string, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deadPID returns the number of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestSlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "proc")
	table, err := NewTable(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	a, err := table.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := table.Open()
	for _, s := range []*Slot{a, b} {
		if n := s.Number(); n < 1<<23 || n >= 1<<31 || PID(n) != os.Getpid() {
			t.Errorf("number %d", n)
		}
	}
	entry := Entry{Service: "imap", Client: "localhost [127.0.0.1]", User: "alice", Mailbox: "user.alice", Command: "Fetch"}
	if err := a.Set(entry); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(a.Number())))
	if want := "imap\tlocalhost [127.0.0.1]\talice\tuser.alice\tFetch\n"; err != nil || string(data) != want {
		t.Errorf("%q, %v", data, err)
	}
	if err := b.Set(Entry{Service: "imap", Client: "x\ty\nz"}); err != nil {
		t.Fatal(err)
	}
	entries, err := Read(dir)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		n := e.Number
		e.Number = 0
		if n == a.Number() && e != entry || n == b.Number() && e != (Entry{Service: "imap", Client: "x y z"}) {
			t.Errorf("%d: %+v", n, e)
		}
	}
	a.Close()
	b.Close()
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Error(names)
	}
}

// More sessions than one process id has numbers for.
func TestManySlots(t *testing.T) {
	table, err := NewTable(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for range 1200 {
		s, err := table.Open()
		if err != nil {
			t.Fatal(err)
		}
		if n := s.Number(); seen[n] || n < 1<<23 || n >= 1<<31 || !alive(PID(n)) {
			t.Fatalf("number %d", n)
		}
		seen[s.Number()] = true
	}
}

func TestSingle(t *testing.T) {
	table, err := NewTable(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := table.Open()
		if err != nil || s.Number() != os.Getpid() {
			t.Fatal(s, err)
		}
		if _, err := table.Open(); err == nil {
			t.Error("two sessions")
		}
		s.Close()
	}
}

func TestReadOthers(t *testing.T) {
	dir := t.TempDir()
	me, dead := os.Getpid(), deadPID(t)
	write(t, dir, strconv.Itoa(me), "imap\thost [::1]\tbob\tuser.bob\tIdle\n")
	write(t, dir, strconv.Itoa(dead), "imap\thost [::1]\tdead\t\t\n")
	write(t, dir, strconv.Itoa(5*stride+dead), "imap\thost [::1]\tdead\t\t\n")
	write(t, dir, strconv.Itoa(3*stride+me), "pop3\thost [::1]\n")
	write(t, dir, strconv.Itoa(me)+".new", "imap\thalf")
	write(t, dir, "README", "x\ty\tz\n")
	write(t, dir, "-5", "x\ty\tz\n")
	write(t, dir, strconv.Itoa(4*stride+me), "")
	entries, err := Read(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	sweep(dir, dead)
	if got := names(t, dir); len(got) != 6 {
		t.Errorf("after the dead: %v", got)
	}
	sweep(dir, me)
	if got := names(t, dir); !slices.Equal(got, []string{"-5", "README"}) {
		t.Errorf("after all: %v", got)
	}
	if entries, err := Read(filepath.Join(dir, "none")); entries != nil || err != nil {
		t.Error(entries, err)
	}
}

// names is what lies in a directory.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		out = append(out, d.Name())
	}
	return out
}

// TestFull: the numbers are those of a real Cyrus with the same limits.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	conf := func(lines string) *config.Config {
		c, err := config.Parse("imapd.conf", "configdirectory: /x\nproc_path: "+dir+"\n"+lines, "imap")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const a, b = "a [1.1.1.1]", "b [1.1.1.2]"
	me := os.Getpid()
	for i, line := range []string{
		"imap\t" + a + "\talice\t\t\n", "imap\t" + a + "\tbob\t\t\n", "imap\t" + b + "\talice\t\t\n", "imap\t" + b + "\t\t\t\n",
		"pop3\t" + a + "\talice\t\t\n",
	} {
		write(t, dir, strconv.Itoa((firstBlock+i)*stride+me), line)
	}
	for _, c := range []struct{ lines, service, client, user, want string }{
		{"", "imap", a, "alice", ""},
		{"maxlogins_per_user: 2\n", "imap", a, "alice", "2 of 2 for alice"},
		{"maxlogins_per_user: 3\n", "imap", a, "alice", ""},
		{"maxlogins_per_user: 2\n", "pop3", a, "alice", ""},
		{"maxlogins_per_host: 2\n", "imap", b, "carol", "2 of 2 from " + b},
		{"maxlogins_per_host: 3\nmaxlogins_per_user: 2\n", "imap", b, "alice", "2 of 3 from " + b + ", 2 of 2 for alice"},
		{"maxlogins_per_host: 2\nmaxlogins_per_user: 2\n", "imap", a, "carol", "2 of 2 from " + a + ", 0 of 2 for carol"},
	} {
		want := c.want
		if want != "" {
			want = "Too many open connections (" + want + ")"
		}
		if got, err := Full(conf(c.lines), c.service, c.client, c.user); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", c.lines, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("imap\thost [::1]\tbob\tuser.bob\tIdle\n")
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := parse(s)
		if !ok {
			return
		}
		again, ok := parse(e.line())
		if !ok || again.line() != e.line() || strings.Count(e.line(), "\n") != 1 {
			t.Errorf("%q: %+v", s, e)
		}
	})
}

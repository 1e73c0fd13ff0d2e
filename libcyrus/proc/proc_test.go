package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
	if n := Sweep(dir); n != 2 {
		t.Errorf("swept %d", n)
	}
	if n := Clean(dir, me); n != 4 {
		t.Errorf("cleaned %d", n)
	}
	if entries, err := Read(filepath.Join(dir, "none")); entries != nil || err != nil {
		t.Error(entries, err)
	}
}

func TestLimits(t *testing.T) {
	entries := []Entry{
		{Service: "imap", Client: "a [1.1.1.1]", User: "alice"},
		{Service: "imap", Client: "a [1.1.1.1]", User: "bob"},
		{Service: "imap", Client: "b [1.1.1.2]", User: "alice"},
		{Service: "pop3", Client: "a [1.1.1.1]", User: "alice"},
	}
	if h, u := Limits(entries, "imap", "a [1.1.1.1]", "alice"); h != 2 || u != 2 {
		t.Error(h, u)
	}
	if h, u := Limits(entries, "imap", "c", ""); h != 0 || u != 0 {
		t.Error(h, u)
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

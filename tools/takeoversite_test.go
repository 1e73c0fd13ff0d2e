package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
)

// surroundingsOf runs the checks that are not about the store, with a
// cyrus.conf, beside some programs.
func surroundingsOf(t *testing.T, imapd, cyrus string, programs ...string) (*takeoverCheck, func() string) {
	t.Helper()
	path, dir := conf(t, imapd)
	c, err := config.Load(path, "takeover")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r := &takeoverCheck{
		program: &program{out: &out, err: &out}, c: c, fsys: disk.OS(), ctx: context.Background(),
		masterConf: filepath.Join(dir, "cyrus.conf"), pidFile: filepath.Join(dir, "master.pid"), bin: filepath.Join(dir, "bin"),
	}
	if err := os.Mkdir(r.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{r.masterConf: cyrus, r.pidFile: "12345\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(r.bin, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return r, func() string {
		out.Reset()
		r.problems = 0
		r.surroundings()
		return strings.ReplaceAll(out.String(), dir, "DIR")
	}
}

func TestTakeoverPrograms(t *testing.T) {
	const lines = "START {\n recover cmd=\"ctl_cyrusdb -r\"\n}\nSERVICES {\n imap cmd=\"imapd\" listen=\"/s\"\n" +
		" http cmd=\"httpd\" listen=\"/h\"\n mine cmd=\"/nonexistent/mine\" listen=\"/m\"\n}\n" +
		"EVENTS {\n expire cmd=\"cyrus expire -E 3\" at=0400\n news cmd=\"cyrus fetchnews x\" period=1\n}\nDAEMON {\n idled cmd=\"idled\"\n}\n"
	r, run := surroundingsOf(t, "", lines, "master", "imapd", "cyrus", "ctl_cyrusdb", "cyr_expire")
	got := run()
	for _, want := range []string{
		"cyrus.conf      3 services, 1 lines of START, 2 events, 1 daemons\n",
		"left out        DIR/cyrus.conf:6: 'http', as httpd is not in this version\n",
		"PROBLEM         DIR/cyrus.conf:7: 'mine': there is no program /nonexistent/mine\n",
		"left out        DIR/cyrus.conf:11: 'news', as fetchnews is not in this version\n",
		"'idled', as idled is not in this version\n",
		"master          does not run\n", "space           about ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if r.problems != 1 || strings.Contains(got, "'expire'") || strings.Contains(got, "'imap'") {
		t.Errorf("%d problems:\n%s", r.problems, got)
	}
	if _, run = surroundingsOf(t, "", lines); strings.Contains(run(), "left out") {
		t.Error("programs are looked for where none are")
	}
	if r, run = surroundingsOf(t, "", ""); os.Remove(r.masterConf) != nil || !strings.Contains(run(), "PROBLEM ") {
		t.Error("a cyrus.conf that cannot be read is no problem")
	}
}

func TestTakeoverPort(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, run := surroundingsOf(t, "", "SERVICES {\n imap cmd=\"imapd\" listen=\""+l.Addr().String()+"\" proto=\"tcp4\"\n any cmd=\"imapd\" listen=\"127.0.0.1:0\"\n}\n")
	if got := run(); r.problems != 1 || !strings.Contains(got, "'imap': somebody else listens at ") {
		t.Errorf("%d problems:\n%s", r.problems, got)
	}
}

func TestTakeoverRunningMaster(t *testing.T) {
	r, run := surroundingsOf(t, "", "SERVICES {\n}\n")
	f, err := os.OpenFile(r.pidFile, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	if got := run(); r.problems != 1 || !strings.Contains(got, "PROBLEM         master runs (DIR/master.pid is locked by process 12345): stop it first\n") {
		t.Errorf("%d problems:\n%s", r.problems, got)
	}
	f.Close()
	if got := run(); r.problems != 0 {
		t.Errorf("when it has gone:\n%s", got)
	}
	r, run = surroundingsOf(t, "lmtpsocket: {configdirectory}/lmtp\n", "SERVICES {\n}\n")
	l, err := net.Listen("unix", config.Lmtpsocket.In(r.c))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := run(); r.problems != 1 || !strings.Contains(got, "somebody listens at DIR/lmtp") {
		t.Errorf("%d problems:\n%s", r.problems, got)
	}
}

func TestTakeoverOldUserFiles(t *testing.T) {
	r, run := surroundingsOf(t, "", "SERVICES {\n}\n")
	dir := filepath.Join(config.Configdirectory.In(r.c), "user", "a")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"alice.seen": strings.Repeat("\x00", 12) + "\x62\x31\x05\x00", "bob.seen": "id\t1 2 3 4 1:5\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(); !strings.Contains(got, "warning         1 files *.seen of users are of Berkeley DB") {
		t.Error(got)
	}
}

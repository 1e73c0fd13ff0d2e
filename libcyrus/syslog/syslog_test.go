package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// daemon listens as syslogd does.
func daemon(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 65536)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := daemon(t, path)
	var copied bytes.Buffer
	h := New(Options{Ident: "cyrus/imap", Socket: path, Copy: &copied})
	log := slog.New(h)
	pid := fmt.Sprintf("cyrus/imap[%d]: ", os.Getpid())
	form := regexp.MustCompile(`^<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d (.*)$`)
	for _, tt := range []struct {
		log  func()
		pri  string
		text string
	}{
		{func() { log.Info("plain") }, "22", "plain"},
		{func() { log.Log(t.Context(), LevelNotice, "login: a [::1] b") }, "21", "login: a [::1] b"},
		{func() { log.Warn("w") }, "20", "w"},
		{func() { log.Error("e", "error", errors.New("no such file")) }, "19", `e error="no such file"`},
		{func() { log.Log(t.Context(), LevelCritical, "c") }, "18", "c"},
		{func() { log.Info("two\nlines\r\x00\x1b[1m\x7f\u0085\u2028") }, "22", `two\nlines\r\x00\x1b[1m\x7f\xc2\x85\xe2\x80\xa8`},
		{func() { log.Info("ünïcode \xff") }, "22", `ünïcode \xff`},
		{func() { log.Info("m", "k", "v\nw", "n", 5, "empty", "", "d", time.Second, "b", true) }, "22", `m k="v\nw" n=5 empty="" d=1s b=true`},
		{func() { log.Info("m", "in", "a=b", slog.Group("g", "x", 1, "y", "z")) }, "22", `m in="a=b" g.x=1 g.y=z`},
		{func() { log.With("session", "s1").WithGroup("q").Info("m", "k", 1) }, "22", "m session=s1 q.k=1"},
		{func() { log.Info("m", "ctrl\nkey", "v") }, "22", `m ctrl\nkey=v`},
	} {
		tt.log()
		line := receive(t, d)
		m := form.FindStringSubmatch(line)
		if m == nil || m[1] != tt.pri || m[2] != pid+tt.text {
			t.Errorf("%q, want <%s> %q", line, tt.pri, tt.text)
		}
	}
	log.Debug("nobody sees this")
	log.Info(strings.Repeat("x", 20000))
	if line := receive(t, d); len(line) > maxLine+100 || !strings.HasSuffix(line, "x...") {
		t.Errorf("%d bytes", len(line))
	}
	if n := strings.Count(copied.String(), "\n"); n != 12 {
		t.Errorf("%d lines copied", n)
	}
}

func TestFacilityAndDebug(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := daemon(t, path)
	for facility, want := range map[string]string{"": "<23>", "MAIL": "<23>", "DAEMON": "<31>", "LOCAL6": "<183>", "nonsense": "<23>"} {
		slog.New(New(Options{Ident: "x", Facility: facility, Socket: path, Debug: true})).Debug("m")
		if line := receive(t, d); !strings.HasPrefix(line, want) {
			t.Errorf("%s: %q", facility, line)
		}
	}
}

// The daemon may come late, be restarted, and be gone.
func TestReconnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	h := New(Options{Ident: "x", Socket: path})
	log := slog.New(h)
	log.Info("lost")
	if h.Dropped() != 1 {
		t.Fatal(h.Dropped())
	}
	d := daemon(t, path)
	h.out.lastDial = time.Time{}
	log.Info("one")
	if line := receive(t, d); !strings.HasSuffix(line, "]: 1 lines before this one could not be sent to syslog") {
		t.Error(line)
	}
	if line := receive(t, d); !strings.HasSuffix(line, "]: one") {
		t.Error(line)
	}
	d.Close()
	os.Remove(path)
	d = daemon(t, path)
	h.out.lastDial = time.Time{}
	log.Info("two")
	if line := receive(t, d); !strings.HasSuffix(line, "]: two") || h.Dropped() != 1 {
		t.Error(line, h.Dropped())
	}
}

// A daemon that does not read costs lines, not service.
func TestStuckDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	daemon(t, path)
	h := New(Options{Ident: "x", Socket: path})
	log := slog.New(h)
	start := time.Now()
	for h.Dropped() == 0 {
		log.Info("m")
		if time.Since(start) > time.Minute {
			t.Fatal("blocked")
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := daemon(t, path)
	log := slog.New(New(Options{Ident: "x", Socket: path}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 25 {
				log.Info("text", "goroutine", i)
			}
		})
	}
	for range 100 {
		if line := receive(t, d); !strings.Contains(line, "]: text goroutine=") {
			t.Error(line)
		}
	}
	wg.Wait()
}

func TestIdent(t *testing.T) {
	t.Setenv("CYRUS_SYSLOG_PREFIX", "")
	if Ident("", "imap") != "cyrus/imap" || Ident("mail", "imap") != "mail/imap" || MasterIdent("", "master") != "master" {
		t.Error(Ident("", "imap"), Ident("mail", "imap"), MasterIdent("", "master"))
	}
	t.Setenv("CYRUS_SYSLOG_PREFIX", "env")
	if Ident("mail", "imap") != "env/imap" || MasterIdent("mail", "master") != "env/master" {
		t.Error(Ident("mail", "imap"), MasterIdent("mail", "master"))
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(appendAttr(appendText(nil, s), "", slog.String(s, s)))
		if !utf8.ValidString(out) {
			t.Errorf("%q", out)
		}
		for _, r := range out {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 {
				t.Errorf("%q in %q", r, out)
			}
		}
	})
}

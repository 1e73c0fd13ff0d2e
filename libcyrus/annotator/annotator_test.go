package annotator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/site"
	"gocyrus/test/server"
)

// TestAnswer: what an annotator may say.
func TestAnswer(t *testing.T) {
	for in, want := range map[string]string{
		`()`:                              `\seen old`,
		`(+FLAGS \Flagged)`:               `\seen old \Flagged`,
		`(+FLAGS (\Flagged OLD new))`:     `\seen old \Flagged new`,
		`(-FLAGS (\Seen) +FLAGS x)`:       `old x`,
		`(+FLAGS a WHAT b +FLAGS c)`:      `\seen old a error`,
		`(+FLAGS)`:                        `\seen old error`,
		`(ANNOTATION x)`:                  `\seen old error`,
		`(ANNOTATION (/comment (a b c)))`: `\seen old error`,
		`(ANNOTATION (/comment (value.shared "Hello") (value.priv {3+}` + "\r\na b" + `)))`: `\seen old /comment value.shared=Hello /comment value.priv=a b`,
	} {
		list, err := parse([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		a := answer{flags: []string{`\seen`, "old"}}
		err = a.read(list)
		got := strings.Join(a.flags, " ")
		for _, s := range a.sets {
			got += fmt.Sprintf(" %s %s=%s", s.Entry, s.Attr, s.Value)
		}
		if err != nil {
			got += " error"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestAsk: a service and programs, good and bad ones.
func TestAsk(t *testing.T) {
	dir := t.TempDir()
	sock := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 100)
		n, _ := io.ReadAtLeast(c, buf, len("9\n(REQUEST)0\n"))
		asked <- string(buf[:n])
		fmt.Fprint(c, "(+FLAGS")
		fmt.Fprint(c, " x)")
		_, _ = io.Copy(io.Discard, c) // it does not hang up
	}()
	script := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		server.Script(t, path, "#!/bin/sh\n"+text, mode)
		return path
	}
	for _, c := range []struct{ path, want string }{
		{sock, "(+FLAGS x)"},
		{script("good", "cat >/dev/null; echo '()'", 0o755), "()\n"},
		{script("deaf", "echo '()'; exit 1", 0o755), "()\n"},
		{script("mute", "cat >/dev/null; exit 1", 0o755), "error"},
		{script("plain", "", 0o644), "error"},
		{filepath.Join(dir, "none"), "error"},
	} {
		got, err := (&Caller{path: c.path, log: slog.New(slog.DiscardHandler)}).ask(context.Background(), []byte("(REQUEST)"))
		if err != nil {
			got = []byte("error")
		}
		if string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", filepath.Base(c.path), got, err, c.want)
		}
	}
	if got := <-asked; got != "9\n(REQUEST)0\n" {
		t.Errorf("the service was asked %q", got)
	}
}

// FuzzAnswer: whatever an annotator says, flags come from it or were there.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`(+FLAGS (\Flagged x) ANNOTATION (/comment (value.shared "Hello")))`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parse(b)
		if err != nil {
			return
		}
		a := answer{flags: []string{"old"}}
		_ = a.read(list)
		if len(a.flags)+len(a.sets) > len(b)+1 {
			t.Fatalf("%q gives %v and %v", b, a.flags, a.sets)
		}
	})
}

func TestDisabled(t *testing.T) {
	for _, c := range []struct{ conf, path string }{
		{"", ""},
		{"annotation_callout: /run/annotator\n", "/run/annotator"},
		{"annotation_callout: /run/annotator\nannotation_callout_disable_append: yes\n", ""},
	} {
		conf, err := config.Parse("imapd.conf", "configdirectory: /x\n"+c.conf, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := New(&site.Site{Config: conf}).path; got != c.path {
			t.Errorf("%q: %q is asked", c.conf, got)
		}
	}
}

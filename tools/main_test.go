package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
)

// result is what one run of a command left.
type result struct {
	status        int
	out, err, log string
}

// call runs a command line as if typed, with stdin, on a configuration
// that -C names in it.
func call(stdin string, args ...string) result {
	var out, errs, log bytes.Buffer
	p := &program{
		args: args, in: strings.NewReader(stdin), out: &out, err: &errs,
		log:    slog.New(slog.DiscardHandler),
		become: func(*config.Config) error { return nil },
		dial: func(*config.Config, string) *slog.Logger {
			return slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			}))
		},
	}
	status := dispatch(p, func(string, []string) error { return os.ErrNotExist })
	return result{status, out.String(), errs.String(), log.String()}
}

// conf writes an imapd.conf with a state directory of its own and the
// given lines, and returns its path and that of the directory.
func conf(t *testing.T, lines string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "imapd.conf")
	text := "configdirectory: " + dir + "\npartition-default: " + dir + "/spool\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func TestDispatch(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		out    string // beginning
	}{
		{"cyrus", exFailure, "ERROR: Command cannot be empty\n\nusage: cyrus COMMAND [ARGS]\n"},
		{"/usr/sbin/cyrus help", exFailure, "usage: cyrus COMMAND"},
		{"cyrus nonsense", exFailure, "ERROR: nonsense: Unknown command or command not installed\n\nusage"},
		{"cyrus buildinfo flat", exOK, "component.event_notification="},
		{"/usr/lib/cyrus/bin/cyr_buildinfo flat", exOK, "component.event_notification="},
		{"cyrus cyr_buildinfo flat", exOK, "component.event_notification="},
	} {
		if r := call("", strings.Fields(tt.args)...); r.status != tt.status || !strings.HasPrefix(r.out, tt.out) {
			t.Errorf("%s: status %d, output\n%s", tt.args, r.status, r.out)
		}
	}
}

// TestCommandList checks that every command of Cyrus's that is built in
// gets a link, and nothing else does.
func TestCommandList(t *testing.T) {
	list, err := os.ReadFile("commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	ours := []string{"backup", "handback", "passwd", "restore", "sieve-apply", "sieve-test", "takeover"} // not Cyrus's: no link
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
		if c.summary == "" {
			t.Errorf("%s has no summary", c.name)
		}
	}
	got := append(strings.Fields(string(list)), ours...)
	for _, n := range got {
		if find(n) == nil {
			t.Errorf("%s is linked but not built in", n)
		}
	}
	if len(got) != len(names) {
		t.Errorf("linked: %v; built in: %v", got, names)
	}
}

func TestBeside(t *testing.T) {
	for _, name := range []string{"", "no-such-program", "../tools", filepath.Base(os.Args[0])} {
		if err := beside(name, []string{name}); !os.IsNotExist(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestConfigureFails(t *testing.T) {
	path, dir := conf(t, "timeout: 5x\n")
	r := call("", "tls_prune", "-C", path)
	want := "fatal error: unparsable duration '5x' for timeout in line 3 of configuration file " + path + "\n"
	if r.status != exConfig || r.err != want {
		t.Errorf("status %d, %q", r.status, r.err)
	}
	var errs bytes.Buffer
	p := &program{
		args: []string{"tls_prune", "-C", filepath.Join(dir, "good.conf")}, out: io.Discard, err: &errs,
		become: func(*config.Config) error { return os.ErrPermission },
		dial:   func(*config.Config, string) *slog.Logger { return slog.New(slog.DiscardHandler) },
	}
	if err := os.WriteFile(p.args[2], []byte("configdirectory: "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tlsPrune(p); got != exUsage || errs.String() != "fatal error: must run as the Cyrus user\n" {
		t.Errorf("status %d, %q", got, errs.String())
	}
}

// TestStoreFails checks what is said of a store that cannot be opened.
func TestStoreFails(t *testing.T) {
	path, dir := conf(t, "duplicate_db: twoskip\n")
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := call("", "mbpath", "-C", path, "x")
	want := "fatal error: mboxlist_db, annotation_db, duplicate_db and userdeny_db must all be pebble (the default), or none of them\n"
	if r.status != exConfig || r.err != want {
		t.Errorf("mixed databases: %+v", r)
	}
	if err := os.WriteFile(path, []byte("configdirectory: "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = call("", "mbpath", "-C", path, "x")
	want = "fatal error: partition-<name> option not specified in configuration file " + path + "\n"
	if r.status != exConfig || r.err != want {
		t.Errorf("no partition: %+v", r)
	}
}

// TestManualPages checks that each command and each program has a manual
// page.
func TestManualPages(t *testing.T) {
	pages := []string{"cyrus.8", "cyrus.conf.5", "imapd.conf.5"}
	for _, c := range commands {
		pages = append(pages, "cyrus-"+c.name+".8")
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, programs, _ := strings.Cut(string(makefile), "\nDAEMONS   = ")
	programs, _, ok := strings.Cut(programs, "\n")
	if !ok {
		t.Fatal("no list of programs in Makefile")
	}
	for _, p := range strings.Fields(programs) {
		pages = append(pages, "cyrus-"+p+".8")
	}
	for _, name := range pages {
		text, err := os.ReadFile(filepath.Join("../docs/man", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if s := string(text); !strings.Contains(s, ".SH NAME\n") || !strings.Contains(s, ".SH SEE ALSO\n") {
			t.Errorf("%s lacks a section", name)
		}
	}
}

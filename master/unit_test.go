package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/master/pool"
)

func TestOptions(t *testing.T) {
	t.Setenv("CYRUS_VERBOSE", "")
	os.Unsetenv("CYRUS_VERBOSE")
	for _, c := range []struct {
		args string
		want string
	}{
		{"", "32 1 false false 0"},
		{"-l 100 -j 5 -v -v", "100 1 false false 2"},
		{"-x -d -l7", "7 1 true false 0 master: invalid option -- 'x'"},
		{"-l", "32 1 false false 0 master: option requires an argument -- 'l'"},
		{"-l abc", "0 1 false false 0"},
		{"-D file -v", "32 1 false true 1"},
	} {
		o, err := parseOptions(append([]string{"master"}, strings.Fields(c.args)...))
		if o.sweeps == 5 {
			o.sweeps = 1
		}
		got := strings.TrimSpace(fmt.Sprint(o.backlog, o.sweeps, o.daemon, o.debug, o.verbose) + " " + strings.Join(o.complaints, ";"))
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.args, got, err, c.want)
		}
	}
	t.Setenv("CYRUS_VERBOSE", "2")
	if o, _ := parseOptions([]string{"master"}); o.verbose != 3 {
		t.Errorf("verbose %d", o.verbose)
	}
}

// TestOptionsAgain: what parseOptions read is read again by the next image.
func TestOptionsAgain(t *testing.T) {
	for _, args := range []string{"", "-C a -M b -l 3 -p x -j 2 -d -L out -v -v", "-D"} {
		want, err := parseOptions(append([]string{"master"}, strings.Fields(args)...))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{want.conf, want.cyrusConf} {
			if path != "" && path[0] != '/' {
				t.Errorf("%q: %s is not absolute", args, path)
			}
		}
		if got, err := parseOptions(want.args("master")); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %+v, %v, want %+v", args, got, err, want)
		}
	}
}

func TestAtoi(t *testing.T) {
	for s, want := range map[string]int{"": 0, "12": 12, "0400": 400, "-3": -3, "+4": 4, " 5x": 5, "x5": 0, "-": 0, "99999999999999999999": 0} {
		if got := atoi(s); got != want {
			t.Errorf("atoi(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for want, err := range map[string]error{
		"No such file or directory": &fs.PathError{Op: "open", Path: "x", Err: unix.ENOENT},
		"Address already in use":    unix.EADDRINUSE,
		"words":                     &config.Error{Text: "words"},
		"plain":                     errors.New("plain"),
	} {
		if got := text(err); got != want {
			t.Errorf("text(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestStage(t *testing.T) {
	t.Setenv(stageVar, "")
	os.Unsetenv(stageVar)
	if s := takeStage(); s != (stage{"", -1, -1, -1}) {
		t.Errorf("no stage: %+v", s)
	}
	for _, c := range []struct {
		value string
		name  string
	}{{"daemon 1000 -1 -1", "daemon"}, {"dropped -1 1001 1002", "dropped"}, {"dropped -1 -1 -1", ""}, {"daemon 0 -1 -1", ""}, {"other 1000 1000 1000", ""}, {"dropped", ""}, {"", ""}} {
		t.Setenv(stageVar, c.value)
		if s := takeStage(); s.name != c.name {
			t.Errorf("%q: %+v", c.value, s)
		}
		if _, ok := os.LookupEnv(stageVar); ok {
			t.Errorf("%q is handed on", c.value)
		}
	}
	want := stage{stageDropped, -1, 1000, 1001}
	_, v, _ := strings.Cut(want.environ()[len(want.environ())-1], "=")
	t.Setenv(stageVar, v)
	if got := takeStage(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWithout(t *testing.T) {
	got := without([]string{"A=1", "AB=2", "B=3", "A"}, "A", "C")
	if fmt.Sprint(got) != "[AB=2 B=3 A]" {
		t.Errorf("%v", got)
	}
}

func TestTrafficClass(t *testing.T) {
	for s, want := range map[string]int{"cs0": 0, "cs1": 0x20, "cs7": 0xe0, "af11": 0x28, "af13": 0x38, "af43": 0x98, "ef": 0xb8, "": 0} {
		if got := trafficClass(s); got != want {
			t.Errorf("trafficClass(%q) = %#x, want %#x", s, got, want)
		}
	}
	for _, s := range config.ByName("qosmarking").Values {
		if s != "cs0" && trafficClass(s) == 0 {
			t.Errorf("%s marks nothing", s)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ listen, proto, want string }{
		{"143", "tcp", "ipv4 0.0.0.0:143 1, ipv6 [::]:143 1"},
		{"imap", "tcp4", "ipv4 0.0.0.0:143 1"},
		{"imap", "tcp6", "ipv6 [::]:143 1"},
		{"1.2.3.4:99", "tcp", "ipv4 1.2.3.4:99 1"},
		{"[1.2.3.4]", "tcp", "ipv4 1.2.3.4:0 1"},
		{"[1.2.3.4]:5", "udp", "ipv4 1.2.3.4:5 2"},
		{"[::1]:5", "tcp", "ipv6 [::1]:5 1"},
		{"::1:5", "tcp", "ipv6 [::1]:5 1"},
		{"[::1]", "tcp4", "Address family for hostname not supported, disabling x"},
		{"/a/b", "tcp", "unix /a/b 1"},
		{"/a/b", "udp", "unix /a/b 2"},
		{"[1.2.3.4", "tcp", "invalid listen '[1.2.3.4', disabling x"},
		{"[1.2.3.4]5", "tcp", "invalid listen '[1.2.3.4]5', disabling x"},
		{"[1.2.3.4]:", "tcp", "invalid listen '[1.2.3.4]:', disabling x"},
		{"host:", "tcp", "invalid listen 'host:', disabling x"},
		{"1.2.3.4", "tcp", "Servname not supported for ai_socktype, disabling x"},
		{"1", "tcp5", "invalid proto 'tcp5', disabling x"},
		{"1", "TCP", "invalid proto 'TCP', disabling x"},
		{"no host:1", "tcp", "Name or service not known, disabling x"},
		{"70000", "tcp", "Servname not supported for ai_socktype, disabling x"},
	} {
		all, err := (&line{name: "x", listen: c.listen, proto: c.proto}).addresses()
		var s []string
		for _, a := range all {
			s = append(s, fmt.Sprint(a.family, " ", a, " ", a.kind))
		}
		got := strings.Join(s, ", ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.listen, c.proto, got, c.want)
		}
	}
}

func FuzzSplitListen(f *testing.F) {
	for _, s := range []string{"imap", "a:b", "[::1]:5", "[]", "]", "[", ":", "a:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, ok := splitListen(s)
		if !ok {
			return
		}
		again := port
		switch {
		case strings.HasPrefix(s, "[") && port == "":
			again = "[" + host + "]"
		case strings.HasPrefix(s, "["):
			again = "[" + host + "]:" + port
		case strings.Contains(s, ":"):
			again = host + ":" + port
		}
		if again != s {
			t.Errorf("splitListen(%q) = %q, %q", s, host, port)
		}
	})
}

func TestDefaultClients(t *testing.T) {
	for path, want := range map[string]int{"imapd": 250, "/usr/lib/cyrus/bin/pop3d": 250, "lmtpd": 20, "timsieved": 50} {
		if got := defaultClients(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestMissingByDesign(t *testing.T) {
	for cmd, want := range map[string]bool{
		"squatter -r user": true, "/usr/lib/cyrus/bin/httpd": true, "/usr/sbin/cyrus squatter": true,
		"imapd": false, "/usr/sbin/cyrus expire -E 3": false, "cyrus": false, "ctl_cyrusdb -r": false,
	} {
		if got := missingByDesign(strings.Fields(cmd)); got != want {
			t.Errorf("%s: %t, want %t", cmd, got, want)
		}
	}
}

// testMaster is a master without a process.
func testMaster(t *testing.T, log slog.Handler) *master {
	t.Helper()
	conf, err := config.Parse("imapd.conf", "configdirectory: "+t.TempDir()+"\n"+classic, "master")
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(options{backlog: 1, sweeps: 1}, conf, wrapLogger(log), &startError{})
	if m.signals, err = catchSignals(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFind(t *testing.T) {
	m := testMaster(t, slog.DiscardHandler)
	dir := t.TempDir()
	m.self = dir + "/master"
	for name, mode := range map[string]os.FileMode{"imapd": 0o755, "notes": 0o644} {
		if err := os.WriteFile(dir+"/"+name, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		word, path string
		ok         bool
	}{
		{"imapd", dir + "/imapd", true},
		{"/nonexistent/imapd", dir + "/imapd", true},
		{"/bin/sh", "/bin/sh", true},
		{"notes", dir + "/notes", false},
		{"nothing", dir + "/nothing", false},
		{"/nonexistent/nothing", "/nonexistent/nothing", false},
	} {
		if path, ok := m.find(c.word); path != c.path || ok != c.ok {
			t.Errorf("find(%s) = %s, %t, want %s, %t", c.word, path, ok, c.path, c.ok)
		}
	}
}

// TestSettings reads the fields of a service as Cyrus does.
func TestSettings(t *testing.T) {
	for fields, want := range map[string]pool.Settings{
		"":                                {MaxChild: -1, DefaultClients: 250},
		"prefork=5 maxchild=10":           {Prefork: 5, MaxChild: 10, DefaultClients: 250},
		"prefork=x maxchild=-2":           {MaxChild: -2, DefaultClients: 250},
		"babysit=yes":                     {Prefork: 1, MaxChild: -1, MaxForkRate: 10, Babysit: true, DefaultClients: 250},
		"babysit=on maxforkrate=3":        {Prefork: 1, MaxChild: -1, MaxForkRate: 3, Babysit: true, DefaultClients: 250},
		"babysit=maybe maxclients=7":      {MaxChild: -1, MaxClients: 7, DefaultClients: 250},
		"proto=udp prefork=4 maxchild=20": {Prefork: 1, MaxChild: 1},
	} {
		m := testMaster(t, slog.DiscardHandler)
		file := t.TempDir() + "/cyrus.conf"
		if err := os.WriteFile(file, []byte("SERVICES {\n x cmd=imapd listen=1 "+fields+"\n}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		m.opt.cyrusConf = file
		m.self = t.TempDir() + "/master"
		if err := os.WriteFile(strings.TrimSuffix(m.self, "master")+"imapd", nil, 0o755); err != nil {
			t.Fatal(err)
		}
		p, err := m.readPlan(false)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.lines[0].set; got != want {
			t.Errorf("%s: %+v, want %+v", fields, got, want)
		}
	}
}

// TestStartOutput logs what a START command prints, line by line.
func TestStartOutput(t *testing.T) {
	var b syncBuffer
	m := testMaster(t, slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey {
			return a
		}
		return slog.Attr{}
	}}))
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.null = null
	defer m.closeDescriptors()
	began := time.Now()
	m.runStart(command{"recover", []string{"/bin/sh", "-c", "true"}}) // prints nothing
	script := t.TempDir() + "/script"
	long := strings.Repeat("x", maxOutputLine+10)
	if err := os.WriteFile(script, []byte("echo one; echo; echo two >&2; echo "+long+"; sleep 60 & printf three"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.runStart(command{"recover", []string{"/bin/sh", script}})
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("waited %v for what the command left behind", d)
	}
	var want strings.Builder
	for _, l := range []string{"one", "two", long[:maxOutputLine], long[maxOutputLine:], "three"} {
		fmt.Fprintf(&want, "msg=\"recover: %s\"\n", l)
	}
	if b.String() != want.String() {
		t.Errorf("log:\n%s", &b)
	}
	if m.broken {
		t.Error("the start has failed")
	}
}

// TestSurvive goes on after a panic, but not after many.
func TestSurvive(t *testing.T) {
	var b syncBuffer
	m := testMaster(t, slog.NewTextHandler(&b, nil))
	boom := func() { defer m.survive(); panic("boom") }
	for range maxPanics - 1 {
		boom()
	}
	if n := strings.Count(b.String(), "panic: boom"); n != maxPanics-1 {
		t.Errorf("%d panics are in the log", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("it goes on for ever")
		}
	}()
	boom()
}

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// showConf writes all entries, one a line.
func showConf(c *CyrusConf) string {
	var b strings.Builder
	for _, s := range []struct {
		name    string
		entries []Entry
	}{{"START", c.Start}, {"SERVICES", c.Services}, {"EVENTS", c.Events}, {"DAEMON", c.Daemon}} {
		for _, e := range s.entries {
			fmt.Fprintf(&b, "%s:%d %s", s.name, e.Line, e.Name)
			for _, a := range e.Args() {
				fmt.Fprintf(&b, " %s=<%s>", a.Key, a.Value)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

const sampleConf = `# sample
START { not="read"
	recover	cmd="ctl_cyrusdb -r" # comment
}

services {
  imap  cmd="imapd -U 30" listen="imap" prefork=5 maxchild=100 babysit=yes prefork=7
  pop3  cmd=pop3d listen=[::1]:110
}
OTHER {
  x { y }
  z cmd=1
}
EVENTS {
  bare
  delprune cmd="cyr_expire -E 3" at=0401
}
DAEMON
{
  lost cmd=x
}
START {
  again cmd=y
}
stray
`

func TestParseCyrusConf(t *testing.T) {
	c, warnings, err := ParseCyrusConf("cyrus.conf", sampleConf)
	if err != nil {
		t.Fatal(err)
	}
	want := `START:3 recover cmd=<ctl_cyrusdb -r>
SERVICES:7 imap cmd=<imapd -U 30> listen=<imap> prefork=<5> maxchild=<100> babysit=<yes> prefork=<7>
SERVICES:8 pop3 cmd=<pop3d> listen=<[::1]:110>
EVENTS:15 bare
EVENTS:16 delprune cmd=<cyr_expire -E 3> at=<0401>
`
	if got := showConf(c); got != want {
		t.Errorf("got\n%s", got)
	}
	want = `cyrus.conf:2: text after the opening brace of START is not read
cyrus.conf:7: imap: 'prefork' was there before; this one is not used
cyrus.conf:10: unknown section OTHER is not read
cyrus.conf:18: DAEMON is not followed by an opening brace on its line and is not read
cyrus.conf:22: section START was there before; this one is not used
cyrus.conf:25: line outside of any section is not read
`
	var got strings.Builder
	for _, w := range warnings {
		fmt.Fprintln(&got, w)
	}
	if got.String() != want {
		t.Errorf("warnings\n%s", got.String())
	}
}

func TestParseCyrusConfErrors(t *testing.T) {
	many := "a" + strings.Repeat(" k=v", maxArgs+1)
	for _, tt := range []struct{ line, want string }{
		{`a:b cmd=x`, "bad character ':' in name on line 2"},
		{`-a cmd=x`, "bad character '-' in name on line 2"},
		{`a c-d=x`, "bad character '-' in argument on line 2"},
		{`a cmd =x`, "bad character ' ' in argument on line 2"},
		{`a cmd`, "missing '=' after 'cmd' in argument on line 2"},
		{`a cmd="x y`, `missing " on line 2`},
		{`a cmd="x # y"`, `missing " on line 2`},
		{`a cmd=x }`, "bad character '}' in argument on line 2"},
		{many, "too many arguments on line 2"},
	} {
		_, _, err := ParseCyrusConf("f", "START {\n"+tt.line+"\n}\n")
		want := "fatal error: configuration file f: " + tt.want
		if e, ok := errors.AsType[*Error](err); !ok || e.Error() != want || e.Line != 2 || e.File != "f" {
			t.Errorf("%q: got %v, want %s", tt.line, err, want)
		}
	}
	_, warnings, err := ParseCyrusConf("f", "START {\n a cmd=x\n")
	if err != nil || len(warnings) != 1 {
		t.Errorf("open section: %v, %v", warnings, err)
	}
}

func TestEntry(t *testing.T) {
	c, _, err := ParseCyrusConf("f", "SERVICES {\n a n=5 m=-3 x=abc y=12abc z=99999999999999999999 on=yes off=of odd=maybe s=\"t u\"\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	e := &c.Services[0]
	for key, want := range map[string]int{"n": 5, "m": -3, "y": 12, "none": 7} {
		if got, err := e.Int(key, 7); got != want || err != nil {
			t.Errorf("%s = %d, %v, want %d", key, got, err, want)
		}
	}
	for _, key := range []string{"x", "z"} {
		if got, err := e.Int(key, 7); got != 7 || err == nil {
			t.Errorf("%s = %d, %v", key, got, err)
		}
	}
	_, err = e.Int("x", 7)
	if want := "fatal error: configuration file f: value 'abc' for 'x' does not look like a number on line 2"; err.Error() != want {
		t.Errorf("got %v", err)
	}
	if !e.Switch("on", false) || e.Switch("off", true) || !e.Switch("odd", true) || e.Switch("odd", false) || !e.Switch("none", true) {
		t.Error("a switch is wrong")
	}
	if e.String("s", "") != "t u" || e.String("none", "d") != "d" {
		t.Error("a string is wrong")
	}
}

func TestLoadCyrusConf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cyrus.conf")
	want := "fatal error: can't open configuration file " + path + ": No such file or directory"
	if _, _, err := LoadCyrusConf(path); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte(sampleConf), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := LoadCyrusConf(path)
	if err != nil || len(c.Services) != 2 {
		t.Errorf("%v", err)
	}
}

func FuzzParseCyrusConf(f *testing.F) {
	f.Add(sampleConf)
	f.Add("START {\n a b=\"\n}")
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := ParseCyrusConf("f", text)
		if err != nil {
			return
		}
		for _, s := range [][]Entry{c.Start, c.Services, c.Events, c.Daemon} {
			for _, e := range s {
				if e.Name == "" || len(e.Args()) > maxArgs {
					t.Errorf("entry %+v", e)
				}
			}
		}
	})
}

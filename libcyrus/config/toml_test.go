package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sampleTOML = `# one file for both
[options]
configdirectory = "/var/lib/cyrus"
timeout = 45
imap_timeout = "1h"
allowplaintext = true
event_groups = ["message", "quota"]
partition-default = "/var/spool/cyrus"
"sasl_mech_list" = "PLAIN LOGIN"

[start.recover]
cmd = "ctl_cyrusdb -r"

[services.pop3]
cmd = "pop3d"
listen = "pop3"

[services.imap]
cmd = "imapd"
listen = "imap"
prefork = 5
babysit = false

[daemon]
idled = { cmd = "idled" }
`

// loadTOML writes text to a file and loads it.
func loadTOML(t *testing.T, text string) (*Config, *CyrusConf, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m, _, err := LoadCyrusConf(path)
	if err != nil {
		return nil, nil, path, err
	}
	c, err := Load(path, "imap")
	return c, m, path, err
}

func TestTOML(t *testing.T) {
	c, m, path, err := loadTOML(t, sampleTOML)
	if err != nil {
		t.Fatal(err)
	}
	mechs, _ := c.Overflow("sasl_mech_list")
	if Timeout.In(c) != time.Hour || !Allowplaintext.In(c) || !EventGroups.In(c).Has("quota") || mechs != "PLAIN LOGIN" {
		t.Error("an option is wrong")
	}
	if s := c.source[Timeout.row.index]; s.file != path || s.line != 5 {
		t.Errorf("timeout set by %s:%d", s.file, s.line)
	}
	want := `START:11 recover cmd=<ctl_cyrusdb -r>
SERVICES:14 pop3 cmd=<pop3d> listen=<pop3>
SERVICES:18 imap cmd=<imapd> listen=<imap> prefork=<5> babysit=<no>
DAEMON:25 idled cmd=<idled>
`
	if got := showConf(m); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestTOMLErrors(t *testing.T) {
	const file = "FILE"
	for _, tt := range []struct{ text, want string }{
		{"[options]\nadmins = \n", "configuration file FILE: expected value but found '\\n' instead on line 2"},
		{"[options]\nadmins = \"\"\n", "empty option value on line 2 of configuration file FILE"},
		{"[options]\ntimeout = 1.5\n", "configuration file FILE: value of options.timeout is neither text nor number nor boolean on line 2"},
		{"[options]\nadmins = [\"a\", 3]\n", "configuration file FILE: value of options.admins is neither text nor number nor boolean on line 2"},
		{"[options]\nadmins = \"a\\nb\"\n", "configuration file FILE: value of options.admins is neither text nor number nor boolean on line 2"},
		{"[options.imap]\nadmins = \"a\"\n", "configuration file FILE: [options.imap] is not a table of options on line 1"},
		{"[options]\n\"@foo\" = \"a\"\n", "invalid directive on line 2 of configuration file FILE"},
		{"[options]\n\"a b\" = \"a\"\n", "invalid option name on line 2 of configuration file FILE"},
		{"[options]\nadmins = \"a\"\nADMINS = \"b\"\n", "option 'admins' was specified twice in config file (second occurrence on line 3) of FILE"},
		{"[options]\ntimeout = \"5x\"\n", "unparsable duration '5x' for timeout in line 2 of configuration file FILE"},
		{"\n[service.imap]\n", "configuration file FILE: unknown table [service] on line 2"},
		{"[services]\nimap = 5\n", "configuration file FILE: [services.imap] must be a table on line 2"},
		{"services = 5\n", "configuration file FILE: [services.NAME] must be a table on line 1"},
		{"[services.im-ap]\ncmd = \"a\"\n", "configuration file FILE: bad character '-' in name on line 1"},
		{"[services.imap.x]\ncmd = \"a\"\n", "configuration file FILE: [services.imap] has a table in it on line 1"},
		{"[[start]]\ncmd = \"a\"\n", "configuration file FILE: [start.NAME] must be a table on line 1"},
	} {
		_, _, path, err := loadTOML(t, tt.text)
		want := "fatal error: " + strings.ReplaceAll(tt.want, file, path)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", tt.text, err, want)
		}
	}
}

func FuzzTOML(f *testing.F) {
	f.Add(sampleTOML)
	f.Add("[[start]]\n[options]\na.b = 3\n[services.x.y]\n")
	f.Fuzz(func(t *testing.T, text string) {
		parseCyrusTOML("f", text)
		l := newLoader("f", "imap")
		if err := l.readTOML("f", strings.ReplaceAll(text, "@", "")); err == nil {
			l.finish()
		}
	})
}

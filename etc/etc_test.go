// Package etc holds sample configuration. Its test keeps the samples in
// step with what the programs read.
package etc

import (
	"bufio"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
)

func TestImapdConf(t *testing.T) {
	classic, err := config.Load("imapd.conf", "")
	if err != nil {
		t.Fatal(err)
	}
	toml, err := config.Load("gocyrus.toml", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*config.Config{classic, toml} {
		if len(c.Warnings()) > 0 || len(c.Unexplained(nil)) > 0 {
			t.Errorf("%s: %v %v", c.Path(), c.Warnings(), c.Unexplained(nil))
		}
		if err := c.CheckPartitions(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range config.Options() {
		if a, b := classic.Text(r), toml.Text(r); a != b {
			t.Errorf("%s: %q in imapd.conf, %q in gocyrus.toml", r.Name, a, b)
		}
	}
	if a, b := classic.OverflowPrefix(""), toml.OverflowPrefix(""); !slices.Equal(a, b) {
		t.Errorf("other keys:\n%v\n%v", a, b)
	}
}

// TestPassword: who has got an account by "cyrus passwd" can log in.
// TestImapdConf says that gocyrus.toml has the same options.
func TestPassword(t *testing.T) {
	text, err := os.ReadFile("imapd.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, err := config.Parse("imapd.conf", strings.ReplaceAll(string(text), "/var/lib/cyrus", dir), "imap")
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.OpenAccounts(auth.AccountsPath(c)).Set("fred", "secret"); err != nil {
		t.Fatal(err)
	}
	if e := auth.New(c, slog.New(slog.DiscardHandler)).Check(t.Context(), auth.Attempt{User: "fred", Password: "secret", Service: "imap"}); e != nil {
		t.Error(e)
	}
}

// TestCommentedOptions checks that the options which the sample only
// mentions exist.
func TestCommentedOptions(t *testing.T) {
	f, err := os.Open("imapd.conf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := regexp.MustCompile(`^#([a-z_]+): `)
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := name.FindStringSubmatch(s.Text()); m != nil && config.ByName(m[1]) == nil {
			t.Errorf("no option %s", m[1])
		}
	}
}

func TestCyrusConf(t *testing.T) {
	classic, w1, err := config.LoadCyrusConf("cyrus.conf")
	if err != nil {
		t.Fatal(err)
	}
	toml, w2, err := config.LoadCyrusConf("gocyrus.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(w1)+len(w2) > 0 {
		t.Errorf("warnings: %v %v", w1, w2)
	}
	if a, b := entries(classic), strings.ReplaceAll(entries(toml), " -C /etc/gocyrus.toml", ""); a != b {
		t.Errorf("cyrus.conf:\n%s\ngocyrus.toml:\n%s", a, b)
	}
}

// entries writes all entries, one a line.
func entries(c *config.CyrusConf) string {
	var b strings.Builder
	for _, section := range [][]config.Entry{c.Start, c.Services, c.Events, c.Daemon} {
		for _, e := range section {
			b.WriteString(e.Name)
			for _, a := range e.Args() {
				b.WriteString(" " + a.Key + "=" + a.Value)
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestUnit checks the unit against the paths that the programs use.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("cyrus-imapd.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Type=simple\n", "CONF=" + config.DefaultConf() + " MASTERCONF=" + config.DefaultCyrusConf() + "\n",
		"ExecStart=/usr/sbin/cyrmaster -l $LISTENQUEUE -C $CONF -M $MASTERCONF $OPTIONS\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
}

package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// listeners is where Debian's cyrus.conf has its network services listen.
var listeners = regexp.MustCompile(`listen="(imap|pop3|nntp|8008|localhost:sieve)"`)

// Debian makes a site of the configuration that Debian's packages install
// (test/data/debian), with only paths and ports moved. The users of o have
// accounts, but no mailboxes.
func Debian(tb testing.TB, o Options) *Site {
	tb.Helper()
	s := New(tb, o)
	conf := s.moved("imapd.conf") + "\nsasl_sasldb_path: " + s.Dir + "/etc/sasldb2\n" // by default in /etc
	if os.Getuid() == 0 {
		conf += "cyrus_user: root\n"
	}
	s.write("etc/imapd.conf", conf)
	text := s.moved("cyrus.conf")
	text = listeners.ReplaceAllStringFunc(text, func(l string) string {
		switch l {
		case `listen="imap"`:
			return `listen="` + s.IMAP + `"`
		case `listen="pop3"`:
			return `listen="` + s.POP3 + `"`
		}
		return `listen="` + Address(tb) + `"`
	})
	text = regexp.MustCompile(`cmd="(\S*/cyrus )?([a-z0-9_]+)`).ReplaceAllString(text, `cmd="${1}${2} -C `+s.Conf())
	s.write("etc/cyrus.conf", text)
	s.Sock = filepath.Join(s.Dir, "run/socket/lmtp")
	for _, d := range []string{"run/socket", "spool/mail"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// moved is one of Debian's files with its paths below the site's folder.
func (s *Site) moved(name string) string {
	root, err := Root()
	if err != nil {
		s.tb.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "test/data/debian", name))
	if err != nil {
		s.tb.Fatal(err)
	}
	return strings.NewReplacer("/var/lib/cyrus", s.Dir+"/conf", "/run/cyrus", s.Dir+"/run", "/var/spool/cyrus", s.Dir+"/spool",
		"/var/spool/", s.Dir+"/", "/usr/sbin/cyrus", filepath.Join(s.bin, "cyrus")).Replace(string(text))
}

package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// Unpack makes a site of one of the sample spools that a real Cyrus wrote
// (test/data). Passwords are "pw-" and the name.
func Unpack(tb testing.TB, sample string, shared bool) *Site {
	tb.Helper()
	s := New(tb, Options{Shared: shared, Bare: true, Users: []string{}})
	for _, d := range []string{"conf", "spool"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, d)); err != nil {
			tb.Fatal(err)
		}
	}
	data.UnpackInto(tb, sample, s.Dir)
	conf, err := os.ReadFile(filepath.Join(s.Dir, "etc/imapd.conf"))
	if err != nil {
		tb.Fatal(err)
	}
	lines := []string{string(conf)}
	if os.Getuid() == 0 {
		lines = append(lines, "cyrus_user: root")
	}
	if shared {
		lines = append(lines, "mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat")
	}
	s.write("etc/imapd.conf", strings.Join(lines, "\n")+"\n")
	s.write("etc/cyrus.conf", s.cyrusConf(Options{}))
	return s
}

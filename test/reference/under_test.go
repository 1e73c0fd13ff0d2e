//go:build reference

package reference

import (
	"fmt"
	"testing"

	"gocyrus/test/server"
)

// TestOursUnderRealMaster runs our workers under the real master: one
// client at a time each, as it expects; in own mode with a DAEMON line for
// cyrusdbd.
func TestOursUnderRealMaster(t *testing.T) {
	bin := server.Bin(t)
	for _, shared := range []bool{true, false} {
		t.Run(map[bool]string{true: "shared", false: "own"}[shared], func(t *testing.T) {
			s := server.New(t, server.Options{Shared: shared})
			asCyrus(t, s)
			var daemons []string
			if !shared {
				daemons = []string{fmt.Sprintf(`  db cmd="%s/cyrusdbd -C %s"`, bin, s.Conf())}
			}
			realMaster(t, s, bin, func() {
				s.MakeUsers("user1", "user2", "user3")
				use(s, "under")
				if n := len(answers(s, "user1")); n < 10 {
					t.Errorf("only %d lines of answers", n)
				}
				several(t, s)
			}, daemons...)
		})
	}
}

// several has five clients at a time.
func several(t *testing.T, s *server.Site) {
	t.Helper()
	var all []*server.IMAP
	for range 5 {
		all = append(all, s.Login("user1"))
	}
	for _, c := range all {
		c.Must("SELECT INBOX")
		c.Must("LOGOUT")
		c.Close()
	}
	if n := len(s.Processes("imapd")); n < 5 {
		t.Errorf("%d processes served 5 clients at a time: the real master expects one each", n)
	}
}

// TestRealImapdUnderOurMaster runs Cyrus's own workers under our master.
func TestRealImapdUnderOurMaster(t *testing.T) {
	s := server.New(t, server.Options{Shared: true, Services: []string{
		`imap cmd="` + cyrusBin + `/imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=2`,
		`lmtp cmd="` + cyrusBin + `/lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s" prefork=0`,
	}})
	secrets(t, s, "user1", "user2", "user3", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2", "user3")
	use(s, "real")
	several(t, s)
}

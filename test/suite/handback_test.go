package suite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestThereAndBack takes a site over, works on it, hands it back, and takes it
// over again, as often as anybody would: what clients find is the same as
// before the hand-back. Every user with scripts has them in his dav.db.
func TestThereAndBack(t *testing.T) {
	for _, sample := range []string{"sample-spool", "sample-legacy"} {
		t.Run(sample, func(t *testing.T) {
			s := server.Unpack(t, sample, false)
			davs := func() (out []string) {
				for _, pattern := range []string{"conf/user/uuid/*/*/*/dav.db", "conf/user/?/*.dav"} {
					more, _ := filepath.Glob(filepath.Join(s.Dir, pattern))
					out = append(out, more...)
				}
				return out
			}
			had := davs()
			for _, path := range had {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			for round := range 2 {
				s.Run()
				c := s.DialIMAP()
				c.Must("LOGIN alice pw-alice")
				c.Must("CREATE INBOX/round" + string(rune('0'+round)))
				c.Must("SETACL INBOX/round" + string(rune('0'+round)) + " bob lrs")
				c.Append("INBOX", "Subject: round\r\n\r\n")
				c.Must(`SETMETADATA INBOX/round` + string(rune('0'+round)) + ` (/private/comment "kept")`)
				c.Close()
				want = look(t, s)
				if !s.Stop(60 * time.Second) {
					t.Fatal("master does not stop")
				}
				if out := s.Tool("", "cyrus", "handback"); !strings.Contains(out, "Cyrus's again") {
					t.Errorf("handback: %s", out)
				}
				if out, err := s.Try("", "cyrus", "handback"); err == nil || !strings.Contains(out, "is Cyrus's already") {
					t.Errorf("a second time: %v, %s", err, out)
				}
				if got := davs(); !slices.Equal(got, had) {
					t.Errorf("%q, there were %q", got, had)
				}
			}
			for range 2 { // also a second time
				s.Tool("", "ctl_cyrusdb", "-r")
			}
			s.Run()
			got := look(t, s)
			for _, l := range want {
				if !slices.Contains(got, l) {
					t.Errorf("gone: %s", l)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d answers, before %d", len(got), len(want))
			}
		})
	}
}

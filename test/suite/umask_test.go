package suite

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestUmask: new files have the rights that Cyrus asks for without those that
// umask takes away; what holds secrets is for the Cyrus user alone.
func TestUmask(t *testing.T) {
	for _, c := range []struct {
		umask           string
		file, db, below fs.FileMode // a message, a cache or database, a directory
	}{
		{"", 0o600, 0o600, 0o700},
		{"027", 0o640, 0o640, 0o750},
		{"002", 0o664, 0o644, 0o755},
	} {
		o := server.Options{Shared: true}
		if c.umask != "" {
			o.Config = []string{"umask: " + c.umask}
		}
		s := server.Start(t, o)
		user := s.Login("user1")
		user.Append("INBOX", letter)
		user.Must("CREATE INBOX/below")
		user.Must("SUBSCRIBE INBOX/below")
		user.Must("SELECT INBOX")
		user.Must("COPY 1 INBOX/below")
		s.Login("cyrus").Must("SETQUOTA user/user1 (STORAGE 10000)")
		want := map[string]fs.FileMode{
			"1.": c.file, "cyrus.index": c.file, "cyrus.header": c.file, "user.user1": c.file, "sub.db": c.file,
			"cyrus.cache": c.db, "mailboxes.db": c.db, "uuid": c.below,
		}
		seen := map[string]bool{}
		err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
			perm, known := want[d.Name()]
			if err != nil || !known {
				return err
			}
			fi, err := d.Info()
			if err != nil {
				return err
			}
			seen[d.Name()] = true
			if got := fi.Mode().Perm(); got != perm && !strings.Contains(path, "/sieve/") {
				t.Errorf("umask %q: %s has %v, want %v", c.umask, path, got, perm)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for name := range want {
			if !seen[name] {
				t.Errorf("umask %q: there is no %s", c.umask, name)
			}
		}
		s.Stop(0)
	}
}

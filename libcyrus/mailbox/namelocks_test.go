package mailbox

import (
	"os"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// TestOrderOfOthers has another process come back for the namespace while it
// has the mailbox locked, as a session of a real Cyrus does between two looks
// at one. Whoever wants the mailbox for itself lets it.
func TestOrderOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(e *env) error
	}{
		{"repack", func(e *env) error { return e.s.Repack(ctx, inbox, "") }},
		{"create", func(e *env) error {
			_, err := e.s.Create(ctx, inbox, CreateOptions{ACL: "alice\tlr\t"}, nil)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, disk.OS(), t.TempDir())
			if err := os.MkdirAll(e.l.ConfigDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.name != "create" {
				e.create(inbox)
				e.mustAppend(inbox, 1, 2)
			}
			other := lock.NewTable(e.fs, nil) // a process of its own
			box, err := other.Name(ctx, e.l.LockPath(inbox.lockName()), lock.Shared)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.do(e) }()
			space := e.l.LockPath(e.l.NamespaceLock(inbox.Name))
			waitFor(t, space, e.fs) // until it has been in
			held, err := other.Name(ctx, space, lock.Exclusive)
			if err != nil {
				t.Fatalf("the other one: %v", err)
			}
			held.Release()
			box.Release()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// waitFor waits until somebody has a name lock.
func waitFor(t *testing.T, path string, fsys disk.FS) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f, err := fsys.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		owner := lock.Owner(f, lock.Exclusive)
		f.Close()
		if owner != 0 {
			return
		}
	}
	t.Fatal("nobody has come")
}

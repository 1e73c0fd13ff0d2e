package mailbox

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
)

// TestUnchanged: what is remembered of a mailbox is given out until anything
// of it changes, by whomever, and is what Open says.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	for name, fsys := range map[string]disk.FS{"memory": disk.NewMem(), "disk": disk.OS()} {
		t.Run(name, func(t *testing.T) {
			root := "/s"
			if name == "disk" {
				root = t.TempDir()
			}
			e := newEnv(t, fsys, root)
			e.create(inbox)
			e.mustAppend(inbox, 1, 2, 3)
			other := e.reopen(fsys, func(*Options) {}).s // as another process
			e.s.unchanged.step = 0
			remember := func() {
				t.Helper()
				// Where the clock of files goes in steps, the last change has to be one behind.
				for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
					m := e.open(inbox, Read)
					if _, err := m.FirstUnseen(); err != nil {
						t.Fatal(err)
					}
					late := time.Since(disk.Changed(m.info)) > 50*time.Millisecond
					m.Remember()
					h, flags, live := m.Header(), m.Flags(), slices.Clone(must(m.Live()))
					m.Close()
					if !late && time.Now().Before(end) {
						continue
					}
					m, ok := e.s.OpenUnchanged(inbox)
					if !ok {
						t.Fatal("not remembered")
					}
					if m.Header() != h || !slices.Equal(m.Flags(), flags) || !slices.Equal(must(m.Live()), live) {
						t.Errorf("%+v and %+v", m.Header(), h)
					}
					m.Close()
					return
				}
			}
			for what, change := range []func() error{
				func() error { e.mustAppend(inbox, 4); return nil },
				func() error {
					m, err := other.Open(ctx, inbox, Write)
					if err != nil {
						return err
					}
					defer m.Close()
					r, err := m.Record(1)
					if err != nil {
						return err
					}
					r.Flags |= Seen
					if err := m.Rewrite(&r); err != nil {
						return err
					}
					return m.Commit(ctx)
				},
				func() error {
					m, err := other.Open(ctx, inbox, Write)
					if err != nil {
						return err
					}
					defer m.Close()
					if _, err := m.AddFlag("word", ClientUserFlags); err != nil {
						return err
					}
					return m.Commit(ctx)
				},
				func() error { return other.Repack(ctx, inbox, "") },
				func() error { return fsys.Remove(filepath.Join(e.dir(inbox), "cyrus.index")) },
			} {
				remember()
				if err := change(); err != nil {
					t.Fatal(err)
				}
				if _, _, ok := e.s.Unchanged(inbox); ok {
					t.Errorf("change %d is not seen", what)
				}
				if _, ok := e.s.OpenUnchanged(inbox); ok {
					t.Errorf("open after change %d", what)
				}
			}
		})
	}
}

// TestRememberLate: a change of just now is not relied on.
func TestRememberLate(t *testing.T) {
	t.Parallel()
	e := newEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	e.s.unchanged.step = time.Hour
	m := e.open(inbox, Read)
	m.Remember()
	m.Close()
	if _, _, ok := e.s.Unchanged(inbox); ok {
		t.Error("remembered")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

package disk

import (
	"errors"
	"testing"
)

// TestMkdirSyncFaults fails each operation in turn: directories that were
// made are there after a power cut.
func TestMkdirSyncFaults(t *testing.T) {
	for i := 0; ; i++ {
		m := NewStrictMem()
		err := MkdirSync(FailAt(m, i), "/a/b/c", 0o755)
		_, serr := m.Crash(uint64(i)).Stat("/a/b/c")
		if err == nil && serr != nil {
			t.Errorf("fault %d: %v", i, serr)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

// TestCreateSyncFaults fails each operation in turn: directories and files that
// were made are there, whole, after a power cut.
func TestCreateSyncFaults(t *testing.T) {
	create := func(fsys FS) error {
		changed, err := Mkdirs(fsys, 0o755, "/a/b", "/a/c/d", "/a/b")
		if err == nil {
			err = CreateSync(fsys, 0o644, NewFile{"/a/b/x", []byte("one")}, NewFile{"/a/c/d/y", []byte("two")}, NewFile{"/a/b/z", nil})
		}
		for _, d := range changed {
			if err == nil {
				err = fsys.SyncDir(d)
			}
		}
		return err
	}
	for i := 0; ; i++ {
		m := NewStrictMem()
		err := create(FailAt(m, i))
		if err != nil {
			if !errors.Is(err, ErrInjected) {
				t.Fatalf("fault %d: %v", i, err)
			}
			continue
		}
		after := m.Crash(uint64(i))
		for name, want := range map[string]string{"/a/b/x": "one", "/a/c/d/y": "two", "/a/b/z": ""} {
			if got, err := after.ReadFile(name); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		return
	}
}

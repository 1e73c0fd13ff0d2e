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

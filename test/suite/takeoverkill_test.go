package suite

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestTakeOverKilled kills ctl_cyrusdb -r again and again while it takes over
// what Cyrus before 3.6 has left, and the cyrusdbd that works for it. Then
// master's START entry brings it to its end: clients find what they find in
// the same spool of 3.6, and the original files are kept.
func TestTakeOverKilled(t *testing.T) {
	was := server.Unpack(t, "sample-legacy", true)
	was.Run()
	want := look(t, was)
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			t.Parallel()
			steps, _ := takeOver(t, server.Unpack(t, "sample-old", shared), 1<<30)
			interrupted, left := 0, map[string]bool{}
			for round := 0; interrupted < 8 && round < 40; round++ {
				s := server.Unpack(t, "sample-old", shared)
				originals := originalsOf(t, s)
				for range 6 {
					_, killed := takeOver(t, s, rand.IntN(max(steps, 6)))
					if !killed {
						break
					}
					interrupted++
					left[filesOf(s)] = true
				}
				s.Run()
				got := look(t, s)
				for _, l := range got {
					if !slices.Contains(want, l) {
						t.Errorf("round %d: new: %s", round, l)
					}
				}
				if len(got) != len(want) {
					t.Errorf("round %d: %d answers, want %d", round, len(got), len(want))
				}
				if !s.Stop(time.Minute) {
					t.Fatal("master did not stop")
				}
				keptOriginals(t, s, originals)
			}
			t.Logf("%d changes, killed %d times, which left:\n%s", steps, interrupted, strings.Join(slices.Sorted(maps.Keys(left)), "\n"))
			if interrupted < 4 || len(left) < 2 {
				t.Error("killed too seldom before it was done")
			}
		})
	}
}

// takeOver runs ctl_cyrusdb -r, and kills it, and each second time cyrusdbd,
// when it has changed the databases in conf so many times. It returns how many
// changes were seen, and whether it was killed before its end.
func takeOver(t *testing.T, s *server.Site, changes int) (int, bool) {
	t.Helper()
	cmd := exec.Command(filepath.Join(server.Bin(t), "ctl_cyrusdb"), "-C", s.Conf(), "-r")
	cmd.Env = append(os.Environ(), "CYRUS_USER=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It has to be slower than the eyes on it.
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, 19); err != nil {
		t.Log(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	seen, last := 0, filesOf(s)
	for seen < changes {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("ctl_cyrusdb -r: %v\n%s", err, out.String())
			}
			return seen, false
		case <-time.After(50 * time.Microsecond):
		}
		if now := filesOf(s); now != last {
			seen, last = seen+1, now
		}
	}
	_ = cmd.Process.Kill()
	if rand.IntN(2) == 0 {
		for _, pid := range s.Processes("cyrusdbd") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	err := <-ended
	if err != nil && err.Error() != "signal: killed" {
		t.Fatalf("ctl_cyrusdb -r: %v\n%s", err, out.String())
	}
	return seen, err != nil
}

// filesOf is the databases in conf with their sizes.
func filesOf(s *server.Site) string {
	var out []string
	entries, _ := os.ReadDir(filepath.Join(s.Dir, "conf"))
	for _, e := range entries {
		fi, err := e.Info()
		if strings.Contains(e.Name(), ".db") && err == nil {
			out = append(out, fmt.Sprintf("%s %d", e.Name(), fi.Size()))
		}
	}
	return strings.Join(out, ", ")
}

// taken is the files that a take-over replaces.
var taken = []string{"mailboxes.db", "annotations.db"}

func originalsOf(t *testing.T, s *server.Site) [][]byte {
	t.Helper()
	var all [][]byte
	for _, name := range taken {
		b, err := os.ReadFile(filepath.Join(s.Dir, "conf", name))
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %d octets, %v", name, len(b), err)
		}
		all = append(all, b)
	}
	return all
}

// keptOriginals looks for a copy of each original, and for files that are
// half done.
func keptOriginals(t *testing.T, s *server.Site, originals [][]byte) {
	t.Helper()
	for i, name := range taken {
		copies, _ := filepath.Glob(filepath.Join(s.Dir, "conf", name+".OLD*"))
		if !slices.ContainsFunc(copies, func(path string) bool {
			b, err := os.ReadFile(path)
			return err == nil && bytes.Equal(b, originals[i])
		}) {
			t.Errorf("%s: no copy of the original among %q", name, copies)
		}
		if len(copies) > 1 {
			t.Errorf("%s: copies that nobody needs: %q", name, copies)
		}
	}
	if half, _ := filepath.Glob(filepath.Join(s.Dir, "conf/*.NEW*")); len(half) > 0 {
		t.Errorf("left: %q", half)
	}
}

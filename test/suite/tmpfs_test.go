//go:build reference

package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/test/server"
)

// TestFullDisk has a site on a small file system of its own that gets full,
// with the databases on it. It needs root, to mount it.
func TestFullDisk(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(mode(shared), func(t *testing.T) {
			s := server.New(t, server.Options{Shared: shared})
			for _, d := range []string{"conf", "spool"} {
				mountSmall(t, filepath.Join(s.Dir, d))
			}
			for _, d := range []string{"db", "socket", "log", "msg", "quota", "user"} {
				if err := os.MkdirAll(filepath.Join(s.Dir, "conf", d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			s.Tool("pass\n", "cyrus", "passwd", "cyrus")
			for i := range 3 {
				s.Tool("pass\n", "cyrus", "passwd", userOf(i))
			}
			s.Run()
			s.MakeUsers("user1", "user2", "user3")
			setUp(s)
			for _, full := range []string{"spool", "conf"} {
				whileFull(t, s, filepath.Join(s.Dir, full))
			}
			touch(s)
			checkStore(t, s)
			checkQuota(t, s)
		})
	}
}

func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// whileFull fills the file system of dir, looks what clients are told, and
// makes room again.
func whileFull(t *testing.T, s *server.Site, dir string) {
	t.Helper()
	c, err := dialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id := func(when string) string { return fmt.Sprintf("<%s-%s@writer.example.org>", when, filepath.Base(dir)) }
	if err := c.send("user1", id("before")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill(ballast)
	time.Sleep(time.Second)
	k := s.Login("user1")
	defer k.Close()
	k.Must("SELECT INBOX")
	k.Must("FETCH 1:* BODY.PEEK[]")
	big := letter + strings.Repeat("Some text.\r\n", 20000)
	var refused, taken int
	for range 20 {
		_, tagged, err := k.Do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(big), big))
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.HasPrefix(tagged, "NO "):
			refused++
		case strings.HasPrefix(tagged, "OK"):
			taken++
		}
		err = c.letter("user2", big)
		if err != nil && !strings.Contains(err.Error(), " 4.3.1 ") && !strings.Contains(err.Error(), `"4`) {
			t.Errorf("LMTP: %v", err)
		}
		if err := c.say("RSET", "250"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s full: %d messages taken, %d refused", filepath.Base(dir), taken, refused)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := c.send("user1", id("after"))
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no delivery though there is room: %v", err)
		}
		_ = c.say("RSET", "250")
	}
	k.Append("INBOX", letter)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, tagged, err := k.Do("CREATE INBOX/room-" + filepath.Base(dir))
		if strings.HasPrefix(tagged, "OK") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no CREATE though there is room: %q, %v", tagged, err)
		}
	}
	if found := stored(t, s)["user1"]; found[id("before")] != 1 || found[id("after")] != 1 {
		t.Errorf("found %v", found)
	}
}

// fill writes a file until the file system is full.
func fill(name string) {
	f, err := os.Create(name)
	if err != nil {
		return
	}
	defer f.Close()
	for size := 1 << 20; size >= 1; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}

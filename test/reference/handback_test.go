//go:build reference

package reference

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestHandedBack takes a spool of the real server over, runs it, and hands it
// back: the real server starts on it, gives the same answers as before, and
// lists the Sieve scripts, whose index was gone. Then it is taken over again.
func TestHandedBack(t *testing.T) {
	for sample, expected := range samples {
		t.Run(sample, func(t *testing.T) {
			s := server.Unpack(t, sample, false)
			touch(t, s.Dir)
			for _, pattern := range []string{"conf/user/uuid/*/*/*/dav.db", "conf/user/?/*.dav"} {
				paths, _ := filepath.Glob(filepath.Join(s.Dir, pattern))
				for _, path := range paths {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.Run()
			if !s.Stop(20 * time.Second) {
				t.Fatal("master does not stop")
			}
			if out := s.Tool("", "cyrus", "handback"); strings.Contains(out, "dav") {
				t.Errorf("handback: %s", out)
			}
			asCyrus(t, s)
			cyrusServes(t, s, func() {
				c := &comparison{t: t, stale: map[string]bool{}} // handback removes the cache
				c.compare("", read(t, expected), collect(t, s))
				for user, want := range map[string][]string{
					"alice": {`"main" ACTIVE`, `"other.script"`}, "bob": {`"rules" ACTIVE`},
				} {
					if got := listScripts(t, s.Sieve, user, "pw-"+user); !slices.Equal(got, want) {
						t.Errorf("scripts of %s: %q, want %q", user, got, want)
					}
				}
			})
			s.Run()
			c := &comparison{t: t, stale: map[string]bool{}}
			c.compare("", read(t, expected), collect(t, s))
		})
	}
}

// listScripts is what ManageSieve answers to LISTSCRIPTS, sorted.
func listScripts(t *testing.T, addr, user, password string) (scripts []string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	until := func() (lines []string) {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v after %q", user, err, lines)
			}
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "OK") {
				return lines
			}
			if strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
				t.Fatalf("%s: %s", user, line)
			}
			lines = append(lines, line)
		}
	}
	until()
	word := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	fmt.Fprintf(c, "AUTHENTICATE \"PLAIN\" {%d+}\r\n%s\r\n", len(word), word)
	until()
	fmt.Fprint(c, "LISTSCRIPTS\r\n")
	scripts = until()
	slices.Sort(scripts)
	return scripts
}

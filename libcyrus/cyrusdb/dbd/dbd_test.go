package dbd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The client as a whole is tested with the server, in package cyrusdbd.

func TestCache(t *testing.T) {
	var c cache
	key := []byte("k")
	c.put(key, 3, []byte("odd"))
	if _, ok := c.get(key, 3); ok {
		t.Error("a value read during a change is remembered")
	}
	c.put(key, 4, []byte("v"))
	if v, ok := c.get(key, 4); !ok || string(v) != "v" {
		t.Errorf("%q, %v", v, ok)
	}
	for _, other := range []uint64{2, 5, 6} {
		if _, ok := c.get(key, other); ok {
			t.Errorf("used with generation %d", other)
		}
	}
	c.put(key, 6, nil)
	if v, ok := c.get(key, 6); !ok || v != nil {
		t.Errorf("absence: %q, %v", v, ok)
	}
	for range 20 {
		c.put([]byte("big"), 8, make([]byte, maxCache/10))
	}
	if c.size > 2*maxCache {
		t.Errorf("%d octets are remembered", c.size)
	}
}

func TestSequence(t *testing.T) {
	c := New(Options{})
	a, done := c.begin()
	if a != 1 || done != 1 {
		t.Errorf("first: %d, %d", a, done)
	}
	b, done := c.begin()
	if b != 2 || done != 1 {
		t.Errorf("second: %d, %d", b, done)
	}
	c.end(a)
	if n, done := c.begin(); n != 3 || done != 2 {
		t.Errorf("third: %d, %d", n, done)
	}
}

func TestFindProgram(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "lib/cyrus/bin")
	t.Setenv("CYRUS_PREFIX", dir)
	if _, err := find("/lib/cyrus/bin"); err == nil {
		t.Error("found where there is none")
	}
	os.MkdirAll(bin, 0o755)
	want := filepath.Join(bin, Program)
	os.WriteFile(want, nil, 0o644)
	if _, err := find("/lib/cyrus/bin"); err == nil {
		t.Error("found a file that is no program")
	}
	os.Chmod(want, 0o755)
	if got, err := find("/lib/cyrus/bin"); got != want {
		t.Errorf("found %s, %v", got, err)
	}
}

// TestStart: what the server says before it gives up is the error, if it is
// one that waiting does not help against.
func TestStart(t *testing.T) {
	t.Setenv("CYRUS_SERVICE", "imap")
	socket := filepath.Join(t.TempDir(), "socket")
	err := StartCommand(exec.Command("/bin/sh", "-c", "echo wrong $CYRUS_SERVICE >&2; exit 78"), socket)
	if err == nil || err.Error() != "wrong" {
		t.Errorf("status 78: %v", err)
	}
	if err := StartCommand(exec.Command("/bin/sh", "-c", "exit 75"), socket); err != nil {
		t.Errorf("status 75: %v", err)
	}
	if err := StartCommand(exec.Command("/nonexistent"), socket); err == nil {
		t.Error("no program: no error")
	}
	if slices.ContainsFunc(environment(), func(e string) bool { return strings.HasPrefix(e, "CYRUS_SERVICE=") }) {
		t.Error("the server is told that it is a service")
	}
}

package proc

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeWorker answers like a worker's control socket, and keeps which sessions
// it was told to end.
type fakeWorker struct {
	mu    sync.Mutex
	ended []string
}

func (f *fakeWorker) serve(t *testing.T, path string, sessions ...string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewScanner(c)
			for in.Scan() {
				if in.Text() == "LIST" {
					for _, s := range sessions {
						fmt.Fprintln(c, s)
					}
				} else {
					f.mu.Lock()
					f.ended = append(f.ended, in.Text())
					f.mu.Unlock()
				}
				fmt.Fprintln(c, "OK 1")
			}
			c.Close()
		}
	}()
}

func TestEnd(t *testing.T) {
	dir, err := os.MkdirTemp("", "end") // short: a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "socket"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := &fakeWorker{}
	line := func(id, user, mailbox string) string {
		return strings.Join([]string{id, "9000000", "host [ip]", user, mailbox, ""}, "\t")
	}
	f.serve(t, filepath.Join(dir, "socket/ctl.1000001"), line("a", "alice", "user.alice"), line("b", "bob", "user.alice.x"), line("c", "alice", "user.alice.x"))
	f.serve(t, filepath.Join(dir, "socket/ctl.1000002"), line("d", "alice", ""), line("e", "", ""))
	if err := os.WriteFile(filepath.Join(dir, "socket/ctl.1000003"), nil, 0o600); err != nil { // left by a crash
		t.Fatal(err)
	}
	for _, c := range []struct {
		which Which
		want  []string
	}{
		{Which{User: "alice"}, []string{"END session a", "END session c", "END session d"}},
		{Which{Mailbox: "user.alice.x", Except: "c"}, []string{"END session b"}},
		{Which{}, nil},
	} {
		f.ended = nil
		if err := End(dir, filepath.Join(dir, "proc"), c.which); err != nil {
			t.Error(err)
		}
		if !slices.Equal(f.ended, c.want) {
			t.Errorf("%+v: %q", c.which, f.ended)
		}
	}
}

//go:build reference

package mailbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/quota"
	"gocyrus/test/data"
)

// cyrus runs a tool of the real Cyrus as its user and returns what it says.
func (s *sample) cyrus(t *testing.T, tool string, args ...string) string {
	t.Helper()
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for dir := s.root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	err = filepath.WalkDir(s.root, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/lib/cyrus/bin/"+tool, append([]string{"-C", s.root + "/etc/imapd.conf"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", tool, err)
	}
	return string(out)
}

// TestRealCyrusAgrees changes many mailboxes of a real spool in every way
// and lets real tools look for something wrong.
func TestRealCyrusAgrees(t *testing.T) {
	for _, name := range []string{data.ByID, data.Legacy} {
		t.Run(name, func(t *testing.T) {
			s := openSample(t, name)
			e := &env{TB: t, fs: s.store.o.FS, l: s.layout, s: s.store}
			locks := lock.NewTable(e.fs, nil)
			s.store.o.Quota = quota.New(quotalegacy.Open(e.fs, locks, quotalegacy.Layout{Base: s.root + "/conf", FullHash: name == data.Legacy, Domains: true}), "DELETED", s.store.o.Log)
			before := s.cyrus(t, "reconstruct", "-n", "*")
			quotaBefore := s.cyrus(t, "quota")
			changeAll(t, e, s)
			after := s.cyrus(t, "reconstruct", "-n", "*")
			if difference := compareLines(before, after); difference != "" {
				t.Errorf("reconstruct -n:\n%s", difference)
			}
			used := s.cyrus(t, "quota")
			if used == quotaBefore {
				t.Errorf("quota did not change:\n%s", used)
			}
			fixed := s.cyrus(t, "quota", "-f")
			if again := s.cyrus(t, "quota"); again != used {
				t.Errorf("quota -f changed what we had counted:\n%s\n%s\n%s", used, fixed, again)
			}
		})
	}
}

// changeAll does everything with all mailboxes.
func changeAll(t *testing.T, e *env, s *sample) {
	n := 0
	for name, ref := range s.refs {
		if strings.HasPrefix(name, "DELETED") {
			continue
		}
		n += 10
		e.mustAppend(ref, n, n+1, n+2, n+3)
		m := e.open(ref, Write)
		flag, err := m.AddFlag("$Added", ClientUserFlags)
		if err != nil {
			t.Fatal(err)
		}
		var last Record
		err = m.Each(1, func(r *Record) bool { last = *r; return true })
		r := last
		r.Flags |= Answered | Seen
		r.User.Set(flag)
		err = errors.Join(err, m.Rewrite(&r))
		if err = errors.Join(err, m.Commit(ctx)); err != nil {
			t.Fatal(err)
		}
		m.Close()
		m = e.open(ref, Write)
		r, _, err = m.FindUID(last.UID-1, 0)
		if err = errors.Join(err, m.Expunge(&r, "s"), m.Commit(ctx)); err != nil {
			t.Fatal(err)
		}
		m.Close()
		if _, _, err := e.s.Copy(ctx, ref, []uint32{last.UID, last.UID - 2}, s.refs["user.alice.Drafts"], CopyOptions{Flags: SystemMask, Keywords: true, Move: n%20 == 0}); err != nil {
			t.Fatal(err)
		}
		if n%3 == 0 {
			if _, _, err := e.s.Cleanup(ctx, ref, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// compareLines returns the lines of b that are not in a.
func compareLines(a, b string) string {
	have := map[string]bool{}
	for l := range strings.SplitSeq(a, "\n") {
		have[l] = true
	}
	var out strings.Builder
	for l := range strings.SplitSeq(b, "\n") {
		// Version 10 has no number of messages; what Cyrus takes for it
		// counts expunged ones.
		if !have[l] && !strings.Contains(l, "sub^with^dots") {
			fmt.Fprintln(&out, l)
		}
	}
	return out.String()
}

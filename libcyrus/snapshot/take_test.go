package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
	"gocyrus/test/data"
)

var quiet = slog.New(slog.DiscardHandler)

const sharedMode = "\nmboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n"

// sample opens a sample spool in shared mode.
func sample(t *testing.T, name string) *site.Site {
	t.Helper()
	root := data.Unpack(t, name)
	path := filepath.Join(root, "etc/imapd.conf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, sharedMode...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// take makes a snapshot that must be right.
func take(t *testing.T, s *site.Site, d *Dir, o Options) *Result {
	t.Helper()
	o.Warn = func(err error) { t.Errorf("warning: %v", err) }
	res, err := Take(t.Context(), s, d, o)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, d, res.Snapshot, 0)
	return res
}

func verify(t *testing.T, d *Dir, s Snapshot, faults int) {
	t.Helper()
	var all []error
	if _, err := Verify(t.Context(), d.fs, s, func(err error) { all = append(all, err) }, nil); err != nil {
		t.Errorf("verify: %v", err)
	}
	if len(all) != faults {
		t.Errorf("verify finds %d faults, want %d: %v", len(all), faults, errors.Join(all...))
	}
}

// contents is everything of a site that a snapshot must have, as text.
func contents(t *testing.T, s *site.Site) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		fmt.Fprintf(&b, "%s %s %s %s %d %v\n", e.Name, e.Type, e.UniqueID, e.Partition, e.UIDValidity, e.ACL)
		if !e.Exists() {
			return true, nil
		}
		m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			return false, err
		}
		defer m.Close()
		h := m.Header()
		fmt.Fprintf(&b, " %d %d %d %d %q\n", h.UIDValidity, h.LastUID, h.HighestModseq, h.Exists, m.Flags())
		var failed error
		err = m.Each(1, func(r *mailbox.Record) bool {
			fmt.Fprintf(&b, " %d %d %x %v %s", r.UID, r.InternalDate, r.Flags, r.User, r.GUID)
			if r.Flags&mailbox.Unlinked == 0 {
				var f disk.File
				if f, failed = m.OpenMessage(r); failed == nil {
					_, sum, err := digest(f)
					f.Close()
					fmt.Fprintf(&b, " %s", sum)
					failed = err
				}
			}
			fmt.Fprintln(&b)
			return failed == nil
		})
		return true, errors.Join(err, failed)
	})
	if err != nil {
		t.Error(err)
	}
	for _, u := range []string{"alice", "bob", "carol"} {
		names, err := s.Subs.List(ctx, u)
		fmt.Fprintf(&b, "%s %q %v\n", u, names, err)
		err = s.Seen.Each(ctx, u, func(id string, st seen.State) error { fmt.Fprintf(&b, " %s %v\n", id, st); return nil })
		if err != nil {
			t.Error(err)
		}
	}
	roots, err := s.Quota.Below(ctx, "")
	for _, r := range roots {
		fmt.Fprintf(&b, "quota %s %v %v\n", r.Name, r.Used, r.Limit)
	}
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// TestTake copies both samples, opens the copies and finds the same in them.
func TestTake(t *testing.T) {
	for _, name := range []string{data.ByID, data.Legacy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sample(t, name)
			d := NewDir(disk.OS(), s.Locks, t.TempDir()+"/backup")
			first := take(t, s, d, Options{})
			if first.Mailboxes < 30 || first.Messages < 80 || first.Copied == 0 {
				t.Errorf("%+v", first)
			}
			want := contents(t, s)
			o, err := d.Open(t.Context(), first.Snapshot, t.TempDir(), quiet)
			if err != nil {
				t.Fatal(err)
			}
			if got := contents(t, o.Site); got != want {
				t.Errorf("the snapshot holds\n%s\nthe site\n%s", got, want)
			}
			if err := o.Close(); err != nil {
				t.Error(err)
			}
			// What is new or changed is in the next one, the rest is linked.
			old := time.Now().Add(-time.Hour)
			age(t, s.Layout.ConfigDir, old)
			age(t, s.Layout.Partitions["default"], old)
			second := take(t, s, d, Options{})
			third := take(t, s, d, Options{Copy: true})
			fourth := take(t, s, d, Options{Copy: true})
			if second.Messages != first.Messages || third.Copied >= third.Bytes || fourth.Copied > 200<<10 {
				t.Errorf("copied: %d, %d, %d and %d of %d octets", first.Copied, second.Copied, third.Copied, fourth.Copied, fourth.Bytes)
			}
			gone, err := d.Prune(t.Context(), Keep{Count: 2}, time.Now())
			if err != nil || len(gone) != 2 || gone[0].Name != first.Name {
				t.Errorf("pruned: %v, %v", gone, err)
			}
			verify(t, d, third.Snapshot, 0)
		})
	}
}

// age sets the times of files that are not messages back, so that they are
// not taken for just changed.
func age(t *testing.T, dir string, to time.Time) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			err = os.Chtimes(path, to, to)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestVerifyFinds damages a snapshot.
func TestVerifyFinds(t *testing.T) {
	s := sample(t, data.ByID)
	d := NewDir(disk.OS(), s.Locks, t.TempDir())
	res := take(t, s, d, Options{Copy: true})
	var message, index string
	err := filepath.WalkDir(res.Path+"/spool", func(path string, e fs.DirEntry, err error) error {
		switch {
		case strings.HasSuffix(path, "1.") && message == "":
			message = path
		case strings.HasSuffix(path, indexName):
			index = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	original, err := os.ReadFile(message)
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Clone(original)
	b[len(b)/2] ^= 1
	for _, damage := range []struct {
		do     func() error
		faults int
	}{
		{func() error { return os.WriteFile(message, b, 0o600) }, 1},
		{func() error { return os.Remove(message) }, 1},
		{func() error { return os.WriteFile(message, original, 0o600) }, 0},
		{func() error { return os.Truncate(res.Path+"/conf/mailboxes.db", 100) }, 1},
		{func() error { return os.Remove(index) }, 3}, // itself, and what it describes
	} {
		if err := damage.do(); err != nil {
			t.Fatal(err)
		}
		verify(t, d, res.Snapshot, damage.faults)
	}
	manifest := filepath.Join(res.Path, ManifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{
		bytes.Replace(text, []byte(`"messages":`), []byte(`"messages":1`), 1), text[:len(text)-20], nil, []byte("{}\n"),
		bytes.Replace(text, []byte(`"format":1`), []byte(`"format":2`), 1),
	} {
		if err := os.WriteFile(manifest, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), d.fs, res.Snapshot, func(error) {}, nil); !errs.Is(err, errs.BadFormat) {
			t.Errorf("a manifest of %d octets: %v", len(bad), err)
		}
	}
}

// onMem is a small site on a file system in memory.
func onMem(t *testing.T) (*disk.Mem, string) {
	t.Helper()
	m := disk.NewMem()
	for _, dir := range []string{"/conf", "/spool", "/sieve"} {
		if err := m.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text := "configdirectory: /conf\npartition-default: /spool\ndefaultpartition: default\nsievedir: /sieve\nadmins: admin\n" + sharedMode
	s := openMem(t, m, text)
	defer s.Close()
	ctx := t.Context()
	who := mboxlist.Actor{}
	who.User, who.Admin = "admin", true
	for i, n := range []string{"user.a", "shared"} {
		e, err := s.List.Create(ctx, who, mboxname.Name(n), mboxlist.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		appendTo(t, s, e, "first\r\n")
		if i == 0 {
			appendTo(t, s, e, "second\r\n")
		}
	}
	return m, text
}

func openMem(t *testing.T, fsys disk.FS, text string) *site.Site {
	t.Helper()
	c, err := config.Parse("/imapd.conf", text, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.OpenOn(fsys, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func appendTo(t *testing.T, s *site.Site, e *mboxlist.Entry, body string) {
	t.Helper()
	st, err := s.Store.Stage(e.Partition)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Remove()
	io.WriteString(st, "Subject: test\r\n\r\n"+body)
	if _, err := s.Store.Append(t.Context(), e.Ref(), []mailbox.AppendMessage{{Staged: st}}, mailbox.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestTakeFaults lets every step fail in turn, once and for good: there is a
// whole snapshot or none, also after a power cut, and the next one works.
func TestTakeFaults(t *testing.T) {
	t.Parallel()
	m, text := onMem(t)
	for i := 0; ; i++ {
		fail := disk.FailAt
		if i%3 == 0 {
			fail = disk.FailFrom
		}
		s := openMem(t, m, text)
		dir := fmt.Sprintf("/b%d", i)
		d := NewDir(fail(m, i), s.Locks, dir)
		res, err := Take(t.Context(), s, d, Options{})
		s.Close()
		states := []*disk.Mem{m, m.Crash(uint64(i))}
		for _, fsys := range states[i%2:] { // a power cut after each, no power cut after every other
			s := openMem(t, fsys, text)
			after(t, s, NewDir(fsys, s.Locks, dir), i, err)
			s.Close()
		}
		if err == nil && res.Messages == 3 {
			if i < 50 {
				t.Fatalf("only %d steps", i)
			}
			return
		}
		if !errors.Is(err, disk.ErrInjected) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("fault %d: %v", i, err)
		}
		if err := disk.RemoveTree(m, dir); err != nil {
			t.Fatal(err)
		}
	}
}

// after looks at what a Take has left that gave err.
func after(t *testing.T, s *site.Site, d *Dir, i int, taken error) {
	t.Helper()
	all, err := d.List()
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(all) > 1 {
		t.Errorf("fault %d: %v, %v", i, all, err)
	}
	if taken == nil && len(all) != 1 {
		t.Errorf("fault %d: no snapshot, and no error", i)
	}
	for _, x := range all {
		verify(t, d, x, 0)
	}
	res, err := Take(context.Background(), s, d, Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil || res.Messages != 3 {
		t.Errorf("fault %d: the next one: %+v, %v", i, res, err)
		return
	}
	entries, err := d.fs.ReadDir(d.Path)
	if err != nil || len(entries) != len(all)+2 { // and the lock
		t.Errorf("fault %d: left: %v, %v", i, entries, err)
	}
	if err := d.remove(res.Snapshot); err != nil {
		t.Error(err)
	}
}

// TestFull says so when the disk is full, and leaves nothing.
func TestFull(t *testing.T) {
	m, text := onMem(t)
	s := openMem(t, m, text)
	defer s.Close()
	d := NewDir(full{m}, s.Locks, "/b")
	if _, err := Take(t.Context(), s, d, Options{}); !errs.Is(err, errs.DiskFull) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	if entries, err := m.ReadDir("/b"); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// full has no room for new files of mailboxes.
type full struct{ disk.FS }

func (f full) Link(oldname, newname string) error {
	return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: syscall.ENOSPC}
}

// TestInUse refuses a second writer, and keeps what somebody reads.
func TestInUse(t *testing.T) {
	s := sample(t, data.ByID)
	d := NewDir(disk.OS(), s.Locks, t.TempDir())
	first := take(t, s, d, Options{})
	locks := lock.NewTable(disk.OS(), quiet)
	defer locks.Close()
	other := NewDir(disk.OS(), locks, d.Path)
	held, err := other.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), s, d, Options{}); !errs.Is(err, errs.Locked) || !strings.Contains(err.Error(), "another backup") {
		t.Errorf("two at once: %v", err)
	}
	held.Release()
	release, err := other.Hold(t.Context(), first.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	take(t, s, d, Options{})
	for _, want := range []int{0, 1} {
		if gone, err := d.Prune(t.Context(), Keep{Count: 1}, time.Now()); err != nil || len(gone) != want {
			t.Errorf("%v, %v", gone, err)
		}
		if want == 0 {
			release()
		}
	}
}

// TestMovedMeanwhile moves a message into a mailbox that has been copied out of
// one that has not: it is in the snapshot, and what was kept for that is gone
// afterwards.
func TestMovedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"immediate", "semidelayed", "delayed"} {
		m, text := onMem(t)
		s := openMem(t, m, text+"expunge_mode: "+mode+"\n")
		ctx := t.Context()
		find := func(n mboxname.Name) mailbox.Ref {
			e, err := s.List.Lookup(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			return e.Ref()
		}
		moved := false
		d := NewDir(m, s.Locks, "/backup")
		res := take(t, s, d, Options{Progress: func(done, _ int) {
			if done != 1 || moved {
				return
			}
			moved = true
			if _, _, err := s.Store.Copy(ctx, find("user.a"), []uint32{2}, find("shared"), mailbox.CopyOptions{Move: true}); err != nil {
				t.Error(err)
			}
		}})
		copied, err := d.Open(ctx, res.Snapshot, "/tmp", quiet)
		if err != nil {
			t.Fatal(err)
		}
		if n := files(t, copied.Site, find("user.a")) + files(t, copied.Site, find("shared")); n != 3 || !moved {
			t.Errorf("%s: %d messages in the snapshot", mode, n)
		}
		copied.Close()
		kept := map[string]int{"delayed": 2}[mode]
		if kept == 0 {
			kept = 1
		}
		if n := files(t, s, find("user.a")); n != kept {
			t.Errorf("%s: %d messages of user.a afterwards", mode, n)
		}
		if _, err := m.Stat("/conf/backup.lock"); err == nil {
			t.Errorf("%s: the lock is left", mode)
		}
		s.Close()
	}
}

// files counts the messages of a mailbox that have their files, live or not.
func files(t *testing.T, s *site.Site, ref mailbox.Ref) (n int) {
	t.Helper()
	b, err := s.Store.Open(t.Context(), ref, mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	err = b.Each(1, func(r *mailbox.Record) bool {
		if f, err := b.OpenMessage(r); err == nil {
			f.Close()
			n++
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

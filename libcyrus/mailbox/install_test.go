package mailbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// copyOf is a site with a mailbox of four messages, one of them expunged,
// whose files nobody changes.
func copyOf(t *testing.T) (*disk.Mem, *Store) {
	t.Helper()
	m := disk.NewMem()
	e := newEnv(t, m, "/copy")
	e.create(inbox)
	e.mustAppend(inbox, 1, 2, 3, 4)
	box, err := e.s.Open(ctx, inbox, Write)
	if err != nil {
		t.Fatal(err)
	}
	n, err := box.AddFlag("work", ClientUserFlags)
	if err != nil {
		t.Fatal(err)
	}
	r, err1 := box.Record(2)
	r.User.Set(n)
	r.Flags |= Seen | Answered
	x, err2 := box.Record(3)
	err = errors.Join(err1, err2, box.Rewrite(&r), box.Expunge(&x, ""), box.Commit(ctx))
	box.Close()
	if err != nil {
		t.Fatal(err)
	}
	return m, newStore(t, disk.ReadOnly(m, "/copy/conf/lock"), testLayout("/copy"), func(*Options) {})
}

// installed makes the mailbox of the copy on fsys, and says whether it was
// entered into the list.
func installed(t *testing.T, fsys disk.FS, q *fakeQuota, from *Store) (in *Installed, listed bool, err error) {
	t.Helper()
	m, err := from.Open(ctx, inbox, Read)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := newStore(t, fsys, testLayout("/s"), func(o *Options) { o.Quota = q })
	in, err = s.Install(ctx, inbox, m, InstallOptions{ACL: "alice\tlrs\t", QuotaRoot: "user.alice"}, func(Created) error {
		listed = true
		return nil
	})
	return in, listed, err
}

func newQuota() *fakeQuota { return &fakeQuota{used: map[mboxname.Name]quota.Usage{}} }

// looked checks the mailbox that was installed.
func looked(t *testing.T, what string, fsys disk.FS) {
	t.Helper()
	dir, err := testLayout("/s").MailboxDir(inbox.Partition, inbox.Name, inbox.UniqueID, inbox.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	r := mailboxtest.Mailbox{FS: fsys, Dir: dir}.Check()
	if len(r.Problems) > 0 || len(r.Live()) != 3 || len(r.Messages) != 4 || r.LastUID <= 4+uidGap-1 {
		t.Errorf("%s: %d messages, last UID %d: %q", what, len(r.Messages), r.LastUID, r.Problems)
		return
	}
	if two := r.Messages[1]; two.UID != 2 || string(two.Content) != text(2) || fmt.Sprint(two.Keywords) != "[work]" || Flags(two.Flags) != Seen|Answered {
		t.Errorf("%s: %+v", what, two)
	}
}

// TestInstallFaults lets each step fail in turn, with and without a power
// cut: the mailbox is there whole, or is not in the list and can be made
// again.
func TestInstallFaults(t *testing.T) {
	whole := 0 // how often in turn nothing failed: some failures do not matter
	for i := 0; whole < 10; i++ {
		m, from := copyOf(t)
		q := newQuota()
		_, listed, err := installed(t, disk.FailAt(m, i), q, from)
		if listed != (err == nil) {
			t.Fatalf("fault %d: listed %v, %v", i, listed, err)
		}
		if used := q.used["user.alice"]; err != nil && !used.IsZero() || err == nil && used[quota.Message] != 3 {
			t.Errorf("fault %d: %v; use of quota %v", i, err, used)
		}
		for _, fsys := range []*disk.Mem{m, m.Crash(uint64(i))} {
			what := fmt.Sprint("fault ", i)
			if err == nil {
				looked(t, what, fsys)
				continue
			}
			copied := newStore(t, disk.ReadOnly(fsys, "/copy/conf/lock"), testLayout("/copy"), func(*Options) {})
			if _, _, err := installed(t, fsys, newQuota(), copied); err != nil {
				t.Errorf("%s: again: %v", what, err)
				continue
			}
			looked(t, what+", again", fsys)
		}
		if err == nil {
			whole++
			continue
		}
		whole = 0
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

// TestInstallChoice takes only some messages, and only if there is room.
func TestInstallChoice(t *testing.T) {
	m, from := copyOf(t)
	box, err := from.Open(ctx, inbox, Read)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	q := newQuota()
	q.limit = 1 // octets, so nothing
	s := newStore(t, m, testLayout("/s"), func(o *Options) { o.Quota = q })
	o := InstallOptions{QuotaRoot: "user.alice", UIDValidity: 77, LastUID: 1 << 20, Take: func(r *Record) bool {
		r.Flags &^= Expunged | Deleted
		return r.UID != 1
	}}
	if _, err := s.Install(ctx, inbox, box, o, nil); !errs.Is(err, errs.OverQuota) {
		t.Errorf("without room: %v", err)
	}
	o.IgnoreQuota = true
	in, err := s.Install(ctx, inbox, box, o, nil)
	if err != nil || in.Messages != 3 || in.UIDValidity != 77 {
		t.Fatalf("%+v, %v", in, err)
	}
	if used := q.used["user.alice"]; used[quota.Message] != 3 || used[quota.NumFolders] != 1 {
		t.Errorf("use of quota: %v", used)
	}
	got, err := s.Open(ctx, inbox, Read)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if h := got.Header(); h.LastUID != 1<<20 || h.Exists != 3 || h.UIDValidity != 77 || h.DeletedModseq == 0 {
		t.Errorf("%+v", h)
	}
}

// TestAppendFiles appends from files, which must be what they are thought
// to be.
func TestAppendFiles(t *testing.T) {
	m, from := copyOf(t)
	box, err := from.Open(ctx, inbox, Read)
	if err != nil {
		t.Fatal(err)
	}
	r, err := box.Record(2)
	path := box.MessagePath(&r)
	box.Close()
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, m, "/s")
	e.create(inbox)
	f := MessageFile{Path: path, Flags: Flagged | Unlinked, Keywords: []string{"k"}, InternalDate: r.InternalDate, GUID: r.GUID}
	done, err := e.s.AppendFiles(ctx, inbox, []MessageFile{f, f}, AppendOptions{})
	if err != nil || len(done) != 2 || done[1].GUID != r.GUID {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := e.check(inbox).Live(); len(got) != 2 || string(got[0].Content) != text(2) || Flags(got[0].Flags) != Flagged || got[0].Internal != uint32(r.InternalDate) {
		t.Errorf("%+v", got)
	}
	f.GUID[0] ^= 1
	if _, err := e.s.AppendFiles(ctx, inbox, []MessageFile{f}, AppendOptions{}); !errs.Is(err, errs.BadFormat) {
		t.Errorf("another message: %v", err)
	}
}

// TestHoldStill keeps writers away from all mailboxes of a user, not readers.
func TestHoldStill(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	e.mustAppend(inbox, 1)
	still, err := e.s.HoldStill(ctx, inbox.Name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := still.Open(ctx, inbox)
	if err != nil || m.Header().Exists != 1 {
		t.Fatal(err)
	}
	m.Close()
	other := newStore(t, disk.OS(), e.l, func(o *Options) { o.LockWait = 50 * time.Millisecond })
	if _, err := other.Open(ctx, inbox, Write); !errs.Is(err, errs.Locked) {
		t.Errorf("a writer: %v", err)
	}
	third := newStore(t, disk.OS(), e.l, func(*Options) {})
	if m, err := third.Open(ctx, inbox, Read); err != nil {
		t.Errorf("a reader: %v", err)
	} else {
		m.Close()
	}
	still.Release()
	m, err = third.Open(ctx, inbox, Write)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

// TestReadIndex reads an index without locks, and finds damage.
func TestReadIndex(t *testing.T) {
	m, _ := copyOf(t)
	const path = "/copy/spool/uuid/a/a/aa0123456789012345678901/cyrus.index"
	n := 0
	h, err := ReadIndex(m, path, func(r *Record) bool { n++; return true })
	if err != nil || n != 4 || h.Exists != 3 {
		t.Errorf("%d records, %+v, %v", n, h, err)
	}
	b, err := m.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{b[:10], b[:len(b)-1], append(append([]byte{}, b[:200]...), make([]byte, len(b)-200)...)} {
		if err := m.WriteFile(path, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadIndex(m, path, func(*Record) bool { return true }); !errs.Is(err, errs.BadFormat) {
			t.Errorf("damaged: %v", err)
		}
	}
}

package mailbox

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

// archiveEnv is newEnv with an archive partition, for messages of more than
// 1000 octets or older than an hour.
func archiveEnv(t testing.TB, fsys disk.FS, root string) *env {
	e := newEnv(t, fsys, root)
	e.l.ArchivePartitions = map[string]string{"default": root + "/archive"}
	e.s.o.Archive = &Archive{After: time.Hour, Size: 1000, KeepFlagged: true}
	return e
}

func (e *env) checkArchive(r Ref) *mailboxtest.Report {
	e.Helper()
	dir, err := e.l.ArchiveDir(r.Partition, r.Name, r.UniqueID, r.Legacy)
	if err != nil {
		e.Fatal(err)
	}
	rep := mailboxtest.Mailbox{FS: e.fs, Dir: e.dir(r), Archive: dir}.Check()
	for _, p := range rep.Problems {
		e.Error(p)
	}
	return rep
}

func TestArchive(t *testing.T) {
	e := archiveEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	add := func(body string, date time.Time, f Flags) {
		st := e.stage(body)
		defer st.Remove()
		if _, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, InternalDate: date, Flags: f}}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	now, old := time.Now(), time.Now().Add(-2*time.Hour)
	big := text(2) + strings.Repeat("x", 2000)
	add(text(1), now, 0)
	add(big, now, Flagged)
	add(text(3), old, 0)
	add(text(4), old, Flagged)
	add(text(5), now, 0)
	want := func(archived ...uint32) {
		t.Helper()
		r := e.checkArchive(inbox)
		var got []uint32
		for _, m := range r.Messages {
			if Flags(m.Flags)&Archived != 0 {
				got = append(got, m.UID)
			}
			body := text(int(m.UID))
			if m.UID == 2 {
				body = big
			}
			if string(m.Content) != body {
				t.Errorf("uid %d is another message", m.UID)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(archived) {
			t.Errorf("archived %v, want %v", got, archived)
		}
		for uid := uint32(1); uid <= 5; uid++ {
			_, err := e.fs.Stat(uidPath(e.dir(inbox), uid))
			isArchived := strings.Contains(fmt.Sprint(archived), fmt.Sprint(uid))
			if isArchived != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("uid %d: %v", uid, err)
			}
		}
	}
	want(2, 3)
	if n, err := e.s.ArchiveMessages(ctx, inbox, time.Now().Add(time.Minute), "s"); n != 2 || err != nil {
		t.Errorf("archived %d: %v", n, err)
	}
	want(1, 2, 3, 5)
	if n, err := e.s.ArchiveMessages(ctx, inbox, time.Time{}, "s"); n != 0 || err != nil {
		t.Errorf("archived %d more: %v", n, err)
	}
	// Copies, expunged ones and the cleanup find them there.
	if _, _, err := e.s.Copy(ctx, inbox, []uint32{2, 3}, inbox, CopyOptions{}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(expungeUID(e, 2), expungeUID(e, 4)); err != nil {
		t.Error(err)
	}
	if n, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); n != 2 || err != nil {
		t.Errorf("removed %d: %v", n, err)
	}
	if r := e.checkArchive(inbox); len(r.Messages) != 5 {
		t.Errorf("%d messages", len(r.Messages))
	}
	other := Ref{Name: "user.alice", UniqueID: inbox.UniqueID, Partition: "second"}
	e.l.ArchivePartitions["second"] = e.l.Partitions["second"] + "-archive"
	if err := e.s.Move(ctx, inbox, other, "user.alice", 0, "s", nil); err != nil {
		t.Fatal(err)
	}
	if r := e.checkArchive(other); len(r.Messages) != 5 {
		t.Errorf("%d messages after the move", len(r.Messages))
	}
}

func TestArchiveFaults(t *testing.T) {
	for i, row := 0, 0; row < 15; i++ {
		m := disk.NewMem()
		e := archiveEnv(t, m, "/s")
		someMail(3)(e) // old ones, but archived at once
		e.s.o.Archive.After = 100 * 365 * 24 * time.Hour
		e.mustAppend(inbox, 4, 5)
		bad := e.reopen(disk.FailFrom(m, i), func(o *Options) { o.Archive = &Archive{After: time.Hour, Size: 1000} })
		_, err := bad.s.ArchiveMessages(ctx, inbox, time.Time{}, "s")
		row++
		if err != nil {
			row = 0
		}
		bad.s.Close()
		for _, after := range []disk.FS{m.Crash(1), m.Crash(2), m} {
			e := e.reopen(after, func(o *Options) { o.UncleanBoot = time.Now() })
			x, oerr := e.s.Open(ctx, inbox, Write)
			if oerr != nil {
				t.Fatalf("fault %d (%v): %v", i, err, oerr)
			}
			x.Close()
			if _, _, cerr := e.s.Cleanup(ctx, inbox, CleanupOptions{}); cerr != nil {
				t.Errorf("fault %d (%v): %v", i, err, cerr)
			}
			if bad := has(e.checkArchive(inbox), 1, 5); bad != nil {
				t.Errorf("fault %d (%v): %v", i, err, bad)
			}
			e.s.Close()
		}
		if t.Failed() {
			t.Fatalf("at operation %d", i)
		}
	}
}

func TestUnexpunge(t *testing.T) {
	e := memEnv(t)
	someMail(4)(e)
	e.flip(inbox, 2, Flagged)
	for _, uid := range []uint32{1, 2, 4} {
		if err := expungeUID(e, uid); err != nil {
			t.Fatal(err)
		}
	}
	pairs, err := e.s.Unexpunge(ctx, inbox, []uint32{2, 3, 4}, true, "s")
	if err != nil || len(pairs) != 2 || pairs[0] != (CopyPair{2, 5}) || pairs[1] != (CopyPair{4, 6}) {
		t.Fatalf("%v, %v", pairs, err)
	}
	live := e.check(inbox).Live()
	if len(live) != 3 || string(live[1].Content) != text(2) || Flags(live[1].Flags) != Flagged {
		t.Errorf("%+v", live)
	}
	pairs, err = e.s.Unexpunge(ctx, inbox, nil, false, "s")
	if err != nil || len(pairs) != 1 || pairs[0].Source != 1 {
		t.Errorf("%v, %v", pairs, err)
	}
	if live = e.check(inbox).Live(); Flags(live[3].Flags) != Deleted {
		t.Errorf("%+v", live)
	}
}

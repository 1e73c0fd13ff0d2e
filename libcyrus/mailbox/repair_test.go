package mailbox

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// poke changes bytes of a file.
func (e *env) poke(name string, off int64, b []byte) {
	e.Helper()
	f, err := e.fs.OpenFile(name, os.O_RDWR, 0o600)
	if err != nil {
		e.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		e.Fatal(err)
	}
}

// setDirty puts the mark of an interrupted writer into an index.
func (e *env) setDirty(r Ref) {
	e.Helper()
	m := e.open(r, Write)
	defer m.Close()
	m.begin()
	if err := m.setMark(); err != nil {
		e.Fatal(err)
	}
}

func TestRepair(t *testing.T) {
	const n = 60
	rec := func(recno int) int64 { return 160 + int64(recno-1)*112 }
	for _, c := range []struct {
		name   string
		damage func(e *env, index string)
		want   []int // numbers of messages; nil = all
		flags  map[uint32]Flags
	}{
		{name: "only the mark", damage: func(e *env, index string) {}},
		{name: "flags half written", damage: func(e *env, index string) {
			e.poke(index, rec(7)+32, []byte{0, 0, 0, byte(Seen | Flagged)})
		}, flags: map[uint32]Flags{7: Seen | Flagged}},
		{name: "a page of zeros", damage: func(e *env, index string) {
			e.poke(index, 4096, make([]byte, 2048))
		}},
		{name: "too short", damage: func(e *env, index string) {
			f, _ := e.fs.OpenFile(index, os.O_RDWR, 0o600)
			f.Truncate(rec(50) + 5)
			f.Close()
		}},
		{name: "records without files", damage: func(e *env, index string) {
			e.poke(index, rec(10), make([]byte, 3*112))
			e.fs.Remove(e.dir(inbox) + "/11.")
		}, want: slices.Concat(upTo(1, 10), upTo(12, n))},
		{name: "counters", damage: func(e *env, index string) {
			b, _ := disk.ReadFile(e.fs, index)
			h, _ := decodeIndexHeader(b)
			h.Exists, h.SyncCRC, h.Unseen = 3, 4, 5
			h.Options |= optDirty
			e.poke(index, 0, h.encode())
		}},
		{name: "order", damage: func(e *env, index string) {
			b := make([]byte, 112)
			f, _ := e.fs.Open(index)
			f.ReadAt(b, rec(20))
			f.Close()
			e.poke(index, rec(21), b)
		}},
	} {
		for _, how := range []string{"mark", "boot"} {
			t.Run(c.name+", "+how, func(t *testing.T) {
				e := memEnv(t)
				someMail(n)(e)
				index := e.dir(inbox) + "/cyrus.index"
				if how == "mark" {
					e.setDirty(inbox)
				}
				c.damage(e, index)
				var repaired []mboxname.Name
				e = e.reopen(e.fs, func(o *Options) {
					o.Repaired = func(_ Ref, root mboxname.Name) { repaired = append(repaired, root) }
					if how == "boot" {
						o.UncleanBoot = time.Now()
					}
				})
				m := e.open(inbox, Read)
				m.Close()
				r := e.check(inbox)
				want := c.want
				if want == nil {
					want = upTo(1, n)
				}
				var got []int
				for _, m := range r.Live() {
					got = append(got, int(m.UID))
					if string(m.Content) != text(int(m.UID)) || m.Internal != uint32(1e9+m.UID) || Flags(m.Flags) != c.flags[m.UID] {
						t.Errorf("uid %d: internal date %d, flags %x", m.UID, m.Internal, m.Flags)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("messages %v, want %v", got, want)
				}
				if how == "boot" && c.name == "only the mark" {
					if r.Generation != 0 {
						t.Error("a sound mailbox was rewritten")
					}
				} else if len(repaired) != 1 || r.Generation != 1 {
					t.Errorf("repaired %v, generation %d", repaired, r.Generation)
				}
				e.mustAppend(inbox, n+1)
				e.check(inbox)
			})
		}
	}
}

// upTo returns the numbers from a to b.
// busyFS opens no message while it has an error.
type busyFS struct {
	disk.FS
	err error
}

func (b *busyFS) Open(name string) (disk.File, error) {
	if b.err != nil && strings.HasSuffix(name, ".") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: b.err}
	}
	return b.FS.Open(name)
}

// TestRepairWaits: a repair that cannot read messages because too many files
// are open drops none of them; it is done when it can be.
func TestRepairWaits(t *testing.T) {
	for name, damage := range map[string]func(e *env, index string){
		"checksum": func(e *env, index string) { e.poke(index, 160+2*112+32, []byte{0, 0, 0, byte(Seen)}) },
		"zeros":    func(e *env, index string) { e.poke(index, 160+2*112, make([]byte, 112)) },
	} {
		e := memEnv(t)
		someMail(5)(e)
		e.setDirty(inbox)
		damage(e, e.dir(inbox)+"/cyrus.index")
		busy := &busyFS{FS: e.fs}
		e = e.reopen(busy, func(*Options) {})
		for _, busy.err = range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
			if m, err := e.s.Open(ctx, inbox, Read); !errs.Is(err, errs.Unavailable) {
				t.Errorf("%s, %v: opened with %v", name, busy.err, err)
				if m != nil {
					m.Close()
				}
			}
		}
		busy.err = nil
		e.open(inbox, Read).Close()
		if got := len(e.check(inbox).Live()); got != 5 {
			t.Errorf("%s: %d messages of 5", name, got)
		}
	}
}

func upTo(a, b int) (out []int) {
	for ; a <= b; a++ {
		out = append(out, a)
	}
	return out
}

// TestCheckedOnce looks at a mailbox after an unclean boot only once, also
// in other processes.
func TestCheckedOnce(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir())
	someMail(3)(e)
	index := e.dir(inbox) + "/cyrus.index"
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(index, old, old); err != nil {
		t.Fatal(err)
	}
	boot := func(o *Options) { o.UncleanBoot = time.Now().Add(-time.Minute) }
	m := e.reopen(e.fs, boot).open(inbox, Read)
	m.Close()
	if fi, _ := os.Stat(index); time.Since(fi.ModTime()) > time.Minute {
		t.Error("the index does not say that it was checked")
	}
	other := e.reopen(e.fs, boot)
	m, err := other.s.open(ctx, inbox, Read)
	if err != nil || m.unchecked() {
		t.Errorf("it would be checked again (%v)", err)
	}
	m.Close()
}

// TestDamagedCache reads caches that are no good.
func TestDamagedCache(t *testing.T) {
	e := memEnv(t)
	someMail(3)(e)
	cache := e.dir(inbox) + "/cyrus.cache"
	e.poke(cache, 20, []byte("damage"))
	m := e.open(inbox, Read)
	defer m.Close()
	var buf CacheBuffer
	defer buf.Free()
	for recno := uint32(1); recno <= 3; recno++ {
		r, _ := m.Record(recno)
		c, err := m.Cache(&r, &buf)
		if err != nil || !strings.Contains(string(c.Item(9)), fmt.Sprint("number ", recno)) {
			t.Errorf("record %d: %q, %v", recno, c.Item(9), err)
		}
		r.CacheOffset = 1 << 40
		if _, err := m.Cache(&r, &buf); err != nil {
			t.Errorf("beyond the end: %v", err)
		}
	}
}

// TestInterruptedRepack finds a new index with the old cache.
func TestInterruptedRepack(t *testing.T) {
	e := memEnv(t)
	someMail(4)(e)
	if err := expungeUID(e, 1); err != nil {
		t.Fatal(err)
	}
	dir := e.dir(inbox)
	old, err := disk.ReadFile(e.fs, dir+"/cyrus.cache")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	e.fs.Rename(dir+"/cyrus.cache", dir+"/cyrus.cache.NEW")
	if err := disk.Replace(e.fs, dir+"/cyrus.cach", old, 0o600); err != nil {
		t.Fatal(err)
	}
	e.fs.Rename(dir+"/cyrus.cach", dir+"/cyrus.cache")
	e = e.reopen(e.fs, func(*Options) {})
	e.mustAppend(inbox, 5)
	if r := e.check(inbox); len(r.Live()) != 4 {
		t.Errorf("%d messages", len(r.Live()))
	}
}

// oldIndex makes an index of a version below 10 of a mailbox's messages.
func (e *env) oldIndex(r Ref, version uint32) {
	e.Helper()
	m := e.open(r, Read)
	h := m.Header()
	records, err := m.Records(nil, 1, 1000)
	m.Close()
	if err != nil {
		e.Fatal(err)
	}
	h.Version, h.Options = version, OptPOP3NewUIDL
	b := h.encode()
	for i := range records {
		rec := make([]byte, h.layout().record)
		h.layout().encode(rec, &records[i])
		b = append(b, rec...)
	}
	if err := disk.Replace(e.fs, e.dir(r)+"/cyrus.index", b, 0o600); err != nil {
		e.Fatal(err)
	}
}

func TestUpgrade(t *testing.T) {
	for version := uint32(6); version < 10; version++ {
		e := memEnv(t)
		someMail(5)(e)
		e.fs.Remove(e.dir(inbox) + "/cyrus.cache")
		e.oldIndex(inbox, version)
		e = e.reopen(e.fs, func(o *Options) {
			o.OwnerSeen = func(context.Context, Ref) (func(uint32) bool, uint32, error) {
				return func(uid uint32) bool { return uid == 2 }, 4, nil
			}
		})
		m := e.open(inbox, Read)
		h := m.Header()
		m.Close()
		r := e.check(inbox)
		if err := has(r, 1, 5); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if h.Version != Version || h.RecentUID != 4 || h.Unseen != 4 || Flags(r.Messages[1].Flags) != Seen || h.LastUID != 5 {
			t.Errorf("version %d: %+v", version, h)
		}
		e.mustAppend(inbox, 6)
		e.check(inbox)
	}
}

// TestVersionsKept changes mailboxes of versions 10 to 16 in their version.
func TestVersionsKept(t *testing.T) {
	for _, version := range []uint32{10, 12, 13, 14, 15, 16} {
		e := memEnv(t)
		someMail(5)(e)
		e.oldIndex(inbox, version)
		e.setDirty(inbox) // the sync CRCs are those of version 17
		m := e.open(inbox, Read)
		m.Close()
		e.mustAppend(inbox, 6)
		e.flip(inbox, 2, Flagged)
		if err := expungeUID(e, 3); err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		e = e.reopen(e.fs, func(*Options) {})
		m = e.open(inbox, Read)
		h := m.Header()
		if sound, err := m.sound(ctx); !sound || err != nil {
			t.Errorf("version %d: not sound (%v)", version, err)
		}
		for recno := uint32(1); recno <= h.NumRecords; recno++ {
			r, err := m.Record(recno)
			b, _ := disk.ReadFile(e.fs, m.messagePath(&r))
			if err != nil || GUID(sha1.Sum(b)) != r.GUID || (r.UID == 2) != (r.Flags == Flagged) {
				t.Errorf("version %d: %+v, %v", version, r, err)
			}
		}
		m.Close()
		if h.Version != version || h.Exists != 5 || h.Unseen != 5 || h.Flagged != 1 || h.LastUID != 6 || version < 12 && h.NumRecords != 5 {
			t.Errorf("version %d: %+v", version, h)
		}
		if version >= 14 {
			e.check(inbox)
		}
	}
}

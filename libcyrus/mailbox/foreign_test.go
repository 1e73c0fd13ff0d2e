package mailbox

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// neighbour is the mailbox with which inbox exchanges files.
var neighbour = Ref{Name: "user.bea", UniqueID: "bb0123456789012345678901", Partition: "default"}

// exchange makes inbox with messages 1 to 4 and its neighbour with others, and
// exchanges a file of them. Some are as long as those of inbox.
func exchange(t *testing.T, fsys disk.FS, file string, ns ...int) *env {
	t.Helper()
	e := newEnv(t, fsys, "/s")
	e.create(inbox)
	e.create(neighbour)
	e.mustAppend(inbox, 1, 2, 3, 4)
	if len(ns) > 0 {
		e.mustAppend(neighbour, ns...)
	}
	a, b := e.dir(inbox)+"/"+file, e.dir(neighbour)+"/"+file
	x, err := disk.ReadFile(fsys, a)
	y, yerr := disk.ReadFile(fsys, b)
	err = errors.Join(err, yerr, disk.ReplaceSync(fsys, a, y, 0o600), disk.ReplaceSync(fsys, b, x, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return newEnv(t, fsys, "/s")
}

// texts is the numbers of all messages of a mailbox.
func (e *env) texts(r Ref) (ns []int, err error) {
	m, err := e.s.Open(ctx, r, Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	eerr := m.Each(1, func(rec *Record) bool {
		f, oerr := m.OpenMessage(rec)
		if oerr != nil {
			err = oerr
			return false
		}
		defer f.Close()
		b := make([]byte, rec.Size)
		f.ReadAt(b, 0)
		if n := 0; rec.Live() {
			if _, serr := fmt.Sscanf(string(b), "From: a%d@", &n); serr != nil || string(b) != text(n) {
				err = fmt.Errorf("uid %d: %q", rec.UID, b)
			}
			ns = append(ns, n)
		}
		return true
	})
	slices.Sort(ns)
	return ns, errors.Join(err, eerr)
}

func optionsOf(r Ref, said *[]string) ReconstructOptions {
	return ReconstructOptions{
		ACL: "alice\tlrswipkxtecdan\t", QuotaRoot: "user.alice", UIDValidity: 77, CreatedModseq: 1, FolderModseq: 5, Contents: true, Renumber: true,
		Say: func(l string) { *said = append(*said, string(r.Name)+": "+l) },
	}
}

// TestExchanged exchanges files of two mailboxes. What cannot be used says so,
// no message is ever lost, and reconstruct repairs both.
func TestExchanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file   string
		others []int
		usable bool // by its records inbox is still what it was
		moved  bool // a message is in the other mailbox then
	}{
		"index":                {file: "cyrus.index", others: []int{8, 9, 10, 11, 12}},
		"index, less":          {file: "cyrus.index", others: []int{8}},
		"index, same first":    {file: "cyrus.index", others: []int{1, 9, 10}},
		"index, of the same":   {file: "cyrus.index", others: []int{1, 2, 3, 4}, usable: true},
		"header":               {file: "cyrus.header", others: []int{8, 9}},
		"cache":                {file: "cyrus.cache", others: []int{8, 9}, usable: true},
		"message, longer":      {file: "2.", others: []int{8, 9}, usable: true, moved: true},
		"message, of its size": {file: "2.", others: []int{8, 12}, usable: true, moved: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := exchange(t, disk.NewMem(), c.file, c.others...)
			for _, r := range []Ref{inbox, neighbour} {
				_, err := e.append(r, AppendOptions{}, 20)
				if !c.usable && (errs.KindOf(err) != errs.BadFormat || !strings.Contains(err.Error(), c.file+": ") || !strings.Contains(err.Error(), "run reconstruct")) {
					t.Errorf("append to %s: %v", r.Name, err)
				}
				if c.usable && err != nil {
					t.Errorf("append to %s: %v", r.Name, err)
				}
			}
			var said []string
			for _, r := range []Ref{inbox, neighbour} {
				if _, err := e.s.Reconstruct(ctx, r, optionsOf(r, &said)); err != nil {
					t.Fatal(err)
				}
			}
			got := map[Ref][]int{}
			for _, r := range []Ref{inbox, neighbour} {
				var err error
				if got[r], err = e.texts(r); err != nil {
					t.Errorf("%s: %v %q", r.Name, err, said)
				}
				e.check(r)
			}
			want := map[Ref][]int{inbox: {1, 2, 3, 4}, neighbour: slices.Clone(c.others)}
			if c.moved {
				want[inbox][1], want[neighbour][1] = c.others[1], 2
			}
			for r := range want {
				if c.usable {
					want[r] = append(want[r], 20)
				}
				slices.Sort(want[r])
			}
			if !maps.EqualFunc(got, want, slices.Equal[[]int]) {
				t.Errorf("%v, want %v\n%s", got, want, strings.Join(said, "\n"))
			}
		})
	}
}

// TestExchangedEmpty has the index of an empty mailbox. With the UIDVALIDITY
// of the list it is recognised; without it no message may be overwritten.
func TestExchangedEmpty(t *testing.T) {
	t.Parallel()
	e := exchange(t, disk.NewMem(), "cyrus.index")
	known := inbox
	known.UIDValidity = 5
	if _, err := e.append(known, AppendOptions{}, 20); errs.KindOf(err) != errs.BadFormat {
		t.Errorf("append: %v", err)
	}
	for i, n := range []int{20, 21} {
		if got := e.mustAppend(inbox, n); got[0].UID != uint32(5+i) {
			t.Errorf("append: UID %d", got[0].UID)
		}
	}
	var said []string
	o := optionsOf(inbox, &said)
	if _, err := e.s.Reconstruct(ctx, inbox, o); err != nil {
		t.Fatal(err)
	}
	if got, err := e.texts(inbox); err != nil || !slices.Equal(got, []int{1, 2, 3, 4, 20, 21}) {
		t.Errorf("%v, %v: %q", got, err, said)
	}
	// The neighbour has none of the messages.
	if _, err := e.s.Reconstruct(ctx, neighbour, optionsOf(neighbour, &said)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.texts(neighbour); err != nil || len(got) != 0 {
		t.Errorf("%v, %v: %q", got, err, said)
	}
}

// TestStaleHeader has an index with a wrong checksum of cyrus.header, as some
// versions of Cyrus leave it: the mailbox is used as any other, and what a
// killed process left is replaced.
func TestStaleHeader(t *testing.T) {
	t.Parallel()
	e := memEnv(t)
	e.create(inbox)
	e.mustAppend(inbox, 1, 2, 3)
	path := e.dir(inbox) + "/cyrus.header"
	b, err := disk.ReadFile(e.fs, path)
	if err == nil {
		err = disk.ReplaceSync(e.fs, path, []byte(strings.Replace(string(b), "alice lrs", "alice lrsw", 1)), 0o600)
	}
	if err == nil {
		err = errors.Join(e.fs.Remove(e.dir(inbox)+"/2."), disk.ReplaceSync(e.fs, e.dir(inbox)+"/4.", []byte("left"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := e.mustAppend(inbox, 4); got[0].UID != 4 {
		t.Errorf("UID %d", got[0].UID)
	}
	m := e.open(inbox, Read)
	defer m.Close()
	if r, ok, err := m.FindUID(4, 0); err != nil || !ok || r.Size != uint32(len(text(4))) {
		t.Errorf("%+v, %v", r, err)
	}
	if f, err := m.OpenMessage(&Record{UID: 4}); err != nil {
		t.Error(err)
	} else {
		b := make([]byte, len(text(4)))
		if f.ReadAt(b, 0); string(b) != text(4) {
			t.Errorf("uid 4: %q", b)
		}
		f.Close()
	}
}

// TestExchangedFaults makes each operation of the repair fail in turn, with
// and without a power cut. The next run completes it, and the index of the
// other mailbox is still there.
func TestExchangedFaults(t *testing.T) {
	t.Parallel()
	for i, row := 0, 0; row < 15; i++ {
		mem := disk.NewMem()
		e := exchange(t, mem, "cyrus.index", 8, 9)
		foreign, err := disk.ReadFile(mem, e.dir(inbox)+"/cyrus.index")
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		_, err = newEnv(t, disk.FailAt(mem, i), "/s").s.Reconstruct(ctx, inbox, optionsOf(inbox, &said))
		for seed, fsys := range []disk.FS{mem, mem.Crash(0), mem.Crash(1), mem.Crash(2)} {
			e := newEnv(t, fsys, "/s")
			if _, err := e.s.Reconstruct(ctx, inbox, optionsOf(inbox, &said)); err != nil {
				t.Errorf("fault %d, power cut %d: %v", i, seed, err)
			}
			got, err := e.texts(inbox)
			if err != nil || !slices.Equal(slices.Compact(got), []int{1, 2, 3, 4}) {
				t.Errorf("fault %d, power cut %d: %v, %v", i, seed, got, err)
			}
			if !kept(e, foreign) {
				t.Errorf("fault %d, power cut %d: the other's index is gone", i, seed)
			}
		}
		if row++; err != nil {
			row = 0
		}
		if t.Failed() {
			return
		}
	}
}

// kept reports whether a file aside has these contents.
func kept(e *env, want []byte) bool {
	entries, err := e.fs.ReadDir(e.dir(inbox))
	if err != nil {
		e.Fatal(err)
	}
	for _, f := range entries {
		if strings.HasPrefix(f.Name(), "cyrus.index.FOREIGN.") {
			b, err := disk.ReadFile(e.fs, filepath.Join(e.dir(inbox), f.Name()))
			if err == nil && string(b) == string(want) {
				return true
			}
		}
	}
	return false
}

package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
)

// options is what Reconstruct is told of inbox, and where it says things.
func (e *env) reconstructOptions(said *[]string) ReconstructOptions {
	e.Helper()
	return ReconstructOptions{
		ACL: "alice\tlrswipkxtecdan\t", QuotaRoot: "user.alice", UIDValidity: 77, CreatedModseq: 1, FolderModseq: 5,
		Say: func(l string) { *said = append(*said, l) },
	}
}

// contents is the texts of the messages of inbox by UID.
func (e *env) contents() map[uint32]string {
	e.Helper()
	m := e.open(inbox, Read)
	defer m.Close()
	got := map[uint32]string{}
	err := m.Each(1, func(r *Record) bool {
		f, err := m.OpenMessage(r)
		if err != nil {
			e.Error(err)
			return true
		}
		defer f.Close()
		b := make([]byte, r.Size)
		f.ReadAt(b, 0)
		got[r.UID] = string(b)
		return true
	})
	if err != nil {
		e.Error(err)
	}
	return got
}

// TestReconstructFaults makes each operation fail in turn, with and without
// a power cut, while a mailbox with a lost message, a found one, one that
// gets a new UID and no cyrus.header is reconstructed. The next run
// completes it, and no text is ever lost.
func TestReconstructFaults(t *testing.T) {
	want := []string{text(2), text(3), text(30), text(40)}
	slices.Sort(want)
	whole := func(fsys disk.FS) error {
		e := newEnv(t, fsys, "/s")
		var said []string
		if _, err := e.s.Reconstruct(ctx, inbox, e.reconstructOptions(&said)); err != nil {
			return fmt.Errorf("%w\n%s", err, strings.Join(said, "\n"))
		}
		var got []string
		for _, text := range e.contents() {
			got = append(got, text)
		}
		slices.Sort(got)
		got = slices.Compact(got) // a crash may leave one twice
		if !slices.Equal(got, want) {
			return fmt.Errorf("messages %q", got)
		}
		return nil
	}
	// Some failures matter to nobody: only a row of successes is the end.
	for i, row := 0, 0; row < 15; i++ {
		mem := disk.NewMem()
		e := newEnv(t, mem, "/s")
		e.create(inbox)
		e.mustAppend(inbox, 1, 2, 3)
		dir := e.dir(inbox)
		for _, err := range []error{
			mem.Remove(dir + "/1."), mem.Remove(dir + "/cyrus.header"),
			disk.ReplaceSync(mem, dir+"/9.", []byte(text(30)), 0o600), disk.ReplaceSync(mem, dir+"/0.", []byte(text(40)), 0o600),
			mem.SyncDir(dir),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		f := newEnv(t, disk.FailAt(mem, i), "/s")
		var said []string
		_, err := f.s.Reconstruct(ctx, inbox, f.reconstructOptions(&said))
		for seed, fsys := range []disk.FS{mem, mem.Crash(0), mem.Crash(1), mem.Crash(2)} {
			if again := whole(fsys); again != nil {
				t.Errorf("fault %d (%v), power cut %d: %v", i, err, seed, again)
			}
		}
		row++
		if err != nil {
			row = 0
		}
		if err != nil && !errors.Is(err, disk.ErrInjected) {
			t.Errorf("fault %d: %v", i, err)
		}
		if t.Failed() {
			return
		}
	}
}

// TestReconstructKeywords loses the names of flags: the sync CRC proves which
// ones they were, or they get names of their own.
func TestReconstructKeywords(t *testing.T) {
	for _, c := range []struct {
		left  func([]byte) []byte // of cyrus.header; nil: nothing
		known []string
		want  []string
	}{
		{known: []string{"x", "Work", "y", "$Later"}, want: []string{"$Later", "Work"}},
		{known: []string{"x", "y"}, want: []string{"$Lost0", "$Lost1"}},
		{known: nil, want: []string{"$Lost0", "$Lost1"}},
		{left: func(b []byte) []byte { return b[:len(b)-4] }, known: []string{"Work"}, want: []string{"$Later", "Work"}},
	} {
		e := memEnv(t)
		e.create(inbox)
		e.mustAppend(inbox, 1, 2, 3)
		m := e.open(inbox, Write)
		for i, name := range []string{"$Later", "Work"} {
			n, err := m.AddFlag(name, ClientUserFlags)
			r, rerr := m.Record(uint32(i + 1))
			if err = errors.Join(err, rerr); err != nil {
				t.Fatal(err)
			}
			r.User.Set(n)
			if err := m.Rewrite(&r); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		m.Close()
		path := e.dir(inbox) + "/cyrus.header"
		b, err := disk.ReadFile(e.fs, path)
		if err != nil {
			t.Fatal(err)
		}
		if c.left == nil {
			b = b[:20]
		} else {
			b = c.left(b)
		}
		if err := disk.ReplaceSync(e.fs, path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var said []string
		o := e.reconstructOptions(&said)
		o.Keywords = func() []string { return c.known }
		if _, err := e.s.Reconstruct(ctx, inbox, o); err != nil {
			t.Fatal(err)
		}
		m = e.open(inbox, Read)
		if !slices.Equal(m.Flags(), c.want) {
			t.Errorf("%v: %q, want %q (%q)", c.known, m.Flags(), c.want, said)
		}
		for recno, want := range []bool{true, false, false} {
			if r, err := m.Record(uint32(recno + 1)); err != nil || r.User.Has(0) != want {
				t.Errorf("flags of %d: %v, %v", recno+1, r.User, err)
			}
		}
		m.Close()
		e.check(inbox)
	}
}

// TestReconstructIndexHeader damages only the head of the index: records,
// with their flags, stay.
func TestReconstructIndexHeader(t *testing.T) {
	for name, head := range map[string][]byte{"zeroed": make([]byte, 160), "a bit": {0, 0, 0, 0, 0, 0, 0, 1}} {
		e := memEnv(t)
		e.create(inbox)
		e.mustAppend(inbox, 1, 2, 3)
		e.poke(e.dir(inbox)+"/cyrus.index", 160+2*112+32, []byte{0, 0, 0, 0}) // the third record is damaged too
		e.poke(e.dir(inbox)+"/cyrus.index", 160+2*112+40, []byte{1, 2, 3})
		e.poke(e.dir(inbox)+"/cyrus.index", 0, head)
		var said []string
		got, err := e.s.Reconstruct(ctx, inbox, e.reconstructOptions(&said))
		if err != nil {
			t.Fatal(err)
		}
		if texts := e.contents(); len(texts) != 3 || texts[1] != text(1) || texts[3] != text(3) {
			t.Errorf("%s: %v", name, texts)
		}
		m := e.open(inbox, Read)
		h := m.Header()
		m.Close()
		if h.LastUID != 3+uidMargin || got.UIDValidity != h.UIDValidity || got.UIDValidity != 77 || h.HighestModseq < modseqMargin || len(said) < 1 {
			t.Errorf("%s: %+v, %+v, %q", name, h, got, said)
		}
		e.check(inbox)
	}
}

// TestReconstructConversations loses and damages indexes of a user who has
// conversations: after a reconstruct a count from scratch finds nothing, and
// answers are in the conversations of what they answer.
func TestReconstructConversations(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(e *env, path string) error{
		"lost":   func(e *env, path string) error { return e.fs.Remove(path) },
		"record": func(e *env, path string) error { e.poke(path, 160+112+4, []byte{1, 2, 3, 4}); return nil },
		"header": func(e *env, path string) error { e.poke(path, 0, make([]byte, 160)); return nil },
		"cut":    func(e *env, path string) error { return disk.ReplaceSync(e.fs, path, []byte("x"), 0o600) },
		"message": func(e *env, path string) error {
			return e.fs.Rename(strings.TrimSuffix(path, "cyrus.index")+"2.", strings.TrimSuffix(path, "cyrus.index")+"9.")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := conversedEnv(t, disk.NewMem())
			e.create(inbox)
			e.create(trash)
			e.create(other)
			e.mustAppend(inbox, 1, 2, 3)
			st := e.stage(strings.Replace(reply(4, 1), "number 4", "number 1", 1))
			defer st.Remove()
			if _, err := e.s.Append(ctx, other, []AppendMessage{{Staged: st, Flags: Flagged}}, AppendOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := damage(e, e.dir(inbox)+"/cyrus.index"); err != nil {
				t.Fatal(err)
			}
			n := e.reopen(e.fs, func(*Options) {})
			var said []string
			if _, err := n.s.Reconstruct(ctx, inbox, n.reconstructOptions(&said)); err != nil {
				t.Fatal(err)
			}
			n.mustAudit("reconstruct")
			m := n.open(inbox, Read)
			count := 0
			if err := m.Each(1, func(r *Record) bool {
				count++
				if r.CID == 0 {
					t.Errorf("uid %d is in no conversation", r.UID)
				}
				return true
			}); err != nil || count != 3 {
				t.Errorf("%d messages, %v: %q", count, err, said)
			}
			if h := m.Header(); h.dirty() {
				t.Error("the mark is left")
			}
			m.Close()
			if n.thread(inbox, 1) != n.thread(other, 1) {
				t.Error("the answer is in another conversation")
			}
			n.mustAppend(inbox, 7)
			n.mustAudit("append")
		})
	}
}

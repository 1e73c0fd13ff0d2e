package mailbox

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
)

// oldHeader puts a cyrus.header of Cyrus 3.4 in the place of inbox's.
func (e *env) oldHeader(id string) {
	e.Helper()
	p, err := layoutPaths(e.l, &inbox)
	if err == nil {
		err = disk.ReplaceSync(e.fs, p.header, []byte(headerMagic+"user.alice\t"+id+"\n$kw  $three\nalice\tlrs\t\n"), 0o600)
	}
	if err != nil {
		e.Fatal(err)
	}
}

func TestLook(t *testing.T) {
	e := memEnv(t)
	if g := Look(e.fs, e.l, inbox); !errors.Is(g.HeaderErr, fs.ErrNotExist) || !errors.Is(g.IndexErr, fs.ErrNotExist) {
		t.Errorf("nothing there: %+v", g)
	}
	e.create(inbox)
	e.mustAppend(inbox, 1, 2)
	if g := Look(e.fs, e.l, inbox); g.ID != inbox.UniqueID || g.Version != Version || g.Records != 2 || g.OldHeader ||
		g.Name != inbox.Name || g.Type != "e" || g.ACL == "" || g.Head == nil || g.Head.LastUID != 2 {
		t.Errorf("%+v", g)
	}
	e.oldHeader("older")
	if g := Look(e.fs, e.l, inbox); g.ID != "older" || !g.OldHeader || g.Version != Version || g.Records != 2 ||
		!slices.Equal(g.Keywords, []string{"$kw", "", "$three"}) {
		t.Errorf("old header: %+v", g)
	}
	p, err := layoutPaths(e.l, &inbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", headerMagic, strings.Repeat("x", 200)} {
		if err := errors.Join(disk.Replace(e.fs, p.header, []byte(text), 0o600), disk.Replace(e.fs, p.index, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if g := Look(e.fs, e.l, inbox); g.HeaderErr == nil || g.IndexErr == nil {
			t.Errorf("damaged: %+v", g)
		}
	}
}

// TestAssignIDFaults makes each operation of AssignID fail in turn: the
// header has the old contents or the new, and nothing else is lost.
func TestAssignIDFaults(t *testing.T) {
	for i := 0; ; i++ {
		m := disk.NewMem()
		e := newEnv(t, m, "/s")
		e.create(inbox)
		e.mustAppend(inbox, 1, 2)
		e.oldHeader("")
		failing := newEnv(t, disk.FailAt(m, i), "/s")
		err := failing.s.AssignID(ctx, inbox)
		for _, d := range []*disk.Mem{m, m.Crash(1), m.Crash(2)} {
			g := Look(d, e.l, inbox)
			if g.HeaderErr != nil || g.IndexErr != nil || g.Records != 2 || g.ID != inbox.UniqueID && (err == nil || g.ID != "") {
				t.Errorf("fault %d (%v): %+v", i, err, g)
			}
			box, oerr := newEnv(t, d, "/s").s.Open(ctx, inbox, Write)
			if oerr != nil {
				t.Fatalf("fault %d: %v", i, oerr)
			}
			if f := box.Flags(); len(f) != 3 || f[2] != "$three" || box.ACL() != "alice\tlrs\t" || box.Header().Exists != 2 {
				t.Errorf("fault %d: %q, %q, %+v", i, f, box.ACL(), box.Header())
			}
			box.Close()
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatal(err)
		}
	}
}

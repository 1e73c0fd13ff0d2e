package mailbox

import (
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// TestCreateOverLost makes a mailbox where the files of one lie that the
// mailbox list has forgotten: its messages must not go.
func TestCreateOverLost(t *testing.T) {
	e := memEnv(t)
	e.create(legacyA)
	e.mustAppend(legacyA, 1, 2)
	e.create(legacyA)
	if err := has(e.check(legacyA), 1, 0); err != nil {
		t.Error(err)
	}
	entries, err := e.fs.ReadDir(e.dir(legacyA))
	if err != nil {
		t.Fatal(err)
	}
	var aside []string
	for _, d := range entries {
		if !d.IsDir() || !strings.HasPrefix(d.Name(), "lost.") {
			continue
		}
		files, _ := e.fs.ReadDir(e.dir(legacyA) + "/" + d.Name())
		for _, f := range files {
			aside = append(aside, f.Name())
		}
	}
	if got := strings.Join(aside, " "); got != "was.1. was.2. was.cyrus.cache was.cyrus.header was.cyrus.index" {
		t.Errorf("set aside: %s", got)
	}
	b, err := disk.ReadFile(e.fs, e.dir(legacyA)+"/"+entryWith(entries, "lost.")+"/was.2.")
	if err != nil || string(b) != text(2) {
		t.Errorf("%q, %v", b, err)
	}
}

func entryWith[E interface{ Name() string }](entries []E, prefix string) string {
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), prefix) {
			return d.Name()
		}
	}
	return ""
}

// TestCreateOverDeleted makes a mailbox where a deletion was interrupted.
func TestCreateOverDeleted(t *testing.T) {
	e := memEnv(t)
	e.create(legacyA)
	e.mustAppend(legacyA, 1, 2)
	m := e.open(legacyA, Exclusive)
	if err := m.markDeleted(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	e.create(legacyA)
	entries, _ := e.fs.ReadDir(e.dir(legacyA))
	if n := entryWith(entries, "lost."); n != "" {
		t.Errorf("%s was made", n)
	}
	if err := has(e.check(legacyA), 1, 0); err != nil {
		t.Error(err)
	}
}

// TestMoveWhenFull moves messages below a quota root that is full: it holds
// no more afterwards. A copy is refused, as is a move to another full root.
func TestMoveWhenFull(t *testing.T) {
	for _, c := range []struct {
		name string
		root string
		move bool
		want bool
	}{
		{"move", "user.alice", true, true},
		{"copy", "user.alice", false, false},
		{"move to another root", "user.bob", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := memEnv(t)
			e.create(inbox)
			uids := []uint32{}
			for _, a := range e.mustAppend(inbox, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) {
				uids = append(uids, a.UID)
			}
			trash := Ref{Name: "user.alice.Trash", UniqueID: "bb0123456789012345678901", Partition: "default"}
			if _, err := e.s.Create(ctx, trash, CreateOptions{QuotaRoot: mboxname.Name(c.root)}, nil); err != nil {
				t.Fatal(err)
			}
			before := e.quota.used["user.alice"]
			e.quota.limit = 1024
			_, pairs, err := e.s.Copy(ctx, inbox, uids, trash, CopyOptions{Move: c.move})
			switch {
			case c.want && (err != nil || len(pairs) != len(uids)):
				t.Errorf("%v, %v", pairs, err)
			case !c.want && !errs.Is(err, errs.OverQuota):
				t.Error(err)
			}
			if now := e.quota.used["user.alice"]; now != before {
				t.Errorf("use is %v, was %v", now, before)
			}
		})
	}
}

// TestMoveValidity moves a mailbox to a name where UIDVALIDITYs below
// 4e9 are used up.
func TestMoveValidity(t *testing.T) {
	for _, to := range []Ref{legacyB, {Name: "user.alice.c", UniqueID: legacyA.UniqueID, Partition: "default"}} {
		e := memEnv(t)
		e.create(legacyA)
		e.mustAppend(legacyA, 1)
		if err := e.s.Move(ctx, legacyA, to, "user.alice", 4e9, "s", nil); err != nil {
			t.Fatal(err)
		}
		m := e.open(to, Read)
		if v := m.Header().UIDValidity; v != 4e9 {
			t.Errorf("%s: %d", to.Name, v)
		}
		m.Close()
		if err := has(e.check(to), 1, 1); err != nil {
			t.Error(err)
		}
	}
}

package mboxlist

import (
	"context"
	"fmt"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/flat"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// counted is a database that says whether it has changed, as cyrusdbd's do,
// and counts how often it is read.
type counted struct {
	cyrusdb.DB
	changes uint64
	scans   int
	during  func() // called within a scan
}

func (c *counted) Changes() (uint64, bool) { return c.changes, c.changes&1 == 0 }

func (c *counted) Scan(ctx context.Context, from []byte, fn cyrusdb.ScanFunc) error {
	c.scans++
	if c.during != nil {
		c.during()
	}
	return c.DB.Scan(ctx, from, fn)
}

func (c *counted) Commit(ctx context.Context, tx cyrusdb.Tx) error {
	err := c.DB.Commit(ctx, tx)
	c.changes += 2
	return err
}

// TestTrees: a user's mailboxes are read again only when something has changed.
func TestTrees(t *testing.T) {
	fsys := disk.NewMem()
	if err := fsys.MkdirAll("/c", 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := flat.Open(fsys, lock.NewTable(fsys, nil), "/c/mailboxes.db", cyrusdb.Create)
	if err != nil {
		t.Fatal(err)
	}
	db := &counted{DB: file, changes: 2}
	l := bare(fsys, "/c")
	l.db = db
	names := func(n mboxname.Name, most int) (all string) {
		err := l.Tree(t.Context(), n, func(e *Entry) (bool, error) {
			all += string(e.Name) + " "
			e.Name = "changed" // it is the caller's own
			most--
			return most > 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	add := func(n mboxname.Name) {
		if err := l.Load(t.Context(), &Entry{Name: n, UniqueID: fmt.Sprintf("id%d", db.changes), Type: "e"}); err != nil {
			t.Fatal(err)
		}
	}
	add("user.a")
	add("user.a.x")
	add("user.ab")
	for i, s := range []struct {
		do    func()
		n     mboxname.Name
		most  int
		want  string
		reads bool
	}{
		{nil, "user.a", 1, "user.a ", true}, // a part is not kept
		{nil, "user.a", 9, "user.a user.a.x ", true},
		{nil, "user.a", 9, "user.a user.a.x ", false},
		{nil, "user.a", 1, "user.a ", false},
		{nil, "user.b", 9, "", true},
		{nil, "user.b", 9, "", false},
		{nil, "user.a.x", 9, "user.a.x ", true}, // no INBOX
		{func() { add("user.a.y") }, "user.a", 9, "user.a user.a.x user.a.y ", true},
		{nil, "user.b", 9, "", true},
		{func() { db.changes++ }, "user.a", 9, "user.a user.a.x user.a.y ", true}, // while it changes
		{nil, "user.a", 9, "user.a user.a.x user.a.y ", true},
		{func() { db.changes++; db.during = func() { db.changes += 2 } }, "user.a", 9, "user.a user.a.x user.a.y ", true},
		{func() { db.during = nil }, "user.a", 9, "user.a user.a.x user.a.y ", true},
		{nil, "user.a", 9, "user.a user.a.x user.a.y ", false},
	} {
		if s.do != nil {
			s.do()
		}
		before := db.scans
		if got := names(s.n, s.most); got != s.want || (db.scans > before) != s.reads {
			t.Errorf("%d: %q, read %v; want %q, %v", i, got, db.scans > before, s.want, s.reads)
		}
	}
	big := make([]*Entry, maxTrees+1)
	if l.trees.put("user.big", db.changes, big); l.trees.get("user.big", db.changes) != nil {
		t.Error("more is kept than the limit")
	}
	for i := range maxTrees {
		l.trees.put(mboxname.Name(fmt.Sprint("user.", i)), db.changes, big[:3])
	}
	if len(l.trees.of)*3 > maxTrees {
		t.Errorf("%d trees are kept", len(l.trees.of))
	}
}

package mboxlist_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
)

func TestLoadUnlist(t *testing.T) {
	s := newSite(t, "")
	e := &mboxlist.Entry{
		Name: "user.alice.Work", Type: "e", UniqueID: "abcdef", Partition: "two", UIDValidity: 7,
		CreatedModseq: 2, FolderModseq: 5, ACL: acl.List{{ID: "alice", Rights: "lrs"}, {ID: "-bob", Rights: "w"}},
		History: []mboxlist.Past{{Name: "user.alice.Old", Type: "e", UIDValidity: 3, Mtime: 99}},
	}
	for range 2 { // the second time it replaces the first
		if err := s.List.Load(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.List.LookupID(ctx, "abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if got.Mtime == 0 {
		t.Error("no mtime")
	}
	got.Mtime = 0
	if d := cmp.Diff(e, got); d != "" {
		t.Errorf("by id: %s", d)
	}
	if got, err = s.List.Lookup(ctx, e.Name); err != nil || got.UniqueID != "abcdef" || got.History != nil {
		t.Errorf("by name: %+v, %v", got, err)
	}
	if err := s.List.Load(ctx, &mboxlist.Entry{Name: "x", UniqueID: "../x"}); !errs.Is(err, errs.BadArgument) {
		t.Errorf("bad id: %v", err)
	}
	if err := s.List.Unlist(ctx, e.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List.Find(ctx, e.Name); !errs.Is(err, errs.NotFound) {
		t.Errorf("after Unlist: %v", err)
	}
	if _, err := s.List.LookupID(ctx, "abcdef"); !errs.Is(err, errs.NotFound) {
		t.Errorf("id after Unlist: %v", err)
	}
	if err := s.List.Unlist(ctx, e.Name); !errs.Is(err, errs.NotFound) {
		t.Errorf("again: %v", err)
	}
}

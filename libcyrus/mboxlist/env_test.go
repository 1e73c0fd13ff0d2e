package mboxlist_test

import (
	"context"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

// base is the configuration of most tests.
const base = `configdirectory: /conf
defaultpartition: default
partition-default: /spool
partition-two: /spool2
altnamespace: no
unixhierarchysep: yes
admins: cyrus
hashimapspool: yes
sievedir: /sieve
mboxlist_db: twoskip
annotation_db: twoskip
duplicate_db: twoskip
userdeny_db: flat
`

var ctx = context.Background()

// admin and user are who the tests act as.
var admin = mboxlist.Actor{Identity: acl.Identity{User: "cyrus", Admin: true}, SessionID: "s-1"}

func user(id string) mboxlist.Actor {
	return mboxlist.Actor{Identity: acl.Identity{User: id}, SessionID: "s-" + id}
}

// newDisk is an empty site.
func newDisk(t testing.TB) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	for _, d := range []string{"/conf", "/spool", "/spool2", "/sieve"} {
		if err := m.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// openOn opens a site on a file system, with more lines of configuration.
func openOn(t testing.TB, fsys disk.FS, more string) *site.Site {
	t.Helper()
	return openText(t, fsys, base+more)
}

func openText(t testing.TB, fsys disk.FS, text string) *site.Site {
	t.Helper()
	c, err := config.Parse("imapd.conf", text, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tryOpen is openOn for a file system that fails.
func tryOpen(fsys disk.FS, more string) (*site.Site, error) {
	c, err := config.Parse("imapd.conf", base+more, "test")
	if err != nil {
		return nil, err
	}
	return site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
}

// newSite is an empty site with the mailboxes of alice and bob.
func newSite(t testing.TB, more string) *site.Site {
	t.Helper()
	s := openOn(t, newDisk(t), more)
	t.Cleanup(func() { s.Close() })
	create(t, s, admin, "user.alice", "user.bob")
	return s
}

func create(t testing.TB, s *site.Site, who mboxlist.Actor, names ...mboxname.Name) {
	t.Helper()
	for _, n := range names {
		if _, err := s.List.Create(ctx, who, n, mboxlist.CreateOptions{}); err != nil {
			t.Fatalf("create %s: %v", n, err)
		}
	}
}

// all is every name in the list that is a mailbox.
func all(t testing.TB, s *site.Site) (names []mboxname.Name) {
	t.Helper()
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() {
			names = append(names, e.Name)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

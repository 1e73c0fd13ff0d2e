package mboxlist

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// BenchmarkEach lists as a user and as an admin on a site with 20,000
// mailboxes of 2,000 users.
func BenchmarkEach(b *testing.B) {
	ctx := context.Background()
	m := disk.NewMem()
	db, err := cyrusdb.Open(m, lock.NewTable(m, slog.New(slog.DiscardHandler)), "twoskip", "/mailboxes.db", cyrusdb.Create)
	if err != nil {
		b.Fatal(err)
	}
	var tx cyrusdb.Tx
	for u := range 2000 {
		for f := range 10 {
			e := &Entry{
				Name: mboxname.Name(fmt.Sprintf("user.user%d.folder%d", u, f)), Type: "e", UniqueID: "abcdefghijklmnopqrstuvwx",
				Partition: "default", UIDValidity: 1, CreatedModseq: 1, FolderModseq: 1, Mtime: 1,
				ACL: acl.List{{ID: fmt.Sprintf("user%d", u), Rights: "lrswipkxtecdan"}},
			}
			tx.Put(keyOf(e.Name), e.encode())
		}
	}
	if err := db.Commit(ctx, tx); err != nil {
		b.Fatal(err)
	}
	rules := mboxname.DefaultRules()
	l := New(Options{DB: db, Names: rules, Rights: acl.DefaultRules(), Log: slog.New(slog.DiscardHandler)})
	for _, who := range []string{"user7", "admin"} {
		b.Run(who, func(b *testing.B) {
			ns := mboxname.NewNamespace(rules, who, who == "admin")
			actor := Actor{Identity: acl.Identity{User: who, Admin: who == "admin"}}
			o := ListOptions{Patterns: []mboxname.Matcher{ns.NewMatcher("*")}}
			for b.Loop() {
				n := 0
				if err := l.Each(ctx, actor, ns, o, func(Listed) error { n++; return nil }); err != nil || n < 10 {
					b.Fatal(n, err)
				}
			}
		})
	}
	b.Run("lookup", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Lookup(ctx, "user.user77.folder7"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

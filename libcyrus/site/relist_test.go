package site

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

// known is what a site says of a mailbox.
type known struct {
	entry mboxlist.Entry
	acl   string
	head  mailbox.IndexHeader
	flags string
	home  string // of its owner
}

func everything(t *testing.T, s *Site) map[mboxname.Name]known {
	t.Helper()
	ctx := context.Background()
	all := map[mboxname.Name]known{}
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if !e.Exists() {
			return true, nil
		}
		m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			return true, nil
		}
		defer m.Close()
		k := known{entry: *e, acl: e.ACL.String(), head: m.Header(), flags: strings.Join(m.Flags(), " ")}
		if k.home, _, err = s.List.HomeOf(ctx, e.Name.OwnerOf(s.Names.DeletedPrefix)); err != nil {
			t.Error(err)
		}
		// What is lost with the list.
		k.entry.ACL, k.entry.Mtime, k.entry.FolderModseq, k.entry.CreatedModseq, k.entry.History = nil, 0, 0, 0, nil
		all[e.Name] = k
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

func equal(a, b known) bool {
	x, y := a.entry, b.entry
	return x.Name == y.Name && x.Type == y.Type && x.UniqueID == y.UniqueID && x.Partition == y.Partition &&
		x.UIDValidity == y.UIDValidity && a.acl == b.acl && a.head == b.head && a.flags == b.flags && a.home == b.home
}

// TestRelist loses the lists of real spools in several ways, and makes them
// anew: every mailbox is as it was.
func TestRelist(t *testing.T) {
	for _, sample := range []string{data.ByID, data.Legacy} {
		for name, lose := range map[string]func(path string) error{
			"removed": os.Remove,
			"empty":   func(path string) error { return os.Truncate(path, 0) },
			"cut":     func(path string) error { return os.Truncate(path, 3000) },
			"noise": func(path string) error {
				return os.WriteFile(path, []byte(strings.Repeat("no database at all\x00\xff", 500)), 0o600)
			},
		} {
			t.Run(sample+" "+name, func(t *testing.T) {
				t.Parallel()
				s := openSample(t, sample)
				before := everything(t, s)
				path := filepath.Join(s.Layout.ConfigDir, "mailboxes.db")
				if err := lose(path); err != nil {
					t.Fatal(err)
				}
				if _, err := Open(s.Config, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "reconstruct -m") {
					t.Errorf("with the list lost: %v", err)
				}
				r, err := Relist(context.Background(), disk.OS(), s.Config, slog.New(slog.DiscardHandler), false)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Rest)+len(r.Gone) > 0 || name != "removed" && len(r.Aside) != 1 {
					t.Errorf("%+v", r)
				}
				for _, x := range r.Found {
					if x.Note != "" {
						t.Errorf("%s: %s", x.Name, x.Note)
					}
				}
				again, err := Open(s.Config, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				after := everything(t, again)
				for n, k := range before {
					if !equal(k, after[n]) {
						t.Errorf("%s: %+v, was %+v", n, after[n], k)
					}
				}
				if len(after) != len(before) || len(after) < 30 {
					t.Errorf("%d mailboxes, then %d", len(before), len(after))
				}
			})
		}
	}
}

// TestRelistClashes has several directories for one name, and one id twice.
func TestRelistClashes(t *testing.T) {
	m := newMem(t)
	text := good + "mailbox_legacy_dirs: yes\npartition-two: /two\n"
	if err := m.MkdirAll("/two", 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := openText(t, m, text)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	who := mboxlist.Actor{}
	who.Admin = true
	for _, n := range []mboxname.Name{"user.a", "user.a.x", "user.b"} {
		if _, err := s.List.Create(ctx, who, n, mboxlist.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	cp := func(from, to string) {
		t.Helper()
		b, err := disk.ReadFile(m, from)
		if err == nil {
			err = m.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = disk.ReplaceSync(m, to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"cyrus.header", "cyrus.index"} {
		cp("/spool/user/a/"+f, "/two/user/a/"+f)          // an old copy of a
		cp("/spool/user/a/x/"+f, "/spool/user/a/copy/"+f) // somebody's copy of a folder
	}
	cp("/spool/user/a/cyrus.header", "/two/user/a/1.") // a message more
	cp("/spool/user/a/cyrus.header", "/spool/uuid/0/1/0123/1.")
	if err := m.Remove("/conf/mailboxes.db"); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("imapd.conf", text, "test")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Relist(ctx, m, c, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rest) != 1 || r.Rest[0].Dir != "/spool/user/a" {
		t.Errorf("left out: %+v", r.Rest)
	}
	if s, err = openText(t, m, text); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.List.Lookup(ctx, "user.a")
	if err != nil || a.Partition != "two" {
		t.Errorf("%+v, %v", a, err)
	}
	x, err := s.List.Lookup(ctx, "user.a.x")
	copied, err2 := s.List.Lookup(ctx, "user.a.copy")
	if err != nil || err2 != nil || x.UniqueID == copied.UniqueID {
		t.Errorf("%+v, %+v, %v, %v", x, copied, err, err2)
	}
	lost, err := s.List.Lookup(ctx, "lost-and-found.0123")
	if err != nil || len(lost.ACL) > 0 {
		t.Errorf("%+v, %v", lost, err)
	}
}

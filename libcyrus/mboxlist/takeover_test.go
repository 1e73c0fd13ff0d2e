package mboxlist_test

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

// oldForm turns the list of a site with legacy directories into one of the
// time before 3.6: records maps its keys to values.
func oldForm(t testing.TB, fsys disk.FS) map[string]string {
	t.Helper()
	s := openOn(t, fsys, legacy)
	defer s.Close()
	records := map[string]string{}
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		var acl strings.Builder
		for _, a := range e.ACL {
			fmt.Fprintf(&acl, " %s %s", a.ID, a.Rights)
		}
		typ := strings.ReplaceAll(strings.TrimPrefix(e.Type, "e"), "l", "")
		if typ != "" {
			typ = "T " + typ + " "
		}
		part := ""
		if e.Partition != "" {
			part = "P " + e.Partition + " "
		}
		records[string(e.Name)] = fmt.Sprintf("%%(A %%(%s) I %s %s%sV %d M %d)", strings.TrimSpace(acl.String()), e.UniqueID, part, typ, e.UIDValidity, e.Mtime)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

const legacy = "mailbox_legacy_dirs: yes\n"

// writeList puts a database in the place of another.
func writeList(t testing.TB, fsys disk.FS, kind, path string, records map[string]string) {
	t.Helper()
	var keys []string
	for k := range records {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	err := cyrusdb.WriteFile(ctx, fsys, kind, path, func(fn cyrusdb.ScanFunc) error {
		for _, k := range keys {
			if _, err := fn([]byte(k), []byte(records[k])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readAll reads a database.
func readAll(t testing.TB, fsys disk.FS, path string) map[string]string {
	t.Helper()
	db, _, err := cyrusdb.OpenAny(fsys, lock.NewTable(fsys, nil), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string]string{}
	if err := db.Scan(ctx, nil, func(k, v []byte) (bool, error) { out[string(k)] = string(v); return true, nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// takeOver is a take-over of the site of newDisk on any file system.
func takeOver(t testing.TB, fsys disk.FS, log *slog.Logger) (mboxlist.TakeOver, func()) {
	t.Helper()
	var o mboxlist.Options
	m := newDisk(t)
	s := openOn(t, m, legacy)
	o.Layout, o.Names, o.Rights = s.Layout, s.Names, s.Rights
	s.Close()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o.FS, o.Log, o.Locks = fsys, log, lock.NewTable(fsys, log)
	store, err := mailbox.New(mailbox.Options{FS: fsys, Locks: o.Locks, Layout: o.Layout, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o.Store = store
	o.Now = func() time.Time { return time.Unix(1800000000, 0) }
	return mboxlist.TakeOver{
		Options: o, Path: "/conf/mailboxes.db", Kind: "twoskip", AnnotPath: "/conf/annotations.db", AnnotKind: "twoskip",
	}, func() { store.Close(); o.Locks.Close() }
}

func run(t testing.TB, fsys disk.FS) (*mboxlist.Plan, error) {
	t.Helper()
	to, done := takeOver(t, fsys, nil)
	defer done()
	p, err := to.Plan(ctx)
	if err == nil {
		err = to.Run(ctx, p)
	}
	return p, err
}

// oldSite is a site with legacy directories whose list is still the old one,
// of a kind; change may alter the list first.
func oldSite(t testing.TB, kind string, change func(map[string]string)) *disk.Mem {
	t.Helper()
	m := newDisk(t)
	s := openOn(t, m, legacy)
	create(t, s, admin, "user.alice", "user.alice.a^b", "user.alice.Sent", "user.bob", "News", "user.bob.Old")
	if err := s.List.Rename(ctx, user("bob"), "user.bob.Old", "user.bob.New", mboxlist.RenameOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Annot.Set(ctx, annot.Scope{}, annot.Key{Entry: annot.Comment}, []byte("server")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	records := oldForm(t, m)
	if change != nil {
		change(records)
	}
	writeList(t, m, kind, "/conf/mailboxes.db", records)
	return m
}

// addAnnotation adds a record with a key of any form.
func addAnnotation(t testing.TB, m disk.FS, key, data string) {
	t.Helper()
	db, err := cyrusdb.Open(m, lock.NewTable(m, nil), "twoskip", "/conf/annotations.db", cyrusdb.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tx cyrusdb.Tx
	tx.Put([]byte(key), append([]byte{0, 0, 0, byte(len(data)), 0, 0, 0, 0}, data+"\x00text/plain\x00"+strings.Repeat("\x00", 8)...))
	if err := db.Commit(ctx, tx); err != nil {
		t.Fatal(err)
	}
}

func entryOf(t testing.TB, s *site.Site, n mboxname.Name) *mboxlist.Entry {
	t.Helper()
	e, err := s.List.Find(ctx, n)
	if err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	return e
}

func TestTakeOver(t *testing.T) {
	for _, kind := range []string{"twoskip", "flat"} {
		t.Run(kind, func(t *testing.T) {
			ids := map[string]string{}
			m := oldSite(t, kind, func(r map[string]string) {
				for k, v := range r {
					_, rest, _ := strings.Cut(v, " I ")
					ids[k], _, _ = strings.Cut(rest, " ")
				}
				r["$RACL$U$alice$user.bob"] = ""
				r["user.alice.Sent"] = `(specialuse \Sent) 0 default alice` + "\tlrswip\tanyone\tp\t"
				r["user.alice.a^b"] = "0 default alice\tlrs\t"
			})
			addAnnotation(t, m, "user.alice.a^b\x00/comment\x00alice\x00", "mine")
			addAnnotation(t, m, "user.gone\x00/comment\x00alice\x00", "lost")
			before := readAll(t, m, "/conf/mailboxes.db")
			p, err := run(t, m)
			if err != nil {
				t.Fatal(err)
			}
			want := mboxlist.Summary{Mailboxes: 6, Names: 1, FromHeader: 2, Dropped: 1, Annots: 2, LostAnnots: 1}
			if p.Summary != want || p.List.Format != kind {
				t.Errorf("%s: %+v, want %+v", p.List.Format, p.Summary, want)
			}
			if kept := readAll(t, m, "/conf/mailboxes.db.OLD"); len(kept) != len(before) {
				t.Errorf("kept: %v", kept)
			}
			s := openOn(t, m, legacy)
			defer s.Close()
			for _, n := range all(t, s) {
				e := entryOf(t, s, n)
				if e.UniqueID != ids[string(n)] || e.Type != "el" {
					t.Errorf("%s: %+v, had the id %s", n, e, ids[string(n)])
				}
				if by, err := s.List.LookupID(ctx, e.UniqueID); err != nil || by.Name != n {
					t.Errorf("%s by id: %+v, %v", n, by, err)
				}
				box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
				if err != nil {
					t.Fatal(err)
				}
				box.Close()
			}
			if e := entryOf(t, s, "user.bob.Old"); e.Type != "edl" || e.UniqueID != ids["user.bob.New"] {
				t.Errorf("tombstone: %+v", e)
			}
			if e, err := s.List.LookupID(ctx, ids["user.bob.New"]); err != nil || len(e.History) != 1 || e.History[0].Name != "user.bob.Old" {
				t.Errorf("history: %+v, %v", e, err)
			}
			alice := annot.Scope{MailboxID: ids["user.alice.a^b"], Owner: "alice"}
			for _, x := range []struct {
				sc   annot.Scope
				k    annot.Key
				want string
			}{
				{annot.Scope{}, annot.Key{Entry: annot.Comment}, "server"},
				{alice, annot.Key{Entry: annot.Comment, User: "alice"}, "mine"},
				{annot.Scope{MailboxID: ids["user.alice.Sent"], Owner: "alice"}, annot.Key{Entry: annot.SpecialUse, User: "alice"}, `\Sent`},
			} {
				if v, ok, err := s.Annot.Get(ctx, x.sc, x.k); !ok || err != nil || string(v) != x.want {
					t.Errorf("annotation %v: %q, %v, %v", x.k, v, ok, err)
				}
			}
			if kept := readAll(t, m, "/conf/annotations.db.OLD"); len(kept) != 3 {
				t.Errorf("kept annotations: %q", kept)
			}
			// Once more does nothing.
			after := readAll(t, m, "/conf/mailboxes.db")
			if p, err := run(t, m); err != nil || p.List.Old {
				t.Errorf("again: %+v, %v", p, err)
			}
			if again := readAll(t, m, "/conf/mailboxes.db"); len(again) != len(after) {
				t.Errorf("again: %v", again)
			}
		})
	}
}

// TestTakeOverIDs checks mailboxes without an id, and with one of another.
func TestTakeOverIDs(t *testing.T) {
	noID := func(m disk.FS, dir string) {
		b, err := disk.ReadFile(m, dir+"/cyrus.header")
		if err != nil {
			t.Fatal(err)
		}
		magic, _, _ := strings.Cut(string(b), "%(")
		old := magic + "user.alice\t\n$kw1 $kw2\nalice\tlrswip\t\n"
		if err := disk.Replace(m, dir+"/cyrus.header", []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var bobs string
	m := oldSite(t, "twoskip", func(r map[string]string) {
		_, rest, _ := strings.Cut(r["user.bob"], " I ")
		bobs, _, _ = strings.Cut(rest, " ")
		r["user.alice"] = "0 default alice\tlrs\t"
		r["user.alice.Sent"] = r["user.bob"]
		r["user.missing"] = "0 default alice\tlrs\t"
		r["user.away"] = "1 host!default x\tlrs\t"
		r["user.bad"] = "garbage"
		r["user.cal"] = "%(T dc M 3)"
	})
	noID(m, "/spool/a/user/alice")
	p, err := run(t, m)
	if err != nil {
		t.Fatal(err)
	}
	want := mboxlist.Summary{Mailboxes: 7, Names: 2, Remote: 1, FromHeader: 1, Made: 2, Doubled: 1, Missing: 1, Damaged: 1}
	if p.Summary != want {
		t.Errorf("%+v, want %+v", p.Summary, want)
	}
	s := openOn(t, m, legacy)
	defer s.Close()
	if e := entryOf(t, s, "user.bob"); e.UniqueID != bobs {
		t.Errorf("bob has lost his id: %+v", e)
	}
	for _, n := range []mboxname.Name{"user.alice", "user.alice.Sent"} {
		e := entryOf(t, s, n)
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.UniqueID) != 24 || box.UniqueID() != e.UniqueID || e.UniqueID == bobs {
			t.Errorf("%s: %+v, header %s", n, e, box.UniqueID())
		}
		if n == "user.alice" && (len(box.Flags()) != 2 || box.ACL() != "alice\tlrswip\t" || box.QuotaRoot() != "user.alice") {
			t.Errorf("header: %v, %q", box.Flags(), box.ACL())
		}
		box.Close()
	}
	if e := entryOf(t, s, "user.cal"); e.Type != "cdl" {
		t.Errorf("type: %+v", e)
	}
	if e := entryOf(t, s, "user.away"); e.Type != "erl" || e.Server != "host" {
		t.Errorf("remote: %+v", e)
	}
	if _, err := s.List.Find(ctx, "user.bad"); !errs.Is(err, errs.NotFound) {
		t.Errorf("damaged entry: %v", err)
	}
}

// TestTakeOverFaults makes each operation of a take-over fail in turn, with
// and without a power cut, and takes over again: the result is the same, and
// what was there before is there under another name.
func TestTakeOverFaults(t *testing.T) {
	build := func() *disk.Mem {
		m := oldSite(t, "twoskip", func(r map[string]string) {
			r["user.alice"] = "0 default alice\tlrs\t"
			r["user.alice.Sent"] = r["user.bob"]
		})
		addAnnotation(t, m, "user.alice.a^b\x00/comment\x00\x00", "shared")
		return m
	}
	first := build()
	before := readAll(t, first, "/conf/mailboxes.db")
	for i := 0; ; i++ {
		// A crash image is a copy: each attempt has a site of its own.
		m := first.Crash(1)
		fsys := disk.FailFrom(m, i)
		to, done := takeOver(t, fsys, nil)
		p, err := to.Plan(ctx)
		if err == nil {
			err = to.Run(ctx, p)
		}
		done()
		whole := err == nil
		if err != nil && !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
		for seed, d := range []*disk.Mem{m, m.Crash(1), m.Crash(2)} {
			if whole && len(readAll(t, d, "/conf/mailboxes.db")) == len(before) {
				t.Errorf("fault %d, %d: it was done, and is gone", i, seed)
			}
			if _, err := run(t, d); err != nil {
				t.Fatalf("fault %d, %d: again: %v", i, seed, err)
			}
			checkTaken(t, fmt.Sprintf("fault %d, %d", i, seed), d, before)
		}
		if whole {
			return
		}
	}
}

// checkTaken checks what TestTakeOverFaults wants in the end.
func checkTaken(t *testing.T, when string, d *disk.Mem, before map[string]string) {
	t.Helper()
	if kept := readAll(t, d, "/conf/mailboxes.db.OLD"); fmt.Sprint(kept) != fmt.Sprint(before) {
		t.Errorf("%s: kept %v", when, kept)
	}
	s := openOn(t, d, legacy)
	defer s.Close()
	ids := map[string]bool{}
	names := all(t, s)
	for _, n := range names {
		e := entryOf(t, s, n)
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if box.UniqueID() != e.UniqueID || ids[e.UniqueID] {
			t.Errorf("%s: %s: list %s, header %s", when, n, e.UniqueID, box.UniqueID())
		}
		ids[e.UniqueID] = true
		box.Close()
	}
	if len(names) != 6 {
		t.Errorf("%s: %v", when, names)
	}
	e := entryOf(t, s, "user.alice.a^b")
	for _, sc := range []annot.Scope{{}, {MailboxID: e.UniqueID, Owner: "alice"}} {
		v, _, err := s.Annot.Get(ctx, sc, annot.Key{Entry: annot.Comment})
		if want := map[bool]string{true: "server", false: "shared"}[sc.MailboxID == ""]; err != nil || string(v) != want {
			t.Errorf("%s: annotation %q, %v", when, cmp.Or(string(v), "gone"), err)
		}
	}
}

// TestIsOld asks lists from which it is hard to tell.
func TestIsOld(t *testing.T) {
	for _, x := range []struct {
		list map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"Nshared": "%(T ed V 3 F 2 A %())"}, false},
		{map[string]string{"News": "%(P default A %(anyone lrs))"}, true},
		{map[string]string{"News": "0 default anyone\tlrs\t"}, true},
		{map[string]string{"Ideas": "%(I abcd P default)", "News": "0 default "}, true},
		{map[string]string{"Iabcd": "%(T e N shared P default)", "Nshared": "%(T e I abcd P default)"}, false},
		{map[string]string{"AS\x1e": ""}, false},
		{map[string]string{"A": "0 default ", "Nuser\x1fa": "%(P default)"}, false},
		{map[string]string{"$RACL": ""}, true},
		{map[string]string{"user.a": "%(P default)"}, true},
	} {
		m := newDisk(t)
		writeList(t, m, "twoskip", "/conf/mailboxes.db", x.list)
		l, err := mboxlist.ReadOldList(ctx, m, lock.NewTable(m, nil), "/conf/mailboxes.db")
		if err != nil || l.Old != x.want {
			t.Errorf("%q: %+v, %v", x.list, l, err)
		}
	}
}

func FuzzOldList(f *testing.F) {
	f.Add("user.a", "0 default a\tlrs\t")
	f.Add("user.a", `(uniqueid x specialuse \Junk \Sent) 17 h!default a`+"\tlrs\t")
	f.Add("dom!user.a", "%(A %(a lrs) I abcd P default T dc)")
	f.Fuzz(func(t *testing.T, key, value string) {
		m := newDisk(t)
		if len(key) > 500 || len(value) > 5000 {
			return
		}
		writeList(t, m, "twoskip", "/conf/mailboxes.db", map[string]string{key: value})
		if _, err := run(t, m); err != nil {
			t.Fatal(err)
		}
	})
}

package metadata

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/site"
)

var ctx = context.Background()

// actor is somebody; cyrus is the admin.
func actor(name string) mboxlist.Actor {
	return mboxlist.Actor{Identity: acl.Identity{User: name, Admin: name == "cyrus"}, SessionID: "test"}
}

// env is a site on some file system.
type env struct {
	testing.TB
	*Store
}

// settings is the configuration of the tests.
const settings = `configdirectory: /conf
partition-default: /spool
defaultpartition: default
admins: cyrus
unixhierarchysep: yes
altnamespace: no
annotation_definitions: /conf/definitions
mboxlist_db: twoskip
annotation_db: twoskip
duplicate_db: twoskip
userdeny_db: flat
`

func configuration(t testing.TB) *config.Config {
	t.Helper()
	name := filepath.Join(t.TempDir(), "imapd.conf")
	if err := disk.Replace(disk.OS(), name, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(name, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newDisk is an empty site with the INBOX of alice.
func newDisk(t testing.TB, c *config.Config) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	for _, dir := range []string{"/conf/user", "/conf/lock", "/conf/quota", "/spool"} {
		if err := m.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := m.SyncDir(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	if err := disk.Replace(m, "/conf/definitions", []byte("/vendor/x/count,mailbox,uint,backend,value,r\nwrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := open(t, m, c)
	defer e.site.Close()
	e.create("cyrus", "user.alice")
	return m
}

func open(t testing.TB, fsys disk.FS, c *config.Config) *env {
	t.Helper()
	s, err := site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return &env{t, New(s)}
}

func newEnv(t testing.TB) *env {
	c := configuration(t)
	e := open(t, newDisk(t, c), c)
	t.Cleanup(func() { e.site.Close() })
	return e
}

func (e *env) create(who string, n mboxname.Name) *mboxlist.Entry {
	e.Helper()
	b, err := e.site.List.Create(ctx, actor(who), n, mboxlist.CreateOptions{})
	if err != nil {
		e.Fatal(err)
	}
	return b
}

// set is SETMETADATA of values like "/shared/comment=text".
func (e *env) set(who string, n mboxname.Name, values ...string) error {
	e.Helper()
	var sets []annot.Set
	for _, v := range values {
		entry, value, _ := strings.Cut(v, "=")
		s := annot.Set{Entry: strings.TrimPrefix(entry, "/shared"), Attr: "value.shared"}
		if rest, ok := strings.CutPrefix(entry, "/private"); ok {
			s = annot.Set{Entry: rest, Attr: "value.priv"}
		}
		if value != "NIL" {
			s.Value = []byte(value)
		}
		sets = append(sets, s)
	}
	if n == "" {
		return e.SetServer(ctx, actor(who), sets)
	}
	b, err := e.site.List.Lookup(ctx, n)
	if err != nil {
		return err
	}
	return e.SetMailbox(ctx, actor(who), b, sets)
}

// get is GETMETADATA of one value.
func (e *env) get(who string, n mboxname.Name, entry, attr string) string {
	e.Helper()
	q := annot.Query{Entries: []string{entry}, Attrs: annot.ParseAttrs([]string{attr})}
	as, err := e.Server(ctx, actor(who), q)
	if n != "" {
		var b *mboxlist.Entry
		if b, err = e.site.List.Lookup(ctx, n); err == nil {
			as, err = e.Mailbox(ctx, actor(who), b, q)
		}
	}
	switch {
	case err != nil:
		return err.Error()
	case len(as) == 0:
		return "nothing"
	case len(as) > 1 || len(as[0].Attrs) != 1:
		return "too much"
	case as[0].Attrs[0].Value == nil:
		return "NIL"
	}
	return string(as[0].Attrs[0].Value)
}

// TestMailboxes sets values of users' and of shared mailboxes.
func TestMailboxes(t *testing.T) {
	e := newEnv(t)
	e.create("cyrus", "board")
	for _, n := range []mboxname.Name{"user.alice", "board"} {
		if err := e.set("cyrus", n, "/shared/comment=one", "/private/comment=two", "/shared/vendor/x/count=7"); err != nil {
			t.Fatal(err)
		}
		if got := e.get("cyrus", n, "/comment", "value.shared") + e.get("cyrus", n, "/comment", "value.priv") + e.get("cyrus", n, "/vendor/x/count", "value.shared"); got != "onetwo7" {
			t.Errorf("%s: %s", n, got)
		}
		if got := e.get("cyrus", n, annot.Vendor+"annotsize", "value.shared"); got != "7" {
			t.Errorf("%s: %s octets", n, got)
		}
		if got, want := e.get("cyrus", n, annot.Vendor+"foldermodseq", "value.shared"), "4"; got != want {
			t.Errorf("%s: modseq %s, want %s", n, got, want)
		}
	}
	if got := e.get("alice", "user.alice", "/comment", "value.priv"); got != "NIL" {
		t.Errorf("alice sees the admin's %q", got)
	}
	if err := e.set("bob", "user.alice", "/private/comment=x"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a mailbox that cannot be looked up: %v", err)
	}
	if err := e.set("alice", "user.alice", "/shared/vendor/x/count=many"); !errs.Is(err, errs.BadArgument) {
		t.Errorf("not a number: %v", err)
	}
	if err := e.set("alice", "user.alice", "/shared/comment=NIL", "/shared/comment=NIL"); err != nil {
		t.Error(err)
	}
}

// TestOptions has values that are kept in the index.
func TestOptions(t *testing.T) {
	e := newEnv(t)
	const n = "user.alice"
	header := func() mailbox.IndexHeader {
		t.Helper()
		b, err := e.site.List.Lookup(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.site.Store.Open(ctx, b.Ref(), mailbox.Read)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return m.Header()
	}
	if err := e.set("alice", n, "/shared"+annot.SharedSeen+"=true", "/shared"+annot.DuplicateDeliver+"=TRUE", "/shared"+annot.Vendor+"pop3newuidl=false"); err != nil {
		t.Fatal(err)
	}
	if h := header(); h.Options != mailbox.OptSharedSeen|mailbox.OptDuplicate || h.HighestModseq != 4 {
		t.Errorf("options %x, modseq %d", h.Options, h.HighestModseq)
	}
	if err := e.set("alice", n, "/shared"+annot.Vendor+"pop3showafter=Mon, 02 Mar 2026 10:11:12 +0000", "/shared"+annot.SharedSeen+"=NIL"); err != nil {
		t.Fatal(err)
	}
	want := mailbox.StampOf(time.Date(2026, 3, 2, 10, 11, 12, 0, time.UTC))
	if h := header(); h.POP3ShowAfter != want || h.Options != mailbox.OptDuplicate {
		t.Errorf("%d, options %x", h.POP3ShowAfter, h.Options)
	}
	if err := e.set("alice", n, "/shared"+annot.Vendor+"pop3showafter=noon"); !errs.Is(err, errs.BadArgument) {
		t.Errorf("no date: %v", err)
	}
	if err := e.set("alice", n, "/shared"+annot.Vendor+"pop3showafter=NIL"); err != nil || header().POP3ShowAfter != 0 {
		t.Errorf("%v, %d", err, header().POP3ShowAfter)
	}
}

// TestQuota counts and limits what annotations use.
func TestQuota(t *testing.T) {
	e := newEnv(t)
	limits := quota.NoLimits()
	limits[quota.AnnotStorage] = 1
	if err := e.site.List.SetQuota(ctx, actor("cyrus"), "user.alice", limits, false); err != nil {
		t.Fatal(err)
	}
	used := func() int64 {
		r, err := e.site.Quota.Get(ctx, "user.alice")
		if err != nil {
			t.Fatal(err)
		}
		return r.Used[quota.AnnotStorage]
	}
	long := strings.Repeat("x", 600)
	if err := e.set("alice", "user.alice", "/shared/comment="+long); err != nil || used() != 600 {
		t.Errorf("%v, %d octets used", err, used())
	}
	if err := e.set("alice", "user.alice", "/private/comment="+long); !errs.Is(err, errs.OverQuota) || used() != 600 {
		t.Errorf("%v, %d octets used", err, used())
	}
	if err := e.set("alice", "user.alice", "/shared/comment=short", "/private/comment="+long); err != nil || used() != 605 {
		t.Errorf("%v, %d octets used", err, used())
	}
	if err := e.set("alice", "user.alice", "/shared/comment=NIL", "/private/comment=NIL"); err != nil || used() != 0 {
		t.Errorf("%v, %d octets used", err, used())
	}
}

// TestServer sets values of the server.
func TestServer(t *testing.T) {
	e := newEnv(t)
	if err := e.set("alice", "", "/shared/comment=x"); !errs.Is(err, errs.Denied) {
		t.Errorf("a user: %v", err)
	}
	if err := e.set("cyrus", "", "/shared/motd=line", "/shared/comment=c", "/private/comment=p"); err != nil {
		t.Fatal(err)
	}
	if got := e.get("alice", "", "/motd", "value.shared") + e.get("alice", "", "/comment", "value.shared") + e.get("alice", "", "/comment", "value.priv"); got != "linecNIL" {
		t.Error(got)
	}
	if b, err := disk.ReadFile(e.site.FS, "/conf/msg/motd"); err != nil || string(b) != "line\n" {
		t.Errorf("%q, %v", b, err)
	}
	for range 2 {
		if err := e.set("cyrus", "", "/shared/motd=NIL"); err != nil {
			t.Error(err)
		}
	}
	if got := e.get("alice", "", "/motd", "value.shared"); got != "NIL" {
		t.Error(got)
	}
	if got := e.get("alice", "", annot.Vendor+"usercounters", "value.priv"); got != "0 0 0 0 0 0 0 0 0 0 0 0 0" {
		t.Error(got)
	}
}

// TestFaults fails each operation of a change in turn, or all from there on, as
// for a process that is killed. Values and counters agree afterwards, with and
// without a power cut. An operation that may fail without harm is no end.
func TestFaults(t *testing.T) {
	c := configuration(t)
	for _, from := range []bool{false, true} {
		failed := 0
		for i, fine := 0, 0; fine < 20; i++ {
			m := newDisk(t, c)
			if err := change1(t, c, m, "/shared/comment=old"); err != nil {
				t.Fatal(err)
			}
			fail := disk.FailAt
			if from {
				fail = disk.FailFrom
			}
			err := change1(t, c, fail(m, i), "/shared/comment=new value", "/private/sort=x")
			for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
				e := open(t, d, c)
				got := e.get("alice", "user.alice", "/comment", "value.shared") + " " + e.get("alice", "user.alice", "/sort", "value.priv")
				size := e.get("alice", "user.alice", annot.Vendor+"annotsize", "value.shared")
				e.site.Close()
				switch {
				case got == "new value x" && size == "10":
				case err != nil && got == "old NIL" && size == "3":
				default:
					t.Errorf("fault %d, %v: %v; then %q of %s octets", i, from, err, got, size)
				}
			}
			if fine++; err != nil {
				fine = 0
				failed++
			}
		}
		if failed < 40 {
			t.Errorf("only %d operations", failed)
		}
	}
}

// change1 opens a site and changes annotations of alice's INBOX.
func change1(t testing.TB, c *config.Config, fsys disk.FS, values ...string) error {
	t.Helper()
	s, err := site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer s.Close()
	return (&env{t, New(s)}).set("alice", "user.alice", values...)
}

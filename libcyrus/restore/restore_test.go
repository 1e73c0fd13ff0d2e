package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/snapshot"
	"gocyrus/test/data"
)

var quiet = slog.New(slog.DiscardHandler)

var admin = mboxlist.Actor{Identity: acl.Identity{User: "cyrus", Admin: true}}

const sharedMode = "\nmboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n"

// openSite opens the site of a configuration in shared mode.
func openSite(t *testing.T, path, text string) *site.Site {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sample opens a sample spool.
func sample(t *testing.T, name string) *site.Site {
	t.Helper()
	path := filepath.Join(data.Unpack(t, name), "etc/imapd.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return openSite(t, path, string(text)+sharedMode)
}

// emptyLike is an empty site with the configuration of another.
func emptyLike(t *testing.T, s *site.Site) *site.Site {
	t.Helper()
	text, err := os.ReadFile(s.Config.Path())
	if err != nil {
		t.Fatal(err)
	}
	old, root := filepath.Dir(filepath.Dir(s.Config.Path())), t.TempDir()
	dirs := []string{root + "/etc", root + "/conf/db", root + "/conf/msg"}
	for _, p := range s.Layout.Partitions {
		dirs = append(dirs, strings.Replace(p, old, root, 1))
	}
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return openSite(t, root+"/etc/imapd.conf", strings.ReplaceAll(string(text), old, root))
}

// state is what clients see of a site below a name, without what restoring
// changes on purpose: modseqs and the next UID. With ids unique ids and UIDs
// are in it.
func state(t *testing.T, s *site.Site, below mboxname.Name, ids bool) map[string][]string {
	t.Helper()
	ctx := t.Context()
	out := map[string][]string{}
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if !e.Exists() || below != "" && !below.Contains(e.Name) {
			return true, nil
		}
		m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			return false, err
		}
		defer m.Close()
		h := m.Header()
		lines := []string{fmt.Sprintf("%c acl %v exists %d unseen %d root %s options %x", e.Kind(), e.ACL, h.Exists, h.Unseen, m.QuotaRoot(), h.Options&mailbox.OptSharedSeen)}
		if ids {
			lines = append(lines, fmt.Sprint(e.UniqueID, e.Partition, e.UIDValidity))
		}
		annots := map[uint32]string{}
		err = m.Annotations(ctx, func(a mailbox.Annotation) error {
			annots[a.UID] += fmt.Sprintf(" %s %s %q", a.Entry, a.User, a.Value)
			return nil
		})
		if err != nil {
			return false, err
		}
		var old seen.State
		if h.Version < 12 { // the owner's \Seen are in his seen database
			if old, err = s.Seen.Get(ctx, e.Name.Owner(), e.UniqueID); err != nil {
				return false, err
			}
		}
		var failed error
		err = m.Each(1, func(r *mailbox.Record) bool {
			if !r.Live() {
				return true
			}
			flags := r.Flags & mailbox.SystemMask
			if old.Seen.Has(r.UID) {
				flags |= mailbox.Seen
			}
			line := fmt.Sprintf("date %d flags %x guid %s size %d%s", r.InternalDate, flags, r.GUID, r.Size, annots[r.UID])
			r.User.Each(func(n int) { line += " " + m.Flags()[n] })
			if ids {
				line = fmt.Sprintf("uid %d thread %x ", r.UID, r.CID) + line
			}
			var f disk.File
			if f, failed = m.OpenMessage(r); failed == nil {
				f.Close()
			}
			lines = append(lines, line)
			return failed == nil
		})
		if err = errors.Join(err, failed); err != nil {
			return false, err
		}
		err = s.Annot.Each(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}, func(k annot.Key, v []byte) error {
			lines = append(lines, fmt.Sprintf("annotation %s %s %q", k.Entry, k.User, v))
			return nil
		})
		if err != nil {
			return false, err
		}
		slices.Sort(lines[1:])
		out[string(e.Name)] = lines
		if h.Version == mailbox.Version {
			checked(t, s, e, m)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checked looks at the files of a mailbox, not with the code that wrote them.
func checked(t *testing.T, s *site.Site, e *mboxlist.Entry, m *mailbox.Mailbox) {
	t.Helper()
	c := mailboxtest.Mailbox{FS: s.FS, Dir: filepath.Dir(m.MessagePath(&mailbox.Record{}))}
	if dir := filepath.Dir(m.MessagePath(&mailbox.Record{Flags: mailbox.Archived})); dir != c.Dir {
		c.Archive = dir
	}
	err := m.Annotations(t.Context(), func(a mailbox.Annotation) error {
		c.Annotations = append(c.Annotations, mailboxtest.Annotation{UID: a.UID, Entry: a.Entry, User: a.User, Value: string(a.Value)})
		return nil
	})
	own := annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}
	err = errors.Join(err, s.Annot.Each(t.Context(), own, func(_ annot.Key, v []byte) error {
		c.OwnAnnotations += len(v)
		return nil
	}))
	if err != nil {
		t.Error(err)
	}
	if r := c.Check(); len(r.Problems) > 0 {
		t.Errorf("%s: %q", e.Name, r.Problems)
	}
}

// audited counts the conversations of a user anew: nothing may differ.
func audited(t *testing.T, s *site.Site, user string) {
	t.Helper()
	err := s.Store.AuditConversations(t.Context(), user, nil, func(have, should *conversations.Txn) error {
		var out strings.Builder
		n, err := have.Compare(should, &out)
		if n > 0 {
			t.Errorf("conversations of %s: %s", user, &out)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// personal is what a user has besides mailboxes.
func personal(t *testing.T, s *site.Site, user string) []string {
	t.Helper()
	names, err := s.Subs.List(t.Context(), user)
	if err != nil {
		t.Error(err)
	}
	out := []string{fmt.Sprintf("%q", names)}
	err = s.Seen.Each(t.Context(), user, func(id string, st seen.State) error {
		if e, err := s.List.LookupID(t.Context(), id); err == nil && !e.Name.IsDeleted("DELETED") {
			out = append(out, fmt.Sprintf("%s %d %v", e.Name, st.LastUID, st.Seen))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	roots, err := s.Quota.Below(t.Context(), mboxname.Inbox(user))
	for _, r := range roots {
		out = append(out, fmt.Sprint(r.Name, r.Used[quota.Storage], r.Used[quota.Message], r.Limit))
	}
	slices.Sort(out)
	return append(out, fmt.Sprint(err))
}

func compare(t *testing.T, what string, got, want map[string][]string) {
	t.Helper()
	for _, n := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[n], want[n]) {
			t.Errorf("%s: %s is\n  %s\nwant\n  %s", what, n, strings.Join(got[n], "\n  "), strings.Join(want[n], "\n  "))
		}
	}
	for n := range got {
		if _, ok := want[n]; !ok {
			t.Errorf("%s: %s is too much", what, n)
		}
	}
}

// taken is a snapshot of a site.
func taken(t *testing.T, s *site.Site) (*snapshot.Dir, *snapshot.Open) {
	t.Helper()
	d := snapshot.NewDir(disk.OS(), s.Locks, t.TempDir())
	return d, another(t, s, d)
}

func another(t *testing.T, s *site.Site, d *snapshot.Dir) *snapshot.Open {
	t.Helper()
	res, err := snapshot.Take(t.Context(), s, d, snapshot.Options{Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Open(t.Context(), res.Snapshot, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// run restores, and nothing may be wrong.
func run(t *testing.T, o Options, do func(*Run) error) Totals {
	t.Helper()
	o.Warn = func(err error) { t.Errorf("warning: %v", err) }
	r := New(o)
	if err := do(r); err != nil {
		t.Fatal(err)
	}
	return r.Totals()
}

// TestAll restores samples into empty sites, twice.
func TestAll(t *testing.T) {
	for _, name := range []string{data.ByID, data.Legacy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sample(t, name)
			want := state(t, s, "", true)
			_, from := taken(t, s)
			to := emptyLike(t, s)
			o := Options{Site: to, From: from}
			all := func(r *Run) error { return r.All(t.Context()) }
			dry := o
			dry.DryRun = true
			planned := run(t, dry, all)
			if len(state(t, to, "", true)) != 0 {
				t.Error("a dry run has made mailboxes")
			}
			if did := run(t, o, all); did.Made != len(want) || did.Messages < 70 || did != planned {
				t.Errorf("%+v, planned %+v", did, planned)
			}
			compare(t, "restored", state(t, to, "", true), want)
			for _, u := range []string{"alice", "bob", "carol"} {
				if got, want := personal(t, to, u), personal(t, s, u); !slices.Equal(got, want) {
					t.Errorf("%s has %q\nwant %q", u, got, want)
				}
				audited(t, to, u)
			}
			again := run(t, o, all)
			if again.Made != 0 || again.Messages != 0 || again.There == 0 {
				t.Errorf("twice: %+v", again)
			}
			compare(t, "twice", state(t, to, "", true), want)
		})
	}
}

// TestUser deletes a user, with and without delayed deletion, and brings him
// back.
func TestUser(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		t.Run(fmt.Sprint("immediate ", immediate), func(t *testing.T) {
			t.Parallel()
			deletedUser(t, immediate)
		})
	}
}

func deletedUser(t *testing.T, immediate bool) {
	s := sample(t, data.ByID)
	ctx := t.Context()
	want, his, theirs := state(t, s, "user.alice", false), personal(t, s, "alice"), personal(t, s, "bob")
	scripts, err := s.List.Lookup(ctx, "user.alice")
	if err != nil {
		t.Fatal(err)
	}
	sieve := listing(s.Layout.UserSieveDir("alice", scripts.UniqueID, false))
	_, from := taken(t, s)
	if err := s.List.Delete(ctx, admin, "user.alice", mboxlist.DeleteOptions{Immediate: immediate, Force: true}); err != nil {
		t.Fatal(err)
	}
	if len(state(t, s, "user.alice", false)) != 0 {
		t.Fatal("still there")
	}
	o := Options{Site: s, From: from}
	did := run(t, o, func(r *Run) error { return r.User(ctx, "alice", "") })
	if did.Made != len(want) {
		t.Errorf("%+v", did)
	}
	compare(t, fmt.Sprint("user, immediate ", immediate), state(t, s, "user.alice", false), want)
	if got := personal(t, s, "alice"); !slices.Equal(got, his) {
		t.Errorf("alice has %q\nwant %q", got, his)
	}
	if got := personal(t, s, "bob"); !slices.Equal(got, theirs) {
		t.Errorf("bob has %q\nwant %q", got, theirs)
	}
	e, err := s.List.Lookup(ctx, "user.alice")
	if err != nil {
		t.Fatal(err)
	}
	if e.UIDValidity != scripts.UIDValidity || immediate != (e.UniqueID == scripts.UniqueID) {
		t.Errorf("%+v was %+v", e, scripts)
	}
	if got := listing(s.Layout.UserSieveDir("alice", e.UniqueID, false)); !slices.Equal(got, sieve) || len(got) == 0 {
		t.Errorf("scripts %q, want %q", got, sieve)
	}
	// As another user, for somebody to look at.
	run(t, o, func(r *Run) error { return r.User(ctx, "alice", "alice2") })
	copied := state(t, s, "user.alice2", false)
	if len(copied) != len(want) || len(copied["user.alice2"]) != len(want["user.alice"]) || !strings.Contains(copied["user.alice2"][0], "alice2") {
		t.Errorf("as another: %v", copied["user.alice2"])
	}
	if err := New(o).User(ctx, "nobody", ""); !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), from.Name) {
		t.Errorf("nobody: %v", err)
	}
}

func listing(dir string) (names []string) {
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, filepath.Base(path))
		}
		return nil
	})
	return names
}

// expunge expunges messages for which fn is true.
func expunge(t *testing.T, s *site.Site, n mboxname.Name, fn func(*mailbox.Record) bool) {
	t.Helper()
	e, err := s.List.Lookup(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Store.Open(t.Context(), e.Ref(), mailbox.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var all []mailbox.Record
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() && fn(r) {
			all = append(all, *r)
		}
		return true
	})
	for i := range all {
		err = errors.Join(err, m.Expunge(&all[i], ""))
	}
	if err = errors.Join(err, m.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func cleanup(t *testing.T, s *site.Site, n mboxname.Name) {
	t.Helper()
	e, err := s.List.Lookup(t.Context(), n)
	if err == nil {
		_, _, err = s.Store.Cleanup(t.Context(), e.Ref(), mailbox.CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestMailbox brings back messages that are gone into a mailbox that is there.
func TestMailbox(t *testing.T) {
	t.Parallel()
	s := sample(t, data.ByID)
	ctx := t.Context()
	want := state(t, s, "user.alice", false)["user.alice"]
	_, from := taken(t, s)
	o := Options{Site: s, From: from}
	n := 0
	expunge(t, s, "user.alice", func(*mailbox.Record) bool { n++; return n%2 == 0 })
	gone := n / 2
	cleanup(t, s, "user.alice")
	whole := func(r *Run) error { return r.Mailbox(ctx, "user.alice", "", false, nil) }
	if did := run(t, o, whole); did.Messages != gone || did.There != n-gone || did.Made != 0 {
		t.Errorf("%d of %d are gone: %+v", gone, n, did)
	}
	if got := state(t, s, "user.alice", false)["user.alice"]; !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if did := run(t, o, whole); did.Messages != 0 || did.There != n {
		t.Errorf("twice: %+v", did)
	}
	choose(t, o)
	// A folder under a new name, and the tree of it.
	run(t, o, func(r *Run) error { return r.Mailbox(ctx, "user.alice", "user.bob.found", true, nil) })
	found := state(t, s, "user.bob.found", false)
	if len(found) != len(state(t, s, "user.alice", false)) || len(found["user.bob.found"]) != len(want) {
		t.Errorf("found: %d mailboxes, %d lines, want %d", len(found), len(found["user.bob.found"]), len(want))
	}
	if err := New(o).Mailbox(ctx, "user.alice.nothing", "", false, nil); !errs.Is(err, errs.NotFound) {
		t.Errorf("no mailbox: %v", err)
	}
}

// choose brings back chosen messages.
func choose(t *testing.T, o Options) {
	t.Helper()
	ctx := t.Context()
	e, err := o.From.Site.List.Lookup(ctx, "user.alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := o.From.Site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	var recs []mailbox.Record
	var buf mailbox.CacheBuffer
	ids := map[string]int{}
	first := ""
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			recs = append(recs, *r)
			id, _ := m.MessageIDOf(r, &buf)
			if ids[id]++; first == "" {
				first = id
			}
		}
		return true
	})
	m.Close()
	if err != nil || len(recs) < 3 || first == "" {
		t.Fatal(len(recs), first, err)
	}
	guids := 0
	for _, r := range recs {
		if r.GUID == recs[1].GUID {
			guids++
		}
	}
	for i, c := range []struct {
		sel  Select
		want int
	}{
		{Select{UIDs: seen.UIDs{}.Add(recs[0].UID, recs[1].UID)}, 2},
		{Select{MessageIDs: []string{strings.Trim(first, "<>")}}, ids[first]},
		{Select{GUIDs: []mailbox.GUID{recs[1].GUID}}, guids},
		{Select{Before: time.Unix(1, 0)}, 0},
		{Select{Since: time.Unix(1, 0)}, len(recs)},
	} {
		into := mboxname.Name(fmt.Sprint("user.bob.chosen", i))
		did := run(t, o, func(r *Run) error { return r.Mailbox(ctx, "user.alice", into, false, &c.sel) })
		if did.Messages != c.want || did.Made != 1 {
			t.Errorf("%+v: %+v, want %d", c.sel, did, c.want)
		}
		if did := run(t, o, func(r *Run) error { return r.Mailbox(ctx, "user.alice", into, false, &c.sel) }); did.Messages != 0 {
			t.Errorf("%+v: twice: %+v", c.sel, did)
		}
	}
}

// TestAt brings back what was at times between and after snapshots.
func TestAt(t *testing.T) {
	t.Parallel()
	s := sample(t, data.ByID)
	ctx := t.Context()
	const box = mboxname.Name("user.bob.now")
	if _, err := s.List.Create(ctx, admin, box, mboxlist.CreateOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	// The times of the store and of snapshots are whole seconds.
	tick := func() time.Time {
		at := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(time.Until(at.Add(time.Second)))
		return at
	}
	deliver(t, s, box, "one")
	d := snapshot.NewDir(disk.OS(), s.Locks, t.TempDir())
	base := another(t, s, d)
	t0 := tick()
	deliver(t, s, box, "two")
	t1 := tick()
	expunge(t, s, box, func(r *mailbox.Record) bool { return r.UID == 1 })
	deliver(t, s, box, "three")
	t2 := tick()
	expunge(t, s, box, func(r *mailbox.Record) bool { return r.UID == 2 })
	later := another(t, s, d)
	tick()
	expunge(t, s, box, func(*mailbox.Record) bool { return true })
	cleanup(t, s, box)
	if err := s.List.Delete(ctx, admin, box, mboxlist.DeleteOptions{Force: true, Immediate: true}); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		from, later *snapshot.Open
		at          time.Time
		want        string
	}{
		{base, nil, time.Time{}, "one"},
		{base, later, t0, "one"},
		{base, later, t1, "one two"},
		{base, later, t2, "three two"},
		{later, nil, t1, "one two"},
		{later, nil, t2, "three two"},
		{later, nil, time.Time{}, "three"},
		{later, nil, t0, "one"},
	} {
		into := mboxname.Name(fmt.Sprint("user.bob.then", i))
		o := Options{Site: s, From: c.from, Later: c.later, At: c.at}
		run(t, o, func(r *Run) error { return r.Mailbox(ctx, box, into, false, nil) })
		if got := subjects(t, s, into); got != c.want {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
}

func deliver(t *testing.T, s *site.Site, n mboxname.Name, subject string) {
	t.Helper()
	e, err := s.List.Lookup(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.Store.Stage(e.Partition)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Remove()
	fmt.Fprintf(st, "Subject: %s\r\n\r\ntext\r\n", subject)
	if _, err := s.Store.Append(t.Context(), e.Ref(), []mailbox.AppendMessage{{Staged: st}}, mailbox.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// subjects is the subjects of the messages that clients see, sorted. None
// of them is marked as deleted.
func subjects(t *testing.T, s *site.Site, n mboxname.Name) string {
	t.Helper()
	e, err := s.List.Lookup(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Store.Open(t.Context(), e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var out []string
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			b, _ := disk.ReadFile(s.FS, m.MessagePath(r))
			subject, _, _ := strings.Cut(strings.TrimPrefix(string(b), "Subject: "), "\r\n")
			out = append(out, subject+map[bool]string{true: " deleted"}[r.Flags.Has(mailbox.Deleted)])
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestQuota refuses what has no room, unless that is not to matter.
func TestQuota(t *testing.T) {
	t.Parallel()
	s := sample(t, data.ByID)
	ctx := t.Context()
	_, from := taken(t, s)
	limits := quota.NoLimits()
	limits[quota.Message] = 1
	if _, err := s.Quota.SetLimits(ctx, "user.carol", limits); err != nil {
		t.Fatal(err)
	}
	o := Options{Site: s, From: from}
	do := func(r *Run) error { return r.Mailbox(ctx, "user.alice", "user.carol.much", false, nil) }
	if err := do(New(o)); !errs.Is(err, errs.OverQuota) || !strings.Contains(err.Error(), "--ignore-quota") {
		t.Errorf("%v", err)
	}
	if _, err := s.List.Lookup(ctx, "user.carol.much"); !errs.Is(err, errs.NotFound) {
		t.Errorf("it was made: %v", err)
	}
	o.IgnoreQuota = true
	if did := run(t, o, do); did.Made != 1 || did.Messages < 3 {
		t.Errorf("%+v", did)
	}
}

func TestParseGUID(t *testing.T) {
	want := mailbox.GUID{0xab, 19: 1}
	if g, err := ParseGUID("AB00000000000000000000000000000000000001"); g != want || err != nil {
		t.Errorf("%v, %v", g, err)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("0", 41), strings.Repeat("x", 40)} {
		if _, err := ParseGUID(bad); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

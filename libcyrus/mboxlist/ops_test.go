package mboxlist_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
)

// TestUIDValidity makes and deletes a mailbox again and again within one
// second: its UIDVALIDITY and unique id never come again.
func TestUIDValidity(t *testing.T) {
	for _, mode := range []string{"delayed", "immediate"} {
		s := newSite(t, "delete_mode: "+mode+"\n")
		alice := user("alice")
		seenV, seenID := map[uint32]bool{}, map[string]bool{}
		for range 5 {
			e, err := s.List.Create(ctx, alice, "user.alice.x", mboxlist.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if seenV[e.UIDValidity] || seenID[e.UniqueID] {
				t.Errorf("%s: UIDVALIDITY %d or id %s came again", mode, e.UIDValidity, e.UniqueID)
			}
			seenV[e.UIDValidity], seenID[e.UniqueID] = true, true
			if err := s.List.Delete(ctx, alice, "user.alice.x", mboxlist.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		deleted := 0
		for _, n := range all(t, s) {
			if n.IsDeleted("DELETED") {
				deleted++
			}
		}
		if want := map[string]int{"delayed": 5, "immediate": 0}[mode]; deleted != want {
			t.Errorf("%s: %d deleted mailboxes are kept", mode, deleted)
		}
	}
}

// TestFinalDelete removes a deleted mailbox for good: nothing is left of it.
func TestFinalDelete(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.x")
	e, err := s.List.Lookup(ctx, "user.alice.x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.List.Delete(ctx, user("alice"), "user.alice.x", mboxlist.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	gone, err := s.List.LookupID(ctx, e.UniqueID)
	if err != nil || !gone.Name.IsDeleted("DELETED") || len(gone.History) != 1 || gone.History[0].Name != "user.alice.x" {
		t.Fatalf("%+v, %v", gone, err)
	}
	if err := s.List.Delete(ctx, admin, gone.Name, mboxlist.DeleteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	for _, find := range []func() (*mboxlist.Entry, error){
		func() (*mboxlist.Entry, error) { return s.List.Find(ctx, gone.Name) },
		func() (*mboxlist.Entry, error) { return s.List.LookupID(ctx, e.UniqueID) },
	} {
		if e, err := find(); !errs.Is(err, errs.NotFound) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if _, serr := s.FS.Stat(dir); err != nil || serr == nil {
		t.Errorf("the directory is still there: %v", err)
	}
}

// TestDeleteUser deletes a user: his mailboxes wait below DELETED, his data
// is gone, and a new user of his name starts with nothing.
func TestDeleteUser(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.x.y")
	if err := s.List.Subscribe(ctx, user("alice"), "user.alice.x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Seen.Set(ctx, "alice", "abc", seen.State{LastUID: 1}); err != nil {
		t.Fatal(err)
	}
	limit := quota.NoLimits()
	limit[quota.Storage] = 10
	if err := s.List.SetQuota(ctx, admin, "user.alice", limit, false); err != nil {
		t.Fatal(err)
	}
	if err := s.List.SetACL(ctx, admin, "user.alice", "cyrus", "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.List.Delete(ctx, admin, "user.alice", mboxlist.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, n := range all(t, s) {
		if n != "user.bob" {
			left = append(left, string(n.Undeleted("DELETED")))
		}
	}
	if want := []string{"user.alice", "user.alice.x", "user.alice.x.y"}; !slices.Equal(left, want) {
		t.Errorf("left: %q", left)
	}
	create(t, s, admin, "user.alice")
	if names, err := s.Subs.List(ctx, "alice"); err != nil || len(names) > 0 {
		t.Errorf("subscriptions: %q, %v", names, err)
	}
	if _, err := s.Quota.Get(ctx, "user.alice"); !errs.Is(err, errs.QuotaNotFound) {
		t.Errorf("quota: %v", err)
	}
}

// TestRenameUserFiles renames a user with legacy directories: what belongs
// to him goes with him.
func TestRenameUserFiles(t *testing.T) {
	for _, conf := range []string{"", "mailbox_legacy_dirs: yes\n"} {
		s := newSite(t, conf+"allowusermoves: yes\n")
		create(t, s, user("alice"), "user.alice.x")
		if err := s.List.Subscribe(ctx, user("alice"), "user.alice.x"); err != nil {
			t.Fatal(err)
		}
		if err := s.Seen.Set(ctx, "alice", "abc", seen.State{LastUID: 7}); err != nil {
			t.Fatal(err)
		}
		limit := quota.NoLimits()
		limit[quota.Storage] = 10
		if err := s.List.SetQuota(ctx, admin, "user.alice", limit, false); err != nil {
			t.Fatal(err)
		}
		if err := s.List.SetACL(ctx, user("alice"), "user.alice.x", "bob", "lr"); err != nil {
			t.Fatal(err)
		}
		if err := s.List.Rename(ctx, admin, "user.alice", "user.fred", mboxlist.RenameOptions{}); err != nil {
			t.Fatal(err)
		}
		e, err := s.List.Lookup(ctx, "user.fred.x")
		if err != nil || e.ACL.String() != "fred\tlrswipkxtecdan\tbob\tlr\t" {
			t.Errorf("%+v, %v", e, err)
		}
		if names, err := s.Subs.List(ctx, "fred"); err != nil || !slices.Equal(names, []mboxname.Name{"user.fred.x"}) {
			t.Errorf("%q: subscriptions %q, %v", conf, names, err)
		}
		if st, err := s.Seen.Get(ctx, "fred", "abc"); err != nil || st.LastUID != 7 {
			t.Errorf("%q: seen %+v, %v", conf, st, err)
		}
		r, err := s.Quota.Get(ctx, "user.fred")
		if err != nil || r.Limit != limit || r.Used[quota.NumFolders] != 2 {
			t.Errorf("%q: quota %+v, %v", conf, r, err)
		}
		if _, err := s.Quota.Get(ctx, "user.alice"); !errs.Is(err, errs.QuotaNotFound) {
			t.Errorf("%q: old quota root: %v", conf, err)
		}
		checkHeader(t, s, "user.fred.x", "fred\tlrswipkxtecdan\tbob\tlr\t", "user.fred")
	}
}

// checkHeader compares cyrus.header of a mailbox with the list.
func checkHeader(t *testing.T, s *site.Site, n mboxname.Name, list string, root mboxname.Name) {
	t.Helper()
	e, err := s.List.Lookup(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	if box.ACL() != list || box.HeaderName() != n || box.QuotaRoot() != root || box.UniqueID() != e.UniqueID {
		t.Errorf("%s: header has %q, %s, root %s", n, box.ACL(), box.HeaderName(), box.QuotaRoot())
	}
}

// TestPartition moves a user's mailboxes, with their messages.
func TestPartition(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.x")
	d := &dialog{t: t, s: s, who: user("alice")}
	if err := d.append("user.alice.x"); err != nil {
		t.Fatal(err)
	}
	var moved []mboxname.Name
	o := mboxlist.RenameOptions{Partition: "two", Moved: func(_, to mboxname.Name) { moved = append(moved, to) }}
	if err := s.List.Rename(ctx, admin, "user.alice", "user.alice", o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(moved, []mboxname.Name{"user.alice", "user.alice.x"}) {
		t.Errorf("%q", moved)
	}
	e, err := s.List.Lookup(ctx, "user.alice.x")
	if err != nil || e.Partition != "two" {
		t.Fatalf("%+v, %v", e, err)
	}
	box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	r, err := box.Record(1)
	if err != nil || r.UID != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	f, err := box.OpenMessage(&r)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestRenameInbox moves the messages of an INBOX to a new mailbox.
func TestRenameInbox(t *testing.T) {
	s := newSite(t, "")
	alice := user("alice")
	if err := s.List.Rename(ctx, alice, "user.alice", "user.alice.empty", mboxlist.RenameOptions{}); !errs.Is(err, errs.NoSuchMessage) {
		t.Errorf("an empty INBOX: %v", err)
	}
	d := &dialog{t: t, s: s, who: alice}
	if err := errors.Join(d.append("user.alice"), d.append("user.alice")); err != nil {
		t.Fatal(err)
	}
	if err := s.List.Rename(ctx, alice, "user.alice", "user.alice.old", mboxlist.RenameOptions{}); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[mboxname.Name]uint32{"user.alice": 0, "user.alice.old": 2} {
		e, err := s.List.Lookup(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			t.Fatal(err)
		}
		if got := box.Header().Exists; got != want {
			t.Errorf("%s: %d messages", n, got)
		}
		box.Close()
	}
}

const autocreate = `autocreate_quota: 1000
autocreate_quota_messages: 50
autocreate_inbox_folders: Sent|Drafts | Trash|a.b
autocreate_subscribe_folders: Sent|Nosuch
xlist-sent: Sent
autocreate_acl: Sent anyone lr
autocreate_subscribe_sharedfolders: shared | nosuch
`

func TestAutocreate(t *testing.T) {
	s := newSite(t, autocreate)
	create(t, s, admin, "shared")
	if _, err := s.List.Inbox(ctx, user("new"), true); !errs.Is(err, errs.NotFound) {
		t.Errorf("without autocreate_post: %v", err)
	}
	e, err := s.List.Inbox(ctx, user("new"), false)
	if err != nil || e.Name != "user.new" {
		t.Fatalf("%+v, %v", e, err)
	}
	want := []mboxname.Name{"shared", "user.alice", "user.bob", "user.new", "user.new.Drafts", "user.new.Sent", "user.new.Trash", "user.new.a", "user.new.a.b"}
	if got := all(t, s); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, err := s.Subs.List(ctx, "new"); err != nil || !slices.Equal(got, []mboxname.Name{"shared", "user.new", "user.new.Sent"}) {
		t.Errorf("subscriptions %q, %v", got, err)
	}
	r, err := s.Quota.Get(ctx, "user.new")
	if err != nil || r.Limit[quota.Storage] != 1000 || r.Limit[quota.Message] != 50 || r.Used[quota.NumFolders] != 6 {
		t.Errorf("quota %+v, %v", r, err)
	}
	if e, err := s.List.SpecialUse(ctx, "new", `\Sent`); err != nil || e.Name != "user.new.Sent" || e.ACL.Get("anyone") != "lr" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, who := range []mboxlist.Actor{admin, user("anonymous"), user("")} {
		if _, err := s.List.Inbox(ctx, who, false); err == nil {
			t.Errorf("an INBOX for %q", who.User)
		}
	}
}

// TestHidden: what somebody may not look up does not exist for him, whatever
// he tries.
func TestHidden(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.secret")
	bob := user("bob")
	for what, err := range map[string]error{
		"delete":      s.List.Delete(ctx, bob, "user.alice.secret", mboxlist.DeleteOptions{}),
		"delete user": s.List.Delete(ctx, bob, "user.alice", mboxlist.DeleteOptions{}),
		"rename":      s.List.Rename(ctx, bob, "user.alice.secret", "user.bob.x", mboxlist.RenameOptions{}),
		"setacl":      s.List.SetACL(ctx, bob, "user.alice.secret", "bob", "lr"),
		"subscribe":   s.List.Subscribe(ctx, bob, "user.alice.secret"),
	} {
		if !errs.Is(err, errs.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// the same answer whether or not it exists
	for _, n := range []mboxname.Name{"user.alice.secret", "user.alice.nosuch", "user.nobody.x"} {
		if _, err := s.List.Create(ctx, bob, n, mboxlist.CreateOptions{}); !errs.Is(err, errs.Denied) {
			t.Errorf("create %s: %v", n, err)
		}
		if err := s.List.Rename(ctx, bob, "user.bob", n, mboxlist.RenameOptions{}); !errs.Is(err, errs.Denied) {
			t.Errorf("rename to %s: %v", n, err)
		}
		if _, _, err := s.List.ListRights(ctx, bob, n, "bob", true); !errs.Is(err, errs.NotFound) {
			t.Errorf("listrights %s: %v", n, err)
		}
	}
}

// TestDomainAdmin: an admin whose id has a domain is one only there.
func TestDomainAdmin(t *testing.T) {
	s := newSite(t, "virtdomains: userid\ndefaultdomain: example.com\n")
	local := mboxlist.Actor{Identity: acl.Identity{User: "boss@dom.test", Admin: true}}
	create(t, s, local, "dom.test!user.x")
	if _, err := s.List.Create(ctx, local, "user.y", mboxlist.CreateOptions{}); !errs.Is(err, errs.Denied) {
		t.Errorf("in another domain: %v", err)
	}
	if e, err := s.List.Lookup(ctx, "user.alice"); err != nil || s.List.Rights(local, e) != acl.None {
		t.Errorf("rights in another domain: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	s := newSite(t, "anyoneuseracl: no\ndelete_unsubscribe: yes\nspecialuse_nochildren: \\Trash\n")
	alice := user("alice")
	create(t, s, alice, "user.alice.x")
	if err := s.List.SetACL(ctx, alice, "user.alice.x", "anyone", "lr"); !errs.Is(err, errs.Denied) {
		t.Errorf("anyoneuseracl: %v", err)
	}
	if err := s.List.SetACL(ctx, alice, "user.alice.x", "bob", "lr"); err != nil {
		t.Error(err)
	}
	if err := s.List.Subscribe(ctx, alice, "user.alice.x"); err != nil {
		t.Error(err)
	}
	if err := s.List.Delete(ctx, alice, "user.alice.x", mboxlist.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if has, err := s.Subs.Has(ctx, "alice", "user.alice.x"); has || err != nil {
		t.Errorf("delete_unsubscribe: %v", err)
	}
	if _, err := s.List.Create(ctx, alice, "user.alice.bin", mboxlist.CreateOptions{SpecialUse: []string{`\trash`}}); err != nil {
		t.Error(err)
	}
	if _, err := s.List.Create(ctx, alice, "user.alice.bin.x", mboxlist.CreateOptions{}); !errs.Is(err, errs.Denied) {
		t.Errorf("specialuse_nochildren: %v", err)
	}
	s2 := newSite(t, "allowsetacl: no\n")
	if err := s2.List.SetACL(ctx, alice, "user.alice", "bob", "lr"); !errs.Is(err, errs.Denied) {
		t.Errorf("allowsetacl: %v", err)
	}
}

// TestQuotaRoots sets and removes roots in the middle of a tree.
func TestQuotaRoots(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.x.y")
	d := &dialog{t: t, s: s, who: user("alice")}
	if err := d.append("user.alice.x.y"); err != nil {
		t.Fatal(err)
	}
	used := func(root mboxname.Name) quota.Usage {
		t.Helper()
		r, err := s.Quota.Get(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		return r.Used
	}
	limit := quota.NoLimits()
	for _, root := range []mboxname.Name{"user.alice", "user.alice.x"} {
		if err := s.List.SetQuota(ctx, admin, root, limit, false); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := used("user.alice"), used("user.alice.x"); a != (quota.Usage{0, 0, 0, 1}) || b != (quota.Usage{20, 1, 0, 2}) {
		t.Errorf("%v, %v", a, b)
	}
	// make it wrong, and have it counted
	if err := s.Quota.Update(ctx, "user.alice.x", "user.alice.x", quota.Usage{500, 5}); err != nil {
		t.Fatal(err)
	}
	if was, is, err := s.List.Recount(ctx, "user.alice.x"); err != nil || was != (quota.Usage{520, 6, 0, 2}) || is != (quota.Usage{20, 1, 0, 2}) {
		t.Errorf("%v, %v, %v", was, is, err)
	}
	if err := s.List.RemoveQuota(ctx, admin, "user.alice.x"); err != nil {
		t.Fatal(err)
	}
	if a := used("user.alice"); a != (quota.Usage{20, 1, 0, 3}) {
		t.Errorf("%v", a)
	}
	checkHeader(t, s, "user.alice.x.y", "alice\tlrswipkxtecdan\t", "user.alice")
	if err := s.List.SetQuota(ctx, user("alice"), "user.alice", limit, false); !errs.Is(err, errs.Denied) {
		t.Errorf("a user sets his quota: %v", err)
	}
	if err := s.List.SetQuota(ctx, admin, "user.nosuch", limit, false); !errs.Is(err, errs.NotFound) {
		t.Errorf("no mailbox: %v", err)
	}
}

// TestTogether lets many make, rename and delete mailboxes at once: the list
// stays whole.
func TestTogether(t *testing.T) {
	s := newSite(t, "delete_mode: immediate\n")
	alice := user("alice")
	expected := []errs.Kind{errs.Exists, errs.NotFound, errs.HasChildren, errs.Denied}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i := range 8 {
				n := mboxname.Name("user.alice.x" + strings.Repeat("x", i%3))
				for _, err := range []error{
					justErr(s.List.Create(ctx, alice, n, mboxlist.CreateOptions{})),
					s.List.Rename(ctx, alice, n, n+"-r", mboxlist.RenameOptions{}),
					s.List.SetACL(ctx, alice, n+"-r", "bob", "+l"),
					s.List.Delete(ctx, alice, n+"-r", mboxlist.DeleteOptions{}),
				} {
					if err != nil && !slices.Contains(expected, errs.KindOf(err)) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	consistent(t, s)
}

func justErr(_ *mboxlist.Entry, err error) error { return err }

// consistent checks that list, unique ids and headers agree.
func consistent(t *testing.T, s *site.Site) {
	t.Helper()
	for _, n := range all(t, s) {
		e, err := s.List.Lookup(ctx, n)
		if err != nil {
			t.Error(err)
			continue
		}
		if byID, err := s.List.LookupID(ctx, e.UniqueID); err != nil || byID.Name != n || byID.ACL.String() != e.ACL.String() {
			t.Errorf("%s: by id %+v, %v", n, byID, err)
		}
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		if box.HeaderName() != n || box.Header().UIDValidity != e.UIDValidity {
			t.Errorf("%s: header has %s, %d", n, box.HeaderName(), box.Header().UIDValidity)
		}
		box.Close()
	}
}

// TestFaults fails each disk operation of each change of the list in turn,
// and looks at the site after a restart, with and without a power cut: each
// mailbox is there under its old name or the new one, whole.
func TestFaults(t *testing.T) {
	for name, change := range map[string]func(s *site.Site) error{
		"create": func(s *site.Site) error {
			return justErr(s.List.Create(ctx, user("alice"), "user.alice.new.deep", mboxlist.CreateOptions{}))
		},
		"rename": func(s *site.Site) error {
			return s.List.Rename(ctx, user("alice"), "user.alice.x", "user.alice.z", mboxlist.RenameOptions{})
		},
		"delete": func(s *site.Site) error {
			return s.List.Delete(ctx, user("alice"), "user.alice.x.y", mboxlist.DeleteOptions{Immediate: true})
		},
		"delayed delete": func(s *site.Site) error {
			return s.List.Delete(ctx, user("alice"), "user.alice.x.y", mboxlist.DeleteOptions{})
		},
		"setacl": func(s *site.Site) error { return s.List.SetACL(ctx, user("alice"), "user.alice.x", "bob", "lr") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFaults(t, change)
		})
	}
}

func testFaults(t *testing.T, change func(s *site.Site) error) {
	for i := range 2000 {
		m := newDisk(t)
		if err := m.SyncDir("/"); err != nil {
			t.Fatal(err)
		}
		s := openOn(t, m, "")
		create(t, s, admin, "user.alice", "user.bob")
		create(t, s, user("alice"), "user.alice.x.y")
		s.Close()
		s, err := tryOpen(disk.FailAt(m, i), "")
		if err == nil {
			err = change(s)
			s.Close()
		}
		for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			s := openOn(t, d, "")
			consistentOrGone(t, s, i, err)
			if err != nil {
				if again := change(s); again != nil && !errs.Is(again, errs.NotFound) && !errs.Is(again, errs.Exists) {
					t.Errorf("fault %d (%v): repeated: %v", i, err, again)
				}
			}
			s.Close()
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Logf("fault %d: %v", i, err) // hidden by something that says its own
		}
	}
	t.Error("no end")
}

// consistentOrGone is consistent, but the header may be behind the list.
func consistentOrGone(t *testing.T, s *site.Site, i int, failed error) {
	t.Helper()
	names := all(t, s)
	for _, n := range []mboxname.Name{"user.alice", "user.bob"} {
		if !slices.Contains(names, n) {
			t.Errorf("fault %d (%v): %s is lost", i, failed, n)
		}
	}
	for _, n := range names {
		e, err := s.List.Lookup(ctx, n)
		if err != nil {
			t.Errorf("fault %d (%v): %v", i, failed, err)
			continue
		}
		if byID, err := s.List.LookupID(ctx, e.UniqueID); err != nil || byID.Name != n {
			t.Errorf("fault %d (%v): %s by id: %+v, %v", i, failed, n, byID, err)
		}
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
		if err != nil {
			t.Errorf("fault %d (%v): %s: %v", i, failed, n, err)
			continue
		}
		box.Close()
	}
}

// TestRenameOntoOldName gives a mailbox the name of one that was deleted: a
// client must not take its messages for those that it remembers.
func TestRenameOntoOldName(t *testing.T) {
	s := newSite(t, "")
	create(t, s, user("alice"), "user.alice.a", "user.alice.b")
	validity := func(n mboxname.Name) uint32 {
		e, err := s.List.Lookup(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return e.UIDValidity
	}
	a, b := validity("user.alice.a"), validity("user.alice.b")
	if err := s.List.Delete(ctx, user("alice"), "user.alice.b", mboxlist.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	rename := func(from, to mboxname.Name) {
		t.Helper()
		if err := s.List.Rename(ctx, user("alice"), from, to, mboxlist.RenameOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	rename("user.alice.a", "user.alice.b")
	if got := validity("user.alice.b"); got <= b {
		t.Errorf("UIDVALIDITY %d, of the deleted one %d", got, b)
	}
	rename("user.alice.b", "user.alice.c")
	moved := validity("user.alice.c")
	rename("user.alice.c", "user.alice.b")
	if got := validity("user.alice.b"); got != moved || got <= a {
		t.Errorf("UIDVALIDITY %d of the mailbox that came back, was %d", got, moved)
	}
}

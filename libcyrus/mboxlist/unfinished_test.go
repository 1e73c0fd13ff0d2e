package mboxlist_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
)

// operations is what a crash must not halve.
var operations = map[string]func(s *site.Site) error{
	"create": func(s *site.Site) error {
		return justErr(s.List.Create(ctx, user("alice"), "user.alice.new.deep.er", mboxlist.CreateOptions{SpecialUse: []string{`\Trash`}}))
	},
	"create user": func(s *site.Site) error {
		return justErr(s.List.Create(ctx, admin, "user.carol", mboxlist.CreateOptions{}))
	},
	"rename": func(s *site.Site) error {
		return s.List.Rename(ctx, user("alice"), "user.alice.x", "user.alice.p.w", mboxlist.RenameOptions{})
	},
	"rename INBOX": func(s *site.Site) error {
		return s.List.Rename(ctx, user("alice"), "user.alice", "user.alice.p.old", mboxlist.RenameOptions{})
	},
	"rename below itself": func(s *site.Site) error {
		return s.List.Rename(ctx, user("alice"), "user.alice.x", "user.alice.x.a.b", mboxlist.RenameOptions{})
	},
	"rename user": func(s *site.Site) error {
		return s.List.Rename(ctx, admin, "user.alice", "user.fred", mboxlist.RenameOptions{})
	},
	"partition": func(s *site.Site) error {
		return s.List.Rename(ctx, admin, "user.alice", "user.alice", mboxlist.RenameOptions{Partition: "two"})
	},
	"delete": func(s *site.Site) error {
		return s.List.Delete(ctx, user("alice"), "user.alice.x.y", mboxlist.DeleteOptions{})
	},
	"delete user": func(s *site.Site) error {
		return s.List.Delete(ctx, admin, "user.alice", mboxlist.DeleteOptions{Force: true})
	},
}

// TestCrash kills each change at each operation that changes something on the
// disk, and then opens the site anew, with and without a
// power cut: the change was made or was not, as a whole, and nothing is left
// over.
func TestCrash(t *testing.T) {
	confs := map[string]string{
		"by id": "allowusermoves: yes\n", "at once": "allowusermoves: yes\ndelete_mode: immediate\n",
		"by name":   "allowusermoves: yes\nmailbox_legacy_dirs: yes\n",
		"conversed": "allowusermoves: yes\nconversations: yes\n",
		"spread":    "allowusermoves: yes\nmailbox_legacy_dirs: yes\ndelete_mode: immediate\nmetapartition-default: /meta\nmetapartition_files: header index cache\narchive_enabled: yes\narchivepartition-default: /archive\narchivepartition-two: /archive\n",
	}
	for conf, text := range confs {
		for name, change := range operations {
			t.Run(conf+"/"+name, func(t *testing.T) {
				t.Parallel()
				step := 12
				switch {
				case *every:
					step = 1
				case raced && conf != "by id":
					step = 36
				case raced:
					step = 6
				case conf == "by id":
					step = 1
				}
				crash(t, text, change, step)
			})
		}
	}
}

func crash(t *testing.T, conf string, change func(s *site.Site) error, step int) {
	base := furnished(t, conf)
	openOn(t, base, conf).Close() // recoveries of databases
	before := picture(t, base.Crash(0), conf, -1)
	done := base.Crash(0)
	s := openOn(t, done, conf)
	if err := change(s); err != nil {
		t.Fatal(err)
	}
	s.Close()
	after := picture(t, done, conf, -1)
	if slices.Equal(before, after) {
		t.Fatalf("nothing changes: %q", before)
	}
	for i := len(t.Name()) % step; ; i += step {
		m := base.Crash(0)
		s, err := tryOpen(disk.KillAt(m, i), conf)
		if err == nil {
			err = change(s)
			s.Close()
		}
		for cut, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			got := picture(t, d, conf, i)
			if !slices.Equal(got, after) && (err == nil || !slices.Equal(got, before)) {
				t.Errorf("fault %d (power cut: %v): %v; then\n%s\nbefore\n%s\nafter\n%s", i, cut == 1, err,
					strings.Join(got, "\n"), strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
		}
		if err == nil || t.Failed() {
			return
		}
	}
}

// every is what TestCrash does not do by default, for it takes a minute: it tries
// each operation only where mailboxes are kept by unique id, of the others every
// twelfth; with the race detector every sixth and every 36th.
var every = flag.Bool("every", false, "try a kill at each operation in all configurations")

// furnished is a site whose user alice has something of everything.
func furnished(t *testing.T, conf string) *disk.Mem {
	t.Helper()
	m := newDisk(t)
	for _, d := range []string{"/meta", "/archive"} {
		if err := m.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	s := openOn(t, m, conf)
	create(t, s, admin, "user.alice", "user.bob")
	limit := quota.NoLimits()
	limit[quota.Storage] = 10
	for _, root := range []mboxname.Name{"user.alice", "user.alice.z"} {
		if root != "user.alice" {
			create(t, s, user("alice"), "user.alice.x.y", "user.alice.z")
		}
		if err := s.List.SetQuota(ctx, admin, root, limit, false); err != nil {
			t.Fatal(err)
		}
	}
	d := &dialog{t: t, s: s, who: user("alice")}
	for _, n := range []mboxname.Name{"user.alice", "user.alice.x", "user.alice.x.y", "user.alice.z"} {
		if err := d.append(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.List.Subscribe(ctx, user("alice"), "user.alice.x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Seen.Set(ctx, "alice", "abc", seen.State{LastUID: 7}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	return m
}

// picture is a site in lines: what the list has, with headers and messages,
// quota roots, users' data, and what lies on the disk beside it. Unique ids and
// times do not show. What must never be is an error.
func picture(t *testing.T, m *disk.Mem, conf string, fault int) (lines []string) {
	t.Helper()
	s := openOn(t, m, conf)
	defer s.Close()
	dirs := map[string]bool{}
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Has(mboxlist.Intermediate) {
			lines = append(lines, "intermediate "+string(e.Name))
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all(t, s) {
		e, err := s.List.Lookup(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if byID, err := s.List.LookupID(ctx, e.UniqueID); err != nil || byID.Name != n {
			t.Errorf("fault %d: %s by id: %+v, %v", fault, n, byID, err)
		}
		lines = append(lines, pictureBox(t, s, e, fault))
		of, err := s.Layout.Dirs(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range of {
			dirs[d] = true
		}
	}
	roots, err := s.Quota.Below(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roots {
		if was, is, err := s.List.Recount(ctx, r.Name); err != nil || was != is {
			t.Errorf("fault %d: use of %s is %v, and was thought to be %v (%v)", fault, r.Name, is, was, err)
		}
		lines = append(lines, "root "+string(r.Name))
	}
	for _, u := range []string{"alice", "fred"} {
		names, err := s.Subs.List(ctx, u)
		if err != nil {
			t.Error(err)
		}
		st, err := s.Seen.Get(ctx, u, "abc")
		if err != nil {
			t.Error(err)
		}
		lines = append(lines, strings.TrimSpace(u+" "+strings.Join(strs(names), " ")+map[bool]string{true: " seen"}[st.LastUID == 7]))
	}
	if s.Conversations != nil {
		for _, u := range []string{"alice", "fred"} {
			auditConversations(t, s, u, fault)
		}
	}
	for _, top := range []string{"/spool", "/spool2", "/meta", "/archive"} {
		unlisted(t, m, top, dirs, fault)
	}
	if left, _ := m.ReadDir("/conf/unfinished"); len(left) > 0 {
		t.Errorf("fault %d: %d operations are still written down", fault, len(left))
	}
	return lines
}

// auditConversations compares a user's conversations with his mailboxes.
func auditConversations(t *testing.T, s *site.Site, user string, fault int) {
	t.Helper()
	err := s.Store.AuditConversations(ctx, user, nil, func(have, should *conversations.Txn) error {
		var text strings.Builder
		n, err := have.Compare(should, &text)
		if n > 0 {
			t.Errorf("fault %d: conversations of %s have %d differences:\n%s", fault, user, n, text.String())
		}
		return err
	})
	if err != nil {
		t.Errorf("fault %d: conversations of %s: %v", fault, user, err)
	}
}

func strs(names []mboxname.Name) (out []string) {
	for _, n := range names {
		out = append(out, string(n))
	}
	return out
}

// pictureBox is one mailbox; its header must be what the list says.
func pictureBox(t *testing.T, s *site.Site, e *mboxlist.Entry, fault int) string {
	t.Helper()
	box, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Errorf("fault %d: %s: %v", fault, e.Name, err)
		return ""
	}
	defer box.Close()
	root, err := s.Quota.FindRoot(ctx, e.Name)
	if err != nil || box.HeaderName() != e.Name || box.ACL() != e.ACL.String() || box.QuotaRoot() != root || box.Header().UIDValidity != e.UIDValidity {
		t.Errorf("fault %d: %s: header has %s, %q, root %s (not %s), %d (not %d) %v", fault, e.Name, box.HeaderName(), box.ACL(), box.QuotaRoot(), root,
			box.Header().UIDValidity, e.UIDValidity, err)
	}
	messages := 0
	err = box.Each(1, func(r *mailbox.Record) bool {
		f, err := box.OpenMessage(r)
		if err != nil {
			t.Errorf("fault %d: %s: %v", fault, e.Name, err)
			return false
		}
		f.Close()
		messages++
		return true
	})
	if err != nil {
		t.Error(err)
	}
	uses, err := s.List.SpecialUses(ctx, e)
	if err != nil {
		t.Error(err)
	}
	name := string(e.Name)
	if e.Name.IsDeleted("DELETED") {
		name = "deleted " + string(e.Name.Undeleted("DELETED"))
	}
	return strings.TrimSpace(strings.Join([]string{name, e.Partition, strings.Repeat("*", messages), strings.Join(uses, " "), strings.TrimSpace(e.ACL.String())}, " "))
}

// unlisted looks for files of mailboxes in directories that no mailbox has.
func unlisted(t *testing.T, m *disk.Mem, dir string, known map[string]bool, fault int) {
	t.Helper()
	entries, err := m.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.IsDir() && e.Name() != "stage.":
			unlisted(t, m, filepath.Join(dir, e.Name()), known, fault)
		case !e.IsDir() && !known[dir]:
			t.Errorf("fault %d: %s/%s belongs to no mailbox", fault, dir, e.Name())
		}
	}
}

// TestRefused: an operation that is refused is not finished later.
func TestRefused(t *testing.T) {
	s := newSite(t, "allowusermoves: yes\n")
	create(t, s, user("alice"), "user.alice.x", "user.alice.y")
	if err := s.List.Rename(ctx, user("alice"), "user.alice.x", "user.alice.y", mboxlist.RenameOptions{}); !errs.Is(err, errs.Exists) {
		t.Errorf("%v", err)
	}
	if err := s.List.Delete(ctx, user("alice"), "user.alice.y", mboxlist.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.List.Resume(ctx)
	if got := all(t, s); !slices.Contains(got, "user.alice.x") || slices.Contains(got, "user.alice.y") {
		t.Errorf("%q", got)
	}
	if left, err := s.FS.ReadDir("/conf/unfinished"); err != nil || len(left) > 0 {
		t.Errorf("%d operations are written down, %v", len(left), err)
	}
}

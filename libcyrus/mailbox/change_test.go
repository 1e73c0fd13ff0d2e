package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

func TestRewrite(t *testing.T) {
	e := memEnv(t)
	someMail(3)(e)
	m := e.open(inbox, Write)
	flag, err := m.AddFlag("$Forwarded", ClientUserFlags)
	if err != nil {
		t.Fatal(err)
	}
	for recno := uint32(1); recno <= 3; recno++ {
		r, err := m.Record(recno)
		if err != nil {
			t.Fatal(err)
		}
		r.Flags |= Seen
		r.User.Set(flag)
		if err := m.Rewrite(&r); err != nil {
			t.Fatal(err)
		}
		// What was changed is seen before it is committed.
		again, err := m.Record(recno)
		if err != nil || again != r || r.Modseq != uint64(4+recno) {
			t.Errorf("record %d: %+v, want %+v (%v)", recno, again, r, err)
		}
	}
	if h := m.Header(); h.Unseen != 0 || h.HighestModseq != 7 {
		t.Errorf("unseen %d, modseq %d", h.Unseen, h.HighestModseq)
	}
	if err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	for i, x := range e.check(inbox).Messages {
		if Flags(x.Flags) != Seen || x.Modseq != uint64(5+i) || !slices.Equal(x.Keywords, []string{"$Forwarded"}) {
			t.Errorf("%+v", x)
		}
	}
}

func TestCloseDiscards(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	m := e.open(inbox, Write)
	r, _ := m.Record(1)
	r.Flags |= Deleted
	if err := m.Rewrite(&r); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if x := e.check(inbox).Messages[0]; x.Flags != 0 {
		t.Errorf("flags %x", x.Flags)
	}
}

func TestExpunge(t *testing.T) {
	e := memEnv(t)
	var log bytes.Buffer
	e.s.o.AuditLog = true
	e.s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	var changed []mboxname.Name
	e.s.o.Changed = func(n mboxname.Name) { changed = append(changed, n) }
	someMail(3)(e)
	if err := expungeUID(e, 2); err != nil {
		t.Fatal(err)
	}
	if err := expungeUID(e, 2); err != nil { // nothing happens
		t.Fatal(err)
	}
	r := e.check(inbox)
	if len(r.Live()) != 2 || len(r.Messages) != 3 || e.quota.used["user.alice"][quota.Message] != 2 {
		t.Errorf("%d live of %d, quota %v", len(r.Live()), len(r.Messages), e.quota.used)
	}
	if f := Flags(r.Messages[1].Flags); f != Expunged|Deleted || len(r.Messages[1].Content) == 0 {
		t.Errorf("flags %x", f)
	}
	for _, want := range []string{
		"auditlog: append sessionid=<> mailbox=<user.alice> uniqueid=<aa0123456789012345678901> uid=<1> modseq=<2> sysflags=<> guid=<",
		"messageid=<m1@example.com> size=<",
		"auditlog: touched sessionid=<s> mailbox=<user.alice> uniqueid=<aa0123456789012345678901> uid=<2> guid=<",
		"cid=<NIL> modseq=<5> oldflags=<> sysflags=<DE|EX>",
		"auditlog: expunge sessionid=<s> mailbox=<user.alice> uniqueid=<aa0123456789012345678901> uid=<2> modseq=<5> sysflags=<DE|EX> guid=<",
		"Expunged 1 messages from user.alice",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Count(log.String(), "Expunged") != 1 {
		t.Errorf("log:\n%s", &log)
	}
	if len(changed) != 3 {
		t.Errorf("changed: %v", changed)
	}
}

func TestImmediateExpunge(t *testing.T) {
	e := memEnv(t)
	someMail(10)(e)
	e.s.o.ImmediateExpunge = true
	exists := func(uid uint32) bool {
		_, err := e.fs.Stat(uidPath(e.dir(inbox), uid))
		return err == nil
	}
	for uid := uint32(1); uid <= 6; uid++ {
		if err := expungeUID(e, uid); err != nil {
			t.Fatal(err)
		}
		if exists(uid) {
			t.Errorf("the file of uid %d is still there", uid)
		}
	}
	r := e.check(inbox)
	if len(r.Live()) != 4 || len(r.Messages) != 4 || r.Generation != 1 {
		t.Errorf("%d live of %d, generation %d", len(r.Live()), len(r.Messages), r.Generation)
	}
	e.mustAppend(inbox, 11)
	if ms := e.check(inbox).Messages; ms[len(ms)-1].UID != 11 {
		t.Errorf("next UID is %d", ms[len(ms)-1].UID)
	}
}

// TestSemidelayedExpunge keeps the records of removed messages.
func TestSemidelayedExpunge(t *testing.T) {
	e := memEnv(t)
	someMail(3)(e)
	e.s.o.SemidelayedExpunge = true
	for uid := uint32(1); uid <= 3; uid++ {
		if err := expungeUID(e, uid); err != nil {
			t.Fatal(err)
		}
		if _, err := e.fs.Stat(uidPath(e.dir(inbox), uid)); err == nil {
			t.Errorf("the file of uid %d is still there", uid)
		}
	}
	r := e.check(inbox)
	m := e.open(inbox, Read)
	o := m.Header().Options
	m.Close()
	if len(r.Messages) != 3 || len(r.Live()) != 0 || o&(OptNeedsRepack|OptNeedsUnlink) != 0 {
		t.Errorf("%d records, options %x", len(r.Messages), o)
	}
	if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Error(err)
	}
	if r := e.check(inbox); len(r.Messages) != 0 {
		t.Errorf("%d records are left", len(r.Messages))
	}
}

func TestCleanup(t *testing.T) {
	e := memEnv(t)
	someMail(4)(e)
	for _, uid := range []uint32{1, 3} {
		if err := expungeUID(e, uid); err != nil {
			t.Fatal(err)
		}
	}
	removed, left, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(-time.Hour)})
	if removed != 0 || err != nil || e.check(inbox).Generation != 0 {
		t.Errorf("nothing is old enough: removed %d, left %d, %v", removed, left, err)
	}
	removed, left, err = e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)})
	if removed != 2 || left != 0 || err != nil {
		t.Errorf("removed %d, left %d, %v", removed, left, err)
	}
	r := e.check(inbox)
	m := e.open(inbox, Read)
	h := m.Header()
	m.Close()
	if len(r.Messages) != 2 || h.Generation != 1 || h.DeletedModseq != 7 || h.FirstExpunged != 0 || h.LastRepack == 0 || h.Options&OptNeedsRepack != 0 {
		t.Errorf("%d records, %+v", len(r.Messages), h)
	}
	for _, uid := range []uint32{1, 3} {
		if _, err := e.fs.Stat(uidPath(e.dir(inbox), uid)); err == nil {
			t.Errorf("the file of uid %d is left", uid)
		}
	}
	if entries, _ := e.fs.ReadDir(e.dir(inbox)); len(entries) != 5 {
		t.Errorf("%d files", len(entries))
	}
}

func TestRecordNumbers(t *testing.T) {
	e := memEnv(t)
	someMail(50)(e)
	for uid := uint32(1); uid <= 50; uid += 3 {
		if err := expungeUID(e, uid); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	m := e.open(inbox, Read)
	defer m.Close()
	n := uint32(0)
	for uid := uint32(0); uid <= 52; uid++ {
		want := uid > 0 && uid <= 50 && uid%3 != 1
		if want {
			n++
		}
		for _, hint := range []uint32{0, 1, n, 33, 99} {
			r, ok, err := m.FindUID(uid, hint)
			if ok != want || err != nil || ok && (r.UID != uid || r.Recno != n) {
				t.Errorf("uid %d, hint %d: %v, uid %d at %d, want %d (%v)", uid, hint, ok, r.UID, r.Recno, n, err)
			}
		}
	}
	rs, err := m.Records(nil, 30, 100)
	if len(rs) != int(n)-29 || err != nil || rs[0].Recno != 30 {
		t.Errorf("%d records from 30 of %d: %v", len(rs), n, err)
	}
	if _, err := m.Record(n + 1); !errs.Is(err, errs.NoSuchMessage) {
		t.Errorf("record after the last: %v", err)
	}
}

func TestSetters(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	m := e.open(inbox, Write)
	at := time.Unix(1e9, 0)
	m.SetRecent(1, at)
	m.SetPOP3(&at, nil)
	m.SetOptions(OptSharedSeen, OptPOP3NewUIDL)
	m.SetACL("bob\tlrs\t-carol\tw\t")
	m.AddAnnotationUse(100)
	called := false
	m.BeforeCommit(func(context.Context) error { called = true; return nil })
	if err := m.Commit(ctx); err != nil || !called {
		t.Fatal(called, err)
	}
	m.Close()
	m = e.open(inbox, Read)
	defer m.Close()
	h := m.Header()
	if h.RecentUID != 1 || h.RecentTime != 1e9 || h.POP3LastLogin != 1e9 || h.Options != OptSharedSeen || h.AnnotUsed != 100 || h.HighestModseq != 3 {
		t.Errorf("%+v", h)
	}
	if m.ACL() != "bob\tlrs\t-carol\tw\t" || !m.OwnsSeen("bob") || e.quota.used["user.alice"][quota.AnnotStorage] != 100 {
		t.Errorf("acl %q, quota %v", m.ACL(), e.quota.used)
	}
}

func TestHookStopsCommit(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	m := e.open(inbox, Write)
	m.SetACL("bob\tl\t")
	m.BeforeCommit(func(context.Context) error { return errs.New(errs.Unavailable, "test", "", nil) })
	if err := m.Commit(ctx); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
	m.Close()
	m = e.open(inbox, Read)
	defer m.Close()
	if m.ACL() != "alice\tlrswipkxtecdan\t" || m.Header().HighestModseq != 2 || m.OwnsSeen("bob") || !m.OwnsSeen("alice") {
		t.Errorf("acl %q", m.ACL())
	}
}

func TestQuotaRootMoves(t *testing.T) {
	e := memEnv(t)
	someMail(2)(e)
	use := e.quota.used["user.alice"]
	m := e.open(inbox, Write)
	m.SetQuotaRoot("user")
	if err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if e.quota.used["user"] != use || !e.quota.used["user.alice"].IsZero() {
		t.Errorf("%v", e.quota.used)
	}
	if err := e.s.Delete(ctx, inbox, "s", nil); err != nil {
		t.Fatal(err)
	}
	if !e.quota.used["user"].IsZero() {
		t.Errorf("after Delete: %v", e.quota.used)
	}
	if _, err := e.s.Open(ctx, inbox, Read); !errs.Is(err, errs.NotFound) {
		t.Errorf("open after Delete: %v", err)
	}
	if _, err := e.fs.Stat(e.dir(inbox)); err == nil {
		t.Error("the directory is left")
	}
}

// withAnnotations gives e message annotations, kept on its file system.
func (e *env) withAnnotations() *env {
	e.annot = annot.New(annot.Options{FS: e.fs, Locks: lock.NewTable(e.fs, nil), Log: slog.New(slog.DiscardHandler), Kind: "twoskip"})
	e.s.o.Annotations = messagesOnly{e.annot}
	return e
}

// messagesOnly is a Store of annotations without a database of the site.
type messagesOnly struct{ *annot.Store }

func (messagesOnly) Each(context.Context, annot.Scope, func(annot.Key, []byte) error) error {
	return nil
}

func note(uid uint32, user, value string) Annotation {
	a := Annotation{UID: uid, Key: annot.Key{Entry: "/comment", User: user}}
	if value != "" {
		a.Value = []byte(value)
	}
	return a
}

// annotate makes changes of messages, each on its own.
func annotate(m *Mailbox, as ...Annotation) error {
	for _, a := range as {
		r, ok, err := m.FindUID(a.UID, 0)
		if err == nil && !ok {
			err = errs.New(errs.NoSuchMessage, "annotate", "", nil)
		}
		if err == nil {
			err = m.AnnotateMessage(ctx, &r, []annot.Change{{Definition: &annot.Definition{}, Key: a.Key, Value: a.Value, Allowed: true}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestAnnotate(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir()).withAnnotations()
	someMail(3)(e)
	set := func(as ...Annotation) error {
		m := e.open(inbox, Write)
		defer m.Close()
		return errors.Join(annotate(m, as...), m.Commit(ctx))
	}
	if err := set(note(1, "", "shared"), note(1, "alice", "hers"), note(2, "bob", "his")); err != nil {
		t.Fatal(err)
	}
	r := e.check(inbox)
	if r.Annotations != 13 || e.quota.used["user.alice"][quota.AnnotStorage] != 13 {
		t.Errorf("%d octets, quota %v", r.Annotations, e.quota.used)
	}
	if err := set(note(1, "", "sh"), note(2, "bob", "")); err != nil {
		t.Fatal(err)
	}
	if r = e.check(inbox); r.Annotations != 6 || r.Messages[0].Modseq != 12 {
		t.Errorf("%d octets, modseq %d", r.Annotations, r.Messages[0].Modseq)
	}
	if err := set(note(9, "", "x")); !errs.Is(err, errs.NoSuchMessage) {
		t.Errorf("no message: %v", err)
	}
	// A copy has all values.
	_, pairs, err := e.s.Copy(ctx, inbox, []uint32{1}, inbox, CopyOptions{})
	if err != nil || len(pairs) != 1 || pairs[0].Copy != 4 {
		t.Fatal(pairs, err)
	}
	e.check(inbox)
	if err := expungeUID(e, 1); err != nil {
		t.Fatal(err)
	}
	// What an expunged message has does not count, but is there until it
	// is removed.
	m := e.open(inbox, Read)
	h := m.Header()
	m.Close()
	if h.AnnotUsed != 6 || e.quota.used["user.alice"][quota.AnnotStorage] != 6 {
		t.Errorf("%d octets, quota %v", h.AnnotUsed, e.quota.used)
	}
	if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	e.check(inbox)
}

func TestCopy(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir())
	someMail(5)(e)
	work := Ref{Name: "user.alice.Work", UniqueID: "bb0123456789012345678901", Partition: "default"}
	other := Ref{Name: "user.alice.Other", UniqueID: "cc0123456789012345678901", Partition: "second"}
	e.create(work)
	e.create(other)
	m := e.open(inbox, Write)
	r, _ := m.Record(2)
	n, _ := m.AddFlag("kw", ClientUserFlags)
	r.Flags |= Flagged | Seen
	r.User.Set(n)
	if err := errors.Join(m.Rewrite(&r), m.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	m.Close()
	v, pairs, err := e.s.Copy(ctx, inbox, []uint32{2, 4, 9}, work, CopyOptions{Flags: SystemMask, Keywords: true})
	if want := []CopyPair{{2, 1}, {4, 2}}; err != nil || !slices.Equal(pairs, want) || v == 0 {
		t.Fatalf("%v, %v", pairs, err)
	}
	rep := e.check(work)
	if len(rep.Live()) != 2 || string(rep.Messages[1].Content) != text(4) || Flags(rep.Messages[0].Flags) != Flagged|Seen || len(rep.Messages[0].Keywords) != 1 {
		t.Errorf("%+v", rep.Messages)
	}
	if fi, _ := e.fs.Stat(e.dir(work) + "/1."); disk.Links(fi) != 2 {
		t.Errorf("%d links", disk.Links(fi))
	}
	_, pairs, err = e.s.Copy(ctx, inbox, []uint32{1, 2}, other, CopyOptions{Move: true, Flags: Flagged, Seen: func(uid uint32) bool { return uid == 1 }})
	if want := []CopyPair{{1, 1}, {2, 2}}; err != nil || !slices.Equal(pairs, want) {
		t.Fatalf("%v, %v", pairs, err)
	}
	rep = e.check(other)
	if len(rep.Live()) != 2 || string(rep.Messages[0].Content) != text(1) || Flags(rep.Messages[1].Flags) != Flagged || len(rep.Messages[1].Keywords) != 0 {
		t.Errorf("%+v", rep.Messages)
	}
	if len(e.check(inbox).Live()) != 3 {
		t.Error("the originals of a move are still there")
	}
	if _, pairs, err = e.s.Copy(ctx, inbox, []uint32{99}, work, CopyOptions{}); err != nil || len(pairs) != 0 {
		t.Errorf("copy of nothing: %v, %v", pairs, err)
	}
	e.quota.limit = 1024
	for err == nil {
		_, _, err = e.s.Copy(ctx, inbox, []uint32{3}, work, CopyOptions{})
	}
	if !errs.Is(err, errs.OverQuota) {
		t.Error(err)
	}
	e.check(work)
}

func TestMoveMailbox(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to Ref
	}{
		{"name only", inbox, Ref{Name: "user.alice.New", UniqueID: inbox.UniqueID, Partition: "default"}},
		{"partition", inbox, Ref{Name: "user.alice", UniqueID: inbox.UniqueID, Partition: "second"}},
		{"to another user", inbox, Ref{Name: "user.bob.x", UniqueID: inbox.UniqueID, Partition: "default"}},
		{"legacy", legacyA, legacyB},
		{"legacy to id", legacyA, Ref{Name: "user.alice.c", UniqueID: "la", Partition: "default"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, disk.OS(), t.TempDir())
			e.create(c.from)
			e.mustAppend(c.from, 1, 2, 3)
			before := e.quota.used["user.alice"]
			var modseq uint64
			err := e.s.Move(ctx, c.from, c.to, "user.bob", 0, "s", func(m *Mailbox) error {
				modseq = m.Header().HighestModseq
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r := e.check(c.to)
			if err := has(r, 1, 3); err != nil {
				t.Error(err)
			}
			want := uint64(5)
			if c.from.Name == c.to.Name {
				want = 4 // a move to another partition takes none
			}
			if modseq != want || r.HighestModseq != want || r.QuotaRoot != "user.bob" || e.quota.used["user.bob"] != before || !e.quota.used["user.alice"].IsZero() {
				t.Errorf("modseq %d, root %q, quota %v", modseq, r.QuotaRoot, e.quota.used)
			}
			if c.from.key() != c.to.key() {
				if _, err := e.s.Open(ctx, c.from, Read); !errs.Is(err, errs.NotFound) {
					t.Errorf("the old place: %v", err)
				}
			}
			m := e.open(c.to, Read)
			if m.HeaderName() != c.to.Name {
				t.Errorf("name in cyrus.header: %s", m.HeaderName())
			}
			m.Close()
			e.mustAppend(c.to, 4)
			if err := has(e.check(c.to), 1, 4); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMoveRefused keeps the old mailbox if the list does not take the new.
func TestMoveRefused(t *testing.T) {
	e := memEnv(t)
	e.create(legacyA)
	e.mustAppend(legacyA, 1, 2)
	before := fmt.Sprint(e.quota.used)
	refused := errs.New(errs.Exists, "test", "", nil)
	if err := e.s.Move(ctx, legacyA, legacyB, "", 0, "s", func(*Mailbox) error { return refused }); !errs.Is(err, errs.Exists) {
		t.Error(err)
	}
	if err := has(e.check(legacyA), 1, 2); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(e.quota.used); got != before {
		t.Errorf("quota %s, was %s", got, before)
	}
	if _, err := e.s.Open(ctx, legacyB, Read); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

func TestCreateRefused(t *testing.T) {
	e := memEnv(t)
	refused := errs.New(errs.Exists, "test", "", nil)
	if _, err := e.s.Create(ctx, inbox, CreateOptions{QuotaRoot: "user.alice"}, func(Created) error { return refused }); !errs.Is(err, errs.Exists) {
		t.Error(err)
	}
	if _, err := e.fs.Stat(e.dir(inbox)); err == nil || !e.quota.used["user.alice"].IsZero() {
		t.Errorf("something is left: %v, quota %v", err, e.quota.used)
	}
	c, err := e.s.Create(ctx, inbox, CreateOptions{MinValidity: 4e9, Modseq: 7}, nil)
	if err != nil || c.UIDValidity != 4e9 || c.Modseq != 7 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"inotify", "poll"} {
		t.Run(kind, func(t *testing.T) {
			e := newEnv(t, disk.OS(), t.TempDir())
			someMail(2)(e)
			other := e.reopen(e.fs, func(o *Options) { o.PollInterval = 5 * time.Millisecond })
			if kind == "poll" {
				other.s.watch.broken = true
			}
			changed, stop := other.s.Watch(inbox)
			defer stop()
			second, stopSecond := other.s.Watch(inbox)
			wait := func(what string) {
				t.Helper()
				for _, c := range []<-chan struct{}{changed, second} {
					select {
					case <-c:
					case <-time.After(time.Minute):
						t.Fatalf("nothing was heard of %s", what)
					}
				}
			}
			e.mustAppend(inbox, 3)
			wait("an append")
			time.Sleep(3 * settle)
			for len(changed) > 0 {
				<-changed
			}
			for len(second) > 0 {
				<-second
			}
			if err := expungeUID(e, 1); err != nil {
				t.Fatal(err)
			}
			wait("an expunge")
			if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			wait("a repack")
			stopSecond()
			time.Sleep(3 * settle)
			for len(changed) > 0 {
				<-changed
			}
			e.mustAppend(inbox, 4) // the index is another file now
			second = changed
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatal("nothing was heard of an append after a repack")
			}
		})
	}
}

// TestLogLines has the lines that admins look for.
func TestLogLines(t *testing.T) {
	e := memEnv(t)
	var log bytes.Buffer
	someMail(3)(e)
	e.s.o.AuditLog = true
	e.s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	m := e.open(inbox, Write)
	m.SetSession("s1")
	r, _ := m.Record(1)
	r.Flags |= Seen
	if err := errors.Join(m.Rewrite(&r), m.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	m.since = m.since.Add(-90 * time.Second)
	m.Close()
	if err := expungeUID(e, 2); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour), SessionID: "s2"}); err != nil {
		t.Fatal(err)
	}
	if err := e.s.Delete(ctx, inbox, "s3", nil); err != nil {
		t.Fatal(err)
	}
	const id = " mailbox=<user.alice> uniqueid=<aa0123456789012345678901> "
	for _, want := range []string{
		"auditlog: touched sessionid=<s1>" + id + "uid=<1> guid=<",
		"modseq=<5> oldflags=<> sysflags=<SE>",
		"mailbox: longlock user.alice for 90.0 seconds",
		"auditlog: unlink sessionid=<s2>" + id + "uid=<2> modseq=<6> sysflags=<DE|UN|EX> guid=<",
		"Unlinking files in mailbox user.alice",
		"auditlog: unlink sessionid=<s2>" + id + "uid=<2> sysflags=<DE|UN|EX>",
		"Repacking mailbox user.alice version 17",
		"auditlog: modseq sessionid=<s2>" + id + "highestmodseq=<6> deletedmodseq=<6>",
		"auditlog: delete sessionid=<s3> mailbox=<user.alice> uniqueid=<aa0123456789012345678901>",
		"Deleted mailbox user.alice",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", &log)
	}
}

// TestFlagSlots frees slots and takes them again.
func TestFlagSlots(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	m := e.open(inbox, Write)
	for want, name := range []string{"a", "b", "c"} {
		if n, err := m.AddFlag(name, ClientUserFlags); n != want || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	m.RemoveFlag(1)
	m.RemoveFlag(99)
	if _, ok := m.head.flagNumber("b"); ok {
		t.Error("b is still there")
	}
	if n, ok := m.head.flagNumber("C"); n != 2 || !ok {
		t.Errorf("C: %d, %v", n, ok)
	}
	if n, err := m.AddFlag("d", ClientUserFlags); n != 1 || err != nil {
		t.Errorf("d: %d, %v", n, err)
	}
	if err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = e.open(inbox, Read)
	defer m.Close()
	if !slices.Equal(m.Flags(), []string{"a", "d", "c"}) || m.QuotaRoot() != "user.alice" || m.UniqueID() != inbox.UniqueID || m.head.typ != "e" {
		t.Errorf("%q, root %s", m.Flags(), m.QuotaRoot())
	}
	e.check(inbox)
}

// TestCopyAudited has the Message-ID of a copy in the audit log.
func TestCopyAudited(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	st := e.stage("Subject: no id\r\n\r\n")
	defer st.Remove()
	if _, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e.s.o.AuditLog = true
	e.s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	if _, _, err := e.s.Copy(ctx, inbox, []uint32{1, 2}, inbox, CopyOptions{SessionID: "s"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"uid=<3> modseq=<4> sysflags=<> guid=<", "messageid=<m1@example.com> size=<", "messageid=<> size=<18>"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

// trash and other are folders of the same user.
var (
	trash = Ref{Name: "user.alice.Trash", UniqueID: "tt0123456789012345678901", Partition: "default"}
	other = Ref{Name: "user.alice.other", UniqueID: "oo0123456789012345678901", Partition: "default"}
)

// keepConversations has a Store keep the conversations and counters of users
// whose INBOX is inbox.
func keepConversations(o *Options) {
	o.Counters = counters.New(counters.Options{FS: o.FS, Locks: o.Locks, Layout: o.Layout, Log: o.Log, Home: testHome})
	o.Conversations = conversations.New(conversationsOptions(o))
	o.UserMailboxes = func(context.Context, string) ([]Ref, error) {
		return []Ref{inbox, trash, other, movable(o.FS)}, nil
	}
	o.Folder = func(_ context.Context, key string, byName bool) (Ref, bool) {
		for _, r := range []Ref{inbox, trash, other} {
			if key == r.UniqueID || byName && key == string(r.Name) {
				return r, true
			}
		}
		return Ref{}, false
	}
}

func testHome(context.Context, string) (string, bool, error) { return inbox.UniqueID, false, nil }

// conversationsOptions is how conversations are kept.
func conversationsOptions(o *Options) conversations.Options {
	return conversations.Options{
		FS: o.FS, Locks: o.Locks, Layout: o.Layout, Log: o.Log, Kind: "skiplist", Home: testHome,
		CountedFlags: `\Flagged $work`,
		Limits:       conversations.Limits{Records: 100, Exists: 100, InFolder: 3},
		Lookup: func(_ context.Context, name string) string {
			if name == string(trash.Name) {
				return trash.UniqueID
			}
			return ""
		},
	}
}

// conversedEnv is a Store that keeps conversations.
func conversedEnv(t testing.TB, fsys disk.FS) *env {
	e := newEnv(t, fsys, "/s")
	e.s.Close()
	e.conversed = true
	return e.reopen(fsys, func(*Options) {})
}

// audit compares a user's conversations with a count from scratch.
func (e *env) audit() error {
	return e.s.AuditConversations(ctx, "alice", nil, func(have, should *conversations.Txn) error {
		var text strings.Builder
		n, err := have.Compare(should, &text)
		if err == nil && n > 0 {
			err = fmt.Errorf("conversations.db has %d differences:\n%s", n, text.String())
		}
		return err
	})
}

func (e *env) mustAudit(when string) {
	e.Helper()
	if err := e.audit(); err != nil {
		e.Errorf("%s: %v", when, err)
	}
}

// reply is message n, which answers message to.
func reply(n, to int) string {
	return strings.Replace(text(n), "Subject: ", fmt.Sprintf("References: <m%d@example.com>\r\nSubject: Re: ", to), 1)
}

// thread is the conversation of a message.
func (e *env) thread(r Ref, uid uint32) uint64 {
	e.Helper()
	m := e.open(r, Read)
	defer m.Close()
	rec, ok, err := m.FindUID(uid, 0)
	if err != nil || !ok {
		e.Fatalf("uid %d: %v %v", uid, ok, err)
	}
	return rec.CID
}

func TestConversations(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	a := e.create(inbox)
	b, c := e.create(trash), e.create(other)
	if a.UIDValidity == b.UIDValidity || b.UIDValidity == c.UIDValidity || c.Modseq != 3 {
		t.Errorf("%+v %+v %+v: not from the same counters", a, b, c)
	}
	e.mustAppend(inbox, 1, 2)
	e.mustAudit("append")
	st := e.stage(strings.Replace(reply(3, 1), "number 3", "number 1", 1))
	defer st.Remove()
	done, err := e.s.Append(ctx, other, []AppendMessage{{Staged: st, Flags: Flagged, Keywords: []string{"$work"}}}, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e.thread(other, done[0].UID) != e.thread(inbox, 1) || e.thread(inbox, 1) == e.thread(inbox, 2) || e.thread(inbox, 1) == 0 {
		t.Error("an answer is not in the conversation of what it answers")
	}
	if done[0].Modseq != 6 {
		t.Errorf("modseq %d does not follow on that of another mailbox", done[0].Modseq)
	}
	e.mustAudit("answer")
	for i, step := range []func() error{
		func() error { e.flip(inbox, 1, Seen); return nil },
		func() error {
			_, _, err := e.s.Copy(ctx, inbox, []uint32{1, 2}, trash, CopyOptions{Flags: SystemMask})
			return err
		},
		func() error {
			_, _, err := e.s.Copy(ctx, inbox, []uint32{2}, other, CopyOptions{Move: true})
			return err
		},
		func() error { e.flip(trash, 2, Seen); return nil },
		func() error { e.flip(other, 1, Deleted); return nil },
		func() error { e.flip(other, 1, Deleted); return nil },
		func() error { return expungeUID(e, 1) },
		func() error { _, err := e.s.Unexpunge(ctx, inbox, nil, true, ""); return err },
		func() error { return e.s.Delete(ctx, trash, "", nil) },
		func() error { e.create(trash); return nil },
		func() error {
			_, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: now().Time().AddDate(0, 0, 1)})
			return err
		},
		func() error { e.mustAppend(trash, 1); return nil },
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		e.mustAudit(fmt.Sprintf("step %d", i))
		e.check(inbox)
		e.check(other)
	}
}

// TestConversationsMove gives mailboxes other names, and takes them back.
func TestConversationsMove(t *testing.T) {
	t.Parallel()
	for _, legacy := range []bool{false, true} {
		e := conversedEnv(t, disk.NewMem())
		e.create(inbox)
		from := other
		from.Legacy = legacy
		e.create(from)
		e.mustAppend(inbox, 1, 2)
		e.mustAppend(from, 1, 3)
		name := from
		name.Name = "user.alice.new"
		gone := from
		gone.Name = "DELETED.user.alice.other.65000000"
		refs := []Ref{inbox, from}
		e.s.o.UserMailboxes = func(context.Context, string) ([]Ref, error) { return refs, nil }
		for _, to := range []Ref{name, gone, from} {
			if err := e.s.Move(ctx, refs[1], to, "user.alice", 0, "", nil); err != nil {
				t.Fatal(err)
			}
			refs[1] = to
			e.mustAudit(fmt.Sprintf("legacy %v, to %s", legacy, to.Name))
		}
	}
}

func TestConversationLimits(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	e.create(inbox)
	e.mustAppend(inbox, 1, 1, 1)
	before := e.thread(inbox, 1)
	if _, err := e.append(inbox, AppendOptions{}, 2, 1); !errs.Is(err, errs.TooManyMessages) || !errors.Is(err, conversations.ErrLimit) {
		t.Errorf("a fourth copy: %v", err)
	}
	e.mustAudit("after a refusal")
	if r := e.check(inbox); len(r.Messages) != 3 {
		t.Errorf("%d messages", len(r.Messages))
	}
	e.mustAppend(inbox, 2)
	if e.thread(inbox, 1) != before {
		t.Error("a thread has changed")
	}
	e.mustAudit("after the next")
}

// TestSetConversations takes all conversations away and gives them again.
func TestSetConversations(t *testing.T) {
	t.Parallel()
	e := memEnv(t) // without conversations
	e.create(inbox)
	e.create(other)
	e.mustAppend(inbox, 1, 2)
	e.mustAppend(other, 1)
	e.s.Close()
	e.conversed = true
	e = e.reopen(e.fs, func(*Options) {})
	e.flip(inbox, 1, Flagged)
	skip := func(Ref, error) {}
	for range 2 {
		if err := e.s.SetConversations(ctx, "alice", true, skip); err != nil {
			t.Fatal(err)
		}
		e.mustAudit("assigned")
		if c := e.thread(inbox, 1); c == 0 || c != e.thread(other, 1) {
			t.Errorf("conversations %x and %x", c, e.thread(other, 1))
		}
		e.check(inbox)
		if err := e.s.SetConversations(ctx, "alice", false, skip); err != nil {
			t.Fatal(err)
		}
		e.mustAudit("taken away")
		if c := e.thread(inbox, 1); c != 0 {
			t.Errorf("conversation %x", c)
		}
		e.check(inbox)
	}
}

// soundAfter adds to a check of a fault that the conversations are sound.
func soundAfter(see func(*env, *mailboxtest.Report, bool) error) func(*env, *mailboxtest.Report, bool) error {
	return func(e *env, r *mailboxtest.Report, acked bool) error {
		return errors.Join(see(e, r, acked), e.audit())
	}
}

// tryAppend appends message n to the INBOX.
func (e *env) tryAppend(n int) error {
	st, err := e.s.Stage("default")
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(text(n))); err != nil {
		return err
	}
	_, err = e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, InternalDate: now().Time()}}, AppendOptions{})
	return err
}

func TestConversationFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		conversed: true,
		setup:     someMail(1),
		do:        func(e *env, _ func()) error { return e.tryAppend(2) },
		see: soundAfter(func(e *env, r *mailboxtest.Report, acked bool) error {
			err := has(r, 1, 2)
			if err != nil && !acked {
				err = has(r, 1, 1)
			}
			return err
		}),
	}).run(t)
}

// sameFile reports whether two messages have one file.
func (e *env) sameFile(r1 Ref, uid1 uint32, r2 Ref, uid2 uint32) bool {
	e.Helper()
	a, err := e.fs.Stat(uidPath(e.dir(r1), uid1))
	b, err2 := e.fs.Stat(uidPath(e.dir(r2), uid2))
	if err = errors.Join(err, err2); err != nil {
		e.Fatal(err)
	}
	return disk.Inode(a) == disk.Inode(b)
}

// TestSingleInstance appends messages that the user has.
func TestSingleInstance(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	e.create(inbox)
	e.create(other)
	e.mustAppend(inbox, 1, 2)
	e.mustAppend(other, 1, 3)
	if !e.sameFile(inbox, 1, other, 1) {
		t.Error("a message that is known is a file of its own")
	}
	// What conversations say of a file must be so.
	if err := errors.Join(e.fs.Remove(uidPath(e.dir(inbox), 2)), e.fs.Link(uidPath(e.dir(inbox), 1), uidPath(e.dir(inbox), 2))); err != nil {
		t.Fatal(err)
	}
	e.mustAppend(other, 2)
	if e.sameFile(inbox, 2, other, 3) {
		t.Error("linked to another message")
	}
	if err := e.fs.Remove(uidPath(e.dir(other), 2)); err != nil {
		t.Fatal(err)
	}
	e.mustAppend(inbox, 3)
	if r := e.report(inbox); string(r.Live()[2].Content) != text(3) {
		t.Error("the wrong message")
	}
	e.mustAudit("links")
	e.s.Close()
	e = e.reopen(e.fs, func(o *Options) { o.CopyFiles = true })
	e.mustAppend(other, 1)
	if e.sameFile(inbox, 1, other, 4) {
		t.Error("singleinstancestore: no")
	}
}

// TestConversationsRedate gives a message another time.
func TestConversationsRedate(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	e.create(inbox)
	e.mustAppend(inbox, 1, 2)
	m := e.open(inbox, Write)
	r, _, err := m.FindUID(1, 0)
	if err == nil {
		err = m.SetInternalDate(&r, 1000000000)
	}
	if err == nil {
		err = m.Commit(ctx)
	}
	m.Close()
	if err != nil {
		t.Fatal(err)
	}
	e.mustAudit("another date")
}

// TestSingleInstanceFaults appends what the user has.
func TestSingleInstanceFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		conversed: true,
		setup: func(e *env) {
			e.create(other)
			e.mustAppend(other, 1)
			e.create(inbox)
		},
		do: func(e *env, _ func()) error { return e.tryAppend(1) },
		see: soundAfter(func(e *env, r *mailboxtest.Report, acked bool) error {
			err := has(r, 1, 1)
			if err != nil && !acked {
				err = has(r, 1, 0)
			}
			return err
		}),
	}).run(t)
}

// moving is a mailbox that gets another name: it has the first one until
// movedMark is there. A mark whose sync failed may be there after all; then the
// new files are gone.
var moving = [2]Ref{
	{Name: "user.alice.from", UniqueID: "mm0123456789012345678901", Partition: "default", Legacy: true},
	{Name: "user.alice.to", UniqueID: "mm0123456789012345678901", Partition: "default", Legacy: true},
}

const movedMark = "/s/conf/moved"

// movable is where the list of mailboxes says that moving is.
func movable(fsys disk.FS) Ref {
	_, err := fsys.Stat(movedMark)
	_, err2 := fsys.Stat("/s/spool/user/alice/to/cyrus.index")
	if err == nil && err2 == nil {
		return moving[1]
	}
	return moving[0]
}

// repaired opens a mailbox, which repairs it, before it looks further.
func repaired(ref func(*env) Ref, see func(*env, *mailboxtest.Report, bool) error) func(*env, *mailboxtest.Report, bool) error {
	return func(e *env, r *mailboxtest.Report, acked bool) error {
		m, err := e.s.Open(ctx, ref(e), Write)
		if err != nil {
			return err
		}
		m.Close()
		return see(e, r, acked)
	}
}

func TestConversationChangeFaults(t *testing.T) {
	t.Parallel()
	any := func(*env, *mailboxtest.Report, bool) error { return nil }
	theInbox := func(*env) Ref { return inbox }
	for name, f := range map[string]*faultTest{
		"expunge": {
			setup: someMail(3),
			do:    func(e *env, _ func()) error { return expungeUID(e, 2) },
			see:   repaired(theInbox, soundAfter(any)),
		},
		"flags": {
			setup: someMail(2),
			do:    func(e *env, _ func()) error { return e.tryFlip(inbox, 1, Seen) },
			see:   repaired(theInbox, soundAfter(any)),
		},
		"move": {
			setup: func(e *env) {
				e.create(inbox)
				e.create(moving[0])
				e.mustAppend(moving[0], 1, 2)
			},
			do: func(e *env, ack func()) error {
				return e.s.Move(ctx, moving[0], moving[1], "user.alice", 0, "s", func(*Mailbox) error {
					err := disk.ReplaceSync(e.fs, movedMark, []byte("x"), 0o644)
					if err == nil {
						ack()
					}
					return err
				})
			},
			see: repaired(func(e *env) Ref { return movable(e.fs) }, soundAfter(func(e *env, _ *mailboxtest.Report, acked bool) error {
				at := movable(e.fs)
				if acked && at != moving[1] {
					return errors.New("not moved")
				}
				if n := len(e.report(at).Live()); n != 2 {
					return fmt.Errorf("%d messages", n)
				}
				return nil
			})),
		},
	} {
		f.conversed = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

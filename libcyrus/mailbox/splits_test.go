package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

// splitBox says how conversations go on.
var splitBox = Ref{Name: "user.alice.#splitconversations", UniqueID: "ss0123456789012345678901", Partition: "default", Type: "b"}

// testSplits is what a site knows of split conversations.
type testSplits struct{ e *env }

func (s testSplits) Ready(context.Context, string) bool {
	_, ok, _ := s.find(ctx, "alice")
	return ok
}

func (s testSplits) Next(_ context.Context, _ string, cid uint64) (uint64, error) {
	v, _, err := s.e.annot.Get(ctx, annot.Scope{MailboxID: splitBox.UniqueID, Owner: "alice"}, NextConversation(cid))
	return parseBase(v), err
}

func (s testSplits) find(context.Context, string) (Ref, bool, error) {
	_, err := s.e.fs.Stat(s.e.dir(splitBox) + "/cyrus.index")
	return splitBox, err == nil, nil
}

func (s testSplits) make(context.Context, string) error {
	if s.e.noSplits {
		return errs.New(errs.OverQuota, "test", "", nil)
	}
	_, err := s.e.s.Create(ctx, splitBox, CreateOptions{ACL: "alice\tlrswipkxtecdan\t"}, nil)
	return err
}

// withSplits has e split conversations that have two messages.
func (e *env) withSplits() *env {
	e.split = true
	e.withSiteAnnotations()
	o := conversationsOptions(&e.s.o)
	o.Splits, o.MaxThread = testSplits{e}, 2
	e.s.o.Conversations = conversations.New(o)
	e.s.o.FindSplits, e.s.o.MakeSplits = testSplits{e}.find, testSplits{e}.make
	e.s.o.UserMailboxes = func(context.Context, string) ([]Ref, error) { return []Ref{inbox, splitBox, other}, nil }
	return e
}

// threads is the conversations of all messages of a mailbox, with those that
// they were split from.
func (e *env) threads(r Ref) (text string) {
	e.Helper()
	m := e.open(r, Read)
	defer m.Close()
	names := map[uint64]string{}
	name := func(cid uint64) string {
		if cid == 0 {
			return ""
		}
		if names[cid] == "" {
			names[cid] = string(rune('A' + len(names)))
		}
		return names[cid]
	}
	err := m.Each(1, func(r *Record) bool {
		if !r.Live() {
			return true
		}
		base, err := m.splitFrom(r)
		if err != nil {
			e.Error(err)
		}
		cid := name(r.CID)
		text += cid + strings.ToLower(name(base)) + " "
		return true
	})
	if err != nil {
		e.Fatal(err)
	}
	return strings.TrimSpace(text)
}

// tryReply appends message n, which answers message to.
func (e *env) tryReply(n, to int) error {
	st, err := e.s.Stage("default")
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(answer(n, to))); err != nil {
		return err
	}
	_, err = e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, InternalDate: now().Time()}}, AppendOptions{})
	return err
}

// answer is message n with the subject of message 1; it answers message to.
func answer(n, to int) string {
	return strings.Replace(text(n), fmt.Sprintf("Subject: number %d", n), fmt.Sprintf("References: <m%d@example.com>\r\nSubject: Re: number 1", to), 1)
}

func TestSplitConversations(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem()).withSplits()
	e.create(inbox)
	e.create(other)
	e.mustAppend(inbox, 1)
	for n := 2; n <= 7; n++ {
		if err := e.tryReply(n, n-1); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.threads(inbox); got != "A A Ba Ba Ca Ca Da" {
		t.Errorf("a thread of seven: %s", got)
	}
	if _, _, err := e.s.Copy(ctx, inbox, []uint32{1, 3, 7}, other, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := e.threads(other); got != "A Ba Ca" {
		t.Errorf("copies: %s", got)
	}
	if e.thread(inbox, 3) != e.thread(other, 2) {
		t.Error("a copy is in another conversation")
	}
	if err := e.tryReply(3, 2); err != nil { // one that is there
		t.Fatal(err)
	}
	if got := e.threads(inbox); got != "A A Ba Ba Ca Ca Da B" {
		t.Errorf("one that is known: %s", got)
	}
	for _, r := range []Ref{inbox, other} {
		e.check(r)
	}
	e.mustAudit("split")
	skip := func(r Ref, err error) { t.Error(r.Name, err) }
	if err := e.s.SetConversations(ctx, "alice", false, skip); err != nil {
		t.Fatal(err)
	}
	if m := e.open(inbox, Read); m.hdr.AnnotUsed != 0 {
		t.Errorf("%d octets of annotations without conversations", m.hdr.AnnotUsed)
	} else {
		m.Close()
	}
	e.check(inbox)
	e.mustAudit("taken away")
	if err := e.s.SetConversations(ctx, "alice", true, skip); err != nil {
		t.Fatal(err)
	}
	e.check(inbox)
	e.check(other)
	e.mustAudit("given again")
}

// TestSplitTogether appends answers in one call, and where the mailbox for split
// conversations cannot be made.
func TestSplitTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		no   bool
		want string
	}{{false, "A A Ba Ba Ca"}, {true, "A A A A A"}} {
		e := conversedEnv(t, disk.NewMem()).withSplits()
		e.noSplits = c.no
		e.create(inbox)
		var msgs []AppendMessage
		for n := 1; n <= 5; n++ {
			st := e.stage(answer(n, n-1))
			defer st.Remove()
			msgs = append(msgs, AppendMessage{Staged: st})
		}
		done, err := e.s.Append(ctx, inbox, msgs, AppendOptions{})
		if err != nil || len(done) != 5 || done[4].UID != 5 {
			t.Fatalf("%+v, %v", done, err)
		}
		if got := e.threads(inbox); got != c.want {
			t.Errorf("no %v: %s, not %s", c.no, got, c.want)
		}
		e.check(inbox)
		e.mustAudit("together")
	}
}

// TestSplitFaults splits a conversation for the first time, and again.
func TestSplitFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		conversed: true,
		split:     true,
		setup: func(e *env) {
			e.create(inbox)
			e.create(splitBox)
			e.mustAppend(inbox, 1)
			if err := e.tryReply(2, 1); err != nil {
				e.Fatal(err)
			}
		},
		do: func(e *env, _ func()) error { return e.tryReply(3, 2) },
		see: soundAfter(func(e *env, r *mailboxtest.Report, acked bool) error {
			got := e.threads(inbox)
			if got == "A A Ba" || !acked && got == "A A" {
				return nil
			}
			return errors.New("threads " + got)
		}),
	}).run(t)
}

package mailbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// fakeQuota counts in memory. It is a database of its own: no power cut
// touches it.
type fakeQuota struct {
	mu    sync.Mutex
	used  map[mboxname.Name]quota.Usage
	limit int64 // octets, 0 = none
	full  error // of Update, if not nil
}

func (q *fakeQuota) Check(_ context.Context, root mboxname.Name, d quota.Usage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := quota.Root{Name: root, Used: q.used[root], Limit: quota.NoLimits()}
	if q.limit > 0 {
		r.Limit[quota.Storage] = q.limit / 1024
	}
	return r.RoomFor(d)
}

func (q *fakeQuota) Update(_ context.Context, root, _ mboxname.Name, d quota.Usage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full != nil {
		return q.full
	}
	q.used[root] = q.used[root].Add(d)
	return nil
}

func (q *fakeQuota) Renamed(context.Context, mboxname.Name, mboxname.Name, mboxname.Name, quota.Usage) error {
	return nil
}

// env is a Store on some file system with one user.
type env struct {
	testing.TB
	fs    disk.FS
	l     *mboxname.Layout
	s     *Store
	quota *fakeQuota
	annot *annot.Store // nil: none

	conversed bool // conversations are kept
	split     bool // and split
	broken    error
	noSplits  bool // where that is written cannot be made
}

func testLayout(root string) *mboxname.Layout {
	return &mboxname.Layout{
		ConfigDir:     root + "/conf",
		Partitions:    map[string]string{"default": root + "/spool", "second": root + "/spool2"},
		DeletedPrefix: "DELETED",
	}
}

// newEnv returns a Store on fsys below root.
func newEnv(t testing.TB, fsys disk.FS, root string) *env {
	e := &env{TB: t, fs: fsys, l: testLayout(root), quota: &fakeQuota{used: map[mboxname.Name]quota.Usage{}}}
	e.s = newStore(t, fsys, e.l, func(o *Options) { o.Quota = e.quota })
	return e
}

// memEnv is newEnv on a file system in memory.
func memEnv(t testing.TB) *env { return newEnv(t, disk.NewMem(), "/s") }

var ctx = context.Background()

// inbox is the mailbox most tests use.
var inbox = Ref{Name: "user.alice", UniqueID: "aa0123456789012345678901", Partition: "default"}

func (e *env) create(r Ref) Created {
	e.Helper()
	c, err := e.s.Create(ctx, r, CreateOptions{ACL: "alice\tlrswipkxtecdan\t", QuotaRoot: "user.alice"}, nil)
	if err != nil {
		e.Fatal(err)
	}
	return c
}

// text is message number n.
func text(n int) string {
	return fmt.Sprintf("From: a%d@example.com\r\nMessage-ID: <m%d@example.com>\r\nSubject: number %d\r\nDate: Mon, 2 Nov 2026 10:11:12 +0100\r\n\r\nbody %s\r\n", n, n, n, strings.Repeat("x", n%7))
}

// stage stages a message.
func (e *env) stage(body string) *Staged {
	e.Helper()
	st, err := e.s.Stage("default")
	if err != nil {
		e.Fatal(err)
	}
	if _, err := st.Write([]byte(body)); err != nil {
		e.Fatal(err)
	}
	return st
}

// append appends messages by their number with one call.
func (e *env) append(r Ref, o AppendOptions, ns ...int) ([]Appended, error) {
	e.Helper()
	var msgs []AppendMessage
	for _, n := range ns {
		st := e.stage(text(n))
		defer st.Remove()
		msgs = append(msgs, AppendMessage{Staged: st, InternalDate: time.Unix(1e9+int64(n), 0)})
	}
	return e.s.Append(ctx, r, msgs, o)
}

func (e *env) mustAppend(r Ref, ns ...int) []Appended {
	e.Helper()
	a, err := e.append(r, AppendOptions{}, ns...)
	if err != nil {
		e.Fatal(err)
	}
	return a
}

func (e *env) dir(r Ref) string {
	d, err := e.l.MailboxDir(r.Partition, r.Name, r.UniqueID, r.Legacy)
	if err != nil {
		e.Fatal(err)
	}
	return d
}

// check checks the files of a mailbox.
func (e *env) check(r Ref) *mailboxtest.Report {
	e.Helper()
	rep := e.report(r)
	for _, p := range rep.Problems {
		e.Errorf("%s: %s", r.Name, p)
	}
	return rep
}

func (e *env) report(r Ref) *mailboxtest.Report {
	c := mailboxtest.Mailbox{FS: e.fs, Dir: e.dir(r)}
	if e.annot != nil {
		path, _ := e.l.MetaPath(mboxname.Annotations, r.Partition, r.Name, r.UniqueID, r.Legacy)
		err := e.annot.MessageEach(ctx, annot.Messages{Path: path, Owner: r.Name.Owner()}, 0, func(a annot.Message, _ uint64) error {
			c.Annotations = append(c.Annotations, mailboxtest.Annotation{UID: a.UID, Entry: a.Entry, User: a.User, Value: string(a.Value)})
			return nil
		})
		if err != nil {
			e.Error(err)
		}
	}
	return c.Check()
}

func (e *env) open(r Ref, mode Mode) *Mailbox {
	e.Helper()
	m, err := e.s.Open(ctx, r, mode)
	if err != nil {
		e.Fatal(err)
	}
	return m
}

// reopen returns the same files with another Store, as another process
// finds them.
func (e *env) reopen(fsys disk.FS, with func(*Options)) *env {
	n := &env{TB: e.TB, fs: fsys, l: e.l, quota: e.quota, annot: e.annot, conversed: e.conversed}
	n.s = newStore(e.TB, fsys, e.l, func(o *Options) {
		o.Quota = e.quota
		if e.conversed {
			keepConversations(o)
		}
		with(o)
	})
	if e.split {
		n.withSplits()
	}
	return n
}

package mailbox

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/libcyrus/quota"
)

var every = flag.Bool("every", false, "let each operation fail also with the race detector, where otherwise every fourth does")

// faultTest makes each operation of an update fail in turn: once (an error
// of the disk) or from there on (kill -9). Then it looks at what is there,
// as it is and after a power cut.
type faultTest struct {
	setup func(e *env)
	// do is the update. It may be acknowledged in parts: what it says with
	// ack has happened.
	do func(e *env, ack func()) error
	// see looks at the result. acked tells whether do called ack.
	see func(e *env, r *mailboxtest.Report, acked bool) error
	// mailbox is what is checked; "" name = inbox.
	mailbox Ref
	gone    bool // there may be no mailbox

	conversed bool // conversations are kept
	split     bool // and split
}

func (f *faultTest) run(t *testing.T) {
	if f.mailbox.Name == "" {
		f.mailbox = inbox
	}
	step := 1
	if raced && !*every {
		step = 4
	}
	for first, kind := range []struct {
		name  string
		new   func() *disk.Mem
		fails func(disk.FS, int) disk.FS
	}{
		{"error", disk.NewMem, disk.FailAt},
		{"kill", disk.NewMem, disk.FailFrom},
		{"strict-kill", disk.NewStrictMem, disk.FailFrom},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			// Some failures matter to nobody, such as that of removing a
			// stage file: only a row of successes is the end.
			for i, row := first%step, 0; row < 15; i += step {
				if i > 2000 {
					t.Fatal("no end")
				}
				row += step
				if err := f.one(t, kind.new(), kind.fails, i); err != nil {
					row = 0
				}
				if t.Failed() {
					t.Fatalf("at operation %d", i)
				}
			}
		})
	}
}

// one lets operation i fail.
func (f *faultTest) one(t *testing.T, m *disk.Mem, fails func(disk.FS, int) disk.FS, i int) error {
	for _, d := range []string{"/s", "/s/conf", "/s/spool", "/s/spool2"} {
		if err := errors.Join(m.MkdirAll(d, 0o700), m.SyncDir(filepath.Dir(d))); err != nil {
			t.Fatal(err)
		}
	}
	e := newEnv(t, m, "/s")
	if f.conversed {
		e.s.Close()
		e.conversed = true
		if e = e.reopen(m, func(*Options) {}); f.split {
			e.withSplits()
		}
	}
	f.setup(e)
	e.s.Close()
	acked := false
	bad := e.reopen(fails(m, i), func(o *Options) {})
	err := bad.broken
	if err == nil {
		err = f.do(bad, func() { acked = true })
	}
	bad.s.Close()
	if err != nil && !errors.Is(err, disk.ErrInjected) {
		t.Errorf("fault %d: %v", i, err)
	}
	if err == nil {
		acked = true
	}
	const seeds = 4
	var cut [seeds]*disk.Mem
	for seed := range cut {
		cut[seed] = m.Crash(uint64(seed))
	}
	f.look(e.reopen(m, func(o *Options) {}), fmt.Sprintf("fault %d (%v)", i, err), acked)
	for seed, m := range cut {
		after := e.reopen(m, func(o *Options) { o.UncleanBoot = time.Now() })
		f.look(after, fmt.Sprintf("fault %d (%v), power cut %d", i, err, seed), acked)
	}
	return err
}

// look opens, checks and uses what is left.
func (f *faultTest) look(e *env, when string, acked bool) {
	defer e.s.Close()
	m, err := e.s.Open(ctx, f.mailbox, Write)
	if err != nil {
		if !f.gone {
			e.Errorf("%s: open: %v", when, err)
			return
		}
	} else {
		var buf CacheBuffer
		m.Each(1, func(r *Record) bool {
			if _, err := m.Cache(r, &buf); err != nil && r.Flags&Unlinked == 0 {
				e.Errorf("%s: cache of uid %d: %v", when, r.UID, err)
			}
			return true
		})
		buf.Free()
		m.Close()
	}
	var r *mailboxtest.Report
	if err == nil {
		r = e.report(f.mailbox)
		for _, p := range r.Problems {
			// This one is only a warning; the next change mends it.
			if !strings.HasPrefix(p, "CRC of cyrus.header") {
				e.Errorf("%s: %s", when, p)
			}
		}
	}
	if err := f.see(e, r, acked); err != nil {
		e.Errorf("%s: %v", when, err)
	}
	if r == nil {
		return
	}
	if _, err := e.append(f.mailbox, AppendOptions{}, 99); err != nil {
		e.Errorf("%s: the next append: %v", when, err)
	}
	for _, p := range e.report(f.mailbox).Problems {
		e.Errorf("%s, and an append: %s", when, p)
	}
}

// someMail makes a mailbox of n messages.
func someMail(n int) func(e *env) {
	return func(e *env) {
		e.create(inbox)
		var ns []int
		for i := range n {
			ns = append(ns, i+1)
		}
		e.mustAppend(inbox, ns...)
	}
}

// has reports whether a report holds exactly messages from to to, intact.
func has(r *mailboxtest.Report, from, to int) error {
	live := r.Live()
	if len(live) != to-from+1 {
		return fmt.Errorf("%d messages, want %d", len(live), to-from+1)
	}
	for i, m := range live {
		if string(m.Content) != text(from+i) {
			return fmt.Errorf("message %d is not number %d", i, from+i)
		}
	}
	return nil
}

func TestAppendFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: someMail(2),
		do: func(e *env, _ func()) error {
			st, err := e.s.Stage("default")
			if err != nil {
				return err
			}
			defer st.Remove()
			if _, err := st.Write([]byte(text(3))); err != nil {
				return err
			}
			_, err = e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, Keywords: []string{"new"}}}, AppendOptions{})
			return err
		},
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			err := has(r, 1, 3)
			if err != nil && !acked {
				err = has(r, 1, 2)
			}
			return err
		},
	}).run(t)
}

// TestAppendFaultQuota compares use of quota after an error.
func TestAppendFaultQuota(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		m := disk.NewMem()
		e := newEnv(t, m, "/s")
		someMail(2)(e)
		bad := e.reopen(disk.FailAt(m, i), func(*Options) {})
		st, err := bad.s.Stage("default")
		if err != nil {
			continue
		}
		st.Write([]byte(text(3)))
		_, err = bad.s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{})
		st.Remove()
		r := e.check(inbox)
		if u := e.quota.used["user.alice"]; u[quota.Storage] != r.Size || u[quota.Message] != r.Exists {
			t.Fatalf("fault %d (%v): quota %v, mailbox %d octets, %d messages", i, err, u, r.Size, r.Exists)
		}
	}
}

func TestStoreFaults(t *testing.T) {
	t.Parallel()
	const n = 80 // 9 KiB of records: three pages
	(&faultTest{
		setup: someMail(n),
		do: func(e *env, _ func()) error {
			m, err := e.s.Open(ctx, inbox, Write)
			if err != nil {
				return err
			}
			defer m.Close()
			flag, err := m.AddFlag("done", ClientUserFlags)
			if err != nil {
				return err
			}
			for recno := uint32(1); recno <= n; recno++ {
				r, err := m.Record(recno)
				if err != nil {
					return err
				}
				r.Flags |= Seen
				r.User.Set(flag)
				if err := m.Rewrite(&r); err != nil {
					return err
				}
			}
			return m.Commit(ctx)
		},
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			for _, m := range r.Messages {
				if set := Flags(m.Flags)&Seen != 0; acked && (!set || len(m.Keywords) != 1) {
					return fmt.Errorf("uid %d has flags %x %v", m.UID, m.Flags, m.Keywords)
				}
			}
			return has(r, 1, n)
		},
	}).run(t)
}

func expungeUID(e *env, uid uint32) error {
	m, err := e.s.Open(ctx, inbox, Write)
	if err != nil {
		return err
	}
	defer m.Close()
	r, ok, err := m.FindUID(uid, 0)
	if err != nil || !ok {
		return errors.Join(err, disk.ErrInjected)
	}
	if err := m.Expunge(&r, "s"); err != nil {
		return err
	}
	return m.Commit(ctx)
}

func TestExpungeFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: someMail(3),
		do:    func(e *env, _ func()) error { return expungeUID(e, 1) },
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			err := has(r, 2, 3)
			if err != nil && !acked {
				err = has(r, 1, 3)
			}
			return err
		},
	}).run(t)
}

func TestCleanupFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: func(e *env) {
			someMail(4)(e)
			if err := errors.Join(expungeUID(e, 1), expungeUID(e, 2)); err != nil {
				e.Fatal(err)
			}
		},
		do: func(e *env, _ func()) error {
			_, _, err := e.s.Cleanup(ctx, inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)})
			return err
		},
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			if acked && len(r.Messages) != 2 {
				return fmt.Errorf("%d records are left", len(r.Messages))
			}
			return has(r, 3, 4)
		},
	}).run(t)
}

func TestCreateFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: func(e *env) {},
		do: func(e *env, ack func()) error {
			_, err := e.s.Create(ctx, inbox, CreateOptions{}, func(Created) error { ack(); return nil })
			return err
		},
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			if acked && r == nil {
				return errors.New("there is no mailbox")
			}
			if r == nil {
				e.create(inbox) // what is left must not be in the way
			}
			return nil
		},
		gone: true,
	}).run(t)
}

// legacyA and legacyB are mailboxes with directories by name.
var (
	legacyA = Ref{Name: "user.alice.a", UniqueID: "la", Partition: "default", Legacy: true}
	legacyB = Ref{Name: "user.alice.b", UniqueID: "la", Partition: "second", Legacy: true}
)

// TestMoveFaults moves a mailbox to another name and partition: it is
// complete under the one or the other, which hold decides.
func TestMoveFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: func(e *env) {
			e.create(legacyA)
			e.mustAppend(legacyA, 1, 2, 3)
		},
		do: func(e *env, ack func()) error {
			return e.s.Move(ctx, legacyA, legacyB, "user.alice", 0, "s", func(*Mailbox) error { ack(); return nil })
		},
		mailbox: legacyB,
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			if acked {
				return has(r, 1, 3)
			}
			m, err := e.s.Open(ctx, legacyA, Write)
			if err != nil {
				return err
			}
			m.Close()
			return has(e.check(legacyA), 1, 3)
		},
		gone: true,
	}).run(t)
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

// marks is a database of deliveries that no crash touches.
type marks struct {
	mu   sync.Mutex
	uids map[string]uint32
	err  error // of the next Mark
}

func newMarks() *marks { return &marks{uids: map[string]uint32{}} }

// once is the options of a delivery with this key.
func (m *marks) once(key string) AppendOptions {
	return AppendOptions{Once: &Once{
		Key: key,
		Delivered: func(context.Context) (uint32, bool, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			uid, ok := m.uids[key]
			return uid, ok, nil
		},
		Mark: func(_ context.Context, uid uint32) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if err := m.err; err != nil {
				m.err = nil
				return err
			}
			m.uids[key] = uid
			return nil
		},
	}}
}

func TestOnce(t *testing.T) {
	e, db := memEnv(t), newMarks()
	e.create(inbox)
	deliver := func(n int) error {
		_, err := e.append(inbox, db.once(fmt.Sprint(n)), n)
		return err
	}
	for _, n := range []int{1, 2} {
		if err := deliver(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := deliver(1); !errs.Is(err, errs.Duplicate) {
		t.Error("the same again: ", err)
	}
	m := e.open(inbox, Write)
	r, _, _ := m.FindUID(1, 0)
	if err := errors.Join(m.Expunge(&r, ""), m.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if err := deliver(1); !errs.Is(err, errs.Duplicate) {
		t.Error("one that was expunged: ", err)
	}
	db.uids["3"] = 3 // a crash came before the message
	if err := deliver(3); err != nil {
		t.Error("marked only: ", err)
	}
	db.uids["4"] = 2 // … and another message got its UID
	if err := deliver(4); err != nil {
		t.Error("marked with the UID of another: ", err)
	}
	m = e.open(inbox, Write)
	m.SetOptions(OptDuplicate, 0)
	if err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if err := deliver(2); err != nil || db.uids["2"] != 2 {
		t.Error("a mailbox that takes duplicates: ", err, db.uids)
	}
	e.check(inbox)
}

// TestOnceTogether delivers the same few messages from many goroutines.
func TestOnceTogether(t *testing.T) {
	e, db := memEnv(t), newMarks()
	e.create(inbox)
	var mu sync.Mutex
	delivered := map[int]int{}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			n := i % 3
			_, err := e.append(inbox, db.once(fmt.Sprint(n)), n)
			if err != nil && !errs.Is(err, errs.Duplicate) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				delivered[n]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if r := e.check(inbox); len(r.Live()) != 3 || delivered[0] != 1 || delivered[1] != 1 || delivered[2] != 1 {
		t.Errorf("%d messages, delivered %v", len(r.Live()), delivered)
	}
}

// TestOnceTwin: a delivery may be called a duplicate of one in the same
// batch only if that one succeeds.
func TestOnceTwin(t *testing.T) {
	for range 50 {
		e, db := memEnv(t), newMarks()
		e.create(inbox)
		refused := errors.New("refused")
		db.err = refused
		var wg sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for range 4 {
			wg.Go(func() {
				_, err := e.append(inbox, db.once("x"), 1)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					good++
				case errs.Is(err, errs.Duplicate):
					if db.uids["x"] == 0 {
						t.Error("a duplicate of nothing")
					}
				case !errors.Is(err, refused):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if r := e.check(inbox); len(r.Live()) != good || good > 1 {
			t.Fatalf("%d messages, %d delivered", len(r.Live()), good)
		}
	}
}

// markFile is a database of one delivery, on the disk that fails.
const markFile = "/s/mark"

// onDisk delivers message 1 once, with its mark in markFile.
func (e *env) onDisk() error {
	st, err := e.s.Stage("default")
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(text(1))); err != nil {
		return err
	}
	_, err = e.s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{Once: &Once{
		Delivered: func(context.Context) (uint32, bool, error) {
			b, err := disk.ReadFile(e.fs, markFile)
			if errors.Is(err, fs.ErrNotExist) {
				return 0, false, nil
			}
			n, aerr := strconv.Atoi(string(b))
			return uint32(n), true, errors.Join(err, aerr)
		},
		Mark: func(_ context.Context, uid uint32) error {
			return disk.ReplaceSync(e.fs, markFile, strconv.AppendUint(nil, uint64(uid), 10), 0o600)
		},
	}})
	return err
}

// TestOnceFaults delivers again after each fault: the message is there once.
func TestOnceFaults(t *testing.T) {
	t.Parallel()
	f := faultTest{
		setup: func(e *env) { e.create(inbox); e.mustAppend(inbox, 7) },
		do:    func(e *env, _ func()) error { return e.onDisk() },
		see: func(e *env, _ *mailboxtest.Report, acked bool) error {
			err := e.onDisk()
			if err != nil && !errs.Is(err, errs.Duplicate) {
				return err
			}
			n := 0
			for _, rec := range e.report(inbox).Live() {
				if strings.Contains(e.messageText(rec.UID), "<m1@example.com>") {
					n++
				}
			}
			if n != 1 || acked && err == nil {
				return fmt.Errorf("the message is there %d times; delivering again: %v", n, err)
			}
			return nil
		},
	}
	f.run(t)
}

// messageText is the text of a message of inbox.
func (e *env) messageText(uid uint32) string {
	m := e.open(inbox, Read)
	defer m.Close()
	r, ok, err := m.FindUID(uid, 0)
	if err != nil || !ok {
		e.Fatalf("uid %d: %v", uid, err)
	}
	f, err := m.OpenMessage(&r)
	if err != nil {
		e.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, r.Size)
	if _, err := f.ReadAt(b, 0); err != nil {
		e.Fatal(err)
	}
	return string(b)
}

package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/libcyrus/quota"
)

var drafts = Ref{Name: "user.alice.Drafts", UniqueID: "bb0123456789012345678901", Partition: "second"}

// replace puts message n in place of one of the inbox.
func (e *env) replace(uid uint32, dst Ref, n int) (Appended, uint64, error) {
	st, err := e.s.Stage("default")
	if err != nil {
		return Appended{}, 0, err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(text(n))); err != nil {
		return Appended{}, 0, err
	}
	return e.s.Replace(ctx, Replacement{inbox, uid}, dst, AppendMessage{Staged: st}, AppendOptions{})
}

// numbers is which messages a mailbox has.
func numbers(t testing.TB, r *mailboxtest.Report) (out []int) {
	for _, m := range r.Live() {
		var n int
		if _, err := fmt.Sscanf(string(m.Content), "From: a%d@", &n); err != nil || text(n) != string(m.Content) {
			t.Errorf("uid %d is damaged: %q", m.UID, m.Content)
		}
		out = append(out, n)
	}
	return out
}

func TestReplace(t *testing.T) {
	for _, dst := range []Ref{inbox, drafts} {
		e := memEnv(t)
		someMail(3)(e)
		e.create(drafts)
		a, modseq, err := e.replace(2, dst, 7)
		if err != nil {
			t.Fatal(err)
		}
		in := e.check(inbox)
		if modseq != in.HighestModseq {
			t.Errorf("modseq %d, the mailbox has %d", modseq, in.HighestModseq)
		}
		want, other := []int{1, 3, 7}, []int(nil)
		if dst == drafts {
			want, other = []int{1, 3}, []int{7}
		}
		box := e.check(drafts)
		if got := numbers(t, in); !slices.Equal(got, want) {
			t.Errorf("inbox: %v", got)
		}
		if got := numbers(t, box); !slices.Equal(got, other) {
			t.Errorf("drafts: %v", got)
		}
		if u := e.quota.used["user.alice"]; u[quota.Message] != 3 || u[quota.Storage] != in.Size+box.Size {
			t.Errorf("quota %v of %d and %d octets", u, in.Size, box.Size)
		}
		for _, uid := range []uint32{2, 99} {
			if _, _, err := e.replace(uid, dst, 8); !errs.Is(err, errs.NoSuchMessage) {
				t.Errorf("of no message: %v", err)
			}
		}
		if got := len(e.check(dst).Live()); dst == inbox && got != 3 || a.UID == 0 {
			t.Errorf("%d messages, %+v", got, a)
		}
	}
}

// TestReplaceQuota: only what the new message is larger counts.
func TestReplaceQuota(t *testing.T) {
	for _, dst := range []Ref{inbox, drafts} {
		e := memEnv(t)
		e.create(inbox)
		e.create(drafts)
		body := func(kib int) []AppendMessage {
			st := e.stage(text(1) + strings.Repeat("x", kib<<10))
			t.Cleanup(st.Remove)
			return []AppendMessage{{Staged: st}}
		}
		if _, err := e.s.Append(ctx, inbox, slices.Concat(body(4), body(4), body(4)), AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		e.quota.limit = 8 << 10 // it is over it already
		for _, c := range []struct {
			uid  uint32
			kib  int
			fits bool
		}{{1, 3, true}, {2, 4, true}, {3, 5, false}} {
			_, _, err := e.s.Replace(ctx, Replacement{inbox, c.uid}, dst, body(c.kib)[0], AppendOptions{})
			if c.fits != (err == nil) || !c.fits && !errs.Is(err, errs.OverQuota) {
				t.Errorf("%s: 4 KiB by %d: %v", dst.Name, c.kib, err)
			}
		}
	}
}

// TestReplaceAtOnce: of several that replace the same message one does.
func TestReplaceAtOnce(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 8 {
		wg.Go(func() {
			_, _, err := e.replace(1, inbox, 10+i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !errs.Is(err, errs.NoSuchMessage) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(e.check(inbox).Live()); done != 1 || n != 1 {
		t.Errorf("%d done, %d messages", done, n)
	}
}

func TestReplaceFaults(t *testing.T) {
	for _, dst := range []Ref{inbox, drafts} {
		for _, conversed := range []bool{false, true} {
			if conversed && dst != inbox {
				continue // the steps are those of Append and Expunge
			}
			t.Run(fmt.Sprint(dst.Name, conversed), func(t *testing.T) {
				t.Parallel()
				f := faultTest{
					conversed: conversed,
					setup: func(e *env) {
						someMail(2)(e)
						e.create(drafts)
					},
					do: func(e *env, _ func()) error {
						_, _, err := e.replace(1, dst, 7)
						return err
					},
				}
				f.see = func(e *env, r *mailboxtest.Report, acked bool) error {
					all := numbers(t, r)
					if dst != inbox {
						all = append(all, numbers(t, e.report(dst))...)
					}
					slices.Sort(all)
					switch {
					case slices.Equal(all, []int{2, 7}):
						return nil
					case !acked && (slices.Equal(all, []int{1, 2}) || slices.Equal(all, []int{1, 2, 7})):
						return nil
					}
					return fmt.Errorf("acknowledged %v, messages %v", acked, all)
				}
				f.run(t)
			})
		}
	}
}

// TestReplaceError: an error of the disk that is not also a power cut leaves
// the old message alone, but where the new one cannot be taken back.
func TestReplaceError(t *testing.T) {
	t.Parallel()
	for _, dst := range []Ref{inbox, drafts} {
		both := 0
		for i := range 150 {
			m := disk.NewMem()
			e := newEnv(t, m, "/s")
			someMail(2)(e)
			e.create(drafts)
			bad := e.reopen(disk.FailAt(m, i), func(*Options) {})
			_, _, err := bad.replace(1, dst, 7)
			all := numbers(t, e.check(inbox))
			if dst != inbox {
				all = append(all, numbers(t, e.check(dst))...)
			}
			slices.Sort(all)
			switch {
			case err == nil && slices.Equal(all, []int{2, 7}), err != nil && slices.Equal(all, []int{1, 2}):
			case err != nil && slices.Equal(all, []int{1, 2, 7}):
				both++
			default:
				t.Errorf("%s, fault %d (%v): %v", dst.Name, i, err, all)
			}
		}
		if both > 3 {
			t.Errorf("%s: both messages stay after %d faults", dst.Name, both)
		}
	}
}

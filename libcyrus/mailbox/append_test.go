package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	e := newEnv(t, disk.OS(), t.TempDir())
	c := e.create(inbox)
	if c.Modseq != 1 || c.UIDValidity == 0 {
		t.Errorf("created %+v", c)
	}
	e.check(inbox)
	got := e.mustAppend(inbox, 1, 2)
	got = append(got, e.mustAppend(inbox, 3)...)
	for i, a := range got {
		if a.UID != uint32(i+1) || a.Modseq != uint64(i+2) || a.UIDValidity != c.UIDValidity {
			t.Errorf("message %d: %+v", i, a)
		}
	}
	r := e.check(inbox)
	for i, m := range r.Live() {
		if string(m.Content) != text(i+1) || m.Internal != uint32(1e9+i+1) {
			t.Errorf("uid %d: internal date %d, content %q", m.UID, m.Internal, m.Content)
		}
	}
	if want := (quota.Usage{int64(r.Size), 3, 0, 1}); len(r.Live()) != 3 || e.quota.used["user.alice"] != want {
		t.Errorf("%d messages, quota %v, want %v", len(r.Live()), e.quota.used, want)
	}
	fi, err := e.fs.Stat(e.dir(inbox) + "/2.")
	if err != nil || fi.ModTime().Unix() != 1e9+2 || disk.Links(fi) != 1 {
		t.Errorf("file of uid 2: %v, %v", fi, err)
	}
}

func TestAppendFlagsAndKeywords(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	st := e.stage(text(1))
	defer st.Remove()
	_, err := e.s.Append(ctx, inbox, []AppendMessage{
		{Staged: st, Flags: Seen | Flagged | Expunged, Keywords: []string{"$Label1", "work"}},
		{Staged: st, Keywords: []string{"WORK"}},
	}, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ms := e.check(inbox).Messages
	if len(ms) != 2 || Flags(ms[0].Flags) != Seen|Flagged || !slices.Equal(ms[0].Keywords, []string{"$Label1", "work"}) ||
		!slices.Equal(ms[1].Keywords, []string{"work"}) {
		t.Errorf("%+v", ms)
	}
}

// One staged message, also one too large for memory, is appended for several
// recipients at the same time.
func TestAppendAtOnce(t *testing.T) {
	for _, size := range []int{10, 3 * stageMemory} {
		e := memEnv(t)
		st := e.stage(text(1) + strings.Repeat("x", size) + "\r\n")
		defer st.Remove()
		var refs []Ref
		for i := range 6 {
			refs = append(refs, Ref{Name: mboxname.Name(fmt.Sprintf("user.u%d", i)), UniqueID: fmt.Sprintf("aa012345678901234567890%d", i), Partition: "default"})
			e.create(refs[i])
		}
		var wg sync.WaitGroup
		for _, r := range refs {
			for range 2 {
				wg.Go(func() {
					if _, err := e.s.Append(ctx, r, []AppendMessage{{Staged: st}}, AppendOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		for _, r := range refs {
			if n := len(e.check(r).Live()); n != 2 {
				t.Errorf("%s: %d messages", r.Name, n)
			}
		}
	}
}

func TestAppendTooManyFlags(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	st := e.stage(text(1))
	defer st.Remove()
	var names []string
	for i := range ClientUserFlags {
		names = append(names, fmt.Sprint("k", i))
	}
	add := func(limit int, names ...string) error {
		_, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, Keywords: names}}, AppendOptions{FlagLimit: limit})
		return err
	}
	if err := add(0, names...); err != nil {
		t.Fatal(err)
	}
	if err := add(0, "more"); !errs.Is(err, errs.FlagsFull) {
		t.Errorf("a flag too many: %v", err)
	}
	if err := add(MaxUserFlags, "more"); err != nil {
		t.Error(err)
	}
	if n := len(e.check(inbox).Live()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

func TestAppendLimits(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	e.s.o.MaxMessages = map[string]uint32{"e": 3}
	e.quota.limit = 1024
	if _, err := e.append(inbox, AppendOptions{}, 1, 2, 3, 4); !errs.Is(err, errs.TooManyMessages) {
		t.Errorf("four messages: %v", err)
	}
	big := e.stage(text(1) + string(make([]byte, 4096)))
	defer big.Remove()
	msgs := []AppendMessage{{Staged: big}}
	if _, err := e.s.Append(ctx, inbox, msgs, AppendOptions{}); !errs.Is(err, errs.OverQuota) {
		t.Errorf("over quota: %v", err)
	}
	if _, err := e.s.Append(ctx, inbox, msgs, AppendOptions{Check: &quota.Usage{}}); err != nil {
		t.Errorf("without quota: %v", err)
	}
	if _, err := e.append(inbox, AppendOptions{}, 1); !errs.Is(err, errs.OverQuota) {
		t.Errorf("after that: %v", err)
	}
	e.check(inbox)
}

// TestAppendHook refuses some of many concurrent appends in their hook.
func TestAppendHook(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			var uids []uint32
			o := AppendOptions{BeforeCommit: func(_ context.Context, i int, uid uint32) error {
				uids = append(uids, uid)
				if n%3 == 0 && i == 1 {
					return refused
				}
				return nil
			}}
			got, err := e.append(inbox, o, 2*n, 2*n+1)
			if n%3 == 0 {
				if !errors.Is(err, refused) {
					t.Errorf("append %d: %v", n, err)
				}
				return
			}
			if err != nil || len(got) != 2 || got[0].UID != uids[0] || got[1].UID != uids[1] {
				t.Errorf("append %d: %v, hook saw %v: %v", n, got, uids, err)
			}
		})
	}
	wg.Wait()
	r := e.check(inbox)
	if len(r.Live()) != 80 || e.quota.used["user.alice"][quota.Message] != 80 || e.quota.used["user.alice"][quota.Storage] != r.Size {
		t.Errorf("%d messages, quota %v", len(r.Live()), e.quota.used)
	}
	entries, _ := e.fs.ReadDir(e.dir(inbox))
	if len(entries) != 80+3 {
		t.Errorf("%d files in the directory", len(entries))
	}
}

func TestAppendNotFound(t *testing.T) {
	e := memEnv(t)
	if _, err := e.append(inbox, AppendOptions{}, 1); !errs.Is(err, errs.NotFound) {
		t.Errorf("append to nothing: %v", err)
	}
}

// TestAppendWaits gives up while another process has the mailbox.
func TestAppendWaits(t *testing.T) {
	t.Parallel()
	e := newEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	other := e.reopen(e.fs, func(*Options) {})
	m := other.open(inbox, Write)
	st := e.stage(text(1))
	defer st.Remove()
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if _, err := e.s.Append(short, inbox, []AppendMessage{{Staged: st}}, AppendOptions{}); !errs.Is(err, errs.Locked) {
		t.Errorf("append to a locked mailbox: %v", err)
	}
	m.Close()
	e.mustAppend(inbox, 2)
	if r := e.check(inbox); len(r.Live()) != 1 {
		t.Errorf("%d messages", len(r.Live()))
	}
}

// TestStaleFile finds a message file above last_uid.
func TestStaleFile(t *testing.T) {
	e := memEnv(t)
	e.create(inbox)
	if err := disk.Replace(e.fs, e.dir(inbox)+"/1.", []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.mustAppend(inbox, 1)
	if r := e.check(inbox); string(r.Messages[0].Content) != text(1) {
		t.Errorf("%q", r.Messages[0].Content)
	}
}

// TestManyProcesses appends and changes flags with several Stores at once,
// which are to each other like processes.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	const procs, each, msgs = 3, 4, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := map[uint32]int{}
	e.quota = &fakeQuota{}
	for p := range procs {
		other := e.reopen(e.fs, func(o *Options) { o.Quota = nil })
		for g := range each {
			wg.Go(func() {
				for i := range msgs {
					n := p*1000 + g*100 + i
					got, err := other.append(inbox, AppendOptions{}, n)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acked[got[0].UID] = n
					mu.Unlock()
					other.flip(inbox, got[0].UID, Flagged)
				}
			})
		}
	}
	wg.Wait()
	live := e.check(inbox).Live()
	if len(live) != procs*each*msgs || len(acked) != len(live) {
		t.Errorf("%d messages, %d acknowledged", len(live), len(acked))
	}
	for _, m := range live {
		if string(m.Content) != text(acked[m.UID]) || Flags(m.Flags) != Flagged {
			t.Errorf("uid %d is not what was appended", m.UID)
		}
	}
}

// flip toggles a flag of a message.
func (e *env) flip(r Ref, uid uint32, f Flags) {
	e.Helper()
	if err := e.tryFlip(r, uid, f); err != nil {
		e.Error(err)
	}
}

func (e *env) tryFlip(r Ref, uid uint32, f Flags) error {
	m, err := e.s.Open(ctx, r, Write)
	if err != nil {
		return err
	}
	defer m.Close()
	rec, ok, err := m.FindUID(uid, 0)
	if err != nil || !ok {
		return fmt.Errorf("uid %d: %v, %w", uid, ok, err)
	}
	rec.Flags ^= f
	if err := m.Rewrite(&rec); err != nil {
		return err
	}
	return m.Commit(ctx)
}

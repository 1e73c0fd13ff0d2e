package view

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// follower is a client with QRESYNC that keeps a copy of the mailbox from
// nothing but what it is told.
type follower struct {
	t     *testing.T
	s     *session
	uids  []uint32          // by sequence number
	flags map[uint32]string // by UID
	mod   map[uint32]uint64
	known uint64 // what it may resynchronise from
}

var (
	toldExists   = regexp.MustCompile(`^\* (\d+) EXISTS$`)
	toldFetch    = regexp.MustCompile(`^\* (\d+) FETCH \(FLAGS \((.*?)\) UID (\d+) MODSEQ \((\d+)\)\)$`)
	toldVanished = regexp.MustCompile(`^\* VANISHED (\(EARLIER\) )?(\S+)$`)
)

// take believes what the server says.
func (f *follower) take(lines []string) {
	f.t.Helper()
	for _, line := range lines {
		if m := toldVanished.FindStringSubmatch(line); m != nil {
			f.vanish(m[2])
		} else if m := toldFetch.FindStringSubmatch(line); m != nil {
			f.changed(number(m[1]), m[2], number(m[3]), m[4])
		} else if m := toldExists.FindStringSubmatch(line); m != nil {
			for len(f.uids) < int(number(m[1])) {
				f.uids = append(f.uids, 0)
			}
		}
	}
	if slices.Contains(f.uids, 0) { // new ones
		f.take(strings.Split(f.s.fetch("1:*", "(FLAGS UID MODSEQ)"), "|"))
	}
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

func (f *follower) vanish(text string) {
	set := set(text)
	f.uids = slices.DeleteFunc(f.uids, func(uid uint32) bool { return set.Contains(uid) })
	for uid := range f.flags {
		if set.Contains(uid) {
			delete(f.flags, uid)
			delete(f.mod, uid)
		}
	}
}

func (f *follower) changed(seq uint32, flags string, uid uint32, modseq string) {
	if int(seq) > len(f.uids) || f.uids[seq-1] != 0 && f.uids[seq-1] != uid {
		f.t.Fatalf("message %d is uid %d for the server; the client has %v", seq, uid, f.uids)
	}
	f.uids[seq-1] = uid
	words := strings.Fields(strings.ReplaceAll(flags, `\Recent`, ""))
	slices.Sort(words)
	n, _ := strconv.ParseUint(modseq, 10, 64)
	if n < f.mod[uid] {
		f.t.Fatalf("modseq of %d went from %d to %d", uid, f.mod[uid], n)
	}
	f.flags[uid], f.mod[uid] = strings.Join(words, " "), n
}

// sync is NOOP, and a look at messages that are new.
func (f *follower) sync() {
	f.t.Helper()
	f.take(strings.Split(f.s.noop(), "|"))
	f.known = f.s.HighestModseq()
}

// resynced takes what SELECT QRESYNC says: messages that changed, by numbers
// of which the client knows the UIDs only when it has seen all.
func (f *follower) resynced(lines []string) {
	f.t.Helper()
	for _, line := range lines {
		if m := toldFetch.FindStringSubmatch(line); m != nil {
			f.flags[number(m[3])] = ""
		} else if m := toldVanished.FindStringSubmatch(line); m != nil {
			f.vanish(m[2])
		}
	}
	f.uids = slices.Sorted(maps.Keys(f.flags))
	if len(f.uids) != f.s.sel.Exists {
		f.t.Fatalf("the client knows %v, and there are %d messages", f.uids, f.s.sel.Exists)
	}
	f.take(lines)
	f.known = f.s.HighestModseq()
}

// newFollower selects the mailbox; old is what the client knew before, or nil.
func newFollower(t *testing.T, e *env, old *follower) *follower {
	t.Helper()
	s := e.open("alice", false)
	s.o.Client = &Client{Condstore: true, QResync: true}
	f := &follower{t: t, s: s, flags: map[uint32]string{}, mod: map[uint32]uint64{}}
	f.uids = make([]uint32, s.sel.Exists)
	if old != nil {
		// The old numbers are of no use; what it knows of UIDs is.
		f.flags, f.mod = old.flags, old.mod
		r := Resync{UIDValidity: s.sel.UIDValidity, Modseq: old.known}
		if err := s.Resync(ctx, s.w, &r); err != nil {
			t.Fatal(err)
		}
		f.resynced(strings.Split(s.sent(), "|"))
		return f
	}
	f.sync()
	return f
}

// TestResyncModel lets clients change a mailbox at random, miss changes,
// come back and resynchronise, while its expunged records are dropped now
// and then. In the end, and at each return, what a client believes has to be
// what is there.
func TestResyncModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			resyncModel(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

func resyncModel(t *testing.T, rnd *rand.Rand) {
	e := newEnv(t)
	e.fill(8)
	clients := []*follower{newFollower(t, e, nil), newFollower(t, e, nil), newFollower(t, e, nil)}
	for range 150 {
		f := clients[rnd.IntN(len(clients))]
		switch rnd.IntN(9) {
		case 0:
			e.fill(1 + rnd.IntN(3))
		case 1, 2, 3:
			f.storeAtRandom(rnd)
		case 4:
			f.expungeSome(rnd)
		case 5:
			f.sync()
		case 6: // the client leaves and comes back later
			old := f
			for range rnd.IntN(3) {
				clients[rnd.IntN(len(clients))].storeAtRandom(rnd)
			}
			i := slices.Index(clients, f)
			clients[i] = newFollower(t, e, old)
			clients[i].check(e)
		case 7:
			f.take(strings.Split(f.s.fetch("1:*", "(FLAGS UID MODSEQ)"), "|"))
		case 8:
			o := mailbox.CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}
			if _, _, err := e.store.Cleanup(ctx, inbox, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range clients {
		f.sync()
		f.check(e)
	}
}

// storeAtRandom changes a flag of some messages, on condition or not.
func (f *follower) storeAtRandom(rnd *rand.Rand) {
	f.t.Helper()
	if len(f.uids) == 0 {
		return
	}
	seq := uint32(1 + rnd.IntN(len(f.uids)))
	c := FlagChange{Operation: Operation(1 + rnd.IntN(2)), Flags: []mailbox.Flags{mailbox.Flagged, mailbox.Answered, mailbox.Seen}[rnd.IntN(3)]}
	if rnd.IntN(2) == 0 {
		c.Conditional, c.UnchangedSince = true, f.mod[f.uids[seq-1]]
	}
	f.s.o.ChangeAtOnce = 1 + rnd.IntN(3)
	last := min(seq+uint32(rnd.IntN(5)), uint32(len(f.uids)))
	if _, err := f.s.Store(ctx, imapwire.SeqSet{{First: seq, Last: last}}, false, c); err != nil {
		f.t.Fatal(err)
	}
	f.s.Report(f.s.w, false, false)
	f.take(strings.Split(f.s.sent(), "|"))
}

// expungeSome removes a message or two.
func (f *follower) expungeSome(rnd *rand.Rand) {
	f.t.Helper()
	if len(f.uids) < 4 {
		return
	}
	var chosen imapwire.SeqSet
	first := uint32(1 + rnd.IntN(len(f.uids)-1))
	chosen = append(chosen, imapwire.SeqRange{First: first, Last: first + uint32(rnd.IntN(2))})
	f.s.o.ChangeAtOnce = 1 + rnd.IntN(3)
	if _, err := f.s.Store(ctx, chosen, false, FlagChange{Operation: Add, Flags: mailbox.Deleted}); err != nil {
		f.t.Fatal(err)
	}
	if _, _, err := f.s.Expunge(ctx, nil); err != nil {
		f.t.Fatal(err)
	}
	f.s.Report(f.s.w, true, false)
	f.take(strings.Split(f.s.sent(), "|"))
}

// check compares what the client believes with what is there.
func (f *follower) check(e *env) {
	f.t.Helper()
	truth := newFollower(f.t, e, nil)
	for uid := range truth.flags {
		if f.flags[uid] != truth.flags[uid] || f.mod[uid] != truth.mod[uid] {
			f.t.Fatalf("uid %d: client has %q %d, mailbox %q %d", uid, f.flags[uid], f.mod[uid], truth.flags[uid], truth.mod[uid])
		}
	}
	for uid := range f.flags {
		if _, ok := truth.flags[uid]; !ok {
			f.t.Fatalf("uid %d is gone, and the client does not know", uid)
		}
	}
}

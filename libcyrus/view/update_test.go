package view

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// client keeps results as a client does that believes what it is told.
type client struct {
	t       testing.TB
	s       *session
	numbers []uint32 // UIDs by sequence number, by EXISTS, EXPUNGE and VANISHED
	results map[string][]uint32
}

var (
	told   = regexp.MustCompile(`^\* ESEARCH \(TAG "(\w+)"\)( UID)?(.*)$`)
	moves  = regexp.MustCompile(`(REMOVEFROM|ADDTO) \(([^)]*)\)`)
	counts = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE)$`)
)

// read takes what the server has sent.
func (c *client) read(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := counts.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			if m[2] == "EXPUNGE" {
				c.expunged(n)
				continue
			}
			for i := len(c.numbers); i < n; i++ {
				c.numbers = append(c.numbers, c.s.UID(uint32(i)+1))
			}
		}
		if m := told.FindStringSubmatch(line); m != nil {
			for _, change := range moves.FindAllStringSubmatch(m[3], -1) {
				c.change(m[1], m[2] != "", change[1], strings.Fields(change[2]))
			}
		}
	}
}

// expunged takes a number away. Results by number must not have it any more.
func (c *client) expunged(n int) {
	uid := c.numbers[n-1]
	for tag, r := range c.results {
		if slices.Contains(r, uid) {
			c.t.Fatalf("result %s has message %d (UID %d) when it is expunged", tag, n, uid)
		}
	}
	c.numbers = slices.Delete(c.numbers, n-1, n)
}

// change does one REMOVEFROM or ADDTO.
func (c *client) change(tag string, uid bool, what string, pairs []string) {
	r := c.results[tag]
	for i := 0; i+1 < len(pairs); i += 2 {
		at, _ := strconv.Atoi(pairs[i])
		var uids []uint32
		for _, g := range strings.Split(pairs[i+1], ",") {
			set, ok := imapwire.ParseSeqSet(g)
			if !ok {
				c.t.Fatalf("bad set %q", pairs[i+1])
			}
			for n := set[0].First; n <= set[0].Last; n++ {
				if uid {
					uids = append(uids, n)
				} else {
					uids = append(uids, c.numbers[n-1])
				}
			}
		}
		switch {
		case what == "ADDTO" && at > 0:
			r = slices.Insert(r, at-1, uids...)
		case what == "ADDTO":
			r = append(r, uids...)
			slices.Sort(r)
		case at > 0:
			if !slices.Equal(r[at-1:at-1+len(uids)], uids) {
				c.t.Fatalf("%s: %v at %d of %v", tag, uids, at, r)
			}
			r = slices.Delete(slices.Clone(r), at-1, at-1+len(uids))
		default:
			before := len(r)
			r = slices.DeleteFunc(slices.Clone(r), func(u uint32) bool { return slices.Contains(uids, u) })
			if len(r) != before-len(uids) {
				c.t.Fatalf("%s: %v is not in the result", tag, uids)
			}
		}
	}
	c.results[tag] = r
}

// watched is the contexts of the test.
var watched = []struct {
	tag, program string
	uid          bool
	keys         []imapwire.SortKey
}{
	{"a", "ALL", false, nil},
	{"b", "FLAGGED", true, nil},
	{"c", "OR SEEN SUBJECT 3", false, nil},
	{"d", "ALL", true, []imapwire.SortKey{{Op: imapwire.SortSubject, Reverse: true}}},
	{"e", "UNDELETED UNSEEN", false, []imapwire.SortKey{{Op: imapwire.SortFrom}}},
	{"f", "ALL", true, []imapwire.SortKey{{Op: imapwire.SortModseq, Reverse: true}}},
	{"g", "UID 1:5,8 UNSEEN", true, nil},
}

// TestUpdates lets chance change a mailbox by two sessions, and compares what a
// client knows of results with new searches. What was saved is compared, too.
func TestUpdates(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		for _, qresync := range []bool{false, true} {
			t.Run(fmt.Sprint(seed, qresync), func(t *testing.T) { updates(t, seed, qresync) })
		}
	}
}

func updates(t *testing.T, seed uint64, qresync bool) {
	r := rand.New(rand.NewPCG(seed, 3))
	e := newEnv(t)
	e.fill(8)
	s, other := e.open("alice", false), e.open("alice", false)
	s.o.Client.QResync = qresync
	c := &client{t: t, s: s, numbers: slices.Clone(s.UIDs(s.All())), results: map[string][]uint32{}}
	for _, w := range watched {
		q := parseSearch(t, w.program)
		u := Update{Tag: w.tag, UID: w.uid, Search: &q, Keys: w.keys}
		if w.keys == nil {
			check(t, s.Search(ctx, &q, func(f Found) { u.Found = u.Found.Add(f.Seq) }))
		} else {
			var err error
			u.Order, err = s.Sort(ctx, &q, w.keys, func(Found) {})
			check(t, err)
		}
		check(t, s.Watch(u))
		c.results[w.tag] = s.fresh(t, w.program, w.keys)
	}
	q := parseSearch(t, "ALL")
	var all Targets
	check(t, s.Search(ctx, &q, func(f Found) { all = all.Add(f.Seq) }))
	check(t, s.Save(all))
	saved := s.UIDs(all)
	for step := range 40 {
		who := []*session{s, other}[r.IntN(2)]
		check(t, who.Refresh(ctx))
		switch r.IntN(5) {
		case 0:
			e.addFlags([]mailbox.Flags{0, mailbox.Flagged, mailbox.Seen}[r.IntN(3)], text(r.IntN(9)+1))
		case 1, 2:
			if n := len(who.uids); n > 0 {
				set := imapwire.SeqSet{{First: who.uids[r.IntN(n)], Last: who.uids[r.IntN(n)]}}
				change := FlagChange{Operation: Operation(1 + r.IntN(2)), Flags: []mailbox.Flags{mailbox.Flagged, mailbox.Seen, mailbox.Deleted}[r.IntN(3)]}
				_, err := who.Store(ctx, set, true, change)
				check(t, err)
			}
		case 3:
			_, _, err := who.Expunge(ctx, nil)
			check(t, err)
		}
		check(t, s.Refresh(ctx))
		if r.IntN(3) == 0 { // a command that may not tell of expunged ones
			s.Report(s.w, false, false)
		} else {
			s.Report(s.w, true, false)
		}
		_, err := s.TellUpdates(ctx, s.w, nil)
		check(t, err)
		c.see(step)
		var live []uint32
		for _, uid := range saved {
			if slices.Contains(s.uids, uid) {
				live = append(live, uid)
			}
		}
		if got := s.UIDs(s.BySequence(imapwire.SeqSet{})); !slices.Equal(got, live) {
			t.Fatalf("step %d: $ is %v, want %v", step, got, live)
		}
	}
}

// see reads what was sent and compares the results.
func (c *client) see(step int) {
	check(c.t, c.s.w.Flush())
	text := c.s.out.String()
	c.s.out.Reset()
	if c.s.o.Client.QResync { // VANISHED has no numbers
		for line := range strings.Lines(text) {
			c.read(line)
			if strings.HasPrefix(line, "* VANISHED ") {
				set, _ := imapwire.ParseSeqSet(strings.TrimSpace(line[len("* VANISHED "):]))
				for i := len(c.numbers); i > 0; i-- {
					if set.Contains(c.numbers[i-1]) {
						c.expunged(i)
					}
				}
			}
		}
	} else {
		c.read(text)
	}
	for _, w := range watched {
		want := c.s.fresh(c.t, w.program, w.keys)
		if got := c.results[w.tag]; !slices.Equal(got, want) {
			c.t.Fatalf("step %d, %s (%s): the client has %v, a search finds %v; sent:\n%s", step, w.tag, w.program, got, want, text)
		}
	}
}

// fresh is the result of a search, as UIDs.
func (s *session) fresh(t testing.TB, program string, keys []imapwire.SortKey) []uint32 {
	q := parseSearch(t, program)
	if keys == nil {
		var uids []uint32
		check(t, s.Search(ctx, &q, func(f Found) { uids = append(uids, f.UID) }))
		return uids
	}
	order, err := s.Sort(ctx, &q, keys, func(Found) {})
	check(t, err)
	uids := make([]uint32, len(order))
	for i := range order {
		uids[i] = s.UID(order[i])
	}
	if len(uids) == 0 {
		return nil
	}
	return uids
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUpdateLimits: what would take too much is refused.
func TestUpdateLimits(t *testing.T) {
	e := newEnv(t)
	e.fill(1)
	s := e.open("alice", false)
	q := parseSearch(t, "ALL")
	for i := range maxUpdates {
		check(t, s.Watch(Update{Tag: fmt.Sprint(i), Search: &q}))
	}
	if s.Watch(Update{Tag: "more", Search: &q}) == nil {
		t.Error("one too many")
	}
	if !s.CancelUpdate("3") || s.CancelUpdate("3") || s.Updating("3") {
		t.Error("CancelUpdate")
	}
	long := parseSearch(t, "SUBJECT "+strings.Repeat("x", maxUpdateProgram))
	if s.Watch(Update{Tag: "3", Search: &long}) == nil {
		t.Error("a long program")
	}
	if s.Watch(Update{Tag: "3", Search: &q, Order: make([]uint32, maxUpdateSorted+1)}) == nil {
		t.Error("a large sorted result")
	}
}

// TestSaveMany: a million messages are one range, and what is in pieces is
// refused before it takes much memory.
func TestSaveMany(t *testing.T) {
	e := newEnv(t)
	s := e.open("alice", false)
	const n = 1e6
	s.uids = make([]uint32, n)
	for i := range s.uids {
		s.uids[i] = uint32(2*i + 1) // every other UID is missing
	}
	s.told = n
	check(t, s.Save(s.All()))
	if len(s.saved) != 1 || s.BySequence(imapwire.SeqSet{}).Count() != n {
		t.Errorf("%d ranges", len(s.saved))
	}
	var odd Targets
	for i := uint32(1); i <= n; i += 2 {
		odd = odd.Add(i)
	}
	if s.Save(odd) == nil || len(s.saved) != 0 {
		t.Errorf("%d ranges", len(s.saved))
	}
	check(t, s.Save(odd[:maxSaved]))
	if got := s.BySequence(imapwire.SeqSet{}); !slices.Equal(got, odd[:maxSaved]) {
		t.Error("the pieces are not those that were saved")
	}
}

// TestProgress: whoever waits for a search or a FETCH can end it.
func TestProgress(t *testing.T) {
	e := newEnv(t)
	big := strings.Repeat("x", 1<<20)
	for i := range 6 {
		e.add(text(i) + big)
	}
	stop := errors.New("stop")
	for _, run := range []func(s *session) error{
		func(s *session) error {
			q := parseSearch(t, "TEXT nowhere")
			return s.Search(ctx, &q, func(Found) {})
		},
		func(s *session) error {
			q := parseSearch(t, "TEXT nowhere")
			_, err := s.Sort(ctx, &q, []imapwire.SortKey{{Op: imapwire.SortDate}}, func(Found) {})
			return err
		},
		func(s *session) error {
			q := parseSearch(t, "TEXT nowhere")
			_, err := s.Thread(ctx, s.w, References, &q, false)
			return err
		},
		func(s *session) error {
			_, err := s.Fetch(ctx, s.w, imapwire.SeqSet{{First: 1, Last: imapwire.Star}}, &imapwire.Fetch{Items: imapwire.FetchRFC822}, false)
			return err
		},
	} {
		s := e.open("alice", true)
		calls, last := 0, -1
		s.o.Progress = func(done, total int) error {
			if calls++; total != 6 || done <= last {
				t.Errorf("%d of %d after %d", done, total, last)
			}
			if last = done; calls == 3 {
				return stop
			}
			return nil
		}
		if err := run(s); err != stop || calls != 3 {
			t.Errorf("%d calls, %v", calls, err)
		}
	}
}

// TestSortMemory: SORT and THREAD of what is too much are refused.
func TestSortMemory(t *testing.T) {
	e := newEnv(t)
	for i := range 30 {
		e.add(fmt.Sprintf("Subject: %d %s\r\nMessage-ID: <%d@x>\r\n\r\n", i, strings.Repeat("x", 100), i))
	}
	q := parseSearch(t, "ALL")
	for limit, refused := range map[int]bool{0: false, 3000: true, 30000: false} {
		s := e.open("alice", true)
		s.o.MaxMemory = limit
		_, err := s.Sort(ctx, &q, []imapwire.SortKey{{Op: imapwire.SortSubject}}, func(Found) {})
		_, terr := s.Thread(ctx, s.w, References, &q, false)
		if errs.Is(err, errs.TooManyMessages) != refused || errs.Is(terr, errs.TooManyMessages) != refused || !refused && (err != nil || terr != nil) {
			t.Errorf("limit %d: SORT %v, THREAD %v", limit, err, terr)
		}
		if refused {
			check(t, s.w.Flush())
			if s.out.Len() > 0 {
				t.Errorf("sent %q", s.out.String())
			}
		}
	}
}

// parseSearch reads a search program.
func parseSearch(t testing.TB, program string) imapwire.Search {
	t.Helper()
	q, err := imapwire.NewReader(strings.NewReader(program+"\r\n"), imapwire.Limits{}).Search(time.UTC)
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return q
}

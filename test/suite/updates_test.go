package suite

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gocyrus/test/server"
)

// uidsOf reads a set of UIDs.
func uidsOf(t *testing.T, set string) (uids []int) {
	t.Helper()
	for _, g := range strings.Split(set, ",") {
		first, last, isRange := strings.Cut(g, ":")
		a, err := strconv.Atoi(first)
		b := a
		if isRange && err == nil {
			b, err = strconv.Atoi(last)
		}
		if err != nil {
			t.Fatalf("bad set %q", set)
		}
		for ; a <= b; a++ {
			uids = append(uids, a)
		}
	}
	return uids
}

var updateData = regexp.MustCompile(` (REMOVEFROM|ADDTO) \(([^)]*)\)`)

// watcher is a client that keeps results by what it is told.
type watcher struct {
	t       *testing.T
	c       *server.IMAP
	results map[string][]int
}

// do runs a command and takes what is told.
func (w *watcher) do(command string) []string {
	w.t.Helper()
	lines := w.c.Must(command)
	for _, line := range lines {
		tag, data, ok := strings.Cut(line, `") UID`)
		if !ok || !strings.HasPrefix(tag, `* ESEARCH (TAG "`) {
			continue
		}
		tag = strings.TrimPrefix(tag, `* ESEARCH (TAG "`)
		for _, m := range updateData.FindAllStringSubmatch(data, -1) {
			pairs := strings.Fields(m[2])
			for i := 0; i+1 < len(pairs); i += 2 {
				at, _ := strconv.Atoi(pairs[i])
				w.change(tag, m[1], at, uidsOf(w.t, pairs[i+1]))
			}
		}
	}
	return lines
}

func (w *watcher) change(tag, what string, at int, uids []int) {
	r := w.results[tag]
	switch {
	case what == "ADDTO" && at > 0:
		r = slices.Insert(r, at-1, uids...)
	case what == "ADDTO":
		r = append(r, uids...)
		slices.Sort(r)
	default:
		for _, uid := range uids {
			i := slices.Index(r, uid)
			if i < 0 {
				w.t.Errorf("%s: %d is taken out of %v", tag, uid, r)
				return
			}
			r = slices.Delete(r, i, i+1)
		}
	}
	w.results[tag] = r
}

// TestUpdatesUnderLoad: results that are kept up to date, and "$", while other
// sessions append, change and expunge as fast as they can; with EXPUNGE and with VANISHED, in either mode.
func TestUpdatesUnderLoad(t *testing.T) {
	for enable, shared := range map[string]bool{"CONDSTORE": true, "QRESYNC": false, "UIDONLY": false} {
		t.Run(enable, func(t *testing.T) {
			t.Parallel()
			updatesUnderLoad(t, server.Start(t, server.Options{Shared: shared}), enable)
		})
	}
}

func updatesUnderLoad(t *testing.T, s *server.Site, enable string) {
	c := s.Login("user1")
	defer c.Close()
	for i := range 10 {
		c.Append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i%7))
	}
	c.Must("ENABLE " + enable)
	c.Must("SELECT INBOX")
	w := &watcher{t: t, c: c, results: map[string][]int{}}
	programs := []string{"UID SEARCH RETURN (ALL UPDATE) ALL", "UID SEARCH RETURN (ALL UPDATE) FLAGGED", "UID SORT RETURN (ALL UPDATE) (REVERSE SUBJECT) UTF-8 UNDELETED"}
	var tags []string
	for _, p := range programs {
		for _, line := range c.Must(p) {
			if tag, data, ok := strings.Cut(line, `") UID`); ok {
				tag = strings.TrimPrefix(tag, `* ESEARCH (TAG "`)
				tags = append(tags, tag)
				if _, set, ok := strings.Cut(data, " ALL "); ok {
					w.results[tag] = uidsOf(t, strings.TrimSpace(set))
				}
			}
		}
	}
	w.do("UID SEARCH RETURN (SAVE) ALL")
	var wg sync.WaitGroup
	for k := range 3 {
		wg.Go(func() { changing(s, uint64(k)) })
	}
	end := make(chan struct{})
	go func() { wg.Wait(); close(end) }()
	for done := false; !done; {
		select {
		case <-end:
			done = true
		default:
		}
		w.do("NOOP")
		w.do("UID SEARCH RETURN (COUNT) SEEN") // may not tell of expunged ones
	}
	w.do("NOOP")
	for i, p := range programs {
		p = strings.Replace(p, "UPDATE", "COUNT", 1)
		var want []int
		for _, line := range c.Must(p) {
			if _, set, ok := strings.Cut(line, " ALL "); ok {
				want = uidsOf(t, strings.TrimSpace(set))
			}
		}
		if got := w.results[tags[i]]; !slices.Equal(got, want) {
			t.Errorf("%s: the client has %v, a search finds %v", p, got, want)
		}
	}
	saved := strings.Fields(strings.TrimPrefix(strings.Join(c.Must("UID SEARCH $"), ""), "* SEARCH"))
	first := strings.Fields(strings.TrimPrefix(strings.Join(c.Must("UID SEARCH UID 1:10"), ""), "* SEARCH"))
	if !slices.Equal(saved, first) {
		t.Errorf("$ is %v of %v", saved, first)
	}
}

// changing is another client of the same mailbox.
func changing(s *server.Site, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	c := s.Login("user1")
	defer c.Close()
	c.Must("SELECT INBOX")
	for i := range 25 {
		switch r.IntN(5) {
		case 0, 1:
			c.Append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i%7))
		case 2:
			c.Must(fmt.Sprintf("UID STORE %d:%d %sFLAGS (\\Flagged)", r.IntN(60)+1, r.IntN(60)+1, []string{"+", "-"}[r.IntN(2)]))
		case 3:
			c.Must(fmt.Sprintf("UID STORE %d %sFLAGS (\\Deleted)", r.IntN(60)+1, []string{"+", "+", "-"}[r.IntN(3)]))
		case 4:
			c.Must("EXPUNGE")
		}
	}
}

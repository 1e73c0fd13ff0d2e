//go:build reference

package reference

import (
	"fmt"
	"sync"
	"testing"

	"gocyrus/test/server"
)

// TestSeenOfBoth has one reader, who does not own the mailbox, mark messages on
// the real server and on ours at the same time: each side has messages of its
// own, and old sessions of his on both sides only look. The real server writes
// all that a session knows as seen, not what it has changed (index_writeseen),
// rewrites the file when half of it is out of date, and its sessions come and
// go: nothing that either has acknowledged may be lost by that.
func TestSeenOfBoth(t *testing.T) {
	const messages, rounds = 40, 60
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "user2", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2")
	owner := s.Login("user1")
	for n := range messages {
		m := mailOf(n, "seen")
		owner.Must(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m))
	}
	owner.Must("SETACL INBOX user2 lrs")
	owner.Close()
	other := server.At(t, s.Dir, freePorts(t, 3))
	masterOf(t, other, besideOurs(t, s, other), func() {
		var wg sync.WaitGroup
		for side, at := range []*server.Site{s, other} {
			idle := at.Login("user2")
			idle.Must("SELECT user/user1")
			wg.Go(func() { // looks, and goes in the end
				for range rounds {
					idle.Must("NOOP")
				}
				idle.Must("UNSELECT")
				idle.Close()
			})
			for worker := range 2 {
				wg.Go(func() { mark(at, 2*side+worker, messages, rounds) })
			}
		}
		wg.Wait()
		for _, at := range []*server.Site{s, other} {
			c := at.Login("user2")
			c.Must("SELECT user/user1")
			for uid := 1; uid <= messages; uid++ {
				want := rounds%2 == 1 || uid%8 >= 4
				if got := len(found(c.Must(fmt.Sprintf("SEARCH UID %d SEEN", uid)))) > 0; got != want {
					t.Errorf("message %d: seen %v, not %v", uid, got, want)
				}
			}
			c.Close()
		}
	})
}

// mark marks the messages of a worker and takes some marks away again, in
// sessions that last for some rounds.
func mark(s *server.Site, worker, messages, rounds int) {
	var c *server.IMAP
	for round := range rounds {
		if round%7 == 0 {
			if c != nil {
				c.Close()
			}
			c = s.Login("user2")
			c.Must("SELECT user/user1")
		}
		for uid := worker + 1; uid <= messages; uid += 4 {
			sign := "+"
			if uid%8 < 4 && round%2 == 1 {
				sign = "-"
			}
			c.Must(fmt.Sprintf(`UID STORE %d %sFLAGS (\Seen)`, uid, sign))
		}
	}
	c.Close()
}

// found is the numbers of an answer to SEARCH.
func found(lines []string) (numbers []string) {
	for _, l := range lines {
		var n string
		if _, err := fmt.Sscanf(l, "* SEARCH %s", &n); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

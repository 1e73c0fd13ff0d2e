//go:build reference

package reference

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// together is how long both servers work on one spool.
const together = 20 * time.Second

// TestBothAtOnce has the real server and ours serve one spool in shared mode
// at the same time, with writers on both sides: nothing acknowledged is
// lost or there twice, and the real checkers find nothing.
func TestBothAtOnce(t *testing.T) {
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "user2", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2")
	c := s.Login("user1")
	c.Must("CREATE INBOX/copies")
	c.Close()
	other := server.At(t, s.Dir, freePorts(t, 3))
	w := &writers{started: time.Now(), acked: map[string]bool{}, folders: map[string]bool{}}
	masterOf(t, other, besideOurs(t, s, other), func() {
		var all sync.WaitGroup
		for i := range 8 {
			site := s
			if i%2 == 1 {
				site = other
			}
			all.Go(func() { w.write(t, site, i) })
		}
		all.Wait()
	})
	t.Logf("%d messages, %d copies, %d folders", len(w.acked), w.copies, len(w.folders))
	if len(w.acked) < 100 || w.copies < 10 || len(w.folders) < 5 {
		t.Error("this shows nothing")
	}
	w.check(t, s)
	ours := answers(s, "user1")
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	clean(t, s, "user1", "user2")
	cyrusServes(t, s, func() {
		w.check(t, s)
		sameAnswers(t, answers(s, "user1"), ours)
	})
}

// besideOurs is a cyrus.conf for a second server of a site: IMAP and LMTP on
// ports of its own, and nothing that only one can have.
func besideOurs(t *testing.T, s, other *server.Site) string {
	t.Helper()
	conf, err := os.ReadFile(filepath.Join(s.Dir, "etc/cyrus.conf"))
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\s*(imap|lmtp) .*$`).FindAllString(string(conf), -1)
	text := "START {\n}\nSERVICES {\n" + strings.Join(lines, "\n") + "\n}\nEVENTS {\n}\n"
	return strings.NewReplacer(s.IMAP, other.IMAP, s.LMTP, other.LMTP).Replace(text)
}

// writers change user1's mailboxes and remember what was acknowledged.
type writers struct {
	started time.Time

	mu      sync.Mutex
	acked   map[string]bool // Message-IDs in INBOX
	copies  int             // messages in INBOX/copies
	folders map[string]bool // true: there, false: deleted
}

// write is one writer. Its errors are the test's.
func (w *writers) write(t *testing.T, s *server.Site, id int) {
	c := s.DialIMAP()
	defer c.Close()
	do := func(command string) error {
		_, tagged, err := c.Do(command)
		if err == nil && !strings.HasPrefix(tagged, "OK") {
			err = errors.New(tagged)
		}
		if err != nil {
			return fmt.Errorf("%.60q: %w", command, err)
		}
		return nil
	}
	err := errors.Join(do("LOGIN user1 pass"), do("SELECT INBOX"))
	for n := 0; err == nil && time.Since(w.started) < together; n++ {
		err = w.step(s, do, fmt.Sprintf("both-%d-%d", id, n))
	}
	if err != nil {
		t.Errorf("writer %d: %v", id, err)
	}
}

// step does one thing.
func (w *writers) step(s *server.Site, do func(string) error, id string) error {
	text := "Subject: both\r\nMessage-ID: <lmtp-" + id + "@example.org>\r\n\r\nbody\r\n"
	switch rand.IntN(10) {
	default:
		if err := tryLMTP(s, "user1", id); err != nil {
			return err
		}
		return w.note(func() { w.acked[id] = true })
	case 0, 1, 2:
		if err := do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text)); err != nil {
			return err
		}
		return w.note(func() { w.acked[id] = true })
	case 3:
		return do("STORE 1:2 +FLAGS (\\Seen $" + id[:6] + ")")
	case 4:
		return do("STORE 1:2 -FLAGS (\\Seen $" + id[:6] + ")")
	case 5:
		if do("NOOP") != nil || do("COPY 1 INBOX/copies") != nil {
			return nil // INBOX may be empty yet
		}
		return w.note(func() { w.copies++ })
	case 6:
		return w.folder(do, "INBOX/"+id)
	}
}

// folder makes, fills, renames and perhaps deletes a mailbox.
func (w *writers) folder(do func(string) error, name string) error {
	err := errors.Join(do("CREATE "+name), do("APPEND "+name+" {8+}\r\nA: b\r\n\r\n"), do("SETACL "+name+" user2 lr"), do("RENAME "+name+" "+name+"x"))
	name += "x"
	gone := rand.IntN(2) == 0
	if gone {
		err = errors.Join(err, do("DELETE "+name))
	}
	if err != nil {
		return err
	}
	return w.note(func() { w.folders[name] = !gone })
}

func (w *writers) note(fn func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
	return nil
}

var messageID = regexp.MustCompile(`<lmtp-(both-[-\d]+)@`)

// check asks a server for all that was acknowledged.
func (w *writers) check(t *testing.T, s *server.Site) {
	t.Helper()
	c := s.Login("user1")
	defer c.Close()
	c.Must("EXAMINE INBOX")
	times := map[string]int{}
	for _, l := range c.Must("FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]") {
		if m := messageID.FindStringSubmatch(l); m != nil {
			times[m[1]]++
		}
	}
	for id := range w.acked {
		if times[id] != 1 {
			t.Errorf("message %s is there %d times", id, times[id])
		}
	}
	if len(times) != len(w.acked) {
		t.Errorf("%d messages, %d were acknowledged", len(times), len(w.acked))
	}
	if got := strings.Join(c.Must("EXAMINE INBOX/copies"), ""); !strings.Contains(got, fmt.Sprintf("* %d EXISTS", w.copies)) {
		t.Errorf("not %d copies: %q", w.copies, got)
	}
	list := strings.Join(c.Must(`LIST "" *`), "")
	for name, there := range w.folders {
		if strings.Contains(list, " "+name+"\r\n") != there {
			t.Errorf("%s: want it there: %v", name, there)
		}
	}
}

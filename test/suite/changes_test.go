package suite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// fate is what was done to a message, as far as a client knows.
type fate struct {
	appended, flagged, copied, expunged bool // the server said OK
	maybeExpunged                       bool // it was asked to
}

// changers change mailboxes over IMAP until they are stopped: each appends
// a message to INBOX, flags it, copies it to Copies and expunges every
// second one. What was acknowledged they keep by Message-ID.
type changers struct {
	s    *server.Site
	stop chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	fates map[string]*fate
	wrong []string // answers that should not come
}

// startChangers starts n of them, who share out the site's three users.
func startChangers(s *server.Site, n int) *changers {
	c := &changers{s: s, stop: make(chan struct{}), fates: map[string]*fate{}}
	for i := range n {
		c.wg.Go(func() { c.run(i) })
	}
	return c
}

// finish stops them.
func (c *changers) finish() {
	close(c.stop)
	c.wg.Wait()
}

func (c *changers) run(i int) {
	var k *server.IMAP
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			if k != nil {
				k.Close()
			}
			return
		default:
		}
		if k == nil {
			var err error
			if k, err = c.s.TryLogin(userOf(i)); err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if _, _, err := k.Do("SELECT INBOX"); err != nil {
				k.Close()
				k = nil
				continue
			}
		}
		if !c.change(k, fmt.Sprintf("<%d-%d-%d@changer.example.org>", i%3, i, n), n) {
			k.Close()
			k = nil
		}
	}
}

func userOf(i int) string { return fmt.Sprintf("user%d", 1+i%3) }

// note records an outcome.
func (c *changers) note(id string, set func(*fate)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fates[id]
	if f == nil {
		f = &fate{}
		c.fates[id] = f
	}
	set(f)
}

var appendUID = regexp.MustCompile(`^OK \[APPENDUID \d+ (\d+)\]`)

// change is the life of one message; false if the connection has broken.
func (c *changers) change(k *server.IMAP, id string, n int) bool {
	text := "From: changer@example.org\r\nMessage-ID: " + id + "\r\nSubject: a change\r\n\r\n" + strings.Repeat("Some text.\r\n", 1+rand.IntN(300))
	_, tagged, err := k.Do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text))
	m := appendUID.FindStringSubmatch(tagged)
	if m == nil {
		return c.broken(err, "APPEND", tagged)
	}
	uid := m[1]
	c.note(id, func(f *fate) { f.appended = true })
	for _, step := range []struct {
		command string
		set     func(*fate)
	}{
		{"UID STORE " + uid + ` +FLAGS (\Flagged $Mark)`, func(f *fate) { f.flagged = true }},
		{"UID COPY " + uid + " INBOX/Copies", func(f *fate) { f.copied = true }},
		{"UID STORE " + uid + ` +FLAGS.SILENT (\Deleted)`, func(*fate) {}},
		{"UID EXPUNGE " + uid, func(f *fate) { f.expunged = true }},
	} {
		if strings.Contains(step.command, "Deleted") {
			if n%2 == 0 {
				return true
			}
			c.note(id, func(f *fate) { f.maybeExpunged = true })
		}
		if _, tagged, err = k.Do(step.command); !strings.HasPrefix(tagged, "OK") {
			return c.broken(err, step.command, tagged)
		}
		c.note(id, step.set)
	}
	return true
}

// broken takes note of an answer that is neither OK nor the end of the
// connection.
func (c *changers) broken(err error, command, tagged string) bool {
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wrong = append(c.wrong, command+": "+tagged)
	}
	return false
}

var changerID = regexp.MustCompile(`<(\d)-\d+-\d+@changer\.example\.org>`)

// found is a message in a mailbox.
type found struct {
	n       int
	flagged bool
}

// messages returns what a mailbox has, by Message-ID.
func messages(t *testing.T, s *server.Site, user, mailbox string) map[string]found {
	t.Helper()
	k := s.Login(user)
	defer k.Close()
	k.Must("SELECT " + mailbox)
	all := map[string]found{}
	flags := ""
	for _, line := range k.Must("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])") {
		if strings.HasPrefix(line, "*") {
			flags = line
		}
		if id := changerID.FindString(line); id != "" {
			f := all[id]
			f.n++
			f.flagged = f.flagged || strings.Contains(flags, `\Flagged`) && strings.Contains(flags, "$Mark")
			all[id] = f
		}
	}
	return all
}

// few is how many acknowledged messages would show nothing.
const few = 20

// enough waits until there are more.
func (c *changers) enough(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		acked := 0
		for _, f := range c.fates {
			if f.appended {
				acked++
			}
		}
		c.mu.Unlock()
		if acked > few {
			return
		}
	}
	t.Error("too few messages to show anything")
}

// check compares the mailboxes with what was acknowledged.
func (c *changers) check(t *testing.T) {
	t.Helper()
	if len(c.wrong) > 0 {
		t.Errorf("%d wrong answers, the first: %q", len(c.wrong), c.wrong[0])
	}
	inbox, copies := map[string]found{}, map[string]found{}
	for i := range 3 {
		for id, f := range messages(t, c.s, userOf(i), "INBOX") {
			inbox[id] = f
		}
		for id, f := range messages(t, c.s, userOf(i), "INBOX/Copies") {
			copies[id] = f
		}
	}
	acked := 0
	for _, id := range slices.Sorted(maps.Keys(c.fates)) {
		f := c.fates[id]
		if f.appended {
			acked++
		}
		bad := ""
		switch got := inbox[id]; {
		case got.n > 1:
			bad = "is there twice"
		case f.appended && !f.maybeExpunged && got.n == 0:
			bad = "is lost"
		case f.expunged && got.n > 0:
			bad = "was expunged and is there"
		case f.flagged && got.n > 0 && !got.flagged:
			bad = "has lost its flags"
		case f.copied && copies[id].n == 0:
			bad = "has lost its copy"
		case f.copied && !copies[id].flagged:
			bad = "has lost the flags of its copy"
		}
		if bad != "" {
			t.Errorf("%s %s: %+v, found %+v and %+v", id, bad, *f, inbox[id], copies[id])
		}
	}
	t.Logf("%d messages, %d acknowledged", len(c.fates), acked)
}

// TestKillImapd kills imapd while clients append, flag, copy and expunge.
func TestKillImapd(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(mode(shared), func(t *testing.T) {
			s := server.Start(t, server.Options{Shared: shared})
			setUp(s)
			c := startChangers(s, 6)
			for range 4 {
				time.Sleep(time.Duration(200+rand.IntN(200)) * time.Millisecond)
				killOne(t, s, "imapd", 0)
				answers(t, s, back)
			}
			c.enough(t)
			c.finish()
			c.check(t)
			touch(s)
			checkStore(t, s)
			checkQuota(t, s)
		})
	}
}

// setUp makes the mailbox Copies and a quota root for each user.
func setUp(s *server.Site) {
	admin := s.Login("cyrus")
	defer admin.Close()
	for i := range 3 {
		admin.Must("SETQUOTA user/" + userOf(i) + " (STORAGE 1000000)")
		k := s.Login(userOf(i))
		k.Must("CREATE INBOX/Copies")
		k.Close()
	}
}

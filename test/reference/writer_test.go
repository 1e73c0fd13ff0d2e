//go:build reference

package reference

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"gocyrus/test/server"
)

// writer is one client of the load.
type writer struct {
	l    *load
	site *server.Site
	user string
	real bool // the site is the real server's
	id   int

	c        *server.IMAP
	n        int // of messages and folders so far
	has      map[string]*message
	selected string
}

// message is one of a writer's own.
type message struct {
	box  string
	uid  string
	set  map[string]bool // flags
	made time.Time
}

// flags is those that FETCH has to show.
func (m *message) flags() string {
	var all []string
	for f, on := range m.set {
		if on {
			all = append(all, f)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// steps is what a writer does, and how often of a hundred times.
var steps = []struct {
	name string
	of   int
	do   func(*writer) error
}{
	{"APPEND", 22, (*writer).append},
	{"LMTP", 14, (*writer).mail},
	{"STORE", 18, (*writer).store},
	{"COPY", 8, (*writer).copy},
	{"MOVE", 10, (*writer).move},
	{"EXPUNGE", 18, (*writer).expunge},
	{"folder", 4, (*writer).folder},
	{"look", 6, (*writer).look},
}

// write does one step after the other. Its errors are the test's.
func (w *writer) write() {
	w.c = w.site.Login(w.user)
	defer w.c.Close()
	for time.Now().Before(w.l.end) {
		at, i := rand.IntN(100), 0
		for ; at >= steps[i].of; i++ {
			at -= steps[i].of
		}
		err := steps[i].do(w)
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			w.l.t.Errorf("writer %d (%s on %s): %s: %v", w.id, w.user, w.site.IMAP, steps[i].name, err)
			return
		}
		w.l.note(func() { w.l.did[steps[i].name]++ })
	}
}

// errNothing means that there was nothing to do a step with.
var errNothing = errors.New("nothing to do")

// Answers after which nothing was changed: somebody has held a lock for 10 s;
// and what the real server makes of -EIO, where the kernel has found that two of
// its processes wait for each other ("Resource deadlock avoided" in its log): a
// session takes the locks of a user while it has a mailbox locked.
var (
	refused  = regexp.MustCompile(`^NO \[INUSE\]`)
	deadlock = regexp.MustCompile(`^NO Unknown code ____ 251`)
)

// do sends a command that has to be answered OK, and returns the answer.
func (w *writer) do(format string, args ...any) (string, error) {
	command := fmt.Sprintf(format, args...)
	untagged, tagged, err := w.c.Do(command)
	for tries := 0; err == nil && tries < 3 && (refused.MatchString(tagged) || w.real && deadlock.MatchString(tagged)); tries++ {
		w.l.t.Logf("%v: writer %d (%s on %s): %.60q: %s", time.Now().Format(time.StampMilli), w.id, w.user, w.site.IMAP, command, tagged)
		w.l.note(func() { w.l.did["refusal: "+tagged]++ })
		untagged, tagged, err = w.c.Do(command)
	}
	if err == nil && !strings.HasPrefix(tagged, "OK") {
		err = errors.New(tagged)
	}
	if err != nil {
		return "", fmt.Errorf("%.80q: %w", command, err)
	}
	return strings.Join(untagged, "") + tagged, nil
}

// boxes is where the writer may have messages: own ones, and the one that
// both users have.
func (w *writer) boxes() []string {
	if w.user == "user1" {
		return []string{"INBOX", "INBOX/copies", "INBOX/common", "INBOX/deep/er/still"}
	}
	return []string{"INBOX", "user/user1/common"}
}

func (w *writer) box() string { return w.boxes()[rand.IntN(len(w.boxes()))] }

// pick selects the mailbox of one of the writer's messages.
func (w *writer) pick() (string, *message, error) {
	for id, m := range w.has {
		if w.selected != m.box {
			w.selected = m.box
			if _, err := w.do("SELECT %s", m.box); err != nil {
				return "", nil, err
			}
		}
		return id, m, nil
	}
	return "", nil, errNothing
}

var (
	appendUID = regexp.MustCompile(`\[APPENDUID \d+ (\d+)\]`)
	copyUID   = regexp.MustCompile(`\[COPYUID \d+ (\d+) (\d+)\]`)
)

func (w *writer) next() string {
	w.n++
	return fmt.Sprintf("own-%d-%d", w.id, w.n)
}

func (w *writer) append() error {
	id, box := w.next(), w.box()
	text := fmt.Sprintf(mail, "appended "+id, id)
	text += strings.Repeat("more text in the epilogue\r\n", rand.IntN(200))
	answer, err := w.do("APPEND %s (\\Flagged) {%d+}\r\n%s", box, len(text), text)
	if err != nil {
		return err
	}
	m := appendUID.FindStringSubmatch(answer)
	if m == nil {
		return fmt.Errorf("no APPENDUID in %q", answer)
	}
	w.l.note(func() {
		w.has[id] = &message{box: box, uid: m[1], set: map[string]bool{`\Flagged`: true}, made: time.Now()}
	})
	return nil
}

func (w *writer) mail() error {
	w.n++
	id := fmt.Sprintf("both-%d-%d", w.id, w.n)
	if err := tryLMTP(w.site, w.user, id); err != nil {
		return err
	}
	w.l.note(func() {
		if w.l.mailed[w.user] == nil {
			w.l.mailed[w.user] = map[string]bool{}
		}
		w.l.mailed[w.user][id] = true
	})
	return nil
}

// store sets or clears a flag; \Seen of user2 in user1's mailbox goes to his
// own database.
func (w *writer) store() error {
	_, m, err := w.pick()
	if err != nil {
		return err
	}
	flag := []string{`\Seen`, `\Answered`, `\Draft`, fmt.Sprintf("$kw%d", w.id), "$common"}[rand.IntN(5)]
	sign := "+"
	if m.set[flag] {
		sign = "-"
	}
	if _, err := w.do("UID STORE %s %sFLAGS (%s)", m.uid, sign, flag); err != nil {
		return err
	}
	w.l.note(func() { m.set[flag] = sign == "+" })
	return nil
}

// copy makes a second message of one: with the name of the first, it is in
// another mailbox and belongs to nobody; so it is removed there at once.
func (w *writer) copy() error {
	id, m, err := w.pick()
	if err != nil {
		return err
	}
	to := w.box()
	if to == m.box {
		return errNothing
	}
	answer, err := w.do("UID COPY %s %s", m.uid, to)
	if err != nil {
		return err
	}
	pair := copyUID.FindStringSubmatch(answer)
	if pair == nil || pair[1] != m.uid {
		return fmt.Errorf("no COPYUID of %s in %q", m.uid, answer)
	}
	// The copy stays, and the original goes.
	if err := w.remove(m); err != nil {
		return err
	}
	w.l.note(func() { w.has[id].box, w.has[id].uid = to, pair[2] })
	return nil
}

func (w *writer) move() error {
	_, m, err := w.pick()
	if err != nil {
		return err
	}
	to := w.box()
	if to == m.box {
		return errNothing
	}
	answer, err := w.do("UID MOVE %s %s", m.uid, to)
	if err != nil {
		return err
	}
	pair := copyUID.FindStringSubmatch(answer)
	if pair == nil || pair[1] != m.uid {
		return fmt.Errorf("no COPYUID of %s in %q", m.uid, answer)
	}
	w.l.note(func() { m.box, m.uid = to, pair[2] })
	return nil
}

// remove expunges a message of the selected mailbox.
func (w *writer) remove(m *message) error {
	if _, err := w.do("UID STORE %s +FLAGS.SILENT (\\Deleted)", m.uid); err != nil {
		return err
	}
	_, err := w.do("UID EXPUNGE %s", m.uid)
	return err
}

func (w *writer) expunge() error {
	id, m, err := w.pick()
	if err != nil {
		return err
	}
	if err := w.remove(m); err != nil {
		return err
	}
	w.l.note(func() { delete(w.has, id) })
	return nil
}

// folder makes, fills, shares, renames and perhaps deletes a mailbox with
// one below it.
func (w *writer) folder() error {
	w.n++
	name := fmt.Sprintf("INBOX/f%d-%d", w.id, w.n)
	gone := rand.IntN(20) > 0
	commands := []string{
		"CREATE " + name + "/sub", "APPEND " + name + "/sub {8+}\r\nA: b\r\n\r\n", "SETACL " + name + " user3 lr",
		"SUBSCRIBE " + name, "RENAME " + name + " " + name + "x", "UNSUBSCRIBE " + name,
	}
	if gone {
		commands = append(commands, "DELETE "+name+"x/sub", "DELETE "+name+"x")
	}
	for _, command := range commands {
		if _, err := w.do("%s", command); err != nil {
			return err
		}
	}
	outside := "user/" + w.user + strings.TrimPrefix(name, "INBOX")
	w.l.note(func() {
		w.l.folders[outside] = false
		w.l.folders[outside+"x"] = !gone
		w.l.folders[outside+"x/sub"] = !gone
	})
	return nil
}

// look has one of the messages read, which must be whole.
func (w *writer) look() error {
	id, m, err := w.pick()
	if err != nil {
		return err
	}
	answer, err := w.do("UID FETCH %s (FLAGS ENVELOPE BODY.PEEK[])", m.uid)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, "<"+id+"@example.org>") || !strings.Contains(answer, "--b--\r\n") {
		return fmt.Errorf("message %s is not whole: %.300q", id, answer)
	}
	for line := range strings.Lines(answer) { // besides, others' messages may be told of
		if flags := flagsOf(line); strings.Contains(line, "(UID "+m.uid+" ") && flags != m.flags() {
			return fmt.Errorf("message %s has flags %q, want %q", id, flags, m.flags())
		}
	}
	return nil
}

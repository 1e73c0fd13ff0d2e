//go:build reference

package reference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// together is how long both servers work on one spool: SOAK of the
// environment, as time.ParseDuration reads it ("make soak TIME=30m").
func together(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK: %v", err)
	}
	return d
}

// TestBothAtOnce has the real server and ours serve one spool in shared mode
// at the same time, with writers on both sides that do all that clients, MTAs
// and admins do: at the end every message is where its writer left it, once,
// with its flags, whichever server is asked; and the real checkers find
// nothing.
func TestBothAtOnce(t *testing.T) {
	long := together(t)
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "user2", "user3", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2", "user3")
	prepare(s)
	other := server.At(t, s.Dir, freePorts(t, 3))
	l := newLoad(t, long)
	var seen string
	masterOf(t, other, besideOurs(t, s, other), func() {
		l.run([]*server.Site{s, other})
		l.check(t, s)
		l.check(t, other)
		seen = seenStates(t, s)
		answers(s, "user1") // takes \Recent away
		sameAnswers(t, answers(other, "user1"), answers(s, "user1"))
	})
	l.report(t, long)
	for range 2 { // ctl_cyrusdb -c of the real one copies files that are being written
		s.Tool("", "ctl_cyrusdb", "-c")
	}
	ours := answers(s, "user1")
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	clean(t, s, "user1", "user2", "user3")
	noQuotaFault(t, s)
	if now := seenStates(t, s); now != seen {
		t.Errorf("seen states of both:\n%safterwards:\n%s", seen, now)
	}
	cyrusServes(t, s, func() {
		l.check(t, s)
		sameAnswers(t, answers(s, "user1"), ours)
	})
}

// seenStates is what the seen databases hold, read by the real Cyrus in copies:
// by their keys, and in their order, which a checkpoint goes by.
func seenStates(t *testing.T, s *server.Site) string {
	t.Helper()
	var b strings.Builder
	files, err := filepath.Glob(filepath.Join(s.Dir, "conf/user/uuid/*/*/*/seen.db"))
	if err != nil || len(files) == 0 {
		t.Errorf("seen databases: %v, %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		of := filepath.Join(s.Dir, "run/seen.db")
		defer os.Remove(of)
		if err := errors.Join(os.WriteFile(of, data, 0o600), os.Chmod(of, 0o666)); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) string {
			out, status := tool(t, s, "cyr_dbtool", append([]string{of, "twoskip"}, args...)...)
			if status != 0 {
				t.Errorf("cyr_dbtool %v: status %d\n%s", args, status, out)
			}
			return out
		}
		for line := range strings.Lines(run("show")) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
			fmt.Fprintf(&b, "%s %s\n", key, value)
			if by := strings.TrimSpace(run("get", key)); by != value {
				t.Errorf("%s: %s is %q by its key, %q in the list", name, key, by, value)
			}
		}
	}
	return b.String()
}

// prepare makes the mailboxes of the load, and the quota roots.
func prepare(s *server.Site) {
	c := s.Login("user1")
	defer c.Close()
	for _, m := range []string{"INBOX/copies", "INBOX/common", "INBOX/deep/er/still"} {
		c.Must("CREATE " + m)
	}
	c.Must("SETACL INBOX/common user2 lrswipte")
	a := s.Login("cyrus")
	defer a.Close()
	a.Must("SETQUOTA user/user1 (STORAGE 2000000 MESSAGE 1000000 X-NUM-FOLDERS 100000)")
	a.Must("SETQUOTA user/user1/deep (STORAGE 2000000 MESSAGE 1000000)")
	a.Must("SETQUOTA user/user2 (STORAGE 2000000)")
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

// load is writers on several servers of one spool. Each has messages of its
// own, which it alone moves and removes, so it knows where each has to be.
type load struct {
	t   *testing.T
	end time.Time

	mu      sync.Mutex
	writers []*writer
	mailed  map[string]map[string]bool // Message-IDs delivered by LMTP, by user
	folders map[string]bool            // of user1, by admin name; true: there
	did     map[string]int             // how often each step was done
}

func newLoad(t *testing.T, long time.Duration) *load {
	return &load{t: t, end: time.Now().Add(long), mailed: map[string]map[string]bool{}, folders: map[string]bool{}, did: map[string]int{}}
}

// run starts writers on all servers, and a pair of admins, and waits for them.
func (l *load) run(sites []*server.Site) {
	var all sync.WaitGroup
	for i := range 8 {
		w := &writer{l: l, site: sites[i%2], real: i%2 == 1, user: []string{"user1", "user2"}[i/2%2], id: i, has: map[string]*message{}}
		l.writers = append(l.writers, w)
		all.Go(w.write)
	}
	for i, s := range sites {
		all.Go(func() { l.administer(s, i) })
	}
	all.Go(func() { l.expire(sites[0]) })
	all.Wait()
}

func (l *load) note(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// administer changes limits and rights, and makes and deletes users.
func (l *load) administer(s *server.Site, id int) {
	c := s.Login("cyrus")
	defer c.Close()
	for n := 0; time.Now().Before(l.end); n++ {
		user := fmt.Sprintf("user/temp%d-%d", id, n)
		for _, command := range []string{
			fmt.Sprintf("SETQUOTA user/user1 (STORAGE %d MESSAGE 1000000 X-NUM-FOLDERS 100000)", 2000000+n),
			"CREATE " + user, "CREATE " + user + "/folder", "SETQUOTA " + user + " (STORAGE 1000)",
			"SETACL " + user + " cyrus lrswipkxtecda",
			fmt.Sprintf("APPEND %s {8+}\r\nA: b\r\n\r\n", user),
			"RENAME " + user + "/folder " + user + "/other", "DELETE " + user,
			"SETACL user/user1/common user3 lrs", "DELETEACL user/user1/common user3",
		} {
			_, tagged, err := c.Do(command)
			for err == nil && strings.HasPrefix(tagged, "NO [INUSE]") && time.Now().Before(l.end.Add(time.Minute)) {
				l.note(func() { l.did["refusal for a lock"]++ })
				_, tagged, err = c.Do(command)
			}
			if err != nil || !strings.HasPrefix(tagged, "OK") {
				l.t.Errorf("admin %d: %q: %s %v", id, command, tagged, err)
				return
			}
		}
		l.note(func() { l.did["admin's round"]++ })
		time.Sleep(300 * time.Millisecond)
	}
}

// expire has the nightly jobs of both run again and again.
func (l *load) expire(s *server.Site) {
	jobs := [][]string{{"cyr_expire", "-E", "1", "-X", "0", "-D", "0"}, {"quota", "-f"}, {"ctl_cyrusdb", "-c"}}
	for n := 0; time.Now().Before(l.end); n++ {
		job := jobs[n/2%len(jobs)]
		// The real quota -f fails when a mailbox that it comes to is gone, and
		// miscounts those that are.
		if n%2 == 0 && job[0] != "quota" {
			if out, status := tool(l.t, s, job[0], job[1:]...); status != 0 {
				l.t.Errorf("the real %v: status %d\n%s", job, status, tail(out))
			}
		} else if out, err := s.Try("", job[0], job[1:]...); err != nil {
			l.t.Errorf("%v: %v\n%s", job, err, tail(out))
		}
		l.note(func() { l.did[job[0]]++ })
		for range 20 {
			if time.Now().Before(l.end) {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

// check compares what a server shows with what the writers know.
func (l *load) check(t *testing.T, s *server.Site) {
	t.Helper()
	want := map[string]map[string]string{} // by user and mailbox: flags by Message-ID
	for _, w := range l.writers {
		for id, m := range w.has {
			box := w.user + " " + m.box
			if want[box] == nil {
				want[box] = map[string]string{}
			}
			want[box][id] = m.flags()
		}
	}
	for _, user := range []string{"user1", "user2"} {
		c := s.Login(user)
		for box, ids := range want {
			if u, name, _ := strings.Cut(box, " "); u == user {
				l.checkBox(t, s, c, name, ids)
			}
		}
		got := ids(c, "INBOX")
		for id := range l.mailed[user] {
			if got[id] != 1 {
				t.Errorf("%s: delivered %s is there %d times", s.IMAP, id, got[id])
			}
		}
		c.Close()
	}
	a := s.Login("cyrus")
	defer a.Close()
	list := strings.Join(a.Must(`LIST "" user/*`), "")
	for name, there := range l.folders {
		if strings.Contains(list, " "+name+"\r\n") != there {
			t.Errorf("%s: %s: want it there: %v", s.IMAP, name, there)
		}
	}
	if strings.Contains(list, " user/temp") {
		t.Errorf("%s: deleted users are there", s.IMAP)
	}
}

// checkBox looks for the writers' messages in one mailbox: all are there,
// once, and none besides.
func (l *load) checkBox(t *testing.T, s *server.Site, c *server.IMAP, box string, want map[string]string) {
	t.Helper()
	c.Must("EXAMINE " + box)
	seen := map[string]int{}
	for _, line := range fetched(c) {
		m := ownID.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		seen[m[1]]++
		flags, there := want[m[1]]
		if is := flagsOf(line); there && is != flags {
			t.Errorf("%s: %s in %s has flags %q, want %q", s.IMAP, m[1], box, is, flags)
		} else if !there && !l.anothers(box, m[1]) {
			t.Errorf("%s: %s in %s should not be there", s.IMAP, m[1], box)
		}
	}
	for id := range want {
		if seen[id] != 1 {
			t.Errorf("%s: %s is %d times in %s", s.IMAP, id, seen[id], box)
		}
	}
}

// anothers reports whether a message in the common mailbox belongs to a
// writer who is the other user.
func (l *load) anothers(box, id string) bool {
	if !strings.HasSuffix(box, "common") {
		return false
	}
	return slices.ContainsFunc(l.writers, func(w *writer) bool {
		m := w.has[id]
		return m != nil && strings.HasSuffix(m.box, "common")
	})
}

// report says how much was done, and fails if that shows nothing.
func (l *load) report(t *testing.T, long time.Duration) {
	t.Helper()
	there, mailed := 0, 0
	for _, w := range l.writers {
		there += len(w.has)
	}
	for _, ids := range l.mailed {
		mailed += len(ids)
	}
	t.Logf("%v: %d messages of writers are there, %d by LMTP, %d folders", long, there, mailed, len(l.folders))
	for _, step := range slices.Sorted(maps.Keys(l.did)) {
		t.Logf("%8d %s", l.did[step], step)
	}
	for i := range steps {
		if name := steps[i].name; l.did[name] < 3 {
			t.Errorf("%s was done %d times: this shows nothing", name, l.did[name])
		}
	}
}

var (
	ownID     = regexp.MustCompile(`(?i)message-id: <(own-[-\d]+)@`)
	mailedID  = regexp.MustCompile(`(?i)message-id: <lmtp-([-\w]+)@`)
	flagsList = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

// fetched is the answers of a FETCH for flags and Message-ID; each has the
// lines of its literal.
func fetched(c *server.IMAP) (all []string) {
	for _, line := range c.Must("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])") {
		if strings.HasPrefix(line, "* ") || len(all) == 0 {
			all = append(all, line)
		} else {
			all[len(all)-1] += line
		}
	}
	return all
}

// ids is how often each message that came by LMTP is in a mailbox.
func ids(c *server.IMAP, box string) map[string]int {
	c.Must("EXAMINE " + box)
	n := map[string]int{}
	for _, line := range fetched(c) {
		if m := mailedID.FindStringSubmatch(line); m != nil {
			n[m[1]]++
		}
	}
	return n
}

// flagsOf is the flags in an answer that the writers set.
func flagsOf(line string) string {
	m := flagsList.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	flags := slices.DeleteFunc(strings.Fields(m[1]), func(f string) bool { return f == `\Recent` })
	slices.Sort(flags)
	return strings.Join(flags, " ")
}

// noQuotaFault has the real server count all quota roots.
func noQuotaFault(t *testing.T, s *server.Site) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "setpriv", "--reuid=cyrus", "--regid=mail", "--init-groups",
		filepath.Join(cyrusBin, "quota"), "-C", s.Conf(), "-f", "-n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "user/user1") {
		t.Errorf("quota -f -n: %v\n%s", err, tail(string(out)))
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "was ") || strings.Contains(line, "should be") || strings.Contains(line, "quota root") && strings.Contains(line, "-->") {
			t.Errorf("quota -f -n: %s", line)
		}
	}
}

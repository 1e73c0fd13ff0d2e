package suite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// folders is what one client knows of the mailboxes it has made.
type folders struct {
	s    *server.Site
	user string

	exist map[string]bool // acknowledged, and nothing else was asked of them
	gone  map[string]bool // acknowledged
	maybe map[string]bool // asked for, not answered
	full  map[string]bool // those of exist with a message
	wrong []string
}

// run makes, renames and deletes mailboxes, each with a child and a message,
// until stop is closed.
func (f *folders) run(stop chan struct{}) {
	var k *server.IMAP
	for n := 0; ; n++ {
		select {
		case <-stop:
			if k != nil {
				k.Close()
			}
			return
		default:
		}
		if k == nil {
			var err error
			if k, err = f.s.TryLogin(f.user); err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
		}
		if !f.round(k, n) {
			k.Close()
			k = nil
		}
	}
}

// round is the life of one mailbox and its child.
func (f *folders) round(k *server.IMAP, n int) bool {
	name := func(prefix string) []string {
		top := fmt.Sprintf("INBOX/%s%d", prefix, n)
		return []string{top, top + "/child"}
	}
	made, renamed := name("made"), name("renamed")
	const text = "From: f@example.org\r\nSubject: in a folder\r\n\r\ntext\r\n"
	for i := range made {
		if !f.do(k, "CREATE "+made[i], nil, made[i:i+1]) ||
			!f.do(k, fmt.Sprintf("APPEND %s {%d+}\r\n%s", made[i], len(text), text), nil, nil) {
			return false
		}
		f.full[made[i]], f.full[renamed[i]] = true, true
	}
	if n%3 == 0 {
		return true
	}
	if !f.do(k, "RENAME "+made[0]+" "+renamed[0], made, renamed) {
		return false
	}
	return n%3 == 1 || f.do(k, "DELETE "+renamed[1], renamed[1:], nil) && f.do(k, "DELETE "+renamed[0], renamed[:1], nil)
}

// do does a command that makes some mailboxes come and others go.
func (f *folders) do(k *server.IMAP, command string, goes, comes []string) bool {
	for _, m := range slices.Concat(goes, comes) {
		delete(f.exist, m)
		delete(f.gone, m)
		f.maybe[m] = true
	}
	_, tagged, err := k.Do(command)
	if !strings.HasPrefix(tagged, "OK") {
		if err == nil {
			f.wrong = append(f.wrong, command+": "+tagged)
		}
		return false
	}
	for _, m := range goes {
		delete(f.maybe, m)
		f.gone[m] = true
	}
	for _, m := range comes {
		delete(f.maybe, m)
		f.exist[m] = true
	}
	return true
}

// check compares what LIST shows with what was acknowledged, and looks that
// whatever is there can be used and whatever may be there can be removed or
// made anew.
func (f *folders) check(t *testing.T) {
	t.Helper()
	if len(f.wrong) > 0 {
		t.Errorf("%s: %d wrong answers, the first: %q", f.user, len(f.wrong), f.wrong[0])
	}
	k := f.s.Login(f.user)
	defer k.Close()
	have := mailboxes(k)
	for _, m := range have {
		if f.gone[m] {
			t.Errorf("%s: %s was renamed or deleted and is there", f.user, m)
		}
		if _, tagged, err := k.Do("SELECT " + m); !strings.HasPrefix(tagged, "OK") {
			t.Errorf("%s: %s is listed, but SELECT says %s %v", f.user, m, tagged, err)
		}
	}
	k.Must("UNSELECT")
	for m := range f.exist {
		if !slices.Contains(have, m) {
			t.Errorf("%s: %s is lost", f.user, m)
			continue
		}
		if lines := strings.Join(k.Must("STATUS "+m+" (MESSAGES)"), ""); f.full[m] && !strings.Contains(lines, "MESSAGES 1") {
			t.Errorf("%s: %s has lost its message: %q", f.user, m, lines)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(f.maybe)) { // a child would make its parent
		if !slices.Contains(have, m) {
			k.Must("CREATE " + m)
		}
		k.Must("SELECT " + m)
		k.Must("UNSELECT")
	}
	t.Logf("%s: %d mailboxes are there, %d are gone, of %d nobody knows", f.user, len(f.exist), len(f.gone), len(f.maybe))
}

// TestKillFolders kills imapd while clients make, rename and delete
// mailboxes.
func TestKillFolders(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(mode(shared), func(t *testing.T) {
			s := server.Start(t, server.Options{Shared: shared})
			setUp(s)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var all []*folders
			for i := range 3 {
				f := &folders{s: s, user: userOf(i), exist: map[string]bool{}, gone: map[string]bool{}, maybe: map[string]bool{}, full: map[string]bool{}}
				all = append(all, f)
				wg.Go(func() { f.run(stop) })
			}
			for range 4 {
				time.Sleep(time.Duration(150+rand.IntN(200)) * time.Millisecond)
				killOne(t, s, "imapd", 0)
				answers(t, s, back)
			}
			close(stop)
			wg.Wait()
			for _, f := range all {
				f.check(t)
			}
			touch(s)
			checkStore(t, s)
			checkQuota(t, s)
		})
	}
}

// mode names a mode for subtests.
func mode(shared bool) string {
	if shared {
		return "shared"
	}
	return "own"
}

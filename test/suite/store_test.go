package suite

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox/mailboxtest"
	"gocyrus/test/server"
)

// checkStore checks the files of every mailbox of the users: checksums,
// counters, messages, caches. All must have been changed since the last kill:
// what a kill leaves is repaired by the next change.
func checkStore(t *testing.T, s *server.Site) {
	t.Helper()
	var names []string
	for i := range 3 {
		k := s.Login(userOf(i))
		for _, m := range mailboxes(k) {
			names = append(names, "user/"+userOf(i)+strings.TrimPrefix(m, "INBOX"))
		}
		k.Close()
	}
	dirs := strings.Fields(s.Tool("", "mbpath", names...))
	if len(dirs) != len(names) || len(dirs) == 0 {
		t.Errorf("mbpath of %d mailboxes prints %d paths", len(names), len(dirs))
		return
	}
	for i, dir := range dirs {
		if r := (mailboxtest.Mailbox{FS: disk.OS(), Dir: dir}).Check(); len(r.Problems) > 0 {
			t.Errorf("%s in %s: %d problems, the first are %q", names[i], dir, len(r.Problems), r.Problems[:min(len(r.Problems), 5)])
		}
	}
}

// touch changes every mailbox of every user, so that it is repaired if that
// is needed.
func touch(s *server.Site) {
	for i := range 3 {
		k := s.Login(userOf(i))
		for _, mailbox := range mailboxes(k) {
			k.Append(mailbox, "From: x@example.org\r\nSubject: last\r\n\r\ntext\r\n")
		}
		k.Close()
	}
}

var listed = regexp.MustCompile(`^\* LIST \([^)]*\) "/" (.*)\r\n$`)

// mailboxes returns what LIST shows of the client's own.
func mailboxes(k *server.IMAP) (names []string) {
	for _, line := range k.Must(`LIST "" INBOX*`) {
		if m := listed.FindStringSubmatch(line); m != nil {
			names = append(names, strings.Trim(m[1], `"`))
		}
	}
	return names
}

var storageUse = regexp.MustCompile(`STORAGE (\d+) `)

// checkQuota compares the use of each user's quota root with the sizes of
// his messages.
func checkQuota(t *testing.T, s *server.Site) {
	t.Helper()
	for i := range 3 {
		k := s.Login(userOf(i))
		sum := 0
		for _, mailbox := range mailboxes(k) {
			k.Must("EXAMINE " + mailbox)
			for _, line := range k.Must("FETCH 1:* RFC822.SIZE") {
				_, rest, _ := strings.Cut(line, "RFC822.SIZE ")
				n := 0
				fmt.Sscan(strings.TrimRight(rest, ")\r\n"), &n)
				sum += n
			}
		}
		lines := strings.Join(k.Must("GETQUOTAROOT INBOX"), "")
		m := storageUse.FindStringSubmatch(lines)
		if m == nil || m[1] != fmt.Sprint(sum/1024) {
			t.Errorf("%s: messages of %d KiB, quota says %q", userOf(i), sum/1024, lines)
		}
		k.Close()
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
	"gocyrus/test/data"
)

// admin is somebody who may do everything.
var admin = mboxlist.Actor{Identity: acl.Identity{User: "cyrus", Admin: true}}

// store is an open mail store for a test, in shared mode.
type store struct {
	*testing.T
	*site.Site
	ctx  context.Context
	path string // of imapd.conf
}

// newStore makes an empty mail store.
func newStore(t *testing.T, lines string) *store {
	t.Helper()
	path, dir := conf(t, shared+"unixhierarchysep: yes\nadmins: cyrus\ndefaultpartition: default\n"+lines)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("sievedir: " + dir + "/sieve\n") // by default it is one for all of the machine
		err = errors.Join(err, f.Close(), os.MkdirAll(filepath.Join(dir, "spool"), 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	return storeAt(t, path)
}

// storeAt opens the store of a configuration.
func storeAt(t *testing.T, path string) *store {
	t.Helper()
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &store{t, s, context.Background(), path}
}

// make creates mailboxes.
func (s *store) make(names ...mboxname.Name) {
	s.Helper()
	for _, n := range names {
		if _, err := s.List.Create(s.ctx, admin, n, mboxlist.CreateOptions{}); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *store) entry(n mboxname.Name) *mboxlist.Entry {
	s.Helper()
	e, err := s.List.Lookup(s.ctx, n)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

// add appends a message with a Date of so long ago.
func (s *store) add(n mboxname.Name, age time.Duration, keywords ...string) {
	s.Helper()
	e := s.entry(n)
	st, err := s.Store.Stage(e.Partition)
	if err != nil {
		s.Fatal(err)
	}
	defer st.Remove()
	date := time.Now().Add(-age).Format(time.RFC1123Z)
	if _, err := io.WriteString(st, "From: a@example.org\r\nDate: "+date+"\r\nSubject: x\r\n\r\nbody\r\n"); err != nil {
		s.Fatal(err)
	}
	m := mailbox.AppendMessage{Staged: st, Keywords: keywords}
	if _, err := s.Store.Append(s.ctx, e.Ref(), []mailbox.AppendMessage{m}, mailbox.AppendOptions{}); err != nil {
		s.Fatal(err)
	}
}

// expunge expunges the first n messages.
func (s *store) expunge(name mboxname.Name, n int) {
	s.Helper()
	m, err := s.Store.Open(s.ctx, s.entry(name).Ref(), mailbox.Write)
	if err != nil {
		s.Fatal(err)
	}
	defer m.Close()
	records, err := m.Records(nil, 1, n)
	if err != nil {
		s.Fatal(err)
	}
	for i := range records {
		if err := m.Expunge(&records[i], ""); err != nil {
			s.Fatal(err)
		}
	}
	if err := m.Commit(s.ctx); err != nil {
		s.Fatal(err)
	}
}

// header returns the index header of a mailbox.
func (s *store) header(n mboxname.Name) mailbox.IndexHeader {
	s.Helper()
	m, err := s.Store.Open(s.ctx, s.entry(n).Ref(), mailbox.Read)
	if err != nil {
		s.Fatal(err)
	}
	defer m.Close()
	return m.Header()
}

// annotate sets the shared value of an annotation.
func (s *store) annotate(n mboxname.Name, entry, value string) {
	s.Helper()
	e := s.entry(n)
	scope := annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}
	if _, err := s.Annot.Set(s.ctx, scope, annot.Key{Entry: entry}, []byte(value)); err != nil {
		s.Fatal(err)
	}
}

// expire runs cyr_expire -v and returns what it prints, with the times of
// deleted mailboxes masked.
func (s *store) expire(args string) string {
	s.Helper()
	r := call("", append([]string{"cyr_expire", "-C", s.path, "-v"}, strings.Fields(args)...)...)
	if r.status != 0 || r.out != "" {
		s.Errorf("cyr_expire %s: %+v", args, r)
	}
	return regexp.MustCompile(`\.[0-9A-F]{8}\b`).ReplaceAllString(r.err, ".TIME")
}

// lines joins what Cyrus prints, each line with an empty one behind it.
func lines(text ...string) string { return strings.Join(text, "\n\n") + "\n\n" }

// The texts were printed by cyr_expire 3.6.1 for mailboxes in the same state.
func TestExpire(t *testing.T) {
	s := newStore(t, "")
	s.make("user.user1", "user.user1.Old", "user.user2", "user.user2.sub", "shared")
	for i, k := range []string{"kw0", "kw1", "kw2", "kw3", "kw4"} {
		s.add("user.user1", time.Duration(i)*time.Hour, k)
	}
	s.expunge("user.user1", 2)
	s.add("user.user2", 0)
	s.add("user.user2", 3*24*time.Hour)
	s.add("user.user2.sub", 3*24*time.Hour)
	s.annotate("user.user2", annot.Expire, "1")
	if err := s.List.Delete(s.ctx, admin, "user.user1.Old", mboxlist.DeleteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}

	want := lines(
		"expiring messages in user.user2 older than 1.00 days",
		"cleaning up expunged messages in user.user2",
		"cleaning up expunged messages in user.user2.sub",
		"\nExpired 1 and expunged 0 out of 3 messages from 2 mailboxes")
	if got := s.expire("-E 3 -u user2"); got != want {
		t.Errorf("-E 3 -u user2:\n%q\nwant\n%q", got, want)
	}
	if h := s.header("user.user2"); h.Exists != 1 {
		t.Errorf("user2 has %d messages", h.Exists)
	}

	want = lines(
		"Expunging deleted messages in mailboxes older than 0.00 days",
		"cleaning up expunged messages in DELETED.user.user1.Old.TIME",
		"cleaning up expunged messages in shared",
		"Expunging userflag 0 (kw0) from user.user1",
		"Expunging userflag 1 (kw1) from user.user1",
		"cleaning up expunged messages in user.user1",
		"expiring messages in user.user2 older than 1.00 days",
		"cleaning up expunged messages in user.user2",
		"cleaning up expunged messages in user.user2.sub",
		"\nExpired 0 and expunged 3 out of 8 messages from 5 mailboxes",
		"Expunged 2 user flags",
		"Removing deleted mailboxes older than 0.00 days",
		"Cleaning up DELETED.user.user1.Old.TIME",
		"Removing: DELETED.user.user1.Old.TIME",
		"Removed 1 deleted mailboxes")
	if got := s.expire("-E 3 -D 0 -X 0 -t"); got != want {
		t.Errorf("-E 3 -D 0 -X 0 -t:\n%q\nwant\n%q", got, want)
	}
	if h := s.header("user.user1"); h.Exists != 3 || h.NumRecords != 3 {
		t.Errorf("user1 has %d messages in %d records", h.Exists, h.NumRecords)
	}
	err := s.List.Scan(s.ctx, "DELETED", func(e *mboxlist.Entry) (bool, error) {
		if e.Name.IsDeleted("DELETED") && e.Exists() {
			t.Errorf("%s is still there", e.Name)
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExpireChoice(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a", "user.ab", "user.b", "shared")
	s.add("user.b", 24*time.Hour)
	s.annotate("user.b", annot.Expire, "1h")
	s.annotate("user.b", noExpireUntil, "0")
	summary := func(n int) string {
		return "\nExpired 0 and expunged 0 out of 0 messages from " + string(rune('0'+n)) + " mailboxes"
	}
	for _, tt := range []struct{ args, want string }{
		{"-E 1 -p user/a", lines("cleaning up expunged messages in user.a", "cleaning up expunged messages in user.ab", summary(2))},
		{"-E 1 -u b", lines("(noexpire) user.b", summary(0))},
		{"-x -E 1 -X 1", ""},
		{"-D 1 -u a", lines("cleaning up expunged messages in user.a", summary(1), "Removing deleted mailboxes older than 1.00 days", "Removed 0 deleted mailboxes")},
		{"-A 1 -u a", lines("cleaning up expunged messages in user.a", summary(1))},
		{"-E 0 -D 0 -u a", lines("Removing deleted mailboxes older than 0.00 days", "Removed 0 deleted mailboxes")},
	} {
		if got := s.expire(tt.args); got != tt.want {
			t.Errorf("%s:\n%q\nwant\n%q", tt.args, got, tt.want)
		}
	}
	s.annotate("user.b", noExpireUntil, "1000")
	want := lines("expiring messages in user.b older than 0.04 days", "cleaning up expunged messages in user.b",
		"\nExpired 1 and expunged 0 out of 1 messages from 1 mailboxes")
	if got := s.expire("-E 1 -u b"); got != want {
		t.Errorf("after noexpire_until:\n%q", got)
	}
}

// TestDeleteAnnotation checks that a deleted mailbox is kept for as long
// as its own annotation says.
func TestDeleteAnnotation(t *testing.T) {
	s := newStore(t, "")
	s.make("shared", "shared.a", "shared.b")
	s.annotate("shared.a", annot.Delete, "0")
	for _, n := range []mboxname.Name{"shared.a", "shared.b"} {
		if err := s.List.Delete(s.ctx, admin, n, mboxlist.DeleteOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	got := s.expire("-D 0 -x")
	want := lines("Removing deleted mailboxes older than 0.00 days", "Cleaning up DELETED.shared.b.TIME",
		"Removing: DELETED.shared.b.TIME", "Removed 1 deleted mailboxes")
	if got != want {
		t.Errorf("got\n%q", got)
	}
	if got := s.expire("-a -D 0 -x"); !strings.Contains(got, "Removing: DELETED.shared.a.TIME") {
		t.Errorf("without annotations:\n%q", got)
	}
}

// TestStaleTombstones checks that the list forgets a deleted name after a
// week, and not before.
func TestStaleTombstones(t *testing.T) {
	s := newStore(t, "")
	s.make("shared", "shared.new")
	o := mboxlist.DeleteOptions{Force: true, Immediate: true}
	if err := s.List.Delete(s.ctx, admin, "shared.new", o); err != nil {
		t.Fatal(err)
	}
	db, err := cyrusdb.Open(disk.OS(), s.Locks, "twoskip", filepath.Join(s.Layout.ConfigDir, "mailboxes.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tx cyrusdb.Tx
	tx.Put([]byte("N"+mboxname.Name("shared.old").DBKey()), []byte("%(T ed I aabbccdd V 1 C 1 F 1 M 1)"))
	if err := db.Commit(s.ctx, tx); err != nil {
		t.Fatal(err)
	}
	want := lines("cleaning up expunged messages in shared", "Removing stale tombstone for shared.old",
		"\nExpired 0 and expunged 0 out of 0 messages from 1 mailboxes", "Cleaned up 1 expired mboxlist tombstones")
	if got := s.expire("-E 1"); got != want {
		t.Errorf("got\n%q", got)
	}
	if _, err := s.List.Find(s.ctx, "shared.old"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("shared.old: %v", err)
	}
	if e, err := s.List.Find(s.ctx, "shared.new"); err != nil || !e.Has(mboxlist.Tombstone) {
		t.Errorf("shared.new: %v", err)
	}
}

func TestPruneDuplicates(t *testing.T) {
	s := newStore(t, "")
	for id, age := range map[string]time.Duration{"<old@x>": 100 * time.Hour, "<new@x>": time.Hour} {
		k := duplicate.Key{ID: id, To: "x"}
		if err := s.Duplicate.Mark(s.ctx, k, duplicate.Mark{Time: time.Now().Add(-age), UID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	r := call("", "cyr_expire", "-C", s.path, "-E", "3")
	if r.status != 0 || !strings.Contains(r.log, "duplicate_prune: pruning back 3.00 days") ||
		!strings.Contains(r.log, "duplicate_prune: purged 1 out of 2 entries") {
		t.Errorf("%+v", r)
	}
}

func TestExpireUse(t *testing.T) {
	path, _ := conf(t, shared)
	for args, want := range map[string]string{
		"":               "Missing arguments.\n" + expireUse,
		"-v -a":          "Missing arguments.\n" + expireUse,
		"-h":             expireUse,
		"-E 1x":          expireUse,
		"-u a -p b -E 1": expireUse,
		"--verbose":      "cyr_expire: invalid option -- '-'\n" + expireUse,
	} {
		r := call("", append([]string{"cyr_expire", "-C", path}, strings.Fields(args)...)...)
		if r.status != exUsage || r.err != want {
			t.Errorf("%s: status %d\n%s", args, r.status, r.err)
		}
	}
}

// TestArchive checks that -A moves old messages to the archive partition,
// unless the mailbox's annotation says never.
func TestArchive(t *testing.T) {
	archive := t.TempDir()
	s := newStore(t, "archive_enabled: yes\narchivepartition-default: "+archive+"\n")
	s.make("user.a", "user.b")
	for _, n := range []mboxname.Name{"user.a", "user.b"} {
		s.add(n, 0)
	}
	s.annotate("user.b", annot.Archive, "0")
	archived := func() (n int) {
		err := filepath.WalkDir(archive, func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "/1.") {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.expire("-A 1 -x")
	if n := archived(); n != 0 {
		t.Errorf("%d new messages were archived", n)
	}
	s.expire("-A 0 -x")
	if n := archived(); n != 1 {
		t.Errorf("%d messages were archived, want 1", n)
	}
}

// TestExpireDryRun checks that --dry-run says what is done then, and changes
// nothing.
func TestExpireDryRun(t *testing.T) {
	conf, root := sampleConf(t, data.ByID, shared)
	flags := []string{"-C", conf, "-A", "0", "-X", "0", "-D", "0", "-E", "1s", "-t"}
	run := func() result { return call("", append([]string{"cyr_expire", "--dry-run", "-v"}, flags...)...) }
	run() // mailboxes that nobody has looked at since the boot are checked
	tree := func() string { return masking(`(?m)^.*/conf/lock/.*\n`, "").re.ReplaceAllString(treeOf(t, root), "") }
	before := tree()
	look := run()
	if look.status != 0 {
		t.Errorf("%+v", look)
	}
	if after := tree(); after != before {
		t.Errorf("something has changed: %s", difference(before, after))
	}
	done := call("", append([]string{"cyr_expire", "-v"}, flags...)...)
	numbers := func(re, text string) []string {
		t.Helper()
		m := regexp.MustCompile(re).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s is not in\n%s", re, text)
		}
		return m[1:]
	}
	for _, c := range []struct{ will, did string }{
		{`would expire (\d+) and expunge (\d+) out of (\d+) messages from (\d+) mailboxes`, `Expired (\d+) and expunged (\d+) out of (\d+) messages from (\d+) mailboxes`},
		{`would remove (\d+) user flags`, `Expunged (\d+) user flags`},
		{`would remove (\d+) deleted mailboxes`, `Removed (\d+) deleted mailboxes`},
		{`would remove (\d+) out of (\d+) marks`, `duplicate_prune: purged (\d+) out of (\d+) entries`},
		{`would archive (\d+) messages`, `Archived (\d+) messages`},
	} {
		will, did := numbers(c.will, look.out), numbers(c.did, done.err+done.log)
		if !slices.Equal(will, did) || will[0] == "0" && !strings.Contains(c.will, "flags") && !strings.Contains(c.will, "expire") {
			t.Errorf("%s: %v, but then %v", c.will, will, did)
		}
	}
	again := call("", append([]string{"cyr_expire", "--dry-run"}, flags...)...)
	if !strings.Contains(again.out, "would archive 0 messages of 0 bytes\nwould expire 0 and expunge 0 out of ") || again.err != "" {
		t.Errorf("a second time: %+v", again)
	}
}

// The answers are those of a real cyr_expire -X.
func TestFractionOfDays(t *testing.T) {
	for s, want := range map[string]time.Duration{"1.5": 36 * time.Hour, "36h": 36 * time.Hour, " 2d": 48 * time.Hour, "1e1m": 10 * time.Minute, "+3s": 3 * time.Second, "0": 0} {
		if got, ok := fractionOfDays(s); got != want || !ok {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "d", "-1", "1w", "1H", "1.5x", "1d2"} {
		if got, ok := fractionOfDays(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}

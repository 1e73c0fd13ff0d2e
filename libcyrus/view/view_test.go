package view

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/seen"
)

var ctx = context.Background()

var inbox = mailbox.Ref{Name: "user.alice", UniqueID: "aaaaaaaaaaaaaaaaaaaaaaaa", Partition: "default", Type: "e"}

// env is a store in memory with one mailbox, alice's INBOX.
type env struct {
	t     testing.TB
	fs    disk.FS
	l     *mboxname.Layout
	store *mailbox.Store
	seen  *seen.Store
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvOn(t, disk.NewMem())
}

// newEnvOn is newEnv on a file system.
func newEnvOn(t testing.TB, fsys disk.FS) *env {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
	locks := lock.NewTable(fsys, log)
	layout := &mboxname.Layout{ConfigDir: "/conf", Partitions: map[string]string{"default": "/spool"}}
	for _, d := range []string{"/conf/user", "/conf/lock", "/spool"} {
		if err := fsys.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	store, err := mailbox.New(mailbox.Options{FS: fsys, Locks: locks, Layout: layout, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, fs: fsys, l: layout, store: store}
	e.seen = seen.New(seen.Options{
		FS: fsys, Locks: locks, Layout: layout, Log: log, Kind: "twoskip",
		Home: func(_ context.Context, user string) (string, bool, error) {
			return strings.Repeat(user[:1], 24), false, nil
		},
	})
	o := mailbox.CreateOptions{ACL: "alice\tlrswipkxtecdan\tbob\tlrswite\t"}
	if _, err := store.Create(ctx, inbox, o, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return e
}

// testWriter sends what is logged to the test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) { w.t.Log(string(b)); return len(b), nil }

// text is the n-th message.
func text(n int) string {
	return fmt.Sprintf("From: a%d@example.com\r\nSubject: number %d\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\r\nbody %d\r\n", n, n, n)
}

// add appends messages with flags.
func (e *env) add(texts ...string) {
	e.t.Helper()
	e.addFlags(0, texts...)
}

func (e *env) addFlags(f mailbox.Flags, texts ...string) {
	e.t.Helper()
	for _, t := range texts {
		st, err := e.store.Stage("default")
		if err != nil {
			e.t.Fatal(err)
		}
		if _, err := st.Write([]byte(t)); err != nil {
			e.t.Fatal(err)
		}
		m := mailbox.AppendMessage{Staged: st, Flags: f, InternalDate: time.Unix(1e9, 0)}
		if _, err := e.store.Append(ctx, inbox, []mailbox.AppendMessage{m}, mailbox.AppendOptions{}); err != nil {
			e.t.Fatal(err)
		}
		st.Remove()
	}
}

// removeFile removes the file of a message behind the store's back.
func (e *env) removeFile(uid int) error {
	dir, err := e.l.MailboxDir(inbox.Partition, inbox.Name, inbox.UniqueID, inbox.Legacy)
	if err != nil {
		return err
	}
	return e.fs.Remove(fmt.Sprintf("%s/%d.", dir, uid))
}

// fill appends the messages 1 to n.
func (e *env) fill(n int) {
	for i := range n {
		e.add(text(i + 1))
	}
}

// session is a view with what it sends.
type session struct {
	*View
	t   testing.TB
	out bytes.Buffer
	w   *imapwire.Writer
	sel *Selected
}

func (e *env) open(user string, examine bool) *session {
	e.t.Helper()
	v, sel, err := Open(ctx, inbox, Options{
		Store: e.store, Seen: e.seen, User: user, Examine: examine,
		Log:    slog.New(slog.NewTextHandler(testWriter{e.t}, nil)),
		Rights: func(text string) acl.Rights { return acl.Text{}.Granted(acl.ParseList(text), acl.Identity{User: user}) },
	})
	if err != nil {
		e.t.Fatal(err)
	}
	s := &session{View: v, t: e.t, sel: sel}
	s.w = imapwire.NewWriter(&s.out)
	return s
}

// sent returns and forgets what was sent, lines joined with "|".
func (s *session) sent() string {
	s.w.Flush()
	text := strings.TrimSuffix(s.out.String(), "\r\n")
	s.out.Reset()
	return strings.ReplaceAll(text, "\r\n", "|")
}

// noop is what NOOP answers.
func (s *session) noop() string {
	s.t.Helper()
	if err := s.Refresh(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.Report(s.w, true, false)
	return s.sent()
}

func set(text string) imapwire.SeqSet {
	s, ok := imapwire.ParseSeqSet(text)
	if !ok {
		panic(text)
	}
	return s
}

// fetch is what FETCH answers.
func (s *session) fetch(messages, items string) string {
	s.t.Helper()
	if err := s.tryFetch(messages, items); err != nil {
		s.t.Fatal(err)
	}
	return s.sent()
}

// tryFetch is FETCH, which may fail.
func (s *session) tryFetch(messages, items string) error {
	s.t.Helper()
	r := imapwire.NewReader(strings.NewReader(items+"\r\n"), imapwire.Limits{})
	r.Start("Fetch")
	f, err := r.Fetch()
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.Fetch(ctx, s.w, set(messages), &f, false)
	return err
}

// store is what STORE answers.
func (s *session) store(messages string, c FlagChange) string {
	s.t.Helper()
	if _, err := s.Store(ctx, set(messages), false, c); err != nil {
		s.t.Fatal(err)
	}
	s.Report(s.w, false, false)
	return s.sent()
}

// search is the sequence numbers that SEARCH finds.
func (s *session) search(query string) string {
	s.t.Helper()
	found, err := s.trySearch(query)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return found
}

// trySearch is SEARCH, which may fail.
func (s *session) trySearch(query string) (string, error) {
	s.t.Helper()
	r := imapwire.NewReader(strings.NewReader(query+"\r\n"), imapwire.Limits{})
	q, err := r.Search(time.UTC)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	var found imapwire.SeqSet
	err = s.Search(ctx, &q, func(f Found) { found = found.Add(f.Seq) })
	return found.String(), err
}

func TestSelect(t *testing.T) {
	e := newEnv(t)
	e.fill(3)
	e.addFlags(mailbox.Seen, text(4))
	ro := e.open("alice", true)
	if got := ro.sel; got.Exists != 4 || got.Recent != 4 || got.FirstUnseen != 1 || got.UIDNext != 5 || got.HighestModseq != 5 {
		t.Errorf("%+v", got)
	}
	first := e.open("alice", false)
	second := e.open("alice", false)
	if first.sel.Recent != 4 || second.sel.Recent != 0 {
		t.Errorf("\\Recent for %d and %d sessions", first.sel.Recent, second.sel.Recent)
	}
	bob := e.open("bob", false)
	if bob.sel.Recent != 4 || bob.sel.FirstUnseen != 1 {
		t.Errorf("bob: %+v", bob.sel)
	}
	if again := e.open("bob", false); again.sel.Recent != 0 {
		t.Errorf("bob again: %+v", again.sel)
	}
	first.WriteFlags(first.w)
	want := `* FLAGS (\Answered \Flagged \Draft \Deleted \Seen)|* OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen \*)] Ok`
	if got := first.sent(); got != want {
		t.Error(got)
	}
	ro.WriteFlags(ro.w)
	if got := ro.sent(); !strings.HasSuffix(got, "[PERMANENTFLAGS ()] Ok") || !ro.ReadOnly() {
		t.Error(got)
	}
}

func TestChangesOfOthers(t *testing.T) {
	e := newEnv(t)
	e.fill(4)
	a, b := e.open("alice", false), e.open("alice", false)
	if got := a.noop(); got != "" {
		t.Error(got)
	}
	e.add(text(5))
	if got := a.noop(); got != "* 5 EXISTS|* 5 RECENT" {
		t.Error(got)
	}
	if got := b.noop(); got != "* 5 EXISTS|* 0 RECENT" {
		t.Error(got)
	}
	if got := a.store("2", FlagChange{Operation: Add, Flags: mailbox.Flagged, Keywords: []string{"kw"}}); got !=
		`* FLAGS (\Answered \Flagged \Draft \Deleted \Seen kw)|`+
			`* OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen kw \*)] Ok|* 2 FETCH (FLAGS (\Recent \Flagged kw))` {
		t.Error(got)
	}
	if got := a.store("2", FlagChange{Operation: Add, Flags: mailbox.Flagged, Keywords: []string{"KW"}}); got != "" {
		t.Error("nothing changed:", got)
	}
	if got := a.noop(); got != "" {
		t.Error(got)
	}
	if got := b.noop(); !strings.HasSuffix(got, `|* 2 FETCH (FLAGS (\Flagged kw))`) {
		t.Error(got)
	}
	a.store("1,3", FlagChange{Operation: Add, Flags: mailbox.Deleted})
	if n, _, err := a.Expunge(ctx, nil); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	a.Report(a.w, true, false)
	if got := a.sent(); got != "* 1 EXPUNGE|* 2 EXPUNGE" {
		t.Error(got)
	}
	// b is not told in the middle of a command, and can still fetch.
	if err := b.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	b.Report(b.w, false, false)
	if got := b.sent(); got != `* 1 FETCH (FLAGS (\Deleted))|* 3 FETCH (FLAGS (\Deleted))` {
		t.Error(got)
	}
	if got := b.fetch("1:3", "(UID RFC822.SIZE)"); strings.Count(got, "|") != 2 {
		t.Error(got)
	}
	e.add(text(6))
	if got := b.noop(); got != "* 1 EXPUNGE|* 2 EXPUNGE|* 4 EXISTS|* 1 RECENT" {
		t.Error(got)
	}
	if got := b.fetch("1:*", "UID"); got != "* 1 FETCH (UID 2)|* 2 FETCH (UID 4)|* 3 FETCH (UID 5)|* 4 FETCH (UID 6)" {
		t.Error(got)
	}
}

func TestUIDExpunge(t *testing.T) {
	e := newEnv(t)
	e.fill(3)
	a := e.open("alice", false)
	a.store("1:3", FlagChange{Operation: Add, Flags: mailbox.Deleted})
	if n, _, err := a.Expunge(ctx, a.ResolveUIDs(set("2:2"))); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, _, err := a.Expunge(ctx, a.ResolveUIDs(set("99"))); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if got := a.noop(); got != "* 2 EXPUNGE" {
		t.Error(got)
	}
}

func TestRepackedBehindOurBack(t *testing.T) {
	e := newEnv(t)
	e.fill(5)
	a, b := e.open("alice", false), e.open("alice", false)
	a.store("2,4", FlagChange{Operation: Add, Flags: mailbox.Deleted})
	if _, _, err := a.Expunge(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.store.Cleanup(ctx, inbox, mailbox.CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got := b.fetch("1:*", "UID"); got != "* 1 FETCH (UID 1)|* 3 FETCH (UID 3)|* 5 FETCH (UID 5)" {
		t.Error(got)
	}
	if got := b.noop(); got != "* 2 EXPUNGE|* 3 EXPUNGE" {
		t.Error(got)
	}
}

func TestOtherReadersSeen(t *testing.T) {
	e := newEnv(t)
	e.fill(4)
	alice, bob, bob2 := e.open("alice", false), e.open("bob", false), e.open("bob", false)
	if got := bob.store("1,2,4", FlagChange{Operation: Add, Flags: mailbox.Seen}); strings.Count(got, `\Seen`) != 3 {
		t.Error(got)
	}
	if got := alice.fetch("1:*", "FLAGS"); strings.Contains(got, `\Seen`) {
		t.Error("alice has not seen anything:", got)
	}
	if got := bob2.noop(); strings.Count(got, `\Seen`) != 3 {
		t.Error(got)
	}
	if got := bob.search("UNSEEN"); got != "3" {
		t.Error(got)
	}
	if got := bob.store("2", FlagChange{Operation: Remove, Flags: mailbox.Seen}); got != `* 2 FETCH (FLAGS (\Recent))` {
		t.Error(got)
	}
	if again := e.open("bob", true); again.sel.FirstUnseen != 2 || again.fetch("1:4", "FLAGS") !=
		`* 1 FETCH (FLAGS (\Seen))|* 2 FETCH (FLAGS ())|* 3 FETCH (FLAGS ())|* 4 FETCH (FLAGS (\Seen))` {
		t.Error(again.sel.FirstUnseen, again.fetch("1:4", "FLAGS"))
	}
}

// TestChangesInSteps: STORE and EXPUNGE of many messages are done in parts,
// and say the same as in one.
func TestChangesInSteps(t *testing.T) {
	for _, user := range []string{"alice", "bob"} { // \Seen is in the index, and in a seen database
		t.Run(user, func(t *testing.T) {
			var said [2]string
			for i, atOnce := range []int{0, 2} {
				e := newEnv(t)
				e.fill(9)
				a, other := e.open(user, false), e.open(user, false)
				a.o.ChangeAtOnce = atOnce
				a.store("3", FlagChange{Operation: Add, Flags: mailbox.Seen})
				text := a.store("2:6,8", FlagChange{Operation: Add, Flags: mailbox.Seen, Keywords: []string{"one"}})
				modified, err := a.Store(ctx, set("1:*"), false, FlagChange{Operation: Replace, Flags: mailbox.Seen, Conditional: true, UnchangedSince: a.HighestModseq() - 2})
				text += fmt.Sprint("|", modified, err)
				a.Report(a.w, false, false)
				text += "|" + a.sent() + "|" + other.noop()
				if user == "alice" {
					a.store("1,3:5,7:9", FlagChange{Operation: Add, Flags: mailbox.Deleted})
					n, modseq, err := a.Expunge(ctx, nil)
					text += fmt.Sprint("|", n, modseq, err)
					n, _, err = a.Expunge(ctx, nil)
					text += fmt.Sprint("|", n, err)
					a.Report(a.w, true, false)
					text += "|" + a.sent() + "|" + other.noop() + "|" + e.open(user, true).fetch("1:*", "(UID FLAGS)")
				}
				said[i] = text
			}
			if said[0] != said[1] || strings.Count(said[0], "FETCH") < 9 {
				t.Errorf("in one step:\n%s\nin several:\n%s", said[0], said[1])
			}
		})
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		set         string
		n           int
		first, rest string
	}{
		{"1:5,7", 3, "1:3", "4:5,7"}, {"1:5,7", 5, "1:5", "7"}, {"1:5,7", 6, "1:5,7", ""}, {"1:5,7", 9, "1:5,7", ""}, {"2,4", 1, "2", "4"},
	} {
		if first, rest := split(set(c.set), c.n); first.String() != c.first || rest.String() != c.rest {
			t.Errorf("%s after %d: %s and %s", c.set, c.n, first, rest)
		}
	}
	if first, rest := split(nil, 5); first != nil || rest != nil {
		t.Error(first, rest)
	}
}

func TestDeletedMailbox(t *testing.T) {
	e := newEnv(t)
	e.fill(2)
	a := e.open("alice", false)
	if err := e.store.Delete(ctx, inbox, "", nil); err != nil {
		t.Fatal(err)
	}
	if got := a.noop(); got != "* 1 EXPUNGE|* 1 EXPUNGE" || !a.Deleted() {
		t.Error(got)
	}
}

func TestTargets(t *testing.T) {
	e := newEnv(t)
	e.fill(5)
	a := e.open("alice", false)
	a.store("2", FlagChange{Operation: Add, Flags: mailbox.Deleted})
	a.Expunge(ctx, nil)
	a.noop() // UIDs 1 3 4 5
	for in, want := range map[string]string{
		"1:*": "1:4", "2": "", "2:3": "2", "3,5": "2,4", "99:*": "4", "*": "4", "6:7": "", "1,2,3": "1:2",
	} {
		if got := a.ByUID(set(in)).String(); got != want {
			t.Errorf("UIDs %s are messages %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"1:*": "1:4", "9": "", "3:9": "3:4", "9:*": "4", "0": "", "4294967296": ""} {
		if got := a.BySequence(set(in)).String(); got != want {
			t.Errorf("%s is messages %q, want %q", in, got, want)
		}
	}
}

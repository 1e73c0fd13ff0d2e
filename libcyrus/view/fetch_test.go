package view

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

const nested = "From: x@example.com\r\nTo: y@example.com\r\nX-Not-Cached: deep\r\nSubject: outer\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain\r\n\r\npart one\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n"

// fetched are answers of Cyrus 3.6.1 to the same messages.
func TestFetch(t *testing.T) {
	e := newEnv(t)
	e.add("Subject: x\r\n\r\nhello\r\nworld\r\n", nested)
	a := e.open("alice", true)
	for _, c := range []struct{ messages, items, want string }{
		{"1", "BODY.PEEK[]", "* 1 FETCH (BODY[] {28}|Subject: x||hello|world|)"},
		{"1", "BODY.PEEK[]<1.99999999999>", "* 1 FETCH (BODY[]<1> {27}|ubject: x||hello|world|)"},
		{"1", "BODY.PEEK[]<500.5>", `* 1 FETCH (BODY[]<500> "")`},
		{"1", "(BODY.PEEK[]<0.3> BODY.PEEK[]<0.3>)", "* 1 FETCH (BODY[]<0> {3}|Sub BODY[]<0> {3}|Sub)"},
		{"1", "BODY.PEEK[1.]", "* 1 FETCH (BODY[1.] {14}|hello|world|)"},
		{"1", "BODY.PEEK[1.1]", "* 1 FETCH (BODY[1.1] NIL)"},
		{"1", "BODY.PEEK[0]", "* 1 FETCH (BODY[0] NIL)"},
		{"1", "BODY.PEEK[1.MIME]", "* 1 FETCH (BODY[1.MIME] {14}|Subject: x||)"},
		{"1", "BODY.PEEK[1.HEADER.FIELDS (a)]", "* 1 FETCH (BODY[1.HEADER.FIELDS (a)] {2}||)"},
		{"1", "RFC822.HEADER.LINES (Subject)", "* 1 FETCH (RFC822.HEADER {14}|Subject: x||)"},
		{"1", "RFC822.HEADER.LINES.NOT (Subject)", "* 1 FETCH (RFC822.HEADER {2}||)"},
		{"1", "(BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (subject)] RFC822.TEXT RFC822.HEADER BODY.PEEK[1] BODY.PEEK[HEADER] UID)",
			"* 1 FETCH (UID 1 RFC822.HEADER {14}|Subject: x|| RFC822.TEXT {14}|hello|world| BODY[HEADER.FIELDS (subject)] {14}|Subject: x|| " +
				"BODY[TEXT] {14}|hello|world| BODY[1] {14}|hello|world| BODY[HEADER] {14}|Subject: x||)"},
		{"2", "BODY.PEEK[2.1]", "* 2 FETCH (BODY[2.1] {10}|inner text)"},
		{"2", "BODY.PEEK[2.HEADER]", "* 2 FETCH (BODY[2.HEADER] {18}|Subject: inner||)"},
		{"2", "BODY.PEEK[HEADER.FIELDS (x-not-cached)]", "* 2 FETCH (BODY[HEADER.FIELDS (x-not-cached)] {22}|X-Not-Cached: deep||)"},
		{"2", "BODY.PEEK[HEADER.FIELDS.NOT (subject to from content-type)]<3.7>",
			"* 2 FETCH (BODY[HEADER.FIELDS.NOT (subject to from content-type)]<3> {7}|ot-Cach)"},
		{"1", "(EMAILID THREADID UID)", "* 1 FETCH (UID 1 EMAILID (Me929fc2254ad2f3a868f50ee) THREADID (NIL))"},
		{"1", "(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE FLAGS)",
			`* 1 FETCH (FLAGS (\Recent) RFC822.SIZE 28 ENVELOPE (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ` +
				`BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 14 2 NIL NIL NIL NIL) ` +
				`BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 14 2))`},
	} {
		if got := a.fetch(c.messages, c.items); got != c.want {
			t.Errorf("FETCH %s %s\n got %s\nwant %s", c.messages, c.items, got, c.want)
		}
	}
}

func TestFetchSetsSeen(t *testing.T) {
	e := newEnv(t)
	e.fill(2)
	a, b, ro := e.open("alice", false), e.open("alice", false), e.open("alice", true)
	if got := ro.fetch("1", "BODY[TEXT]"); got != "* 1 FETCH (BODY[TEXT] {8}|body 1|)" {
		t.Error(got)
	}
	if got := a.fetch("1", "BODY[TEXT]"); got != `* 1 FETCH (FLAGS (\Recent \Seen) BODY[TEXT] {8}|body 1|)` {
		t.Error(got)
	}
	if got := a.fetch("1", "BODY[TEXT]"); got != "* 1 FETCH (BODY[TEXT] {8}|body 1|)" {
		t.Error(got)
	}
	if got := a.noop(); got != "" {
		t.Error("told twice:", got)
	}
	if got := b.noop(); got != `* 1 FETCH (FLAGS (\Seen))` {
		t.Error(got)
	}
}

// TestFetchLarge sends a message that does not fit into a batch, between
// small ones.
func TestFetchLarge(t *testing.T) {
	e := newEnv(t)
	body := strings.Repeat("0123456789abcdef\r\n", batchOctets/8)
	large := "Subject: large\r\n\r\n" + body
	e.add(text(1), large, text(3))
	a := e.open("alice", true)
	want := fmt.Sprintf("* 1 FETCH (BODY[TEXT] {8}|body 1|)|* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {18}|Subject: large|| BODY[TEXT] {%d}|%s)|",
		len(body), strings.ReplaceAll(body, "\r\n", "|"))
	got := a.fetch("1", "BODY.PEEK[TEXT]") + "|" + a.fetch("2", "(UID BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (SUBJECT)])") + "|"
	if got != want {
		t.Errorf("%d octets, want %d", len(got), len(want))
	}
	if got := a.fetch("1:3", "BODY.PEEK[]"); len(got) < len(body)/18*17 || !strings.HasSuffix(got, "body 3|)") {
		t.Errorf("ends with %q", got[len(got)-20:])
	}
}

func TestFetchBatches(t *testing.T) {
	e := newEnv(t)
	m := mailbox.AppendMessage{Staged: stage(t, e, text(1))}
	defer m.Staged.Remove()
	many := make([]mailbox.AppendMessage, 500)
	for i := range many {
		many[i] = m
	}
	for range 9 {
		if _, err := e.store.Append(ctx, inbox, many, mailbox.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	a := e.open("alice", true)
	for _, messages := range []string{"1:*", "1:1999,2001:2005,4500", "3,5,7:9"} {
		lines := strings.Split(a.fetch(messages, "(UID BODY.PEEK[TEXT]<0.4>)"), "|body)|")
		n := 0
		for _, g := range set(messages).Resolve(4500) {
			for seq := g.First; seq <= g.Last; seq++ {
				if want := fmt.Sprintf("* %d FETCH (UID %d BODY[TEXT]<0> {4}", seq, seq); n >= len(lines) || !strings.HasPrefix(lines[n], want) {
					t.Fatalf("%s: message %d of %d is not %q", messages, n, len(lines), want)
				}
				n++
			}
		}
	}
}

func stage(t testing.TB, e *env, content string) *mailbox.Staged {
	st, err := e.store.Stage("default")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(st, content); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestFetchLostMessage(t *testing.T) {
	e := newEnv(t)
	e.fill(3)
	if err := e.removeFile(2); err != nil {
		t.Fatal(err)
	}
	a := e.open("alice", true)
	want := "* 1 FETCH (BODY[TEXT] {8}|body 1|)|* OK Message 2 no longer exists|* 3 FETCH (BODY[TEXT] {8}|body 3|)"
	if got := a.fetch("1:3", "BODY.PEEK[TEXT]"); got != want {
		t.Error(got)
	}
}

// busyFS opens no message while it has an error.
type busyFS struct {
	disk.FS
	err error
}

func (b *busyFS) Open(name string) (disk.File, error) {
	if b.err != nil && strings.HasSuffix(name, ".") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: b.err}
	}
	return b.FS.Open(name)
}

// TestTooManyFiles: what cannot be read only now is not lost, and a search
// that cannot look at it does not say that it does not fit.
func TestTooManyFiles(t *testing.T) {
	busy := &busyFS{FS: disk.NewMem()}
	e := newEnvOn(t, busy)
	e.fill(3)
	a := e.open("alice", true)
	if busy.err = unix.EMFILE; !errs.Is(a.tryFetch("1:3", "BODY.PEEK[TEXT]"), errs.Unavailable) {
		t.Errorf("fetched %q", a.out.String())
	}
	if got, err := a.trySearch(`BODY "body 2"`); !errs.Is(err, errs.Unavailable) {
		t.Errorf("found %v, %v", got, err)
	}
	busy.err = nil
	if got := a.fetch("2", "BODY.PEEK[TEXT]"); got != "* 2 FETCH (BODY[TEXT] {8}|body 2|)" {
		t.Error(got)
	}
}

func TestSearch(t *testing.T) {
	e := newEnv(t)
	e.add(text(1), text(2), nested, "Subject: =?utf-8?Q?H=C3=A4user?=\r\nCc: C@Example.org\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe aus M=C3=BCnchen\r\n")
	a := e.open("alice", false)
	a.store("2", FlagChange{Operation: Add, Flags: mailbox.Flagged | mailbox.Seen, Keywords: []string{"Work"}})
	for _, c := range []struct{ in, want string }{
		{"ALL", "1:4"},
		{"1:2", "1:2"},
		{"UID 3:*", "3:4"},
		{"NOT 2", "1,3:4"},
		{"FLAGGED", "2"},
		{"UNSEEN UNFLAGGED", "1,3:4"},
		{"OR FLAGGED 4", "2,4"},
		{"KEYWORD work", "2"},
		{"UNKEYWORD work", "1,3:4"},
		{"KEYWORD none", ""},
		{"NEW", "1,3:4"},
		{"RECENT", "1:4"},
		{"OLD", ""},
		{"LARGER 200", "3"},
		{"SMALLER 200", "1:2,4"},
		{"SUBJECT NUMBER", "1:2"},
		{"SUBJECT inner", ""},
		{"CHARSET utf-8 SUBJECT häuser", "4"},
		{"CHARSET utf-8 SUBJECT haus", "4"}, // diacritics do not count
		{"FROM a1", "1"},
		{"TO y@example.com", "3"},
		{"CC c@example.ORG", "4"},
		{"BCC x", ""},
		{"HEADER X-Not-Cached DEEP", "3"},
		{"HEADER X-Not-Cached \"\"", "3"},
		{"HEADER X-None \"\"", ""},
		{"BODY \"part one\"", "3"},
		{"BODY \"inner text\"", "3"},
		{"BODY outer", ""},
		{"TEXT outer", "3"},
		{"BODY inner", "3"},
		{"CHARSET utf-8 BODY münchen", "4"},
		{"BODY \"number\"", ""},
		{"TEXT \"number 2\"", "2"},
		{"OLDER 100000 SAVEDSINCE 1-Jan-2020 SAVEDATESUPPORTED", "1:4"},
		{"YOUNGER 100000", ""},
		{"EMAILID x", ""},
		{"THREADID NIL", ""},
		{"BEFORE 1-Jan-2000", ""},
		{"ON 9-Sep-2001", "1:4"},
		{"SENTON 1-Jan-2024", "1:2"},
		{"SENTSINCE 2-Jan-2024", ""},
		{"(OR (FROM a1) (FROM a2)) NOT SEEN", "1"},
	} {
		if got := a.search(c.in); got != c.want {
			t.Errorf("SEARCH %s = %q, want %q", c.in, got, c.want)
		}
	}
	if err := a.Search(ctx, &imapwire.Search{Charset: "x-none"}, nil); err != ErrCharset {
		t.Error(err)
	}
}

// TestSearchWithoutBoundary searches a multipart message whose boundary is
// not quoted to its end: all of it is text.
func TestSearchWithoutBoundary(t *testing.T) {
	e := newEnv(t)
	e.add("Content-Type: multipart/mixed; boundary=\"abc\r\n\r\n--abc\r\nContent-Type: text/plain\r\n\r\nthe text\r\n--abc--\r\n", text(1))
	a := e.open("alice", true)
	for in, want := range map[string]string{"BODY \"the text\"": "1", "BODY plain": "1", "BODY boundary": "", "TEXT boundary": "1"} {
		if got := a.search(in); got != want {
			t.Errorf("SEARCH %s = %q, want %q", in, got, want)
		}
	}
}

// large returns a mailbox of n messages, all made from one file.
func large(b *testing.B, n int) *env {
	e := newEnv(b)
	m := mailbox.AppendMessage{Staged: stage(b, e, text(1))}
	defer m.Staged.Remove()
	batch := make([]mailbox.AppendMessage, 1000)
	for i := range batch {
		if batch[i] = m; i%3 == 0 {
			batch[i].Flags = mailbox.Seen | mailbox.Answered
		}
		if i%10 == 0 {
			batch[i].Keywords = []string{"$Label1"}
		}
	}
	for range n / len(batch) {
		if _, err := e.store.Append(ctx, inbox, batch, mailbox.AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

func BenchmarkFetchFlags(b *testing.B) {
	s := large(b, 100_000).open("alice", true)
	s.w = imapwire.NewWriter(io.Discard)
	f := imapwire.Fetch{Items: imapwire.FetchFlags | imapwire.FetchUID}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Fetch(ctx, s.w, s.All(), &f, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFetchEnvelope(b *testing.B) {
	s := large(b, 10_000).open("alice", true)
	s.w = imapwire.NewWriter(io.Discard)
	f := imapwire.Fetch{Items: imapwire.FetchFlags | imapwire.FetchUID | imapwire.FetchEnvelope}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Fetch(ctx, s.w, s.All(), &f, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	e := large(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		e.open("alice", true)
	}
}

func BenchmarkSearchFlags(b *testing.B) {
	s := large(b, 100_000).open("alice", true)
	q := imapwire.Search{Key: imapwire.SearchKey{Op: imapwire.SearchFlag, Flag: imapwire.FlagSeen}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Search(ctx, &q, func(Found) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	s := large(b, 10_000).open("alice", false)
	s.w = imapwire.NewWriter(io.Discard)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := FlagChange{Operation: Operation(1 + i%2), Flags: mailbox.Flagged}
		if _, err := s.Store(ctx, s.All(), false, c); err != nil {
			b.Fatal(err)
		}
		s.Report(s.w, false, false)
	}
}

// counter is a client that only counts, and notes the largest write.
type counter struct{ octets, largest int }

func (c *counter) Write(b []byte) (int, error) {
	c.octets += len(b)
	c.largest = max(c.largest, len(b))
	return len(b), nil
}

// TestFetchManyTimes asks for the same parts thousands of times: the answer
// must not be put together in memory.
func TestFetchManyTimes(t *testing.T) {
	const times = 1000
	for _, item := range []string{"BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[HEADER.FIELDS.NOT (x)]", "BODY.PEEK[1.1]"} {
		e := newEnv(t)
		e.add("Subject: " + strings.Repeat("s", 20000) + "\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 4000))
		a := e.open("alice", true)
		r := imapwire.NewReader(strings.NewReader("("+strings.Repeat(item+" ", times)+"UID)\r\n"), imapwire.Limits{})
		f, err := r.Fetch()
		if err != nil {
			t.Fatal(err)
		}
		var c counter
		w := imapwire.NewWriter(&c)
		if _, err := a.Fetch(ctx, w, set("1"), &f, false); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if c.largest > maxAnswer || c.octets < times*len("BODY[1.1] NIL") {
			t.Errorf("%s: %d octets, at most %d at a time", item, c.octets, c.largest)
		}
	}
}

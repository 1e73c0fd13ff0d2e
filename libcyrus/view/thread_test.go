package view

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"gocyrus/libcyrus/imapwire"
)

// TestBaseSubject: what Cyrus 3.6.1 takes off (index_extract_subject).
func TestBaseSubject(t *testing.T) {
	for _, c := range []struct {
		in, base string
		replies  int
	}{
		{`NIL`, "", 0},
		{`""`, "", 0},
		{`"Re: a"`, "A", 1},
		{`"RE[3]: fwd: a (fwd)  "`, "A", 5},
		{`"Re[x]: a"`, "A", 1},
		{`"Re[1: a"`, "RE[1: A", 0},
		{`"[list] Re : [other] a"`, "A", 1},
		{`"[only]"`, "[ONLY]", 0},
		{`"[[a]] b"`, "[[A]] B", 0},
		{`"[Fwd: [a] Re: x]"`, "X", 2},
		{`"(fwd)"`, "", 1},
		{`"re"`, "RE", 0},
		{`"a  b"`, "A  B", 0},
		{"{6}\r\nRe: ä", "\uFFFD\uFFFD", 1}, // as Cyrus reads it: octets beyond ASCII are all the same
	} {
		base, n := baseSubject([]byte(c.in))
		if base != c.base || n != c.replies {
			t.Errorf("%s: %q %d, want %q %d", c.in, base, n, c.base, c.replies)
		}
	}
}

func TestNextMessageID(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<a@b>", "<a@b>"}, {"x <a@b> <c@d>", "<a@b>"}, {`<"q x"@b>`, "<q x@b>"}, {"<ab>", ""}, {"<a@>", ""}, {"<@b>", ""},
		{"<a b@c> <d@e>", "<d@e>"}, {"<a@b", ""}, {`<"a@b>`, ""}, {"<a@b@c> <d@e>", "<d@e>"}, {"", ""}, {"x\r\n <a@b>", "<a@b>"}, {"x\r\nY: <a@b>", ""},
	} {
		if got, _ := nextMessageID([]byte(c.in)); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestEnvelopeField(t *testing.T) {
	const env = `("Mon, 1 Jan" {3}` + "\r\n" + `a"b ((NIL NIL "a" "b")(NIL NIL "c" "(")) NIL NIL ((NIL NIL "x" "y")) NIL NIL "<r@x>" "<m@x>")`
	for n, want := range map[int]string{0: "Mon, 1 Jan", 1: `a"b`, 8: "<r@x>", 9: "<m@x>", 10: ""} {
		if got := string(envelopeField([]byte(env), n)); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func FuzzThreadParsers(f *testing.F) {
	f.Add([]byte(`("d" NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL "<r@x>" "<m@x>")`))
	f.Add([]byte(`"Re[2]: [x] (fwd)"`))
	f.Add([]byte("{99999999999999999999}\r\nx"))
	f.Add([]byte(`<"\`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		for i := range 11 {
			envelopeField(b, i)
		}
		baseSubject(b)
		for rest := b; rest != nil; {
			var id string
			if id, rest = nextMessageID(rest); id == "" {
				break
			}
		}
		spamScore(string(b))
		displayName(b)
		massaged(b)
	})
}

// thread is what THREAD answers.
func (s *session) thread(how Algorithm) string {
	s.t.Helper()
	if _, err := s.Thread(ctx, s.w, how, &imapwire.Search{}, false); err != nil {
		s.t.Fatal(err)
	}
	return s.sent()
}

// TestThreadsHaveAllMessages: whatever messages refer to, each of them is in
// the answer, and once.
func TestThreadsHaveAllMessages(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		e := newEnv(t)
		n := 1 + rnd.IntN(25)
		for i := range n {
			refs := ""
			for range rnd.IntN(4) {
				refs += fmt.Sprintf(" <%d@x>", rnd.IntN(2*n))
			}
			e.add(fmt.Sprintf("Message-ID: <%d@x>\r\nReferences:%s\r\nSubject: %s%d\r\n\r\n", i*2/(1+rnd.IntN(2)), refs, []string{"", "Re: "}[rnd.IntN(2)], rnd.IntN(4)))
		}
		s := e.open("alice", true)
		for how := range Refs + 1 {
			got := s.thread(how)
			seen := map[string]bool{}
			for _, w := range strings.FieldsFunc(got[len("* THREAD "):], func(r rune) bool { return strings.ContainsRune("() ", r) }) {
				if seen[w] {
					t.Fatalf("algorithm %d: %s twice in %s", how, w, got)
				}
				seen[w] = true
			}
			if len(seen) != n || strings.Count(got, "(") != strings.Count(got, ")") {
				t.Fatalf("algorithm %d: %d of %d messages: %s", how, len(seen), n, got)
			}
		}
	}
}

func BenchmarkSort(b *testing.B) {
	s := large(b, 100_000).open("alice", true)
	for name, keys := range map[string][]imapwire.SortKey{
		"arrival": {{Op: imapwire.SortArrival}},
		"subject": {{Op: imapwire.SortSubject}, {Op: imapwire.SortDate, Reverse: true}},
		"from":    {{Op: imapwire.SortFrom}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sort(ctx, &imapwire.Search{}, keys, func(Found) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkThread(b *testing.B) {
	s := large(b, 100_000).open("alice", true)
	w := imapwire.NewWriter(io.Discard)
	for name, how := range Algorithms {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Thread(ctx, w, how, &imapwire.Search{}, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSearchText(b *testing.B) {
	s := large(b, 100_000).open("alice", true)
	q := imapwire.Search{Key: imapwire.SearchKey{Op: imapwire.SearchHeader, Field: "subject", Text: "nothere"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Search(ctx, &q, func(Found) {}); err != nil {
			b.Fatal(err)
		}
	}
}

package conversations

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/skiplist"
)

// sample is the database of a user that a real Cyrus 3.6.1 wrote.
func sample(t testing.TB) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile("../cyrusdb/skiplist/testdata/alice.conversations")
	if err != nil {
		t.Fatal(err)
	}
	records, err := skiplist.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestSample reads each record of a real database, and writes it again.
func TestSample(t *testing.T) {
	kinds := map[byte]int{}
	for key, v := range sample(t) {
		kinds[key[0]]++
		again, err := rewritten(key, v)
		if err != nil || !bytes.Equal(again, v) {
			t.Errorf("%q: %q, %v\nfrom %q", key, again, err, v)
		}
		if !IsKey(key) {
			t.Errorf("%q is no key", key)
		}
	}
	for _, k := range []byte("<BFGQ$") {
		if kinds[k] == 0 {
			t.Errorf("no record of kind %c", k)
		}
	}
}

// rewritten is what a record becomes when it is read and written.
func rewritten(key string, v []byte) ([]byte, error) {
	switch key[0] {
	case '<':
		m, err := parseMsgid(v)
		return m.encode(), err
	case 'B':
		c, err := parseConversation(v)
		if err != nil {
			return nil, err
		}
		return c.encode(len(c.counts)), nil
	case 'F':
		s, err := parseStatus(v)
		return s.encode(), err
	case 'G':
		p, err := parsePlace([]byte(key), v)
		var g GUID
		if k := p.key(g); string(k[41:]) != key[41:] {
			return k, errFormat
		}
		return p.encode(), err
	case 'Q':
		u, err := parseUse(v)
		return u.encode(), err
	}
	return v, nil
}

func FuzzRecords(f *testing.F) {
	for key, v := range sample(f) {
		f.Add(key, v)
	}
	f.Add("Q", []byte("1 %(E -1 S 9223372036854775808)"))
	f.Add("B0000000000000001", []byte("1 (1 1 1 1 () ((99999999999 1 1 1 1)) ((NIL NIL a b 1 1)) NIL)"))
	f.Fuzz(func(t *testing.T, key string, v []byte) {
		if key == "" || key[0] == 'G' && len(key) < 41 {
			return
		}
		once, err := rewritten(key, v)
		if err != nil {
			return
		}
		again, err := rewritten(key, once)
		if err != nil || !bytes.Equal(once, again) {
			t.Errorf("%q %q -> %q -> %q, %v", key, v, once, again, err)
		}
	})
}

func TestSubjects(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Re: Re: plans  for\ttoday": "plansfortoday", "AW: [list] Fwd: plans": "plans", "[a [b] c] x": "x",
		"x] y": "y", "y [open": "y", "Re:": "", "no colon here: really": "nocolonhere:really", "a\u00a0b": "ab",
		"RE[2]: x": "x",
	} {
		if got := normalSubject(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"Re[4]: x": "x", "[list] Re: x [SEC=low] ": "x", "a: b": "b"} {
		if got := oldSubject(in); got != want {
			t.Errorf("old %q: %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("[x", 50000)
	normalSubject(long)
}

func TestMsgids(t *testing.T) {
	for in, want := range map[string]string{
		"<a@b>":                                 "<a@b>",
		"References: <a@b>\r\n <c@d>,<e@f>\r\n": "<a@b> <c@d> <e@f>",
		`text <"quo ted"@x> and <not one> <a<b@c>`: "<quo ted@x> <a<b@c>",
		"<open":                     "",
		strings.Repeat("<a@b>", 30): strings.TrimSpace(strings.Repeat("<a@b> ", 20)),
	} {
		var got []string
		msgids(in, func(id string) { got = append(got, id) })
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %q, want %q", in, s, want)
		}
	}
	for id, want := range map[string]bool{"<a>": true, "<>": false, "a@b": false, "<a b>": false, "<ä@b>": false, "<a@b@c>": true} {
		if validMsgid(id) != want {
			t.Errorf("%q", id)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`("d" "s" (("N" NIL "m" "h")(NIL NIL "x" "y")) NIL NIL NIL NIL NIL "<a@b>" {5}` + "\r\n" + `<c@d>)`))
	f.Add([]byte(`(NIL {3}` + "\r\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := parseEnvelope(b)
		msgids(e.inReplyTo, func(string) {})
		msgids(string(b), func(string) {})
		normalSubject(string(b[:min(len(b), 2000)]))
		oldSubject(string(b[:min(len(b), 2000)]))
	})
}

func TestEnvelope(t *testing.T) {
	e := parseEnvelope([]byte(`("d" "s" (("N" NIL "m" "h")(NIL NIL "x" "y")) NIL NIL NIL NIL NIL "<a@b>" {5}` + "\r\n" + `<c@d>)`))
	if str(e.from.name) != "N" || str(e.from.mailbox) != "m" || str(e.from.domain) != "h" || e.inReplyTo != "<a@b>" || e.msgid != "<c@d>" {
		t.Errorf("%+v", e)
	}
}

func TestSenders(t *testing.T) {
	p := func(s string) *string { return &s }
	c := &conversation{}
	c.updateSender(sender{mailbox: p("bob"), domain: p("x.org"), name: p("Bob")}, 10, 1)
	c.updateSender(sender{mailbox: p("Bob"), domain: p("X.org"), name: p("Robert")}, 5, 1)
	c.updateSender(sender{mailbox: p("al"), domain: p("x.org")}, 20, 1)
	c.updateSender(sender{mailbox: p("nobody"), domain: p("x.org")}, 20, 0)
	c.updateSender(sender{mailbox: p("group")}, 20, 1)
	if len(c.senders) != 2 || *c.senders[0].mailbox != "al" || *c.senders[1].name != "Robert" || *c.senders[1].mailbox != "Bob" || c.senders[1].last != 10 || c.senders[1].exists != 2 {
		t.Errorf("%s", c.encode(0))
	}
	for range 2 {
		c.updateSender(sender{mailbox: p("bob"), domain: p("x.org"), name: p("Bob")}, 10, -1)
	}
	if len(c.senders) != 1 {
		t.Errorf("%s", c.encode(0))
	}
}

package acl

import (
	"errors"
	"strings"
	"testing"
)

// TestRights has what a real server made of SETACL.
func TestRights(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"c", "kxc"}, {"d", "ted"}, {"k", "kc"}, {"x", "xc"}, {"t", "td"}, {"e", "ed"},
		{"kx", "kxc"}, {"te", "ted"}, {"ck", "kc"}, {"cx", "xc"}, {"dt", "td"},
		{"lrs0129", "lrs0129"}, {"lrswipcda", "lrswipkxtecda"}, {"lrswipkxtean", "lrswipkxtecdan"},
		{"", ""}, {"lrl", "lr"}, {"nal", "lan"},
	} {
		r, err := Parse(c.in)
		if err != nil || r.String() != c.out {
			t.Errorf("%q -> %q, %v; want %q", c.in, r, err, c.out)
		}
		if again, err := Parse(r.String()); err != nil || again != r {
			t.Errorf("%q -> %q", r, again)
		}
	}
	if r, err := Parse("lqr"); !errors.Is(err, ErrBadRight) || r != Lookup|Read {
		t.Errorf("unknown right: %v, %v", r, err)
	}
}

func TestDeleteRight(t *testing.T) {
	for _, c := range []struct {
		right   byte
		in, out string
	}{
		{'d', "d", "xted"}, {'d', "c", "kc"}, {'d', "t", "td"}, {'d', "x", "xd"},
		{'x', "c", "kc"}, {'x', "d", "ted"}, {'x', "x", "x"},
		{'a', "a", "xa"},
	} {
		form := Text{DeleteRight: c.right}
		r, err := form.Parse(c.in)
		if got := form.Format(r); err != nil || got != c.out {
			t.Errorf("deleteright %c: %q -> %q, %v; want %q", c.right, c.in, got, err, c.out)
		}
	}
}

func TestCheck(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "+lr": "", "-lrswipckxtedan0123456789": "",
		"q": "The q right is not supported", "lL": "The L right is not supported", "+-l": "The - right is not supported",
	} {
		err := Check(s)
		if err == nil != (want == "") || err != nil && err.Error() != want {
			t.Errorf("Check(%q) = %v", s, err)
		}
	}
}

func TestList(t *testing.T) {
	const text = "anyone\tlrs\tuser1\txc\t-user1\tlr\t"
	l := ParseList(text)
	if len(l) != 3 || l.String() != text {
		t.Fatalf("%q -> %q", text, l)
	}
	if got := ParseList(text + "garbage\tlr"); !got.Equal(l) {
		t.Errorf("garbage at the end: %q", got)
	}
	var form Text
	set := func(id string, mode Mode, r Rights) {
		t.Helper()
		n, err := form.Set(l, id, mode, r)
		if err != nil {
			t.Fatal(err)
		}
		l = n
	}
	before := l.Clone()
	set("new", Add, Lookup)
	set("user1", Remove, DeleteMailbox)
	set("anyone", Add, Post)
	set("-user1", Replace, Read)
	if got, want := l.String(), "anyone\tlrsp\t-user1\tr\tnew\tl\t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	set("nobody", Replace, 0)
	if !before.Equal(ParseList(text)) || len(l) != 3 || l.Get("new") != "l" || l.Get("x") != "" {
		t.Errorf("%q", l)
	}
	for _, id := range []string{"", "-", "a\tb", "a\nb"} {
		if _, err := form.Set(l, id, Add, Read); !errors.Is(err, ErrBadID) {
			t.Errorf("identifier %q: %v", id, err)
		}
	}
}

func TestGranted(t *testing.T) {
	s := DefaultRules()
	l := ParseList("anyone\tlr\tgroup:staff\ts\tbob\twi\t-bob\tr\t-group:staff\ti\tanonymous\tp\t")
	for _, c := range []struct {
		who   Identity
		owner bool
		want  string
	}{
		{Identity{User: "alice"}, false, "lr"},
		{Identity{User: "bob"}, false, "lwi"},
		{Identity{User: "bob", Groups: []string{"staff"}}, false, "lsw"},
		{Identity{User: "alice", Groups: []string{"staff"}}, false, "lrs"},
		{Identity{}, false, "lrp"},
		{Identity{User: "anonymous"}, false, "lrp"},
		{Identity{User: "cyrus", Admin: true}, false, "lra"},
		{Identity{User: "bob"}, true, "lwikxcan"},
	} {
		if got := s.Rights(l, c.who, c.owner); got.String() != c.want {
			t.Errorf("%+v: %q, want %q", c.who, got, c.want)
		}
	}
	s.AdminImpliesWrite = true
	if got := s.Rights(ParseList("bob\tlra\t-bob\te\t"), Identity{User: "bob"}, false).String(); got != "lrswitdan" {
		t.Errorf("acl_admin_implies_write: %q", got)
	}
	if r := Lookup | Read; !r.Has(Read) || r.Has(Read|Seen) || !r.Any(Read|Seen) || r.Any(Seen) {
		t.Error("Has or Any")
	}
}

func FuzzList(f *testing.F) {
	f.Add("anyone\tlrs\tuser1\txc\t", "user1", "+lc")
	f.Fuzz(func(t *testing.T, text, id, rights string) {
		l := ParseList(text)
		if !strings.HasPrefix(text, l.String()) {
			t.Fatalf("%q -> %q", text, l)
		}
		r, _ := Parse(rights)
		if again, err := Parse(r.String()); err != nil || again != r&every {
			t.Fatalf("%q -> %q -> %q", rights, r, again)
		}
		n, err := Text{}.Set(l, id, Replace, r)
		if err == nil && !ParseList(n.String()).Equal(n) {
			t.Fatalf("%q does not survive", n)
		}
		if err == nil && len(n) > 0 && r != 0 && n.Get(id) != r.String() {
			t.Fatalf("%q has no %q", n, id)
		}
		DefaultRules().Rights(l, Identity{User: id}, true)
	})
}

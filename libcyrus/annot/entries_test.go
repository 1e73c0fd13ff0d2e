package annot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "/a", false}, {"/a", "/a", true}, {"/a", "/ab", false}, {"/a*", "/a", true},
		{"/%", "/a", true}, {"/%", "/a/b", false}, {"/*", "/a/b", true}, {"*", "", true}, {"%/%", "/a", true},
		{"/*/b", "/a/x/b", true}, {"/%/b", "/a/x/b", false}, {"/a", "/A", false},
	} {
		if got := glob(c.pattern, c.s, '/'); got != c.want {
			t.Errorf("%q in %q: %v", c.s, c.pattern, got)
		}
	}
}

// source is a Source of fixed values.
type source struct {
	rows   []Row
	values map[Place]string
	hidden map[string]bool
}

func (s *source) Rows() ([]Row, error) { return s.rows, nil }

func (s *source) MayRead(d *Definition) bool { return !s.hidden[d.Name] }

func (s *source) Computed(d *Definition) ([]byte, bool, error) {
	v, ok := s.values[d.Place]
	if v == "" {
		return nil, ok, nil
	}
	return []byte(v), ok, nil
}

// text prints answers as FETCH does.
func text(as []Answer) string {
	var out []string
	for _, a := range as {
		var attrs []string
		for _, x := range a.Attrs {
			v := string(x.Value)
			if x.Value == nil {
				v = "NIL"
			}
			attrs = append(attrs, x.Name+"="+v)
		}
		out = append(out, strings.TrimPrefix(a.Entry, Vendor)+"("+strings.Join(attrs, " ")+")")
	}
	return strings.Join(out, " ")
}

func TestAnswer(t *testing.T) {
	src := &source{
		rows: []Row{
			{Key{Comment, ""}, []byte("ours")}, {Key{Comment, "alice"}, []byte("mine")}, {Key{Comment, "bob"}, []byte("his")},
			{Key{"/x/y", "alice"}, []byte("undefined")},
		},
		values: map[Place]string{Size: "17", LastPop: "", UserModseq: "5"},
		hidden: map[string]bool{"/thread": true},
	}
	for _, c := range []struct {
		level   Level
		entries string
		attrs   string
		want    string
	}{
		{OfMailbox, "/comment", "value", "/comment(value.shared=ours value.priv=mine)"},
		{OfMailbox, "/comment", "size", "/comment(size.shared=4 size.priv=4)"},
		{OfMailbox, "/comment", "*", "/comment(value.shared=ours size.shared=4 value.priv=mine size.priv=4)"},
		{OfMailbox, "/comment", "nosuch", ""},
		{OfMailbox, "/sort", "value.priv", "/sort(value.priv=NIL)"},
		{OfMailbox, "/sort /comment", "value.priv", "/comment(value.priv=mine) /sort(value.priv=NIL)"},
		{OfMailbox, "/thread", "value", ""},
		{OfMailbox, "/x/%", "value", "/x/y(value.priv=undefined)"},
		{OfMailbox, "/x/y", "value.shared", "/x/y(value.shared=NIL)"},
		{OfMailbox, "/y/*", "value", ""},
		{OfMailbox, Vendor + "size", "value", "size(value.shared=17)"},
		{OfMailbox, Vendor + "size", "value.priv", ""},
		{OfMailbox, Vendor + "lastpop " + Vendor + "server", "value", "lastpop(value.shared=NIL)"},
		{OfServer, Vendor + "usermodseq", "value", "usermodseq(value.priv=5)"},
		{OfServer, "/%", "value.shared", "/comment(value.shared=ours) /admin(value.shared=NIL)"},
		{OfMessage, "/%", "value.priv", "/comment(value.priv=mine) /altsubject(value.priv=NIL)"},
	} {
		var d Definitions
		q := Query{strings.Fields(c.entries), ParseAttrs([]string{c.attrs})}
		as, err := d.Answer(c.level, q, "alice", src)
		if got := text(as); err != nil || got != c.want {
			t.Errorf("%s %s:\n got %s, %v\nwant %s", c.entries, c.attrs, got, err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	all := Actor{User: "alice", Rights: acl.All}
	for _, c := range []struct {
		level Level
		entry string
		attr  string
		value string
		who   Actor
		want  string
	}{
		{OfMailbox, Comment, "value.priv", "x", Actor{User: "bob", Rights: acl.Lookup}, "x of bob"},
		{OfMailbox, Comment, "value.priv", "x", Actor{User: "bob"}, "x of bob, not allowed"},
		{OfMailbox, Comment, "value.shared", "x", Actor{User: "bob", Rights: acl.Lookup | acl.Read}, "x of , not allowed"},
		{OfMailbox, Expire, "value.shared", "3", Actor{User: "bob", Rights: acl.All &^ acl.Admin}, "3 of , not allowed"},
		{OfMailbox, Expire, "value.shared", " +3", all, " +3 of "},
		{OfMailbox, Expire, "value.shared", "-3", all, "Invalid annotation value"},
		{OfMailbox, Expire, "value.shared", "18446744073709551616", all, "Invalid annotation value"},
		{OfMailbox, Expire, "value.shared", "", all, "NIL of "},
		{OfMailbox, Expire, "value.priv", "3", all, "denied"},
		{OfMailbox, SharedSeen, "value.shared", "TrUe", all, "true of "},
		{OfMailbox, SharedSeen, "value.shared", "on", all, "Invalid annotation value"},
		{OfMailbox, SearchFuzzy, "value.shared", "on", all, "on of "},
		{OfMailbox, SearchFuzzy, "value.shared", "True", all, "Invalid annotation entry"},
		{OfMailbox, Vendor + "size", "value.shared", "1", all, "denied"},
		{OfMailbox, "/nosuch", "value.shared", "1", all, "denied"},
		{OfMailbox, Comment, "size.shared", "1", all, "denied"},
		{OfMailbox, Comment, "content-type.shared", "1", all, "nothing"},
		{OfServer, Comment, "value.shared", "x", all, "x of , not allowed"},
		{OfServer, Comment, "value.priv", "x", all, "x of alice"},
		{OfServer, Comment, "value.shared", "x", Actor{User: "cyrus", Admin: true}, "x of "},
		{OfMessage, Comment, "value.shared", "x", Actor{User: "bob", Rights: acl.Annotate}, "x of "},
		{OfMessage, Comment, "value.priv", "x", Actor{User: "bob", Rights: acl.Annotate}, "x of bob, not allowed"},
		{OfMessage, Comment, "value.priv", "x", Actor{Rights: acl.All}, "denied"},
	} {
		var d Definitions
		var v []byte
		if c.value != "" {
			v = []byte(c.value)
		}
		cs, err := d.Check(c.level, []Set{{c.entry, c.attr, v}}, c.who)
		got := "nothing"
		switch {
		case errs.Is(err, errs.Denied):
			got = "denied"
		case errs.Is(err, errs.BadArgument):
			got = err.(*errs.Error).Err.Error()
		case err != nil:
			got = err.Error()
		case len(cs) > 0:
			got = "NIL"
			if cs[0].Value != nil {
				got = string(cs[0].Value)
			}
			got += " of " + cs[0].User
			if !cs[0].Allowed {
				got += ", not allowed"
			}
		}
		if got != c.want {
			t.Errorf("%s %s %q: %s, want %s", c.entry, c.attr, c.value, got, c.want)
		}
	}
}

// TestCheckOrder has several values: the last entry comes first, and of two
// values for one key the last one stays.
func TestCheckOrder(t *testing.T) {
	d := Definitions{AllowUndefined: true}
	cs, err := d.Check(OfMailbox, []Set{
		{"/sort", "value.priv", []byte("1")}, {Comment, "value.priv", []byte("2")}, {"/sort", "value.shared", []byte("3")},
		{"/own/x", "value.shared", nil}, {"/sort", "value.priv", []byte("4")},
	}, Actor{User: "alice", Rights: acl.All})
	got := ""
	for _, c := range cs {
		got += fmt.Sprintf("%s %s %s;", c.Entry, c.User, c.Value)
	}
	if want := "/own/x  ;/comment alice 2;/sort  3;/sort alice 4;"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, entry := range []string{Vendor + "mine", "/flags/x"} {
		if _, err := d.Check(OfMessage, []Set{{entry, "value.shared", nil}}, Actor{Admin: true}); !errs.Is(err, errs.Denied) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestDefinitions(t *testing.T) {
	const file = `# comment
/vendor/x/note,mailbox,string,backend,value.shared value.priv,a
  /vendor/x/count , message , uint , proxy_and_backend , value , r
/vendor/x/front,server,boolean,proxy,value.shared,r

/vendor/cmu/cyrus-imapd/mine,mailbox,string,backend,value.shared,a
/a b,mailbox,string,backend,value.shared,a
/c,nowhere,string,backend,value.shared,a
/d,mailbox,float,backend,value.shared,a
/e,mailbox,string,nobody,value.shared,a
/f,mailbox,string,backend,worth,a
/g,mailbox,string,backend
/flags/h,message,string,backend,value.shared,a
/i,mailbox,string,backend,value.shared,a,more
/j,mailbox,string,backend,content-type value.priv,w`
	var d Definitions
	wrong, err := d.Parse(strings.NewReader(file), acl.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"6:0:error: annotation under /vendor/cmu/cyrus-imapd/, at or near '/vendor/cmu/cyrus-imapd/mine'",
		"7:0:error: invalid character, at or near ' b'",
		"8:3:error: invalid annotation scope, at or near 'nowhere'",
		"9:11:error: invalid annotation type, at or near 'float'",
		"10:18:error: invalid annotation proxy type, at or near 'nobody'",
		"11:26:error: invalid annotation attributes, at or near 'worth'",
		"12:0:error: invalid annotation attributes, at or near 'backend'",
		"12:0:error: invalid annotation attributes",
		"13:9:error: message entry under /flags/, at or near '/flags/h'",
		"14:41:error: junk at end of line, at or near 'a'",
		"15:26:error: deprecated attribute names such as content-type or modified-since (ignoring), at or near 'value.priv'",
	}
	var got []string
	for _, w := range wrong {
		got = append(got, w.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(d.more[OfMailbox]) != 2 || len(d.more[OfMessage]) != 1 || len(d.more[OfServer]) != 1 {
		t.Fatalf("%+v", d.more)
	}
	if n := d.more[OfMailbox][0]; n.Name != "/vendor/x/note" || n.Attrs != both || n.Rights != acl.Admin {
		t.Errorf("%+v", n)
	}
	if n := d.more[OfMessage][0]; n.Type != Uint || n.Rights != acl.Read {
		t.Errorf("%+v", n)
	}
	if j := d.find(OfMailbox, "/j"); j == nil || j.Attrs != ValuePriv {
		t.Errorf("%+v", j)
	}
	if front := d.find(OfServer, "/vendor/x/front"); front == nil || !front.proxy {
		t.Errorf("%+v", front)
	}
}

// TestLongLine has a line that is longer than Cyrus reads: it is two.
func TestLongLine(t *testing.T) {
	var d Definitions
	line := "/a,mailbox,string,backend,value.shared,r"
	wrong, err := d.Parse(strings.NewReader("#"+strings.Repeat("x", maxDefinition-1)+line+"\n"), acl.DefaultRules())
	if err != nil || len(wrong) != 0 || d.find(OfMailbox, "/a") == nil {
		t.Errorf("%v, %v, %+v", wrong, err, d.more)
	}
}

func FuzzDefinitions(f *testing.F) {
	f.Add("/x,mailbox,string,backend,value.shared value.priv,lr\n")
	f.Add("#\n\n /x , server,int,proxy,value, \n/y")
	f.Fuzz(func(t *testing.T, s string) {
		var d Definitions
		wrong, err := d.Parse(strings.NewReader(s), acl.DefaultRules())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrong {
			if w.Line < 1 || w.Column < 0 || w.Text == "" {
				t.Errorf("%+v", w)
			}
		}
		for l := range d.more {
			for _, def := range d.more[l] {
				if strings.HasPrefix(def.Name, Vendor) || strings.ContainsAny(def.Name, " ,\n") {
					t.Errorf("%q is defined", def.Name)
				}
			}
		}
	})
}

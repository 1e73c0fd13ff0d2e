package main

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/quota"
)

// undumped reads the list of an UNDUMP. files is what came, by name.
func undumped(text string, inbox bool) (d mboxlist.Dumped, files map[string]string, err error) {
	files = map[string]string{}
	u := &undumping{inbox: inbox, put: func(name string, r io.Reader, size int64) error {
		b, err := io.ReadAll(r)
		if err == nil && int64(len(b)) < size {
			err = io.ErrUnexpectedEOF
		}
		files[name] = string(b)
		return err
	}}
	r := imapwire.NewReader(strings.NewReader(text), imapwire.Limits{Word: 1000, Quoted: 1000, Literal: 1000, Args: 10000})
	r.Start("Undump")
	r.GoAhead = func() error { return nil }
	if err = u.read(r); err == nil {
		err = r.Err()
	}
	return u.dumped, files, err
}

func TestParseUndump(t *testing.T) {
	for _, c := range []struct {
		text  string
		inbox bool
		files string // names and contents
		err   string
	}{
		{text: "(NIL)"},
		{text: "(10)"},
		{text: "(-1)"},
		{text: "(NIL {12+}\r\ncyrus.header {3+}\r\nabc {2}\r\n1. {0+}\r\n cyrus.cache {2+}\r\nxy)", files: "1.= cyrus.header=abc"},
		{text: "(NIL SEEN {1+}\r\na SIEVED-x.bc {1+}\r\nb DAV {1+}\r\nc)", inbox: true, files: "SEEN=a SIEVE-x.bc=b"},
		{text: "(NIL SEEN {1+}\r\na)", err: "Bad protocol"},
		{text: "(NIL SIEVE-../x.bc {1+}\r\na)", inbox: true, err: "Bad protocol"},
		{text: "(NIL /etc/passwd {1+}\r\na)", inbox: true, err: "Bad protocol"},
		{text: "(NIL 1. abc)", err: "Bad protocol"},
		{text: "(NIL 1. ~{3+}\r\nabc)", err: "Bad protocol"},
		{text: "(NIL 1. {-3+}\r\nabc)", err: "Bad protocol"},
		{text: "(NIL 1. {4+}\r\nabc)", err: "Bad protocol", files: "1.=abc)"},
		{text: "(NIL 1. {40+}\r\nabc)", err: "unexpected EOF", files: "1.=abc)"},
		{text: "(NIL 1. {2+}\r\nabc)", err: "Bad protocol", files: "1.=ab"},
		{text: "(NIL 1. {99999999999999999999+}\r\nabc)", err: "unexpected EOF", files: "1.=abc)"},
		{text: "(NIL A-/a (0 {1+}\r\nx text/plain))"},
		{text: "(NIL A-u/a (0 x))", err: "Bad protocol"},
		{text: "(NIL A-u (0 x y))", err: "Bad protocol"},
		{text: "(NIL {5+}\r\nA-/\r\n (0 x y))", err: "Bad protocol"},
		{text: "(NIL A-/a x)", err: "Bad protocol"},
		{text: "(NIL X-QUOTA (MESSAGE 1 NEW 2))"},
		{text: "(NIL X-QUOTA (MESSAGE x))", err: "Bad protocol"},
		{text: "(NIL X-QUOTA (MESSAGE 9999999999))", err: "Bad protocol"},
		{text: "(NIL X-QUOTA ())", err: "Bad protocol"},
		{text: "NIL", err: "Syntax error in parameters"},
		{text: "()", err: "Syntax error in parameters"},
		{text: "(NIL\r\n", err: "Syntax error in parameters"},
	} {
		_, files, err := undumped(c.text, c.inbox)
		var have []string
		for _, name := range slices.Sorted(maps.Keys(files)) {
			have = append(have, name+"="+files[name])
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.err || strings.Join(have, " ") != c.files {
			t.Errorf("%q: %q, %q", c.text, have, got)
		}
	}
	d, _, err := undumped("(10 X-QUOTA (MESSAGE 5) A-u/x (0 \"v\" t) SIEVED-a.bc {1+}\r\nx)", true)
	if err != nil || d.Limits == nil || d.Limits[quota.Storage] != 10 || d.Limits[quota.Message] != 5 || d.Active != "a.bc" ||
		len(d.Annotations) != 1 || d.Annotations[0].User != "u" || d.Annotations[0].Entry != "/x" || string(d.Annotations[0].Value) != "v" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, _, err := undumped("(NIL)", false); d.Limits != nil || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// FuzzUndump: whatever is sent, no file gets a name that leads elsewhere.
func FuzzUndump(f *testing.F) {
	f.Add("(NIL {12+}\r\ncyrus.header {3+}\r\nabc A-/comment (0 {1+}\r\nx text/plain))", false)
	f.Add("(10 X-QUOTA (MESSAGE 5) SIEVED-a.bc {1+}\r\nx SEEN {0+}\r\n)", true)
	f.Fuzz(func(t *testing.T, text string, inbox bool) {
		d, files, _ := undumped(text, inbox)
		for name := range files {
			if name == "" || strings.ContainsAny(name, "/\x00\r\n") || strings.HasPrefix(name, ".") || len(name) > 255 {
				t.Errorf("%q is a file %q", text, name)
			}
		}
		for _, a := range d.Annotations {
			if !strings.HasPrefix(a.Entry, "/") || strings.Contains(a.User, "/") {
				t.Errorf("%q is an annotation %q of %q", text, a.Entry, a.User)
			}
		}
	})
}

package view

import (
	"fmt"
	"testing"

	"gocyrus/libcyrus/imapwire"
)

func TestPartStructure(t *testing.T) {
	const text = `("TEXT" "PLAIN" NIL NIL NIL "BASE64" 10 1 NIL NIL NIL NIL)`
	const inner = `("TEXT" "HTML" ("X" {3}` + "\r\n" + `)"() NIL NIL "7BIT" 6 1 NIL NIL NIL NIL)`
	const msg = `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 21 (NIL "in (" NIL NIL NIL NIL NIL NIL NIL NIL) ` + inner + ` 3 NIL NIL NIL NIL)`
	const other = `("A" "B" NIL NIL NIL "BASE64" 8 NIL NIL NIL NIL)`
	const multi = `(` + other + other + ` "MIXED" NIL NIL NIL NIL)`
	const body = `(` + text + msg + multi + ` "MIXED" ("BOUNDARY" "b") NIL NIL NIL)`
	for _, c := range []struct {
		body, section, want string
		decoded             bool
	}{
		{body, "", `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 (E) ` + body + ` 0 NIL NIL NIL NIL)`, false},
		{body, "1", text, false},
		{body, "1", `("TEXT" "PLAIN" NIL NIL NIL "8BIT" 7 0 NIL NIL NIL NIL)`, true},
		{body, "1.MIME", text, false},
		{body, "2", msg, false},
		{body, "2.1", inner, false},
		{body, "2.HEADER", inner, false},
		{body, "2.2", "", false},
		{body, "3", multi, false},
		{body, "3", multi, true},
		{body, "3.2", `("A" "B" NIL NIL NIL "8BIT" 7 NIL NIL NIL NIL)`, true},
		{body, "4", "", false},
		{body, "TEXT", body, false},
		{text, "1", text, false},
		{text, "TEXT", text, false},
		{text, "1.1", "", false},
		{`("TEXT" "X`, "2", "", false},
	} {
		s, ok := imapwire.ParseSection(c.section)
		if !ok {
			t.Fatal(c.section)
		}
		got := partStructure([]byte(c.body), []byte("(E)"), &s, c.decoded, &content{size: 7, eight: true})
		if string(got) != c.want {
			t.Errorf("%s: %s\nwant %s", c.section, got, c.want)
		}
	}
}

func TestPartTypes(t *testing.T) {
	const body = `(("A" "b" NIL NIL NIL "BASE64" 8 NIL NIL NIL NIL)("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 21 (NIL "x") (("C" "D")("E" "F") "MIXED") 3 NIL) "alternative" NIL)`
	var got []string
	partTypes([]byte(body), func(name []byte) bool { got = append(got, string(name)); return len(got) < 6 })
	if want := "[A/B MESSAGE/RFC822 C/D E/F MULTIPART/MIXED MULTIPART/ALTERNATIVE]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if got = nil; partTypes([]byte(body), func(name []byte) bool { got = append(got, string(name)); return len(got) < 3 }) || len(got) != 3 {
		t.Errorf("does not stop: %v", got)
	}
}

func FuzzPartStructure(f *testing.F) {
	f.Add([]byte(`(("A" "B" NIL NIL {1}`+"\r\n"+`x "7BIT" 3 1)("C" "D") "MIXED")`), uint32(1), true)
	f.Fuzz(func(_ *testing.T, body []byte, n uint32, decoded bool) {
		partStructure(body, nil, &imapwire.Section{Numbers: []uint32{n, 1}}, decoded, &content{})
		partTypes(body, func([]byte) bool { return true })
	})
}

package imapwire

import (
	"strings"
	"testing"
	"time"
)

// fetchText says what was parsed in short.
func fetchText(f Fetch) string {
	var b strings.Builder
	for _, s := range f.Sections {
		b.WriteString(s.Name)
		if s.Partial {
			b.WriteString("." + itoa(s.Length))
		}
		b.WriteString(" ")
	}
	return strings.TrimSpace(b.String())
}

func itoa(n int64) string { return string(AppendUint(nil, n)) }

// TestFetchSections has answers of Cyrus 3.6.1 to the same items.
func TestFetchSections(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"BODY.PEEK[]", "BODY[]", ""},
		{"BODY[TEXT]", "BODY[TEXT]", ""},
		{"body.peek[text]", "BODY[TEXT]", ""},
		{"BODY.PEEK[1]", "BODY[1]", ""},
		{"BODY.PEEK[0]", "BODY[0]", ""},
		{"BODY.PEEK[1.]", "BODY[1.]", ""},
		{"BODY.PEEK[1.0]", "BODY[1.0]", ""},
		{"BODY.PEEK[1.MIME]", "BODY[1.MIME]", ""},
		{"BODY.PEEK[99999999999]", "BODY[99999999999]", ""},
		{"BODY.PEEK[HEADER]<0.5>", "BODY[HEADER]<0>.5", ""},
		{"BODY.PEEK[]<1.99999999999>", "BODY[]<1>.99999999999", ""},
		{"BODY.PEEK[HEADER.FIELDS (Subject From)]", "BODY[HEADER.FIELDS (Subject From)]", ""},
		{"BODY.PEEK[1.HEADER.FIELDS (a)]", "BODY[1.HEADER.FIELDS (a)]", ""},
		{"BODY.PEEK[header.fields (\"Subject\" {4+}\r\nFrom)]<2.3>", "BODY[HEADER.FIELDS (Subject From)]<2>.3", ""},
		{"(BODY[HEADER.FIELDS.NOT (a)] UID BODY[1])", "BODY[HEADER.FIELDS.NOT (a)] BODY[1]", ""},
		{"RFC822.HEADER.LINES (Subject)", "RFC822.HEADER", ""},
		{"BODY.PEEK[", "", "Invalid body section"},
		{"BODY.PEEK[HEADER", "", "Invalid body section"},
		{"BODY.PEEK[FOO]", "", "Invalid body section"},
		{"BODY.PEEK[MIME]", "", "Invalid body section"},
		{"BODY.PEEK[01]", "", "Invalid body section"},
		{"BODY.PEEK[0.MIME]", "", "Invalid body section"},
		{"BODY.PEEK[.1]", "", "Invalid body section"},
		{"BODY.PEEK[1..1]", "", "Invalid body section"},
		{"BODY.PEEK[HEADERX]", "", "Invalid body section"},
		{"BODY.PEEK[HEADER.FIELDS]", "", "Invalid body section"},
		{"BODY.PEEK[HEADER.FIELDSX (a)]", "", "Invalid body section"},
		{"BODY.PEEK[]x", "", "Junk after body section"},
		{"BODY.PEEK[]<0.5>x", "", "Junk after body section"},
		{"BODY.PEEK[]<x.y>", "", "Junk after body section"},
		{"BODY.PEEK[]<-1.5>", "", "Junk after body section"},
		{"BODY.PEEK[]<0.0>", "", "Invalid body partial"},
		{"BODY.PEEK[]<01.05>", "", "Invalid body partial"},
		{"BODY.PEEK[]<5>", "", "Invalid body partial"},
		{"BODY.PEEK[HEADER.FIELDS (]", "", "Missing required close parenthesis in Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS ()]", "", "Invalid field-name in Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS (a )]", "", "Invalid field-name in Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS (\"a b\")]", "", "Invalid field-name in Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS  (a)]", "", "Missing required open parenthesis in Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS (a)", "", "Missing required close bracket after Fetch BODY.PEEK[HEADER.FIELDS"},
		{"BODY.PEEK[HEADER.FIELDS (a)]x", "", "Junk after body section"},
		{"(FLAGS", "", "Missing close parenthesis in Fetch"},
		{"(FLAGS foo)", "", "Invalid Fetch attribute FOO"},
		{"(FLAGS  UID)", "", "Invalid Fetch attribute "},
		{"()", "", "Invalid Fetch attribute "},
		{"((FLAGS))", "", "Invalid Fetch attribute "},
		{"(ALL UID)", "", "Invalid Fetch attribute ALL"},
		{"BODY.PEEK", "", "Invalid Fetch attribute BODY.PEEK"},
	} {
		r, _ := reader(c.in+"\r\n", Limits{})
		r.Start("Fetch")
		f, err := r.Fetch()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.err || (err == nil && fetchText(f) != c.want) {
			t.Errorf("Fetch(%q) = %q, %q; want %q, %q", c.in, fetchText(f), text, c.want, c.err)
		}
	}
}

func TestFetchItems(t *testing.T) {
	for in, want := range map[string]FetchItem{
		"ALL":             FetchFlags | FetchInternalDate | FetchSize | FetchEnvelope,
		"FAST":            FetchFlags | FetchInternalDate | FetchSize,
		"FULL":            FetchFlags | FetchInternalDate | FetchSize | FetchEnvelope | FetchBody,
		"(FLAGS uid UID)": FetchFlags | FetchUID,
		"RFC822":          FetchRFC822 | FetchSetSeen,
		"RFC822.PEEK":     FetchRFC822,
		"RFC822.TEXT":     FetchRFC822Text | FetchSetSeen,
		"BODY[]":          FetchSetSeen,
		"BODY.PEEK[]":     0,
		"BODY":            FetchBody,
	} {
		r, _ := reader(in+"\r\n", Limits{})
		if f, err := r.Fetch(); err != nil || f.Items != want {
			t.Errorf("Fetch(%q) = %b, %v; want %b", in, f.Items, err, want)
		}
	}
}

// TestSearchErrors has answers of Cyrus 3.6.1.
func TestSearchErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"ALL", ""},
		{"SEEN FLAGGED (OR 1:3 UID 4:* NOT NEW)", ""},
		{"CHARSET UTF-8 SUBJECT {4+}\r\na\xc3\xa4b", ""},
		{"BEFORE 1-Jan-2021 SENTSINCE \"01-Jan-2021\" LARGER 10", ""},
		{"HEADER Subject \"\" KEYWORD kw UNKEYWORD x BODY a TEXT b BCC c", ""},
		{"FOO", "Invalid Search criteria"},
		{"", "Invalid Search criteria"},
		{"CHARSET", "Missing charset"},
		{"NOT", "Missing required argument to Search not"},
		{"OR ALL", "Missing required argument to Search all"},
		{"(SEEN", "Missing required close paren in Search command"},
		{"()", "Invalid Search criteria"},
		{"SEEN  FLAGGED", "Invalid Search criteria"},
		{"SEEN ", "Invalid Search criteria"},
		{"UID x", "Invalid Search criteria"},
		{"1:x", "Invalid Search criteria"},
		{"KEYWORD \\Seen", "Invalid flag name \\Seen in Search command"},
		{"KEYWORD", "Missing required argument to Search keyword"},
		{"BEFORE", "Missing required argument to Search before"},
		{"BEFORE foo", "Invalid date in Search command"},
		{"LARGER x", "Invalid number in Search command"},
		{"LARGER 99999999999", "Invalid number in Search command"},
		{"HEADER", "Missing required argument to Search header"},
		{"HEADER Subject", "Missing required argument to Search header"},
		{strings.Repeat("(", 200000), "Invalid Search criteria"},
		{strings.Repeat("NOT ", 200000), "Invalid Search criteria"},
	} {
		r, _ := reader(c.in+"\r\n", Limits{})
		r.Start("Search")
		_, err := r.Search(time.UTC)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("Search(%.40q): %q, want %q", c.in, text, c.want)
		}
	}
}

func FuzzFetch(f *testing.F) {
	f.Add("(BODY.PEEK[1.2.HEADER.FIELDS (a b)]<0.5> UID)\r\n")
	f.Add("BODY[]<1.2>\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, _ := reader(in, Limits{Word: 100, Quoted: 100, Literal: 100, Args: 1000})
		got, err := r.Fetch()
		if err != nil {
			return
		}
		for _, s := range got.Sections {
			if s.Offset < 0 || s.Length < 0 || s.Name == "" {
				t.Fatalf("%q: %+v", in, s)
			}
		}
	})
}

func FuzzSearch(f *testing.F) {
	f.Add("CHARSET UTF-8 (OR SEEN NOT 1:*) SUBJECT \"x\" BEFORE 1-Jan-2020\r\n")
	f.Add("((((((1))))))\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, _ := reader(in, Limits{Word: 100, Quoted: 100, Literal: 100, Args: 1000})
		s, err := r.Search(time.UTC)
		if err == nil && len(s.Key.Keys) == 0 {
			t.Fatalf("%q: no key", in)
		}
	})
}

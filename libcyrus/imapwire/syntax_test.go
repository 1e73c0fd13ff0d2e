package imapwire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseSeqSet(t *testing.T) {
	for _, c := range []struct {
		in  string
		max uint32
		out string // resolved; "-" = not a set
	}{
		{"1", 10, "1"},
		{"1,2,3:5,*", 9, "1:5,9"},
		{"*:1", 9, "1:9"},
		{"9:3,4,1", 20, "1,3:9"},
		{"999:*", 9, "9:999"},
		{"*", 0, ""},
		{"1:*", 0, "1"},
		{"0", 9, ""},
		{"0:2", 9, "1:2"},
		{"4294967296", 9, "4294967294"},
		{"4294967295:99999999999", 9, "4294967294"},
		{"1:4294967296,4294967294", 9, "1:4294967294"},
		{"", 0, "-"},
		{",1", 0, "-"},
		{"1,", 0, "-"},
		{"1,,2", 0, "-"},
		{"1:", 0, "-"},
		{":1", 0, "-"},
		{"1:2:3", 0, "-"},
		{"x", 0, "-"},
		{"$", 0, "-"},
		{"1 2", 0, "-"},
		{"**", 0, "-"},
		{"-1", 0, "-"},
	} {
		set, ok := ParseSeqSet(c.in)
		got := "-"
		if ok {
			got = set.Resolve(c.max).String()
		}
		if got != c.out {
			t.Errorf("%q with max %d = %q, want %q", c.in, c.max, got, c.out)
		}
	}
}

func TestSeqSet(t *testing.T) {
	var s SeqSet
	for _, n := range []uint32{1, 2, 3, 7, 9, 10} {
		s = s.Add(n)
	}
	if s.String() != "1:3,7,9:10" || s.Count() != 6 {
		t.Error(s, s.Count())
	}
	for n := uint32(0); n < 12; n++ {
		if want := strings.Contains(" 1 2 3 7 9 10 ", fmt.Sprintf(" %d ", n)); s.Contains(n) != want {
			t.Errorf("Contains(%d) = %v", n, !want)
		}
	}
}

func FuzzSeqSet(f *testing.F) {
	f.Add("1,2:3,*", uint32(5))
	f.Add("*:4,0", uint32(0))
	f.Fuzz(func(t *testing.T, in string, max uint32) {
		set, ok := ParseSeqSet(in)
		if !ok {
			return
		}
		again, ok := ParseSeqSet(set.String())
		if !ok || !reflect.DeepEqual(set, again) {
			t.Fatalf("%q is printed as %q", in, set)
		}
		last := uint32(0)
		for i, g := range set.Resolve(max) {
			if g.First > g.Last || g.First == 0 || (i > 0 && uint64(g.First) <= uint64(last)+1) {
				t.Fatalf("%q resolves to %v", in, set.Resolve(max))
			}
			last = g.Last
		}
	})
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"1-Jan-2021":  "2021-01-01",
		"01-jan-2021": "2021-01-01",
		"31-DEC-1999": "1999-12-31",
		"32-Jan-2021": "2021-02-01",
		"1-jan-21":    "1921-01-01",
		"1-Foo-2021":  "", "1-Jan": "", "1 Jan 2021": "", "": "", "1-Jan-2021x": "", "1-Jan-021": "", "001-Jan-2021": "",
	} {
		start, end, ok := ParseDate(in, time.UTC)
		got := ""
		if ok {
			got = start.Format(time.DateOnly)
			if end.Sub(start) != 24*time.Hour {
				t.Errorf("%q lasts %v", in, end.Sub(start))
			}
		}
		if got != want {
			t.Errorf("ParseDate(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAppendDateTime(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2020, 1, 1, 10, 0, 0, 0, time.FixedZone("", 3600)), `" 1-Jan-2020 10:00:00 +0100"`},
		{time.Date(2020, 1, 1, 10, 0, 0, 0, time.FixedZone("", -12600)), `" 1-Jan-2020 10:00:00 -0330"`},
		{time.Date(2026, 11, 23, 15, 55, 49, 0, time.UTC), `"23-Nov-2026 15:55:49 +0000"`},
	} {
		if got := string(AppendDateTime(nil, c.at)); got != c.want {
			t.Errorf("%v is printed as %s", c.at, got)
		}
	}
}

func FuzzDates(f *testing.F) {
	f.Add("1-jan-21")
	f.Fuzz(func(t *testing.T, in string) {
		start, end, ok := ParseDate(in, time.UTC)
		if ok && end.Sub(start) != 24*time.Hour {
			t.Errorf("%q lasts %v", in, end.Sub(start))
		}
	})
}

func TestPrint(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, c := range []struct{ in, str, astr string }{
		{"INBOX", `"INBOX"`, "INBOX"},
		{"", `""`, `""`},
		{"NIL", `"NIL"`, `"NIL"`},
		{"a b", `"a b"`, `"a b"`},
		{"x*", `"x*"`, `"x*"`},
		{"x%", "{2}\r\nx%", "{2}\r\nx%"},
		{`a"b`, "{3}\r\na\"b", "{3}\r\na\"b"},
		{`a\b`, "{3}\r\na\\b", "{3}\r\na\\b"},
		{"\xe4", "{1}\r\n\xe4", "{1}\r\n\xe4"},
		{"a\nb", "{3}\r\na\nb", "{3}\r\na\nb"},
		{"a]b", `"a]b"`, "a]b"},
		{long[1:], `"` + long[1:] + `"`, long[1:]},
		{long, "{1024}\r\n" + long, "{1024}\r\n" + long},
	} {
		if got := string(AppendString(nil, c.in)); got != c.str {
			t.Errorf("AppendString(%.20q) = %.40q", c.in, got)
		}
		if got := string(AppendAString(nil, c.in)); got != c.astr {
			t.Errorf("AppendAString(%.20q) = %.40q", c.in, got)
		}
	}
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out)
	w.Line("a ", "b")
	w.Text("c {5}\r\n")
	if err := w.Copy(strings.NewReader("01234567"), 5); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Error("sent too early")
	}
	w.Line()
	big := strings.Repeat("x", 200000)
	if err := w.Copy(strings.NewReader(big), int64(len(big))); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	w.Release()
	if want := "a b\r\nc {5}\r\n01234\r\n" + big; out.String() != want || w.buf != nil {
		t.Errorf("wrote %d octets, want %d", out.Len(), len(want))
	}
	if err := w.Copy(strings.NewReader("abc"), 5); err == nil {
		t.Error("a short copy is no error")
	}
}

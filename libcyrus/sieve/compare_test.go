package sieve

import (
	"fmt"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct{ value, pattern, want string }{
		{"", "", "[]"}, {"", "*", "[ ]"}, {"abc", "abc", "[abc]"}, {"abc", "ABC", "[abc]"}, {"abc", "ab", "no"},
		{"abc", "*c", "[abc ab]"}, {"abcabc", "*bc", "[abcabc abca]"}, {"abcabc", "*b*", "[abcabc a cabc]"},
		{"abc", "?*", "[abc a bc]"}, {"abc", "*?", "[abc ab c]"}, {"abc", "**?", "[abc  ab c]"}, {"a*b", `a\*b`, "[a*b]"},
		{"axb", `a\*b`, "no"}, {`a\b`, `a\\b`, `[a\b]`}, {"abc", "????", "no"}, {"aXbXc", "*x*x*", "[aXbXc a b c]"},
		{"aab", "*ab", "[aab a]"}, {"abab", "*ab?", "no"},
	} {
		got := "no"
		if vars, ok := glob(c.value, c.pattern, true, nil); ok {
			got = fmt.Sprint(vars)
		}
		if got != c.want {
			t.Errorf("glob(%q, %q) = %s, want %s", c.value, c.pattern, got, c.want)
		}
	}
	stop := make(chan struct{})
	close(stop)
	if _, ok := glob(strings.Repeat("a", 1<<16), "*"+strings.Repeat("a", 1<<12)+"b", false, stop); ok {
		t.Error("found")
	}
}

func TestCompareNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1", 0}, {"01", "1", 0}, {"2", "10", -1}, {"10a", "10", 0}, {"a", "1", 1}, {"1", "", -1}, {"x", "y", 0},
		{"99999999999999999999", "100000000000000000000", -1}, {"0", "00", 0},
	} {
		got := compareNumbers(c.a, c.b)
		if got > 0 != (c.want > 0) || got < 0 != (c.want < 0) {
			t.Errorf("compareNumbers(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	const all = "encoded-character comparator-i;ascii-numeric fileinto reject ereject vacation vacation-seconds notify enotify " +
		"include editheader vnd.cyrus.snooze vnd.cyrus.imip envelope environment body imap4flags date ihave mailbox mboxmetadata " +
		"servermetadata duplicate vnd.cyrus.jmapquery relational regex extlists subaddress copy index variables redirect-deliverby " +
		"redirect-dsn special-use fcc mailboxid"
	o := Options{}
	if got := o.Capabilities(); got != all {
		t.Errorf("got %s", got)
	}
	o = Options{Extensions: []string{"vacation", "body", "snooze"}, NoSnooze: true}
	if got, want := o.Capabilities(), "encoded-character comparator-i;ascii-numeric vacation body"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, text := range []string{`require "snooze";`, `require "vacation-seconds";`, `require "extlists";`, `require "x";`} {
		if _, err := Parse([]byte(text), o); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

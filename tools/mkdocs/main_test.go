package main

import (
	"os"
	"strings"
	"testing"
)

// TestUpToDate fails when docs/man/imapd.conf.5 is not what the table of
// options and the code that reads it make; then run "make docs".
func TestUpToDate(t *testing.T) {
	want, err := imapdConf("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run \"make docs\"", page)
	}
	if strings.Count(want, "\n.TP\n") < 540 {
		t.Error("the page has too few entries")
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"a-b":      `a\-b`,
		`\Seen`:    `\eSeen`,
		".x\n'y":   "\\&.x\n\\&'y",
		`say "hi"`: `say \(dqhi\(dq`,
	} {
		if got := escape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

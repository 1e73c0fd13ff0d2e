package main

import (
	"testing"

	"gocyrus/test/data"
)

func TestCyrLs(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{
		masking(`d[rwx-]{9} \d+ \S+ +\S+ +\d+ \w{3} \d\d +[\d:]+ `, "DETAILS "),
	}}
	r.replay("cyr_ls")
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"a": " a", "a b": "'a b'", "it's": `"it's"`, `a"'b`: `'a"\'b'`, "日本": " 日本", "": " ",
	} {
		if got := quoted(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

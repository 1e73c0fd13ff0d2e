package main

import (
	"strings"
	"testing"

	"gocyrus/libcyrus/mboxname"
)

func TestLegacyName(t *testing.T) {
	for _, tt := range []struct {
		path   string
		hashed bool
		want   mboxname.Name
	}{
		{"u/user/alice", true, "user.alice"},
		{"user/alice/Work", false, "user.alice.Work"},
		{"domain/e/example.org/u/user/bob^x", true, "example.org!user.bob^x"},
		{"domain/example.org/user/bob", false, "example.org!user.bob"},
		{"domain", true, ""},
		{"u", true, ""},
	} {
		if got := legacyName(tt.path, tt.hashed); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestMbpathUse(t *testing.T) {
	for args, want := range map[string]string{
		"-h":    "mbpath: invalid option -- 'h'\n" + mbpathUse,
		"-a -M": mbpathUse + "\nERROR: Duplicate selectors given",
		"-u -p": mbpathUse + "\nERROR: Multiple modes given",
	} {
		r := call("", append([]string{"mbpath"}, strings.Fields(args)...)...)
		if r.status != exUsage || r.err != want {
			t.Errorf("%s: status %d\n%s", args, r.status, r.err)
		}
	}
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/seen"
	"gocyrus/test/data"
)

// TestArbitron replays what Cyrus's own says. It counts no subscribers of
// today's lists, takes users of domains for shared, and its lines have no
// order.
func TestArbitron(t *testing.T) {
	r := &recording{t: t, sample: data.Legacy, sorted: true, masks: []mask{
		masking(`(?m)^user/erin.*\n`, ""), masking(`Loading Users\.*Done`, "Loading Users...Done"),
		masking(`! .*invalid option`, "! invalid option"), masking(`.*/arbitron: invalid`, "arbitron: invalid"),
	}}
	r.replay("arbitron")
}

// TestArbitronSort replays it too.
func TestArbitronSort(t *testing.T) {
	for _, in := range []string{
		"shared 3 1\nshared/team 1:bob 0\nuser/a b 3 0\nnews 10 2\nnews 7 2\n\nz 0 0\n",
	} {
		want := "1: news - 7\n2: shared - 3\n3: user/a b - 3\n4: z - 0\n\n\n1: news - 2\n2: shared - 1\n3: user/a b - 0\n4: z - 0\n"
		if r := call(in, "arbitronsort"); r.status != 0 || r.out != want {
			t.Errorf("%+v\nwant %s", r, want)
		}
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := call("", "arbitronsort", path); r.status != 0 || r.out != want {
			t.Errorf("of a file: %+v", r)
		}
	}
	if r := call("", "arbitronsort", "/nosuch"); r.status == 0 {
		t.Errorf("%+v", r)
	}
}

// TestArbitronReaders is about what the recording cannot show: readers and
// subscribers in both layouts, users of domains, times, and pruning.
func TestArbitronReaders(t *testing.T) {
	for _, layout := range []string{"", "mailbox_legacy_dirs: yes\n"} {
		s := newStore(t, "virtdomains: userid\n"+layout)
		s.make("user.a", "user.a.x", "user.b", "user.c", "dom.test!user.d", "news")
		now := time.Now()
		for _, x := range []struct {
			user string
			box  mboxname.Name
			days int
		}{{"b", "user.a.x", 1}, {"a", "user.a.x", 1}, {"c", "user.a.x", 40}, {"b", "news", 5}, {"d@dom.test", "news", 2}} {
			if err := s.Seen.Set(s.ctx, x.user, s.entry(x.box).UniqueID, seen.State{LastRead: now.AddDate(0, 0, -x.days).Unix()}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Subs.Add(s.ctx, "c", "news"); err != nil {
			t.Fatal(err)
		}
		for args, want := range map[string]string{
			"":                     "user/a/x 1 0\nnews 2 1\n",
			"-u":                   "user/a/x 1:b 0\nnews 2:b,d@dom.test 1:c\n",
			"-o":                   "user/a/x 1\nnews 2\n",
			"-d 3 -u -o":           "user/a/x 1:b\nnews 1:d@dom.test\n",
			"-d 50 -o":             "user/a/x 2\nnews 2\n",
			"user/*":               "user/a/x 1 0\n",
			"-D 01011990:01021990": "news 0 1\n",
		} {
			r := call("", append([]string{"arbitron", "-C", s.path}, strings.Fields(args)...)...)
			if r.status != 0 || r.out != want {
				t.Errorf("%s: %+v\nwant %s", args, r, want)
			}
		}
		if r := call("", "arbitron", "-C", s.path, "-p", "1"); r.status != 0 {
			t.Errorf("%+v", r)
		}
		left := map[string]int{}
		for _, u := range []string{"a", "b", "c", "d@dom.test"} {
			err := s.Seen.Each(context.Background(), u, func(string, seen.State) error { left[u]++; return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		if left["a"] != 1 || left["b"] != 2 || left["c"] != 0 || left["d@dom.test"] != 1 {
			t.Errorf("left after -p 1: %v", left)
		}
	}
}

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

// The answers are those of mbpath 3.6.1.
func TestMbpath(t *testing.T) {
	s := newStore(t, "")
	s.make("user.user1", "shared", "shared.a")
	dir := s.Layout.ConfigDir
	spot := func(n mboxname.Name) string {
		id := s.entry(n).UniqueID
		return "uuid/" + id[:1] + "/" + id[1:2] + "/" + id
	}
	inbox, sharedA := spot("user.user1"), spot("shared.a")
	all := func(spool, sieve, user string) string {
		return "Archive: " + spool + "\nData: " + spool + "\nMeta: " + spool + "\nSieve: " + sieve + "\nUser: " + user + "\n"
	}
	for _, tt := range []struct {
		args     string
		status   int
		out, err string
	}{
		{"user/user1 shared/a", 0, dir + "/spool/" + inbox + "\n" + dir + "/spool/" + sharedA + "\n", ""},
		{"nobox user/user1", 0, dir + "/spool/" + inbox + "\n", "Invalid mailbox name: 'nobox'\n"},
		{"user/user1 nobox", exDataErr, dir + "/spool/" + inbox + "\n", "Invalid mailbox name: 'nobox'\n"},
		{"-q nobox", exDataErr, "", ""},
		{"-s nobox user/user1", exDataErr, "", "Invalid mailbox name: 'nobox'\nfatal error: Error in processing mailbox. Stopping\n\n"},
		{"-u user1 nobody", exDataErr, dir + "/spool/" + inbox + "\n", "Invalid mailbox name: 'nobody' ('user/nobody')\n\n"},
		{"-M user/user1", 0, dir + "/spool/" + inbox + "\n", ""},
		{"-A user/user1", 0, dir + "/spool/" + inbox + "\n", ""},
		{"-S user/user1 shared", 0, dir + "/sieve/" + inbox + "\n" + dir + "/sieve/global\n", ""},
		{"-U user/user1 shared", 0, dir + "/user/" + inbox + "\n" + dir + "\n", ""},
		{"-a user/user1", 0, all(dir+"/spool/"+inbox, dir+"/sieve/"+inbox, dir+"/user/"+inbox), ""},
		{"-a shared/a", 0, all(dir+"/spool/"+sharedA, dir+"/sieve/global", dir), ""},
		{"-p " + dir + "/spool/" + inbox, 0, dir + "/spool/" + inbox + "\n", ""},
		{"-p " + dir + "/spool/uuid", exDataErr, "", "Invalid mailbox name: '" + dir + "/spool/uuid'\n"},
		{"-j shared/a", 0, `{
  "archive": "` + dir + "/spool/" + sharedA + `",
  "data": "` + dir + "/spool/" + sharedA + `",
  "mbname": {
    "boxes": [
      "shared",
      "a"
    ],
    "intname": "shared.a"
  },
  "meta": "` + dir + "/spool/" + sharedA + `"
}
`, ""},
	} {
		r := call("", append([]string{"mbpath", "-C", s.path}, strings.Fields(tt.args)...)...)
		if r.status != tt.status || r.out != tt.out || r.err != tt.err {
			t.Errorf("%s:\n got %d\n%s%s\nwant %d\n%s%s", tt.args, r.status, r.out, r.err, tt.status, tt.out, tt.err)
		}
	}
	r := call("", "mbpath", "-C", s.path, "-j", "user/user1")
	for _, want := range []string{
		`"boxes": [],`, `"localpart": "user1",`, `"userid": "user1"`,
		`"conversations": "` + dir + "/user/" + inbox + `/conversations.db"`, `"sieve": "` + dir + "/sieve/" + inbox + `"`,
		"\n  \"xapian\": {}\n}\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("-j user/user1 lacks %s:\n%s", want, r.out)
		}
	}
}

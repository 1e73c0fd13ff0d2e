package main

import (
	"testing"

	"gocyrus/test/data"
)

func TestCyrPwd(t *testing.T) {
	conf, root := sampleConf(t, data.ByID, shared)
	const none = "ERROR: not in Cyrus UUID mailbox directory\n"
	for dir, want := range map[string]result{
		"/spool":      {err: none},
		"/spool/uuid": {err: none},
		"/spool/uuid/6/1/61v9v5yqdl2uu2codfb47cez": {out: "user/erin@other.test\n"},
	} {
		t.Chdir(root + dir)
		if r := call("", "cyr_pwd", "-C", conf); r.status != 0 || r.out != want.out || r.err != want.err {
			t.Errorf("%s: %+v", dir, r)
		}
	}
}

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/auth"
)

func TestPasswd(t *testing.T) {
	path, dir := conf(t, "virtdomains: userid\ndefaultdomain: example.org\n")
	for _, tt := range []struct {
		stdin, args string
		want        result
	}{
		{"secret\n", "Alice", result{}},
		{"other", "bob@example.net", result{}},
		{"third\r\n", "carol@example.org", result{}},
		{"", "-l", result{out: "alice\nbob@example.net\ncarol\n"}},
		{"", "-d bob@example.net", result{}},
		{"", "-d bob@example.net", result{status: exDataErr, err: "passwd: "}},
		{"", "-l", result{out: "alice\ncarol\n"}},
		{"", "dave", result{status: exDataErr, err: "passwd: no password on standard input\n"}},
		{"\n", "dave", result{status: exDataErr, err: "passwd: the password is empty\n"}},
		{"x\n", "a:b", result{status: exDataErr, err: "passwd: invalid user name 'a:b'\n"}},
		{"", "", result{status: exUsage, err: passwdUse}},
		{"", "a b", result{status: exUsage, err: passwdUse}},
		{"", "-l a", result{status: exUsage, err: passwdUse}},
		{"", "-l -d", result{status: exUsage, err: passwdUse}},
		{"", "-x", result{status: exUsage, err: "passwd: invalid option -- 'x'\n" + passwdUse}},
	} {
		args := append([]string{"cyrus", "passwd", "-C", path}, strings.Fields(tt.args)...)
		r := call(tt.stdin, args...)
		if r.status != tt.want.status || r.out != tt.want.out || !strings.HasPrefix(r.err, tt.want.err) || tt.want.err == "" && r.err != "" {
			t.Errorf("passwd %s: got %+v, want %+v", tt.args, r, tt.want)
		}
	}
	accounts := auth.OpenAccounts(filepath.Join(dir, "accounts"))
	for user, password := range map[string]string{"alice": "secret", "carol": "third"} {
		if ok, err := accounts.Verify(user, password); !ok || err != nil {
			t.Errorf("password of %s: %v, %v", user, ok, err)
		}
	}
}

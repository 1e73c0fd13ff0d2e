package main

import (
	"strings"
	"testing"
)

// TestHandbackRefused checks that nothing is done where Cyrus has its files
// already; the rest needs a running cyrusdbd.
func TestHandbackRefused(t *testing.T) {
	s := newStore(t, "")
	r := call("", "cyrus", "handback", "-C", s.path)
	if r.status != exConfig || !strings.HasPrefix(r.err, "fatal error: the databases are files of Cyrus's types") {
		t.Errorf("in shared mode: %+v", r)
	}
	path, dir := conf(t, "mboxlist_db_path: "+s.Layout.ConfigDir+"/mailboxes.db\n")
	r = call("", "cyrus", "handback", "-C", path)
	if r.status != exConfig || !strings.HasSuffix(r.err, "/mailboxes.db is Cyrus's already\n") {
		t.Errorf("own mode in %s: %+v", dir, r)
	}
	if r := call("", "cyrus", "handback", "x"); r.status != exUsage || r.err != handbackUse {
		t.Errorf("wrong use: %+v", r)
	}
}

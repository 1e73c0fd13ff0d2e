package worker

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestWrappers(t *testing.T) {
	t.Parallel()
	names := newHostNames()
	names.find = func(_ context.Context, a string) ([]string, error) {
		return map[string][]string{"192.0.2.1": {"mx.example.org."}, "127.0.0.1": {"localhost."}}[a], nil
	}
	list := filepath.Join(t.TempDir(), "list")
	check(t, os.WriteFile(list, []byte("192.0.2.77\n10.0.0.0/255.0.0.0\n"), 0o644))
	for _, tt := range []struct {
		allow, deny, addr, service string
		want                       bool
	}{
		{"", "", "192.0.2.1", "imap", true},
		{"", "ALL: ALL", "192.0.2.1", "imap", false},
		{"", "ALL:ALL\n", "::1", "imap", false},
		{"imap: ALL", "ALL: ALL", "192.0.2.1", "imap", true},
		{"imap: ALL", "ALL: ALL", "192.0.2.1", "pop3", false},
		{"imap, pop3 : .example.org", "ALL: ALL", "192.0.2.1", "pop3", true},
		{"ALL: .example.com", "ALL: ALL", "192.0.2.1", "pop3", false},
		{"ALL: mx.example.org", "ALL: ALL", "192.0.2.1", "pop3", true},
		{"ALL: *.example.org", "ALL: ALL", "192.0.2.1", "pop3", true},
		{"ALL: 192.0.2.", "ALL: ALL", "192.0.2.9", "imap", true},
		{"ALL: 192.0.2.0/255.255.255.0", "ALL: ALL", "192.0.2.9", "imap", true},
		{"ALL: 192.0.2.0/24", "ALL: ALL", "192.0.3.9", "imap", false},
		{"ALL: [2001:db8::]/32", "ALL: ALL", "2001:db8::5", "imap", true},
		{"ALL: [2001:db8::]/32", "ALL: ALL", "2001:db9::5", "imap", false},
		{"ALL: [2001:db8::5]", "ALL: ALL", "2001:db8::5", "imap", true},
		{"ALL: LOCAL", "ALL: ALL", "127.0.0.1", "imap", true},
		{"ALL: LOCAL", "ALL: ALL", "192.0.2.1", "imap", false},
		{"ALL: KNOWN", "ALL: ALL", "192.0.2.1", "imap", true},
		{"", "ALL: UNKNOWN", "192.0.2.2", "imap", false},
		{"ALL: ALL EXCEPT 192.0.2.0/24", "ALL: ALL", "192.0.2.1", "imap", false},
		{"ALL: ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.1", "ALL: ALL", "192.0.2.1", "imap", true},
		{"ALL EXCEPT imap: ALL", "ALL: ALL", "192.0.2.1", "imap", false},
		{"ALL EXCEPT imap: ALL", "ALL: ALL", "192.0.2.1", "sieve", true},
		{"ALL: 192.0.2.1 : DENY\nALL: ALL : ALLOW", "", "192.0.2.1", "imap", false},
		{"ALL: 192.0.2.1 : DENY\nALL: ALL : ALLOW", "ALL: ALL", "192.0.2.2", "imap", true},
		{"# comment\nimap: \\\n 192.0.2.5", "ALL: ALL", "192.0.2.5", "imap", true},
		{"ALL: " + list, "ALL: ALL", "10.2.3.4", "imap", true},
		{"ALL: " + list, "ALL: ALL", "11.2.3.4", "imap", false},
		{"ALL: bob@192.0.2.1", "ALL: ALL", "192.0.2.1", "imap", true},
		{"nonsense", "more nonsense", "192.0.2.1", "imap", true},
	} {
		rules := append(parseRules(tt.allow, true), parseRules(tt.deny, false)...)
		got := true
		for _, r := range rules {
			h := &peerHost{addr: netip.MustParseAddr(tt.addr), names: names}
			if listMatches(r.daemons, func(p string) bool { return matchPattern(p, tt.service) }) && listMatches(r.clients, h.matches) {
				got = r.permit
				break
			}
		}
		if got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// The files are read again when they change.
func TestWrappersReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testProcess(t, "")
	p.rules = &wrappers{allowFile: filepath.Join(dir, "allow"), denyFile: filepath.Join(dir, "deny"), log: testLog(t)}
	c, _ := pair(t, p)
	want := func(yes bool) {
		t.Helper()
		if p.rules.allow("imap", c) != yes {
			t.Errorf("allowed: %v", !yes)
		}
	}
	want(true)
	check(t, os.WriteFile(p.rules.denyFile, []byte("imap: 127.0.0.1\n"), 0o644))
	want(false)
	check(t, os.WriteFile(p.rules.allowFile, []byte("ALL: 127.\n"), 0o644))
	want(true)
	check(t, os.Remove(p.rules.allowFile))
	want(false)
	check(t, os.Remove(p.rules.denyFile))
	want(true)
}

func FuzzRules(f *testing.F) {
	f.Add("ALL: [::1]/128 EXCEPT .x : spawn (echo a\\:b) : DENY\n", "192.0.2.1")
	f.Fuzz(func(t *testing.T, text, addr string) {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return
		}
		names := newHostNames()
		names.find = func(context.Context, string) ([]string, error) { return nil, nil }
		for _, r := range parseRules(text, true) {
			h := &peerHost{addr: a.Unmap(), names: names}
			listMatches(r.daemons, func(p string) bool { return matchPattern(p, "imap") })
			listMatches(r.clients, func(p string) bool { return p[0] != '/' && h.matches(p) })
		}
	})
}

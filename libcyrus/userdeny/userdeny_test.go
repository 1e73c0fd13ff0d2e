package userdeny

import (
	"context"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

var ctx = context.Background()

// TestFile reads the text that cyr_deny of a real Cyrus writes.
func TestFile(t *testing.T) {
	m := disk.NewMem()
	log := slog.New(slog.DiscardHandler)
	const text = "alice\t2\xff\x89*\xff\x89\nbob\t2\xff\x89imap,!sieve,pop*\xff\x89go away\nold\t1\xff\x89*\xff\x89x\n"
	if err := disk.Replace(m, "/user_deny.db", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := cyrusdb.Open(m, lock.NewTable(m, log), "flat", "/user_deny.db", 0)
	if err != nil {
		t.Fatal(err)
	}
	s := New(db, log)
	defer s.Close()
	for _, c := range []struct {
		user, service, message string
		denied                 bool
	}{
		{"alice", "imap", noMessage, true},
		{"bob", "imap", "go away", true},
		{"bob", "imaps", "", false},
		{"bob", "pop3", "go away", true},
		{"bob", "sieve", "", false},
		{"carol", "imap", "", false},
		{"old", "imap", "", false},
	} {
		msg, denied, err := s.Denied(ctx, c.user, c.service)
		if msg != c.message || denied != c.denied || err != nil {
			t.Errorf("%s %s: %q, %v, %v", c.user, c.service, msg, denied, err)
		}
	}
	if err := s.Set(ctx, "dave", Entry{"*", "no"}); err != nil {
		t.Fatal(err)
	}
	if e, ok, err := s.Get(ctx, "dave"); !ok || e != (Entry{"*", "no"}) || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if err := s.Remove(ctx, "dave"); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.Each(ctx, func(string, Entry) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNone(t *testing.T) {
	s := New(nil, slog.Default())
	if _, denied, err := s.Denied(ctx, "x", "imap"); denied || err != nil {
		t.Error(err)
	}
	if err := s.Each(ctx, nil); err != nil || s.Close() != nil {
		t.Error(err)
	}
}

func TestWildmat(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"imap", "imap", true}, {"imap", "imaps", false}, {"i*", "imaps", true}, {"*p?", "pop3", true}, {"p[a-z]p[0-9]", "pop3", true},
		{"p[^o]p3", "pop3", false}, {"[", "[", false}, {"", "", true}, {"*", "", true}, {"?", "", false},
	} {
		if got := wildmat(c.pattern, c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
	if !matches("*,!sieve", "imap") || matches("*,!sieve", "sieve") || matches("", "imap") {
		t.Error("lists")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("2\timap,pop*\tno", "imap")
	f.Fuzz(func(t *testing.T, v, service string) {
		if e, ok := decode(v); ok && len(v) < 50 {
			matches(e.Services, service)
		}
	})
}

package auth

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

func TestAccounts(t *testing.T) {
	c := testConfig(t, "sasl_sasldb_path: /nonexistent/sasldb2\n")
	a := OpenAccounts(AccountsPath(c))
	a.rounds = 1000 // less work
	s := New(c, quiet())
	check := func(user, password string, want Code) {
		t.Helper()
		code := Code(0)
		if e := s.Check(context.Background(), Attempt{user, password, "imap"}); e != nil {
			code = e.Code
		}
		if code != want {
			t.Errorf("%s %s: %d, want %d", user, password, code, want)
		}
	}
	check("alice", "one", NoUser)
	must(t, a.Set("alice", "one"))
	must(t, a.Set("bob@example.org", "two"))
	check("alice", "one", 0)
	check("bob@example.org", "two", 0)
	check("alice", "two", BadAuth)
	check("alice", "", BadAuth)
	if names, err := a.List(); err != nil || !slices.Equal(names, []string{"alice", "bob@example.org"}) {
		t.Error(names, err)
	}
	start := time.Now()
	for range 100 {
		check("alice", "one", 0)
	}
	if d := time.Since(start); d > 5*time.Second { // to check a password anew takes a tenth of a second
		t.Errorf("100 checks of a known password took %v", d)
	}
	must(t, a.Set("alice", "new"))
	check("alice", "one", BadAuth)
	check("alice", "new", 0)
	must(t, a.Delete("alice"))
	check("alice", "new", NoUser)
	if err := a.Delete("alice"); !errs.Is(err, errs.UserUnknown) {
		t.Error(err)
	}
	for _, user := range []string{"", "a:b", "a\nb", "#a"} {
		if err := a.Set(user, "x"); !errs.Is(err, errs.BadIdentifier) {
			t.Errorf("%q: %v", user, err)
		}
	}
	for _, password := range []string{"", "a\x00b"} {
		if err := a.Set("carol", password); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if st, err := os.Stat(AccountsPath(c)); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckRecord(t *testing.T) {
	good, err := newRecord("pässword", 10)
	must(t, err)
	if ok, err := checkRecord(good, "pässword"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := checkRecord(good, "password"); ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := checkRecord(nobody, ""); ok || err != nil {
		t.Error(ok, err)
	}
	for _, bad := range []string{"", "plain", "$2b$10$abc", accountScheme, accountScheme + "i=0$AA$AA", accountScheme + "i=999999999$AA$AA",
		accountScheme + "i=1$!$AA", accountScheme + "i=1$AA$AA$AA"} {
		if ok, err := checkRecord(bad, ""); ok || err == nil {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
}

// Each step of a change fails in turn, with and without a power cut: the
// list is the old one or the new one.
func TestAccountsFaults(t *testing.T) {
	oldRecord, err := newRecord("old", 1)
	must(t, err)
	for i := 0; ; i++ {
		m := disk.NewMem()
		must(t, m.MkdirAll("/conf", 0o755))
		must(t, m.SyncDir("/"))
		must(t, disk.ReplaceSync(m, "/conf/accounts", []byte("alice:"+oldRecord+"\n"), 0o600))
		err := openAccounts(disk.FailAt(m, i), "/conf/accounts").Delete("alice")
		for _, d := range []*disk.Mem{m, m.Crash(1), m.Crash(2)} {
			names, lerr := openAccounts(d, "/conf/accounts").List()
			deleted := lerr == nil && len(names) == 0
			if lerr != nil || !deleted && len(names) != 1 || err == nil && !deleted {
				t.Errorf("fault %d: Delete: %v; then %v, %v", i, err, names, lerr)
			}
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add("alice:"+nobody+"\n# comment\n\nbob:x\r\n", "pw")
	f.Fuzz(func(t *testing.T, file, password string) {
		for user, record := range parseAccounts(file) {
			if user == "" || strings.ContainsAny(user, ":\n") {
				t.Errorf("user %q", user)
			}
			if !strings.Contains(record, "i=") { // else it takes long
				if ok, _ := checkRecord(record, password); ok {
					t.Errorf("record %q fits", record)
				}
			}
		}
	})
}

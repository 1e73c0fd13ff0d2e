package cyrusdb

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// TestOpenBehind opens what is no marker of this site; the suite opens one
// that is.
func TestOpenBehind(t *testing.T) {
	m := disk.NewMem()
	if err := m.MkdirAll("/c", 0o700); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	locks := lock.NewTable(m, log)
	c, err := config.Parse("imapd.conf", "configdirectory: /c\npartition-default: /s\n", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"twoskip", "flat"} {
		db, err := OpenBehind(c, m, locks, log, kind, "/c/x."+kind, Create)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Commit(t.Context(), Tx{Set: []KV{{Key: []byte("k"), Value: []byte("v")}}}); err != nil {
			t.Error(err)
		}
		db.Close()
	}
	if _, err := OpenBehind(c, m, locks, log, "pebble", "/c/x.flat", Create); !errs.Is(err, errs.BadFormat) {
		t.Errorf("pebble without marker: %v", err)
	}
	if err := (marker{dir: "/c/db.pebble", site: "s", epoch: 1}).write(m, "/c/other.db"); err != nil {
		t.Fatal(err)
	}
	_, err = OpenBehind(c, m, locks, log, "twoskip", "/c/other.db", Create)
	if e, ok := errors.AsType[*ModeError](err); !ok || !strings.Contains(e.Text, "of another site") {
		t.Errorf("marker at a wrong place: %v", err)
	}
	db, err := OpenBehind(c, m, locks, log, "quotalegacy", "/c/quota", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Commit(t.Context(), Tx{Set: []KV{{Key: []byte("user.a"), Value: []byte("%(S (1))")}}}); err != nil {
		t.Error(err)
	}
	if _, err := m.Stat("/c/quota/a/user.a"); err != nil {
		t.Error(err)
	}
}

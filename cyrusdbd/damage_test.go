package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
)

// TestDamagedFiles damages each file of the databases in several ways: they
// open nevertheless, or the message says what is wrong and what to do.
func TestDamagedFiles(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	sound := filepath.Join(t.TempDir(), "db")
	st, err := openStore(sound, filepath.Join(t.TempDir(), "page"), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.setEpoch(1); err != nil {
		t.Fatal(err)
	}
	st.close()
	entries, err := os.ReadDir(sound)
	if err != nil {
		t.Fatal(err)
	}
	for how, change := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"zeroed":    func(b []byte) []byte { return make([]byte, len(b)) },
		"noise": func(b []byte) []byte {
			for i := range b {
				b[i] = byte(i*7 + 13)
			}
			return b
		},
		"removed": nil,
	} {
		for _, e := range entries {
			dir := filepath.Join(t.TempDir(), "db")
			if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, e.Name())
			b, err := os.ReadFile(path)
			if err == nil && change == nil {
				err = os.Remove(path)
			} else if err == nil {
				err = os.WriteFile(path, change(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			st, err := openStore(dir, filepath.Join(t.TempDir(), "page"), log)
			if err == nil {
				st.close()
				continue
			}
			var mode *cyrusdb.ModeError
			if got := explain(dir, err); !errors.As(got, &mode) || !strings.Contains(got.Error(), dir) || !strings.Contains(got.Error(), "reconstruct -m") {
				t.Errorf("%s %s: %v", e.Name(), how, got)
			}
		}
	}
	if damaged(&os.PathError{Op: "open", Path: "x", Err: syscall.ENOSPC}) {
		t.Error("a full disk is no damage")
	}
}

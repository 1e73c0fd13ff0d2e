package main

import (
	"os"
	"path/filepath"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// TestRelist makes the mailbox list of a site in own mode anew. As long as
// pebble can be opened it has the last word, and keeps its other databases;
// else it is moved aside.
func TestRelist(t *testing.T) {
	noise := []byte("neither a marker nor a database of anybody\x00\xff\n")
	for _, c := range []struct {
		name string
		lose func(s *site) error
		old  bool // pebble's records are there again
	}{
		{"marker removed", func(s *site) error { return os.Remove(s.dir + "/conf/mailboxes.db") }, true},
		{"marker empty", func(s *site) error { return os.Truncate(s.dir+"/conf/mailboxes.db", 0) }, true},
		{"marker damaged", func(s *site) error { return os.WriteFile(s.dir+"/conf/mailboxes.db", noise, 0o600) }, true},
		{"pebble removed", func(s *site) error { return os.RemoveAll(s.paths().Data) }, false},
		{"both removed", func(s *site) error {
			os.Remove(s.dir + "/conf/mailboxes.db")
			return os.RemoveAll(s.paths().Data)
		}, false},
		{"pebble damaged", func(s *site) error {
			names, err := filepath.Glob(s.paths().Data + "/*")
			for _, n := range names {
				if err == nil {
					err = os.WriteFile(n, noise, 0o600)
				}
			}
			return err
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			t.Setenv("CYRUS_PREFIX", s.dir)
			bin := filepath.Join(s.dir, config.BinDir())
			if err := os.MkdirAll(bin, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(s.dir, dbd.Program), filepath.Join(bin, dbd.Program)); err != nil {
				t.Fatal(err)
			}
			put := func(db cyrusdb.DB, k, v string) {
				t.Helper()
				var tx cyrusdb.Tx
				tx.Put([]byte(k), []byte(v))
				if err := db.Commit(t.Context(), tx); err != nil {
					t.Fatal(err)
				}
			}
			dbs, err := s.open()
			if err != nil {
				t.Fatal(err)
			}
			put(dbs.Mailboxes, "Nold", "%(T e)")
			put(dbs.Annotations, "a", "b")
			dbs.Close()
			s.write("spool/user/x/1.", "mail")
			s.dismiss()
			if err := c.lose(s); err != nil {
				t.Fatal(err)
			}
			if dbs, err := s.open(); err == nil {
				dbs.Close()
				t.Error("opens with what was lost")
			}
			records := func(old cyrusdb.DB) ([]cyrusdb.KV, error) {
				kvs := []cyrusdb.KV{{Key: []byte("Nnew"), Value: []byte("%(T e)")}}
				if old == nil {
					return kvs, nil
				}
				err := old.Scan(t.Context(), nil, func(k, v []byte) (bool, error) {
					kvs = append(kvs, cyrusdb.KV{Key: append([]byte(nil), k...), Value: append([]byte(nil), v...)})
					return true, nil
				})
				return kvs, err
			}
			kept, err := cyrusdb.Relist(t.Context(), s.conf, disk.OS(), lock.NewTable(disk.OS(), quiet), quiet, records)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range kept {
				if _, err := os.Lstat(path); err != nil {
					t.Error(err)
				}
			}
			if dbs, err = s.open(); err != nil {
				t.Fatal(err)
			}
			list, annots := contents(t, dbs.Mailboxes), contents(t, dbs.Annotations)
			if list["Nnew"] == "" || (list["Nold"] != "") != c.old || (annots["a"] == "b") != c.old {
				t.Errorf("%v, %v", list, annots)
			}
			dbs.Close()
			s.dismiss()
		})
	}
}

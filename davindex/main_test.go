package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// rows is what a database says of scripts.
func rows(t *testing.T, path string) (out []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q, err := db.Query("SELECT mailbox, imap_uid, modseq, createdmodseq, id, name, contentid, isactive, alive FROM sieve_scripts ORDER BY mailbox, imap_uid")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for q.Next() {
		var f [9]string
		p := make([]any, len(f))
		for i := range f {
			p[i] = &f[i]
		}
		if err := q.Scan(p...); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Join(f[:], "|"))
	}
	return out
}

func lines(t *testing.T, rs ...request) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	for _, r := range rs {
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

// TestWrite makes a database, changes it, and puts rows into one that Cyrus
// has made.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	r := request{Database: filepath.Join(dir, "new here", "dav.db"), Mailbox: "boxid", Scripts: []script{
		{UID: 3, ID: "x", Name: "main", Content: "c0ffee", Active: true, Modseq: 7, CreatedModseq: 6},
		{UID: 4, ID: "y", Name: "o'ther", Content: "c0ffef"},
	}}
	want := []string{"boxid|3|7|6|x|main|c0ffee|1|1", "boxid|4|0|0|y|o'ther|c0ffef|0|1"}
	for range 2 {
		if status, err := run(lines(t, r)); status != 0 || err != nil {
			t.Fatal(status, err)
		}
		if got := rows(t, r.Database); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	r.Scripts = r.Scripts[1:]
	if _, err := run(lines(t, r)); err != nil || !slices.Equal(rows(t, r.Database), want[1:]) {
		t.Errorf("%v: %q", err, rows(t, r.Database))
	}
	root := data.Unpack(t, data.ByID)
	theirs, _ := filepath.Glob(filepath.Join(root, "conf/user/uuid/9/7/*/dav.db"))
	if len(theirs) != 1 {
		t.Fatal(theirs)
	}
	before := rows(t, theirs[0])
	r.Database, r.Mailbox = theirs[0], "other"
	if _, err := run(lines(t, r)); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, theirs[0]); len(before) != 2 || !slices.Equal(got, append([]string{"other|4|0|0|y|o'ther|c0ffef|0|1"}, before...)) {
		t.Errorf("%q, before %q", got, before)
	}
}

// TestSchema compares the tables of a new database with those of Cyrus's.
func TestSchema(t *testing.T) {
	tables := func(path string) string {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var all string
		if err := db.QueryRow("SELECT group_concat(type || ' ' || name, ',') FROM (SELECT * FROM sqlite_master ORDER BY name)").Scan(&all); err != nil {
			t.Fatal(err)
		}
		var version int
		if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(version, " ", all)
	}
	r := request{Database: filepath.Join(t.TempDir(), "dav.db"), Mailbox: "m", Scripts: []script{{UID: 1, ID: "i", Name: "n"}}}
	if _, err := run(lines(t, r)); err != nil {
		t.Fatal(err)
	}
	theirs, _ := filepath.Glob(filepath.Join(data.Unpack(t, data.ByID), "conf/user/uuid/*/*/*/dav.db"))
	if len(theirs) == 0 || tables(r.Database) != tables(theirs[0]) {
		t.Errorf("ours\n%s\nCyrus's\n%s", tables(r.Database), tables(theirs[0]))
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none.db")
	if _, err := run(lines(t, request{Database: none, Mailbox: "m"})); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a database was made for nothing")
	}
	bad := filepath.Join(dir, "bad.db")
	if err := os.WriteFile(bad, bytes.Repeat([]byte("x"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	one := []script{{UID: 1, ID: "i", Name: "n"}}
	for in, want := range map[string]int{
		"{":                               65,
		`{"databse": "x"}`:                65,
		`{"database": "", "mailbox":"m"}`: 65,
		lines(t, request{Database: bad, Mailbox: "m", Scripts: one}).String():                  75,
		lines(t, request{Database: "/dev/null/x/dav.db", Mailbox: "m", Scripts: one}).String(): 75,
		lines(t, request{Database: none, Mailbox: "m", Scripts: append(one, one...)}).String(): 75,
	} {
		if status, err := run(strings.NewReader(in)); status != want || err == nil {
			t.Errorf("%s: %d, %v", in, status, err)
		}
	}
	if fi, err := os.Stat(none); err == nil && fi.Size() > 0 {
		t.Error("half a request was carried out")
	}
}

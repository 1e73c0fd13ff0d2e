package main

import (
	"database/sql"
	_ "embed" // schema.sql
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema makes all tables of a dav.db.
//
//go:embed schema.sql
var schema string

// schemaVersion is the user_version of a database with these tables. Cyrus
// brings older ones up to it when it opens them; to the oldest one here, 13 and
// below, no rows are added.
const schemaVersion = 14

// write replaces the rows of one mailbox, in one transaction. SQLite's
// journal makes a database that was interrupted what it was before.
func (r *request) write() (err error) {
	_, err = os.Stat(r.Database)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh && len(r.Scripts) == 0 {
		return nil
	}
	if fresh {
		if err := os.MkdirAll(filepath.Dir(r.Database), 0o755); err != nil {
			return err
		}
	}
	name := (&url.URL{Scheme: "file", Path: r.Database, RawQuery: "_pragma=busy_timeout(20000)&_pragma=synchronous(full)&_txlock=exclusive"}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := r.replace(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// replace does the work of write.
func (r *request) replace(tx *sql.Tx) error {
	var version, tables int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := tx.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	switch {
	case tables == 0:
		if err := create(tx); err != nil {
			return err
		}
	case version != schemaVersion:
		return fmt.Errorf("it has version %d, not %d: Cyrus's dav_reconstruct makes its rows", version, schemaVersion)
	}
	if _, err := tx.Exec("DELETE FROM sieve_scripts WHERE mailbox = ?", r.Mailbox); err != nil {
		return err
	}
	for i := range r.Scripts {
		s := &r.Scripts[i]
		_, err := tx.Exec(`INSERT INTO sieve_scripts (creationdate, lastupdated, mailbox, imap_uid, modseq, createdmodseq, id, name, contentid, isactive, alive)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
			s.Created, s.Updated, r.Mailbox, s.UID, int64(s.Modseq), int64(s.CreatedModseq), s.ID, s.Name, s.Content, s.Active)
		if err != nil {
			return fmt.Errorf("script %q: %w", s.Name, err)
		}
	}
	return nil
}

// create makes the tables of a new database.
func create(tx *sql.Tx) error {
	for line := range strings.Lines(schema) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		if _, err := tx.Exec(line); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	return err
}

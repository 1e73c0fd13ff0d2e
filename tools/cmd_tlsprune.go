package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

const tlsPruneUse = "tls_prune [-C <altconfig>]\n"

// tlsPrune removes the sessions that have expired from the database of TLS
// sessions. Only Cyrus's own programs write one; without it there is
// nothing to do.
//
// Source: tls_prune_sessions in Cyrus imap/tls.c.
func tlsPrune(p *program) int { return p.end(p.tlsPrune()) }

func (p *program) tlsPrune() error {
	opts, _, err := p.options("C:", tlsPruneUse, exMinusOne)
	if err != nil {
		return err
	}
	var conf string
	for _, o := range opts {
		conf = o.Arg
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	path := config.TlsSessionsDbPath.In(c)
	if path == "" {
		path = filepath.Join(config.Configdirectory.In(c), "tls_sessions.db")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		p.notice("tls_prune: %s not found, nothing to do", path)
		return nil
	}
	locks := lock.NewTable(disk.OS(), p.log)
	db, err := cyrusdb.Open(disk.OS(), locks, config.TlsSessionsDb.In(c), path, 0)
	if err != nil {
		return &exit{exFailure, fmt.Errorf("DBERROR: opening %s: %w", path, err)}
	}
	defer db.Close()
	removed, count, err := prune(context.Background(), db, time.Now())
	p.notice("tls_prune: purged %d out of %d entries", removed, count)
	return err
}

// prune removes the sessions whose time is before now. It returns how many
// it removed and how many there were.
func prune(ctx context.Context, db cyrusdb.DB, now time.Time) (removed, count int, err error) {
	var old []cyrusdb.Cond
	err = db.Scan(ctx, nil, func(key, value []byte) (bool, error) {
		count++
		if expires(value).Before(now) {
			old = append(old, cyrusdb.Cond{Key: clone(key), Value: clone(value)})
		}
		return true, nil
	})
	if err != nil {
		return 0, count, err
	}
	for _, c := range old {
		tx := cyrusdb.Tx{If: []cyrusdb.Cond{c}, Set: []cyrusdb.KV{{Key: c.Key}}}
		switch err := db.Commit(ctx, tx); {
		case errors.Is(err, cyrusdb.ErrConflict): // renewed meanwhile
		case err != nil:
			return removed, count, err
		default:
			removed++
		}
	}
	return removed, count, nil
}

// clone copies b; the copy is never nil, which would mean "absent".
func clone(b []byte) []byte { return append([]byte{}, b...) }

// expires returns the time that a record begins with: a C time_t, here of
// eight bytes. A record that is too short is older than anything.
func expires(value []byte) time.Time {
	if len(value) < 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(value)), 0)
}

package mboxkey

import (
	"context"
	"maps"
	"slices"

	"gocyrus/libcyrus/cyrusdb"
)

// Check reports whether all records of a database of secrets can be read.
func Check(ctx context.Context, db cyrusdb.DB) error {
	return db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		_, err := decode(v, string(k))
		return err == nil, err
	})
}

// Merge gives a user the secrets of another database, durably and in one step.
// Those that he has for the same mailboxes are replaced.
//
// Source: mboxkey_merge in Cyrus imap/mboxkey.c.
func (s *Store) Merge(ctx context.Context, userID string, from cyrusdb.DB) error {
	secrets := map[string][]byte{}
	err := from.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		if _, err := decode(v, string(k)); err == nil {
			secrets[string(k)] = append([]byte(nil), v...)
		}
		return true, nil
	})
	if err != nil || len(secrets) == 0 {
		return err
	}
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	var tx cyrusdb.Tx
	for _, k := range slices.Sorted(maps.Keys(secrets)) {
		tx.Put([]byte(k), secrets[k])
	}
	return s.pool.Use(path, cyrusdb.Create, func(db cyrusdb.DB) error { return db.Commit(ctx, tx) })
}

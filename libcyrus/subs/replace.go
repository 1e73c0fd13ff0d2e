package subs

import (
	"context"
	"fmt"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/mboxname"
)

// Names returns the mailboxes in a database of subscriptions of a user, in
// either of the forms that Cyrus knows. A key that is no mailbox is an error.
func Names(ctx context.Context, userID string, db cyrusdb.DB) (names []mboxname.Name, err error) {
	old, err := isOld(ctx, db)
	if err != nil {
		return nil, err
	}
	err = db.Scan(ctx, nil, func(k, _ []byte) (bool, error) {
		if string(k) == versionKey {
			return true, nil
		}
		n := mboxname.Name(k)
		if !old {
			n = name(userID, string(k))
		}
		if n == "" {
			return false, fmt.Errorf("subs: %q is no subscription", k)
		}
		names = append(names, n)
		return true, nil
	})
	return names, err
}

// Replace makes the list of a user these mailboxes, durably and in one step.
func (s *Store) Replace(ctx context.Context, userID string, names []mboxname.Name) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.upgrade(ctx, userID, path); err != nil {
		return err
	}
	return s.pool.Use(path, cyrusdb.Create, func(db cyrusdb.DB) error {
		var tx cyrusdb.Tx
		keep := map[string]bool{versionKey: true}
		for _, n := range names {
			k := key(userID, n)
			keep[string(k)] = true
			tx.Put(k, []byte{})
		}
		err := db.Scan(ctx, nil, func(k, _ []byte) (bool, error) {
			if !keep[string(k)] {
				tx.Delete(append([]byte(nil), k...))
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		return withVersion{db}.Commit(ctx, tx)
	})
}

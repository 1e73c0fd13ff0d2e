package seen

import (
	"context"

	"gocyrus/libcyrus/cyrusdb"
)

// Check reports whether all entries of a database of seen states can be read.
func Check(ctx context.Context, db cyrusdb.DB) error {
	return db.Scan(ctx, nil, func(_, v []byte) (bool, error) {
		_, err := decode(v)
		return err == nil, err
	})
}

// Merge adds what another database knows of a user, durably, one mailbox
// after the other: of two states of a mailbox the one that was read later
// stays. What cannot be read is left out. Done again it changes nothing.
//
// Source: seen_merge in Cyrus imap/seen_db.c.
func (s *Store) Merge(ctx context.Context, userID string, from cyrusdb.DB) error {
	states := map[string]State{}
	err := from.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		if st, err := decode(v); err == nil {
			states[string(k)] = st
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for id, st := range states {
		err := s.Update(ctx, userID, id, func(old *State) {
			if st.LastRead >= old.LastRead {
				*old = st
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

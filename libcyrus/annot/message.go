package annot

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/errs"
)

// Message is an annotation of a message.
type Message struct {
	UID uint32
	Key
	Value  []byte // nil removes it
	Modseq uint64 // 0: that of MessageSet
	Quiet  bool   // of one that is appended: it takes no modseq of its own
}

// Messages says which mailbox's database is meant.
type Messages struct {
	Path  string // cyrus.annotations, see mboxname.Layout.MetaPath
	Owner string // of the mailbox; "" if it is shared
}

// MessageEach calls fn for the annotations of a message, or with uid 0 of
// all. Removed ones are left out.
func (s *Store) MessageEach(ctx context.Context, m Messages, uid uint32, fn func(Message, uint64) error) error {
	return s.pool.Read(m.Path, func(db cyrusdb.DB) error {
		var prefix []byte
		if uid != 0 {
			prefix = append([]byte(uidScope(uid)), 0)
		}
		return db.ScanPrefix(ctx, prefix, func(kb, vb []byte) (bool, error) {
			scope, k, ok := parseKey(kb)
			n, err := strconv.ParseUint(scope, 10, 32)
			if !ok || err != nil {
				return true, nil
			}
			v, err := decode(vb)
			if err != nil {
				s.o.Log.Error("DBERROR: annotation cannot be read", "file", m.Path, "uid", n, "entry", k.Entry, "error", err)
				return true, nil
			}
			if v.Deleted {
				return true, nil
			}
			return true, fn(Message{UID: uint32(n), Key: k.real(m.Owner), Value: v.Data, Modseq: v.Modseq}, v.Modseq)
		})
	})
}

// MessageSet stores annotations of messages with a modseq, all or none;
// they last on return. What was removed leaves a mark with the modseq. delta
// is the change in the octets that values take. The caller holds the index
// lock of the mailbox exclusive.
func (s *Store) MessageSet(ctx context.Context, m Messages, modseq uint64, set []Message) (delta int64, err error) {
	if len(set) == 0 {
		return 0, nil
	}
	err = s.pool.Use(m.Path, cyrusdb.Create, func(db cyrusdb.DB) error {
		var tx cyrusdb.Tx
		seen := map[string]int64{} // sizes after the earlier changes of this call
		for _, a := range set {
			if err := a.check(); err != nil {
				return err
			}
			key := a.owned(m.Owner).encode(uidScope(a.UID))
			old, known := seen[string(key)]
			if !known {
				b, err := db.Get(ctx, key)
				if err != nil && !errors.Is(err, cyrusdb.ErrNotFound) {
					return err
				}
				if err != nil && a.Value == nil {
					continue // nothing to remove
				}
				old = size(b)
			}
			delta += int64(len(a.Value)) - old
			seen[string(key)] = int64(len(a.Value))
			tx.Put(key, Value{Data: a.Value, Modseq: cmp.Or(a.Modseq, modseq), Deleted: a.Value == nil}.encode())
		}
		if len(tx.Set) == 0 {
			return nil
		}
		return db.Commit(ctx, tx)
	})
	return delta, err
}

// MessageDrop forgets everything about messages, marks too. The caller
// holds the mailbox lock exclusive.
func (s *Store) MessageDrop(ctx context.Context, m Messages, uids []uint32) error {
	return s.pool.Read(m.Path, func(db cyrusdb.DB) error {
		var tx cyrusdb.Tx
		for _, uid := range uids {
			if uid == 0 {
				return errs.New(errs.BadArgument, "annot.MessageDrop", m.Path, nil)
			}
			err := db.ScanPrefix(ctx, append([]byte(uidScope(uid)), 0), func(k, _ []byte) (bool, error) {
				tx.Delete(append([]byte(nil), k...))
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		if len(tx.Set) == 0 {
			return nil
		}
		return db.Commit(ctx, tx)
	})
}

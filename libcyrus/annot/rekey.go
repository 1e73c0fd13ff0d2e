package annot

import (
	"bytes"
	"context"
	"slices"

	"gocyrus/libcyrus/cyrusdb"
)

// Rekeyed is the records of a database from before Cyrus 3.6, whose keys
// began with the names of mailboxes, as they are now.
type Rekeyed struct {
	Records []cyrusdb.KV // in the order of their octets
	Changed int          // how many began with a name
	Lost    [][]byte     // the keys of those whose mailbox there is no more
}

// Rekey reads all annotations of server and mailboxes. Lookup is asked what
// stands for a mailbox in a key: it returns the unique id and the owner ("" =
// none) of the mailbox with that name or that id, or false. Records of the
// server, and those that began with an id already, stay as they are.
//
// Source: annotatemore_upgrade in Cyrus imap/annotate.c, which loses the
// records of the server.
func Rekey(ctx context.Context, db cyrusdb.DB, lookup func(scope string) (id, owner string, ok bool)) (*Rekeyed, error) {
	r := &Rekeyed{}
	err := db.Scan(ctx, nil, func(kb, vb []byte) (bool, error) {
		scope, k, ok := parseKey(kb)
		if !ok {
			r.Lost = append(r.Lost, bytes.Clone(kb))
			return true, nil
		}
		key := bytes.Clone(kb)
		if scope != "" {
			id, owner, ok := lookup(scope)
			if !ok {
				r.Lost = append(r.Lost, key)
				return true, nil
			}
			if id != scope {
				key = k.owned(owner).encode(id)
				r.Changed++
			}
		}
		r.Records = append(r.Records, cyrusdb.KV{Key: key, Value: bytes.Clone(vb)})
		return true, nil
	})
	r.sort()
	return r, err
}

// AddOwners adds the owners' private values of one entry, by the unique ids
// of their mailboxes, where there is none yet.
func (r *Rekeyed) AddOwners(entry string, values map[string]string) {
	known := len(r.Records)
	for id, data := range values {
		key := Key{entry, ownerToken}.encode(id)
		if _, ok := slices.BinarySearchFunc(r.Records[:known], key, byKey); !ok {
			r.Records = append(r.Records, cyrusdb.KV{Key: key, Value: Value{Data: []byte(data)}.encode()})
			r.Changed++
		}
	}
	r.sort()
}

// sort puts the records into order. Of two with one key, which a private
// value under the owner's name and one under the token would have, the later
// of the old order goes.
func (r *Rekeyed) sort() {
	slices.SortStableFunc(r.Records, func(a, b cyrusdb.KV) int { return byKey(a, b.Key) })
	r.Records = slices.CompactFunc(r.Records, func(a, b cyrusdb.KV) bool { return bytes.Equal(a.Key, b.Key) })
}

func byKey(a cyrusdb.KV, key []byte) int { return bytes.Compare(a.Key, key) }

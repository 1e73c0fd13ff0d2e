// Package cyrusdb opens databases of all the kinds that Cyrus's options
// (mboxlist_db, subscription_db, …) may name, behind one interface.
package cyrusdb

import (
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// The interface; see package kv.
type (
	DB       = kv.DB
	Tx       = kv.Tx
	Cond     = kv.Cond
	KV       = kv.KV
	ScanFunc = kv.ScanFunc
	Flags    = kv.Flags
)

// Create makes an empty database if there is none.
const Create = kv.Create

// The errors that callers ask for with errors.Is.
var (
	ErrNotFound = kv.ErrNotFound
	ErrConflict = kv.ErrConflict
)

// Open opens the file (for quotalegacy: the directory) of a database kept
// in files. A twoskip or skiplist file is recognised by its first bytes
// whatever kind says, as Cyrus does; kind is for new ones: "twoskip",
// "flat", "skiplist", "quotalegacy".
func Open(fsys disk.FS, locks *lock.Table, kind, path string, flags Flags) (DB, error) {
	panic("being written")
}

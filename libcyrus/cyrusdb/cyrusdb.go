// Package cyrusdb opens databases of all the kinds that Cyrus's options
// (mboxlist_db, subscription_db, …) may name, behind one interface.
package cyrusdb

import (
	"errors"
	"io"
	"io/fs"

	"gocyrus/libcyrus/cyrusdb/flat"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/cyrusdb/skiplist"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
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

// Open opens the file (for quotalegacy: the directory) of a database that
// is kept in files. Kind is "twoskip", "flat", "skiplist" or "quotalegacy".
// A twoskip or skiplist file is recognised by its first bytes whatever kind
// says, as Cyrus does; "skiplist" makes a twoskip file if there is none. The
// error for a file that is not there is of kind fs.ErrNotExist.
func Open(fsys disk.FS, locks *lock.Table, kind, path string, flags Flags) (DB, error) {
	if kind == "quotalegacy" {
		return quotalegacy.Open(fsys, locks, quotalegacy.Layout{Base: path}), nil
	}
	found, err := Detect(fsys, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, disk.Error("cyrusdb.Open", path, err)
	}
	if found == "skiplist" {
		return openOld(fsys, locks, path)
	}
	if found == "" {
		found = kind
	}
	switch found {
	case "twoskip", "skiplist":
		db, err := twoskip.Open(fsys, locks, path, flags)
		if err != nil {
			return nil, err
		}
		return db, nil
	case "flat":
		db, err := flat.Open(fsys, locks, path, flags)
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	return nil, errs.New(errs.NotSupported, "cyrusdb.Open", path, errors.New("no database of type "+kind))
}

// Detect says which kind of file path is by its first bytes: "twoskip",
// "skiplist", or "" for any other (Cyrus lib/cyrusdb.c cyrusdb_detect).
func Detect(fsys disk.FS, path string) (string, error) {
	const enough = 32
	f, err := fsys.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b [enough]byte
	switch _, err := f.ReadAt(b[:], 0); {
	case err == io.EOF:
		return "", nil
	case err != nil:
		return "", err
	case string(b[:len(twoskip.Magic)]) == twoskip.Magic:
		return "twoskip", nil
	case string(b[:len(skiplist.Magic)]) == skiplist.Magic:
		return "skiplist", nil
	}
	return "", nil
}

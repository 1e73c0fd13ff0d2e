// Package flat reads and writes Cyrus's flat databases: text files with a
// line `key TAB value` per record, sorted. Every change writes a new file
// and renames it over the old one, so readers need no lock
// (Cyrus lib/cyrusdb_flat.c). It is meant for small databases.
package flat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// DB is an open database. It implements kv.DB. Its keys are in the order of
// Compare.
type DB struct {
	fs    disk.FS
	locks *lock.Table
	path  string

	mu      sync.Mutex
	f       disk.File // kept open, so that its inode number stays its own
	ino     uint64
	size    int64
	records []record
}

var _ kv.DB = (*DB)(nil)

// record is a line. encoded is the key as it stands in the file.
type record struct {
	encoded, key, value []byte
}

// Open opens the database in the file path. A file of no octets is a
// database without records.
func Open(fsys disk.FS, locks *lock.Table, path string, flags kv.Flags) (*DB, error) {
	d := &DB{fs: fsys, locks: locks, path: path}
	_, err := d.load()
	if errors.Is(err, fs.ErrNotExist) && flags&kv.Create != 0 {
		if err = d.create(); err == nil {
			_, err = d.load()
		}
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *DB) create() error {
	const flag = os.O_RDWR | os.O_CREATE
	f, err := d.fs.OpenFile(d.path, flag, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err = disk.MkdirSync(d.fs, filepath.Dir(d.path), 0o755); err == nil {
			f, err = d.fs.OpenFile(d.path, flag, 0o666)
		}
	}
	if err != nil {
		return disk.Error("flat.create", d.path, err)
	}
	return f.Close()
}

// Close forgets the file.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.f == nil {
		return nil
	}
	err := d.f.Close()
	d.f, d.records = nil, nil
	return err
}

// load returns the records of the file that path names now. They are not
// changed afterwards.
func (d *DB) load() ([]record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fi, err := d.fs.Stat(d.path)
	if err != nil {
		return nil, disk.Error("flat.read", d.path, err)
	}
	if d.f != nil && disk.Inode(fi) == d.ino && fi.Size() == d.size {
		return d.records, nil
	}
	f, err := d.fs.Open(d.path)
	if err != nil {
		return nil, disk.Error("flat.read", d.path, err)
	}
	fi, err = f.Stat()
	var b []byte
	if err == nil {
		b = make([]byte, fi.Size())
		_, err = io.ReadFull(f, b)
	}
	if err != nil {
		f.Close()
		return nil, disk.Error("flat.read", d.path, err)
	}
	records, err := parse(b)
	if err != nil {
		f.Close()
		return nil, errs.New(errs.BadFormat, "flat.read", d.path, err)
	}
	if d.f != nil {
		d.f.Close()
	}
	d.f, d.ino, d.size, d.records = f, disk.Inode(fi), fi.Size(), records
	return records, nil
}

// parse reads a file. What is not sorted is sorted; of equal keys the last counts.
func parse(b []byte) ([]record, error) {
	var out []record
	sorted := true
	for n := 1; len(b) > 0; n++ {
		line, rest, ok := bytes.Cut(b, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("line %d has no end", n)
		}
		b = rest
		key, value, ok := bytes.Cut(line, []byte{'\t'})
		if !ok {
			return nil, fmt.Errorf("line %d has no TAB", n)
		}
		r := record{encoded: key, key: decode(key), value: decode(value)}
		if len(out) > 0 && compareEncoded(out[len(out)-1].encoded, key) >= 0 {
			sorted = false
		}
		out = append(out, r)
	}
	if sorted {
		return out, nil
	}
	slices.SortStableFunc(out, func(a, b record) int { return compareEncoded(a.encoded, b.encoded) })
	kept := out[:0]
	for i, r := range out {
		if i+1 == len(out) || compareEncoded(r.encoded, out[i+1].encoded) != 0 {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// format is the file with these records.
func format(records []record) []byte {
	var b []byte
	for _, r := range records {
		b = append(append(b, r.encoded...), '\t')
		b = append(appendEncoded(b, r.value), '\n')
	}
	return b
}

const escape = 0xff

// appendEncoded appends s with NUL, TAB, CR and LF escaped.
func appendEncoded(b, s []byte) []byte {
	for _, c := range s {
		switch c {
		case 0, '\t', '\r', '\n':
			b = append(b, escape, c|0x80)
		case escape:
			b = append(b, escape, escape)
		default:
			b = append(b, c)
		}
	}
	return b
}

// decode undoes appendEncoded. A lone escape at the end is left out.
func decode(s []byte) []byte {
	if bytes.IndexByte(s, escape) < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == escape {
			if i++; i == len(s) {
				break
			}
			if c = s[i]; c != escape {
				c &^= 0x80
			}
		}
		out = append(out, c)
	}
	return out
}

// order is how octets compare (Cyrus lib/bsearch.c): NUL, then TAB and LF as
// ends of the key, then the dot, then all others.
var order = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if 0 < c && c < 9 {
			t[c] = byte(c + 2)
		}
	}
	t['\t'], t['\n'], t['.'] = 1, 1, 2
	return t
}()

// compareEncoded compares keys as they stand in the file.
func compareEncoded(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if d := int(order[a[i]]) - int(order[b[i]]); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

// find returns where a key is, or would be.
func find(records []record, encoded []byte) (int, bool) {
	return slices.BinarySearchFunc(records, encoded, func(r record, e []byte) int { return compareEncoded(r.encoded, e) })
}

// Get returns a copy of the value of key.
func (d *DB) Get(ctx context.Context, key []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.New(errs.Locked, "flat.Get", d.path, err)
	}
	records, err := d.load()
	if err != nil {
		return nil, err
	}
	return get(records, key)
}

func get(records []record, key []byte) ([]byte, error) {
	i, ok := find(records, appendEncoded(nil, key))
	if !ok {
		return nil, kv.ErrNotFound
	}
	return append([]byte{}, records[i].value...), nil
}

// Scan calls fn for the records from a key on, as they were when it began.
func (d *DB) Scan(ctx context.Context, from []byte, fn kv.ScanFunc) error {
	records, err := d.load()
	if err != nil {
		return err
	}
	i, _ := find(records, appendEncoded(nil, from))
	for _, r := range records[i:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := fn(r.key, r.value)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// ScanPrefix calls fn for the records whose keys begin with prefix.
func (d *DB) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	return kv.ScanPrefix(ctx, d, prefix, fn)
}

// Commit makes all changes of tx or none.
func (d *DB) Commit(ctx context.Context, tx kv.Tx) error {
	f, held, err := d.locks.OpenFile(ctx, d.path, os.O_RDWR, lock.Exclusive)
	if err != nil {
		return disk.Error("flat.Commit", d.path, err)
	}
	defer f.Close()
	defer held.Release()
	records, err := d.load()
	if err != nil {
		return err
	}
	for _, c := range tx.If {
		ok, err := c.Holds(get(records, c.Key))
		if err != nil {
			return err
		}
		if !ok {
			return kv.ErrConflict
		}
	}
	records, changed, err := apply(slices.Clone(records), tx.Set)
	if err != nil || !changed {
		return err
	}
	return disk.Error("flat.Commit", d.path, disk.ReplaceSync(d.fs, d.path, format(records), 0o666))
}

func apply(records []record, set []kv.KV) (out []record, changed bool, err error) {
	for _, c := range set {
		if len(c.Key) == 0 {
			return nil, false, errs.New(errs.BadArgument, "flat.Commit", "", errors.New("empty key"))
		}
		r := record{encoded: appendEncoded(nil, c.Key), key: c.Key, value: c.Value}
		i, ok := find(records, r.encoded)
		switch {
		case c.Value == nil && !ok:
			continue
		case c.Value == nil:
			records = slices.Delete(records, i, i+1)
		case ok && bytes.Equal(records[i].value, c.Value):
			continue
		case ok:
			records[i] = r
		default:
			records = slices.Insert(records, i, r)
		}
		changed = true
	}
	return records, changed, nil
}

package dbd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/errs"
)

// Name says which database of a site: the octet in front of its keys. It
// never changes its meaning; 0 is the server's own.
type Name byte

// The databases.
const (
	Mailboxes   Name = 'M'
	Annotations Name = 'A'
	Duplicates  Name = 'D'
	UserDeny    Name = 'U'
)

// DB is one database of the server. It implements kv.DB; keys are ordered
// by their octets.
type DB struct {
	c     *Client
	name  byte
	cache cache
}

var _ kv.DB = (*DB)(nil)

// DB returns a database.
func (c *Client) DB(name Name) *DB { return &DB{c: c, name: byte(name)} }

// Close forgets what was read. The client stays open.
func (d *DB) Close() error {
	d.cache.clear()
	return nil
}

// Get returns a copy of the value of key.
func (d *DB) Get(ctx context.Context, key []byte) ([]byte, error) {
	// The generation must be older than the answer.
	generation := uint64(1)
	if p := d.c.page.Load(); p != nil {
		generation = p.Generation(d.name, key)
		if value, ok := d.cache.get(key, generation); ok {
			if value == nil {
				return nil, kv.ErrNotFound
			}
			return append(make([]byte, 0, len(value)), value...), nil
		}
	}
	status, payload, err := d.c.do(ctx, dbwire.Get, func(b []byte) []byte {
		return dbwire.AppendKey(b, d.name, key)
	})
	switch {
	case err != nil:
		return nil, err
	case status == dbwire.NotFound:
		d.cache.put(key, generation, nil)
		return nil, kv.ErrNotFound
	case status != dbwire.OK:
		return nil, statusError(dbwire.Get, status, payload)
	}
	d.cache.put(key, generation, append(make([]byte, 0, len(payload)), payload...))
	return payload, nil
}

// Changes returns a number that is another one after any change of the
// database, by whomever; ok is false if it cannot be known now. Asking
// costs nothing.
func (d *DB) Changes() (n uint64, ok bool) {
	p := d.c.page.Load()
	if p == nil {
		return 0, false
	}
	n = p.Changes(d.name)
	return n, n&1 == 0
}

const (
	// A scan asks for a little first and for more each time.
	firstScan = 8 << 10
	maxScan   = 256 << 10
)

// Scan calls fn for the records from a key on.
func (d *DB) Scan(ctx context.Context, from []byte, fn kv.ScanFunc) error {
	return d.scan(ctx, from, []byte{d.name + 1}, fn)
}

// ScanPrefix calls fn for the records whose keys begin with prefix.
func (d *DB) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	end := append([]byte{d.name}, prefix...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 { // name is below 255, so this ends
			end = end[:i+1]
			break
		}
	}
	return d.scan(ctx, prefix, end, fn)
}

// scan asks for the records from `from` to before end, piece by piece.
func (d *DB) scan(ctx context.Context, from, end []byte, fn kv.ScanFunc) error {
	return d.c.scan(ctx, dbwire.Scan, nil, d.name, from, end, fn)
}

// scan is DB.scan by an operation whose payload begins with head.
func (c *Client) scan(ctx context.Context, op dbwire.Op, head []byte, name byte, from, end []byte, fn kv.ScanFunc) error {
	from = bytes.Clone(from)
	for limit := uint32(firstScan); ; limit = min(4*limit, maxScan) {
		if err := ctx.Err(); err != nil {
			return err
		}
		status, payload, err := c.do(ctx, op, func(b []byte) []byte {
			b = dbwire.AppendBytes(dbwire.AppendKey(append(b, head...), name, from), end)
			return binary.BigEndian.AppendUint32(b, limit)
		})
		if err == nil {
			err = statusError(op, status, payload)
		}
		if err != nil {
			return err
		}
		r := dbwire.Reader{B: payload}
		more := r.U8() != 0
		var last []byte
		for len(r.B) > 0 {
			key, value := r.Bytes(), r.Bytes()
			if r.Bad || len(key) == 0 {
				return errs.New(errs.IO, "dbd.Scan", "", errors.New("bad answer"))
			}
			last = key[1:]
			on, err := fn(last, value)
			if err != nil || !on {
				return err
			}
		}
		if !more || last == nil {
			return nil
		}
		from = append(append(from[:0], last...), 0)
	}
}

// Commit makes all changes of tx or none. What was written is remembered as if
// it had been read: whoever changes a record mostly reads it next.
func (d *DB) Commit(ctx context.Context, tx kv.Tx) error {
	if len(tx.Set) == 0 && len(tx.If) == 0 {
		return nil
	}
	size := 0
	for _, s := range tx.Set {
		if len(s.Key) == 0 {
			return errs.New(errs.BadArgument, "dbd.Commit", "", errors.New("empty key"))
		}
		size += len(s.Key) + len(s.Value) + 16
	}
	if size > dbwire.MaxFrame/2 {
		return errs.New(errs.BadArgument, "dbd.Commit", "", errors.New("transaction is too large"))
	}
	seq, done := d.c.begin()
	defer d.c.end(seq)
	before := d.generations(tx.Set)
	status, payload, err := d.c.do(ctx, dbwire.Commit, func(b []byte) []byte {
		return dbwire.CommitRequest{Seq: seq, Done: done, Tx: tx}.Append(b, d.name)
	})
	if err == nil {
		err = statusError(dbwire.Commit, status, payload)
	}
	if err == nil {
		d.remember(tx.Set, before)
	}
	return err
}

// generations is those of the keys of a transaction, nil if there is no page.
func (d *DB) generations(set []kv.KV) []uint64 {
	p := d.c.page.Load()
	if p == nil {
		return nil
	}
	before := make([]uint64, len(set))
	for i := range set {
		before[i] = p.Generation(d.name, set[i].Key)
	}
	return before
}

// remember keeps what a transaction has written whose keys had these generations
// before it. A transaction raises a generation by two, so where it is two more
// now no other one has changed the key.
func (d *DB) remember(set []kv.KV, before []uint64) {
	p := d.c.page.Load()
	if p == nil || before == nil {
		return
	}
	for i := range set {
		if now := p.Generation(d.name, set[i].Key); before[i]&1 == 0 && now == before[i]+2 {
			d.cache.put(set[i].Key, now, bytes.Clone(set[i].Value))
		}
	}
}

// Clear removes all records.
func (d *DB) Clear(ctx context.Context) error {
	return d.c.plain(ctx, dbwire.Clear, func(b []byte) []byte {
		return dbwire.AppendBytes(dbwire.AppendBytes(b, []byte{d.name}), []byte{d.name + 1})
	})
}

// begin numbers a transaction. All below done have ended.
func (c *Client) begin() (seq, done uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	c.flying[c.seq] = true
	done = c.seq
	for s := range c.flying {
		done = min(done, s)
	}
	return c.seq, done
}

func (c *Client) end(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flying, seq)
}

// cache is what was read of a database. The zero value is ready for use.
type cache struct {
	mu      sync.RWMutex
	entries map[string]cached
	size    int
}

// cached is a value as it was while the generation of its key was this even
// number; nil if there was none.
type cached struct {
	generation uint64
	value      []byte
}

// maxCache is how many octets of keys and values are remembered. When it is
// full all is forgotten: what is needed is soon there again.
const maxCache = 16 << 20

func (c *cache) get(key []byte, generation uint64) (value []byte, ok bool) {
	if generation&1 != 0 {
		return nil, false
	}
	c.mu.RLock()
	e, ok := c.entries[string(key)]
	c.mu.RUnlock()
	return e.value, ok && e.generation == generation
}

func (c *cache) put(key []byte, generation uint64, value []byte) {
	if generation&1 != 0 {
		return
	}
	const overhead = 100 // of an entry, about
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || c.size > maxCache {
		c.entries, c.size = map[string]cached{}, 0
	}
	c.entries[string(key)] = cached{generation, value}
	c.size += len(key) + len(value) + overhead
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.size = nil, 0
}

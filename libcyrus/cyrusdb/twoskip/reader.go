package twoskip

import (
	"context"

	"gocyrus/libcyrus/cyrusdb/kv"
)

// Reader reads a database under one shared lock, which it holds until Close:
// for who reads much and knows that nobody is kept waiting. Whoever has one must
// close it before he changes the same database.
type Reader struct{ s *session }

// Reader locks the database for reading.
func (d *DB) Reader(ctx context.Context) (*Reader, error) {
	for {
		s, err := d.lock(ctx, false)
		if err != nil {
			return nil, err
		}
		s.h.mu.Lock()
		clean, err := s.h.look(s.size)
		s.h.mu.Unlock()
		if err == nil && clean {
			return &Reader{s}, nil
		}
		s.unlock()
		if err != nil && !isDamage(err) {
			return nil, err
		}
		if s, err = d.lockForWriting(ctx); err != nil {
			return nil, err
		}
		s.unlock()
	}
}

// Close releases the lock.
func (r *Reader) Close() { r.s.unlock() }

// view calls fn with the database.
func (r *Reader) view(fn func(*view) error) error {
	h := r.s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	return fn(&view{h: h, end: h.header.size})
}

// Get returns a copy of a value, or kv.ErrNotFound.
func (r *Reader) Get(key []byte) (value []byte, err error) {
	err = r.view(func(v *view) error {
		value, err = v.get(key)
		return err
	})
	return value, err
}

// ScanPrefix calls fn for the records whose keys begin with prefix.
func (r *Reader) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	return scan(ctx, prefix, prefix, fn, r.view)
}

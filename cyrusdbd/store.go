package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
)

const (
	// format is pebble's format of files. A newer pebble must go on writing
	// this one until a release notes the change, for it is one-way.
	format = pebble.FormatValueSeparation
	// Cache and memtable are what a list of 100,000 mailboxes was measured
	// with: 32 MiB resident.
	cacheSize    = 16 << 20
	memTableSize = 4 << 20
	maxOpenFiles = 500
	// clientMemory is how long the transactions of a client that has gone
	// are remembered; clients give up after seconds.
	clientMemory = 24 * time.Hour
)

// Keys of the server's own, below all databases.
var (
	keySite   = []byte{0, 's'}
	keyEpoch  = []byte{0, 'e'}
	keyClient = []byte{0, 'c'} // followed by the client's id
)

// store is the databases, and the order of changes to them.
type store struct {
	db       *pebble.DB
	page     *dbwire.Page
	log      *slog.Logger
	readOnly bool        // pebble was opened so
	full     atomic.Bool // there is hardly room on the disk
	site     string
	epoch    atomic.Uint64

	mu      sync.Mutex // guards what follows, and is held from the look at conditions until changes are visible
	clients map[dbwire.ClientID]*client
}

// client is what is remembered of the transactions of one.
type client struct {
	last time.Time
	done uint64   // all below have ended for the client
	seqs []uint64 // those from done on that were committed
}

// logger passes on what pebble says.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("DBERROR: pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the program, as pebble demands. Whoever starts it again finds
// all that was acknowledged.
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("DBERROR: pebble cannot go on: " + fmt.Sprintf(format, args...))
	os.Exit(exitTempFail)
}

func options(log *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion: format,
		CacheSize:          cacheSize,
		MemTableSize:       memTableSize,
		MaxOpenFiles:       maxOpenFiles,
		Logger:             logger{log},
	}
	return o
}

// openStore opens the databases in dir, for reading only if it cannot write.
func openStore(dir, page string, log *slog.Logger) (*store, error) {
	if err := disk.MkdirSync(disk.OS(), dir, 0o700); err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, options(log))
	if err == nil {
		return newStore(&store{db: db, log: log}, page)
	}
	if !hasManifest(dir) {
		return nil, err
	}
	log.Error("DBERROR: opening for reading only", "directory", dir, "error", err)
	return openReadOnly(dir, page, log)
}

// openReadOnly opens databases that cannot be written now.
func openReadOnly(dir, page string, log *slog.Logger) (*store, error) {
	o := options(log)
	o.ReadOnly = true
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return newStore(&store{db: db, log: log, readOnly: true}, page)
}

// newStore completes s.
func newStore(s *store, page string) (*store, error) {
	s.clients = map[dbwire.ClientID]*client{}
	err := s.load()
	if err == nil {
		s.page, err = dbwire.CreatePage(page)
	}
	if err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

// hasManifest reports whether there is a database in dir.
func hasManifest(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	return len(found) > 0
}

// load reads the keys of the server's own; a new database gets its name.
func (s *store) load() error {
	site, err := s.get(keySite)
	switch {
	case errors.Is(err, pebble.ErrNotFound) && !s.readOnly:
		var id [16]byte
		rand.Read(id[:])
		site = []byte(hex.EncodeToString(id[:]))
		if err := s.db.Set(keySite, site, pebble.Sync); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	s.site = string(site)
	epoch, err := s.get(keyEpoch)
	if err == nil && len(epoch) == 8 {
		s.epoch.Store(binary.BigEndian.Uint64(epoch))
	}
	return s.loadClients()
}

// loadClients reads what is remembered of clients, and forgets the old.
func (s *store) loadClients() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: keyClient, UpperBound: []byte{0, keyClient[1] + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		var id dbwire.ClientID
		c := new(client)
		if copy(id[:], it.Key()[len(keyClient):]) != len(id) || !c.decode(it.Value()) || time.Since(c.last) > clientMemory {
			if s.readOnly {
				continue
			}
			if err := s.db.Delete(bytes.Clone(it.Key()), pebble.NoSync); err != nil {
				return err
			}
			continue
		}
		s.clients[id] = c
	}
	return it.Error()
}

func (c *client) encode() []byte {
	be := binary.BigEndian
	b := be.AppendUint64(nil, uint64(c.last.Unix()))
	b = be.AppendUint64(b, c.done)
	for _, s := range c.seqs {
		b = be.AppendUint64(b, s)
	}
	return b
}

func (c *client) decode(b []byte) bool {
	if len(b) < 16 || len(b)%8 != 0 {
		return false
	}
	be := binary.BigEndian
	c.last, c.done = time.Unix(int64(be.Uint64(b)), 0), be.Uint64(b[8:])
	for b = b[16:]; len(b) > 0; b = b[8:] {
		c.seqs = append(c.seqs, be.Uint64(b))
	}
	return true
}

// committed reports whether the transaction was done already.
func (c *client) committed(seq uint64) bool {
	for _, s := range c.seqs {
		if s == seq {
			return true
		}
	}
	return false
}

// note adds a transaction, and forgets those that ended for the client.
func (c *client) note(seq, done uint64) {
	c.last = time.Now()
	c.done = max(c.done, done)
	kept := c.seqs[:0]
	for _, s := range c.seqs {
		if s >= c.done {
			kept = append(kept, s)
		}
	}
	c.seqs = append(kept, seq)
}

// get returns a copy of a value.
func (s *store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append(make([]byte, 0, len(v)), v...), nil
}

var (
	errConflict = errors.New("condition does not hold")
	errFull     = errors.New("no space left for the databases")
	errBadKey   = errors.New("invalid key")
)

// commit does a transaction. When the returned batch's SyncWait has
// returned nil it survives a power cut; a nil batch means that it does so
// already. Others see it at once.
func (s *store) commit(id dbwire.ClientID, req *dbwire.CommitRequest) (*pebble.Batch, error) {
	if s.readOnly || s.full.Load() {
		return nil, errFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[id]
	if c == nil {
		c = new(client)
	}
	if c.committed(req.Seq) {
		// It may not be synced yet: one behind it will be later.
		batch := s.db.NewBatch()
		batch.Set(clientKey(id), c.encode(), nil)
		if err := s.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
			s.die(err)
		}
		return batch, nil
	}
	for _, cond := range req.Tx.If {
		if err := s.check(cond.Key, cond.Value); err != nil {
			return nil, err
		}
	}
	if len(req.Tx.Set) == 0 {
		return nil, nil
	}
	batch := s.db.NewBatch()
	keys := make([][]byte, 0, len(req.Tx.Set))
	for _, set := range req.Tx.Set {
		if len(set.Key) < 2 || set.Key[0] == 0 {
			return nil, errBadKey
		}
		keys = append(keys, set.Key)
		if set.Value == nil {
			batch.Delete(set.Key, nil)
		} else {
			batch.Set(set.Key, set.Value, nil)
		}
	}
	c.note(req.Seq, req.Done)
	s.clients[id] = c
	batch.Set(clientKey(id), c.encode(), nil)
	err := s.page.Change(keys, func() error { return s.db.ApplyNoSyncWait(batch, pebble.Sync) })
	if err != nil {
		s.die(err)
	}
	return batch, nil
}

// die ends the program, because a change could not be written: it is not
// known whether others have seen it, and pebble accepts no more. The next
// server has what is on disk, and clients ask it again.
func (s *store) die(err error) {
	s.log.Error("DBERROR: a change could not be written", "error", err)
	os.Exit(exitTempFail)
}

func clientKey(id dbwire.ClientID) []byte { return append(bytes.Clone(keyClient), id[:]...) }

// check compares a value with what a condition wants.
func (s *store) check(key, want []byte) error {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		if want == nil {
			return nil
		}
		return errConflict
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if want == nil || !bytes.Equal(v, want) {
		return errConflict
	}
	return nil
}

// scanRecords appends the records from `from` to before end to b as key,
// value, … until there are limit octets. More says that there are others
// after them.
func scanRecords(of pebble.Reader, b, from, end []byte, limit int) (out []byte, more bool, err error) {
	it, err := of.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return b, false, err
	}
	defer it.Close()
	start := len(b)
	for ok := it.First(); ok; ok = it.Next() {
		if len(b)-start >= limit {
			return b, true, nil
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return b, false, err
		}
		b = dbwire.AppendBytes(dbwire.AppendBytes(b, it.Key()), v)
	}
	return b, false, it.Error()
}

// clear removes all keys of one database.
func (s *store) clear(from, end []byte) error {
	if len(from) != 1 || from[0] == 0 || len(end) != 1 || end[0] != from[0]+1 {
		return errBadKey
	}
	if s.readOnly || s.full.Load() {
		return errFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page.ChangeAll(from[0], func() error { return s.db.DeleteRange(from, end, pebble.Sync) })
}

// setEpoch stores the epoch.
func (s *store) setEpoch(n uint64) error {
	if s.readOnly {
		return errFull
	}
	if err := s.db.Set(keyEpoch, binary.BigEndian.AppendUint64(nil, n), pebble.Sync); err != nil {
		return err
	}
	s.epoch.Store(n)
	return nil
}

// empty reports whether there are no records in any database.
func (s *store) empty() (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{1}})
	if err != nil {
		return false, err
	}
	defer it.Close()
	return !it.First(), it.Error()
}

func (s *store) close() error { return s.db.Close() }

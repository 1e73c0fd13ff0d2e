package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"gocyrus/libcyrus/cyrusdb/dbwire"
)

const (
	// maxUnsynced is how many transactions of one client may wait for the
	// disk before its next request is read.
	maxUnsynced = 256
	maxScan     = 1 << 20 // octets of one answer
	// writeWait is how long a client may leave answers unread.
	writeWait = 10 * time.Second
)

// session is one client.
type session struct {
	srv    *server
	conn   *net.UnixConn
	r      *bufio.Reader
	client dbwire.ClientID
	unsync chan unsynced
	frozen map[uint64]*pebble.Snapshot // by handle; used by serve's goroutine alone

	mu  sync.Mutex // guards what follows
	out []byte     // replies that were not written yet
	err error      // of writing
}

// unsynced is a transaction that is visible, but not safe yet.
type unsynced struct {
	id    uint32
	batch *pebble.Batch
}

// command is how a request is answered: reply appends the payload.
type command func(s *session, payload []byte, b []byte) (dbwire.Status, []byte)

// commands are the requests but Hello and Commit. To add one: declare it in
// dbwire, and write a function and a line here.
var commands = map[dbwire.Op]command{
	dbwire.Ping:       (*session).ping,
	dbwire.Get:        (*session).get,
	dbwire.Scan:       (*session).scan,
	dbwire.Checkpoint: (*session).checkpoint,
	dbwire.Flush:      (*session).flushStore,
	dbwire.Clear:      (*session).clear,
	dbwire.SetEpoch:   (*session).setEpoch,
	dbwire.Handover:   (*session).handover,
	dbwire.Freeze:     (*session).freeze,
	dbwire.ScanFrozen: (*session).scanFrozen,
	dbwire.Thaw:       (*session).thaw,
}

// serve answers the client until it goes.
func (s *session) serve() error {
	s.r = bufio.NewReaderSize(s.conn, 32<<10)
	defer s.thawAll()
	if err := s.greet(); err != nil {
		return err
	}
	s.unsync = make(chan unsynced, maxUnsynced)
	var acks sync.WaitGroup
	acks.Go(s.acknowledge)
	defer acks.Wait()
	defer close(s.unsync)
	buf := make([]byte, 32<<10)
	for {
		id, op, payload, err := dbwire.ReadFrame(s.r, buf)
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if dbwire.Op(op) == dbwire.Commit {
			s.commit(id, payload)
		} else {
			s.answer(id, dbwire.Op(op), payload)
		}
		if s.r.Buffered() == 0 {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

// greet answers Hello, which must come first.
func (s *session) greet() error {
	id, op, payload, err := dbwire.ReadFrame(s.r, nil)
	if err != nil {
		return err
	}
	var req dbwire.HelloRequest
	if dbwire.Op(op) != dbwire.Hello || !req.Decode(payload) {
		return errors.New("no greeting")
	}
	if req.Max < dbwire.MinVersion || req.Min > dbwire.Version {
		s.reply(id, dbwire.Refused, []byte("protocol version is not supported"))
		return s.flush()
	}
	s.client = req.Client
	hello := s.srv.hello()
	hello.Version = min(req.Max, dbwire.Version)
	s.reply(id, dbwire.OK, hello.Append(nil))
	return s.flush()
}

// answer does a request at once.
func (s *session) answer(id uint32, op dbwire.Op, payload []byte) {
	do := commands[op]
	if do == nil {
		s.reply(id, dbwire.Refused, []byte("unknown operation"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	start := len(s.out)
	b := dbwire.AppendHead(s.out, id, 0)
	status, b := do(s, payload, b)
	b[start+8] = uint8(status)
	s.out = dbwire.Finish(b, start)
}

// reply puts an answer into the buffer.
func (s *session) reply(id uint32, status dbwire.Status, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := len(s.out)
	b := dbwire.AppendHead(s.out, id, uint8(status))
	s.out = dbwire.Finish(append(b, payload...), start)
}

// flush writes the answers.
func (s *session) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.out) > 0 && s.err == nil {
		s.conn.SetWriteDeadline(time.Now().Add(writeWait))
		_, s.err = s.conn.Write(s.out)
	}
	const keep = 1 << 20 // a larger buffer is not kept
	if s.out = s.out[:0]; cap(s.out) > keep {
		s.out = nil
	}
	return s.err
}

// commit does a transaction; the answer comes when it is safe.
func (s *session) commit(id uint32, payload []byte) {
	var req dbwire.CommitRequest
	if !req.Decode(payload) {
		s.reply(id, dbwire.Refused, []byte("no transaction"))
		return
	}
	batch, err := s.srv.store.commit(s.client, &req)
	switch {
	case err != nil:
		status, text := failure(err)
		s.reply(id, status, text)
	case batch == nil:
		s.reply(id, dbwire.OK, nil)
	default:
		s.unsync <- unsynced{id, batch}
	}
}

// acknowledge answers transactions as they become safe. Many share a sync,
// so several answers may go together.
func (s *session) acknowledge() {
	for u := range s.unsync {
		if err := u.batch.SyncWait(); err != nil {
			s.srv.store.die(err)
		}
		s.reply(u.id, dbwire.OK, nil)
		u.batch.Close()
		if len(s.unsync) == 0 {
			s.flush() // its error is seen by serve
		}
	}
}

// failure is how an error is told.
func failure(err error) (dbwire.Status, []byte) {
	status := dbwire.Failed
	switch {
	case errors.Is(err, errConflict):
		status = dbwire.Conflict
	case errors.Is(err, errFull):
		status = dbwire.DiskFull
	case errors.Is(err, errBadKey), errors.Is(err, errRefused):
		status = dbwire.Refused
	case errors.Is(err, pebble.ErrClosed):
		status = dbwire.Leaving
	}
	return status, []byte(err.Error())
}

// errRefused is a request that is not allowed.
var errRefused = errors.New("refused")

// done is the answer of a request that has no payload.
func done(b []byte, err error) (dbwire.Status, []byte) {
	if err == nil {
		return dbwire.OK, b
	}
	status, text := failure(err)
	return status, append(b, text...)
}

func (s *session) ping(_, b []byte) (dbwire.Status, []byte) { return dbwire.OK, b }

func (s *session) get(payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	key := r.Bytes()
	if len(key) == 0 || key[0] == 0 {
		return done(b, errBadKey)
	}
	v, closer, err := s.srv.store.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dbwire.NotFound, b
	}
	if err != nil {
		return done(b, err)
	}
	defer closer.Close()
	return dbwire.OK, append(b, v...)
}

func (s *session) scan(payload, b []byte) (dbwire.Status, []byte) {
	return scanOf(s.srv.store.db, payload, b)
}

// scanOf answers Scan from the databases, or from what they were.
func scanOf(of pebble.Reader, payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	from, end, limit := r.Bytes(), r.Bytes(), int(r.U32())
	if r.Bad || len(from) == 0 || from[0] == 0 || bytes.Compare(from, end) > 0 {
		return done(b, errBadKey)
	}
	at := len(b)
	b = append(b, 0)
	out, more, err := scanRecords(of, b, from, end, min(limit, maxScan))
	if err != nil {
		return done(out[:at], err)
	}
	if more {
		out[at] = 1
	}
	return dbwire.OK, out
}

func (s *session) checkpoint(payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	path := string(r.Bytes())
	if !filepath.IsAbs(path) {
		return done(b, errRefused)
	}
	return done(b, s.srv.store.db.Checkpoint(path, pebble.WithFlushedWAL()))
}

func (s *session) flushStore(_, b []byte) (dbwire.Status, []byte) {
	if s.srv.store.readOnly {
		return done(b, errFull)
	}
	return done(b, s.srv.store.db.Flush())
}

func (s *session) clear(payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	return done(b, s.srv.store.clear(r.Bytes(), r.Bytes()))
}

func (s *session) setEpoch(payload, b []byte) (dbwire.Status, []byte) {
	if len(payload) != 8 {
		return done(b, errBadKey)
	}
	return done(b, s.srv.store.setEpoch(binary.BigEndian.Uint64(payload)))
}

func (s *session) handover(_, b []byte) (dbwire.Status, []byte) {
	if s.srv.patience() == 0 {
		return done(b, errRefused)
	}
	s.srv.leave("another server takes over")
	return dbwire.OK, b
}

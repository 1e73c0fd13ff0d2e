package main

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"gocyrus/libcyrus/cyrusdb/dbwire"
)

// maxFrozen is how many frozen states one client may have: each keeps
// pebble from dropping what was deleted or replaced since.
const maxFrozen = 4

// freeze keeps all databases as they are now, until the client thaws them
// or goes. The handle is random, so that another server does not know it.
func (s *session) freeze(_, b []byte) (dbwire.Status, []byte) {
	if len(s.frozen) >= maxFrozen {
		return done(b, errRefused)
	}
	var handle [8]byte
	rand.Read(handle[:])
	if s.frozen == nil {
		s.frozen = map[uint64]*pebble.Snapshot{}
	}
	s.frozen[binary.BigEndian.Uint64(handle[:])] = s.srv.store.db.NewSnapshot()
	return dbwire.OK, append(b, handle[:]...)
}

func (s *session) scanFrozen(payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	state := s.frozen[r.U64()]
	if state == nil {
		return dbwire.NotFound, b
	}
	return scanOf(state, r.B, b)
}

func (s *session) thaw(payload, b []byte) (dbwire.Status, []byte) {
	r := dbwire.Reader{B: payload}
	handle := r.U64()
	state := s.frozen[handle]
	if state == nil {
		return dbwire.OK, b
	}
	delete(s.frozen, handle)
	return done(b, state.Close())
}

// thawAll is for a client that has gone.
func (s *session) thawAll() {
	for _, state := range s.frozen {
		if err := state.Close(); err != nil {
			s.srv.log.Warn("a frozen state of the databases cannot be given up", "error", err)
		}
	}
}

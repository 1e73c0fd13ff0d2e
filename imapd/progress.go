package main

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/worker"
)

// halfClosed is how often a client that sends nothing more is told something
// while a command runs: if it is gone for good the system will say so then.
const halfClosed = time.Second

// errCancelled is the answer to a command that somebody has cancelled, in the
// words of Cyrus (IMAP_CANCELLED).
const errCancelled = refusal("Command cancelled by user")

// progress is called from time to time while a command reads many messages: it
// tells the client how far that is (RFC 9585), and ends the command if nobody
// waits for the answer or it is cancelled. total is 0 if it is not known.
func (s *session) progress(done, total int) error {
	if s.conn.Cancelled() {
		return errCancelled
	}
	now := time.Now()
	every := s.progressInterval()
	switch s.conn.Peer() {
	case worker.PeerGone:
		s.done = true
		return errAnswered
	case worker.PeerSilent:
		every = halfClosed
	}
	if every == 0 || now.Sub(s.told) < every {
		return s.w.Err()
	}
	s.told = now
	s.w.Line("* OK ", s.inProgress(done, total), "Still working")
	if err := s.w.Flush(); err != nil {
		s.done = true
		return errAnswered
	}
	return nil
}

// progressInterval is how often a client is told that its command goes on; 0 is
// never.
func (s *session) progressInterval() time.Duration {
	if s.suppressed["INPROGRESS"] {
		return 0
	}
	return config.InprogressInterval.In(s.conf)
}

// inProgress is the response code INPROGRESS (RFC 9585 section 4), with a
// blank, where that is offered.
func (s *session) inProgress(done, total int) string {
	if s.suppressed["INPROGRESS"] {
		return ""
	}
	tag, at, of := `"`+s.tag+`"`, "NIL", "NIL"
	if strings.Contains(s.tag, "]") { // cannot stand in a response code
		tag = "NIL"
	}
	if total > done { // else it is as good as done
		at, of = strconv.Itoa(done), strconv.Itoa(total)
	}
	return "[INPROGRESS (" + tag + " " + at + " " + of + ")] "
}

// during runs fn, which changes something and takes as long as it takes, and
// tells the client meanwhile that it goes on. fn must not use the connection.
func (s *session) during(fn func() error) error {
	every := s.progressInterval()
	if every == 0 {
		return fn()
	}
	type result struct {
		err   error
		panic any
	}
	end := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			end <- r
		}()
		r.err = fn()
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case r := <-end:
			if r.panic != nil {
				panic(r.panic)
			}
			return r.err
		case <-tick.C:
			s.w.Line("* OK ", s.inProgress(0, 0), "Still working")
			s.w.Flush() // the error sticks
		}
	}
}

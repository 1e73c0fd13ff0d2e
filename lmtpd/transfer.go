package main

import (
	"fmt"
	"io"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
)

// dataTimeout bounds the silence of a client while it sends a message.
const dataTimeout = 5 * time.Minute

// A transfer is a message that the client is sending, at once (DATA) or in
// chunks (BDAT). It lies in its stage file.
type transfer struct {
	staged *mailbox.Staged // nil if there could be none
	m      *incoming       // nil if it could not be begun
	size   *sizeWriter
	err    error // why the message is refused
	told   bool  // … of which the client knows: it should give up
}

// transferTo begins to receive into a stage file, which the transfer will
// remove.
func (s *session) transferTo(staged *mailbox.Staged) *transfer {
	t := &transfer{staged: staged}
	t.m, t.err = s.newIncoming(staged)
	t.size = &sizeWriter{w: t.m, max: s.maxSize}
	return t
}

// take reads a piece of the message off the wire with read, which is given
// where to write it. It returns false if the connection broke, and then sets
// s.quit. What is wrong with the message, or with the disk, is kept in the
// transfer; then what read reads is thrown away.
func (s *session) take(read func(io.Writer) error) bool {
	t := s.mail.transfer
	var w io.Writer = io.Discard
	if t.err == nil {
		w = t.size
	}
	err := read(deadlineWriter{s, w})
	if err == nil || errs.KindOf(err) != errs.Internal {
		t.refuse(err)
		return true
	}
	// Not of the message: the client or the network failed.
	s.log.Info("connection lost in a message", "client", s.conn.Client(), "error", err)
	s.quit = true
	return false
}

// refuse notes why the message is refused, if err or its size says so.
func (t *transfer) refuse(err error) {
	if t.err != nil {
		return
	}
	if t.err = err; err == nil && t.size.got > t.size.max {
		t.err = errs.New(errs.TooBig, "lmtpd.receive", "", &tooBig{t.m.added + t.size.got, t.size.max})
	}
}

// end ends the message and says whether it can be delivered.
func (t *transfer) end() error {
	if t.err == nil {
		t.err = t.size.endLine()
	}
	if t.m != nil {
		if err := t.m.close(); t.err == nil {
			t.err = err
		}
	}
	return t.err
}

// remove removes the stage file.
func (t *transfer) remove() {
	if t != nil && t.staged != nil {
		t.staged.Remove()
	}
}

// deadlineWriter gives the client its time anew with each piece that came.
type deadlineWriter struct {
	s *session
	w io.Writer
}

func (d deadlineWriter) Write(p []byte) (int, error) {
	if err := d.s.conn.SetReadDeadline(time.Now().Add(dataTimeout)); err != nil {
		return 0, err
	}
	return d.w.Write(p)
}

// sizeWriter refuses more octets than a message may have.
type sizeWriter struct {
	w        io.Writer
	max, got int64
	last     byte // the octet written last
}

// tooBig is a message over maxmessagesize.
type tooBig struct{ size, max int64 }

// Error is what the client is told.
func (t *tooBig) Error() string {
	return fmt.Sprintf("Message size (%d) exceeds fixed maximum message size (%d)", t.size, t.max)
}

func (z *sizeWriter) Write(p []byte) (int, error) {
	if z.got += int64(len(p)); z.got > z.max || len(p) == 0 {
		return len(p), nil // counted to its end: the reply has the size
	}
	z.last = p[len(p)-1]
	n, err := z.w.Write(p)
	if err != nil {
		err = errs.New(diskKind(err), "lmtpd.receive", "", err)
	}
	return n, err
}

// endLine ends the last line if the client has not, as only BDAT lets it.
func (z *sizeWriter) endLine() error {
	if z.got == 0 || z.last == '\n' {
		return nil
	}
	end := "\r\n"
	if z.last == '\r' {
		end = "\n"
	}
	_, err := io.WriteString(z.w, end)
	if err != nil {
		err = errs.New(diskKind(err), "lmtpd.receive", "", err)
	}
	return err
}

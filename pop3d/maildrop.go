package main

import (
	"context"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
)

// maildrop is what a client sees of its mailbox: the messages that were there
// when it logged in. The only lock that it holds is one between POP3 clients
// (see lockDrop): IMAP and deliveries go on. What another session expunges can
// be read on as long as its file is there.
type maildrop struct {
	ref         mailbox.Ref
	rights      acl.Rights
	uidValidity uint32
	newUIDL     bool // the mailbox has UIDLs with its UIDVALIDITY
	opened      time.Time
	msgs        []dropped // message n is msgs[n-1]
}

// dropped is one message.
type dropped struct {
	uid, recno, size uint32 // size in octets; recno is where it may be
	deleted, seen    bool
}

// lockWait is how long a client waits for another to leave the maildrop: one
// that has just said QUIT is gone by then.
const lockWait = 300 * time.Millisecond

// lockDrop takes the exclusive access that RFC 1939 section 4 asks for, until
// the session ends: two clients that delete would take each other's messages
// away. errs.PopLocked if another client has it, of this process or not.
// Cyrus 2 did so; the pop3d of 3.6.1 says "locked" but locks nothing.
func (s *session) lockDrop(e *mboxlist.Entry) error {
	ctx, cancel := context.WithTimeout(s.ctx, lockWait)
	defer cancel()
	held, err := s.site.Locks.Name(ctx, s.site.Layout.LockPath("$POP3$"+e.UniqueID), lock.Exclusive)
	if err != nil {
		if errs.Is(err, errs.Locked) {
			err = errs.New(errs.PopLocked, "pop3d.lockDrop", string(e.Name), err)
		}
		return err
	}
	s.held = held
	return nil
}

// unlockDrop gives the exclusive access up, if the session has it.
func (s *session) unlockDrop() {
	if s.held != nil {
		s.held.Release()
		s.held = nil
	}
}

// batch is how many records are read under one call.
const batch = 1000

// readDrop reads the messages of a mailbox. It also returns when the last
// client of POP3 logged in.
//
// Source: openinbox in Cyrus imap/pop3d.c.
func (s *session) readDrop(ctx context.Context, e *mboxlist.Entry) (d *maildrop, last time.Time, err error) {
	d = &maildrop{ref: e.Ref(), opened: time.Now()}
	m, err := s.site.Store.Open(ctx, d.ref, mailbox.Read)
	if err != nil {
		return nil, last, err
	}
	defer m.Close()
	h := m.Header()
	d.uidValidity = h.UIDValidity
	d.newUIDL = h.Options&mailbox.OptPOP3NewUIDL != 0
	d.msgs = make([]dropped, 0, h.Exists)
	hidden := mailbox.Expunged
	if config.Popuseimapflags.In(s.conf) {
		hidden |= mailbox.Deleted
	}
	records := make([]mailbox.Record, 0, min(batch, h.NumRecords))
	for first := uint32(1); ; first += uint32(len(records)) {
		if records, err = m.Records(records[:0], first, batch); err != nil {
			return nil, last, err
		}
		for i := range records {
			r := &records[i]
			if r.Flags&hidden == 0 && (h.POP3ShowAfter == 0 || r.InternalDate > h.POP3ShowAfter) {
				d.msgs = append(d.msgs, dropped{uid: r.UID, recno: r.Recno, size: r.Size})
			}
		}
		if len(records) < batch {
			return d, h.POP3LastLogin.Time(), nil
		}
	}
}

// message returns message number n if it is there and not deleted.
func (d *maildrop) message(n uint32) (*dropped, error) {
	if n < 1 || uint64(n) > uint64(len(d.msgs)) || d.msgs[n-1].deleted {
		return nil, errNoSuch
	}
	return &d.msgs[n-1], nil
}

// update does what QUIT does to the mailbox (RFC 1939 section 6).
func (s *session) update(ctx context.Context) error {
	d := s.drop
	m, err := s.site.Store.Open(ctx, d.ref, mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Header().UIDValidity != d.uidValidity {
		// Another mailbox of this name: its UIDs are other messages.
		return errs.New(errs.NotFound, "pop3d.update", string(d.ref.Name), nil)
	}
	m.Announce(event.Cause{User: s.userID, Session: s.conn.SessionID(), Expunge: event.MessageExpunge, First: true, NoID: true})
	last := s.lastLogin(m.Header().POP3LastLogin.Time())
	m.SetPOP3(&last, nil)
	seen := config.Popuseimapflags.In(s.conf) && (!config.Popuseacl.In(s.conf) || d.rights&acl.Seen != 0)
	for i := range d.msgs {
		p := &d.msgs[i]
		if !p.deleted && !(p.seen && seen) {
			continue
		}
		r, ok, err := m.FindUID(p.uid, p.recno)
		if err != nil {
			return err
		}
		switch {
		case !ok || !r.Live():
		case p.deleted:
			err = m.Expunge(&r, s.conn.SessionID())
		case r.Flags&mailbox.Seen == 0:
			r.Flags |= mailbox.Seen
			err = m.Rewrite(&r)
		}
		if err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}

// lastLogin is the time to be kept as that of this log-in. With
// poppollpadding a client may come early so many times: each log-in takes one
// popminpoll of what was saved.
func (s *session) lastLogin(last time.Time) time.Time {
	every, padding := config.Popminpoll.In(s.conf), config.Poppollpadding.In(s.conf)
	if every <= 0 || padding <= 1 {
		return s.drop.opened
	}
	if earliest := s.drop.opened.Add(-every * time.Duration(padding)); last.Before(earliest) {
		last = earliest
	}
	return last.Add(every)
}

package mailbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// While a backup runs, nothing that is expunged goes for good, whatever
// expunge_mode says: a message that is moved from a mailbox which is copied
// later into one that was copied before is found in the first of them,
// expunged. The backup holds a lock for that, and cleans up after it.
//
//	when the backup is killed   the lock is free: expunge_mode is in force again;
//	                            what was kept goes with the next Cleanup
//	                            (cyr_expire -X) of the mailbox

// keepFile is below the configuration directory.
const keepFile = "/backup.lock"

// keepLook is how long a look whether somebody has the lock may take.
const keepLook = 5 * time.Millisecond

// KeepExpunged keeps what is expunged until release; DropKept is to follow. Who
// comes second waits (errs.Locked). Where expunged messages are kept anyway
// release is nil.
func (s *Store) KeepExpunged(ctx context.Context) (release func(), err error) {
	if !s.o.ImmediateExpunge && !s.o.SemidelayedExpunge {
		return nil, nil
	}
	path := s.o.Layout.ConfigDir + keepFile
	f, held, err := s.o.Locks.OpenFile(ctx, path, os.O_RDWR|os.O_CREATE, lock.Exclusive)
	if err != nil {
		return nil, fsError("mailbox.KeepExpunged", "", err)
	}
	return func() {
		s.o.FS.Remove(path)
		held.Release()
		f.Close()
	}, nil
}

// keeping reports whether somebody keeps what is expunged. m is asked after what
// it moves is in its new place: if nobody keeps anything yet, whoever begins to
// later finds it there.
func (m *Mailbox) keeping() bool {
	if m.kept == nil {
		kept := m.store.keepsExpunged()
		m.kept = &kept
	}
	return *m.kept
}

func (s *Store) keepsExpunged() bool {
	path := s.o.Layout.ConfigDir + keepFile
	f, err := s.o.FS.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		return true
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), keepLook)
	defer cancel()
	held, err := s.o.Locks.File(ctx, f, path, lock.Shared)
	if err != nil {
		return errs.Is(err, errs.Locked)
	}
	held.Release()
	return false
}

// DropKept does to what was expunged since a time, and kept, what expunge_mode
// says.
func (s *Store) DropKept(ctx context.Context, ref Ref, since time.Time) error {
	if !s.o.ImmediateExpunge && !s.o.SemidelayedExpunge {
		return nil
	}
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return err
	}
	todo := m.hdr.FirstExpunged != 0 && m.hdr.layout().hasExists
	m.Close()
	if !todo {
		return nil
	}
	if m, err = s.Open(ctx, ref, Write); err != nil {
		return err
	}
	defer m.Close()
	var kept []Record
	err = m.Each(1, func(r *Record) bool {
		if r.Flags&(Expunged|Unlinked) == Expunged && r.LastUpdated >= StampOf(since) {
			kept = append(kept, *r)
		}
		return true
	})
	for i := range kept {
		kept[i].Flags |= Unlinked
		if err == nil {
			err = m.RewriteSilent(&kept[i])
		}
	}
	if err != nil || len(kept) == 0 {
		return err
	}
	m.unlinked(len(kept))
	return m.Commit(ctx)
}

// unlinked is told of records that became Unlinked.
func (m *Mailbox) unlinked(n int) {
	m.hdr.Options |= OptNeedsUnlink
	if m.store.o.ImmediateExpunge {
		m.hdr.Options |= OptNeedsRepack
	}
	m.changes.unlinked += n
}

package mailbox

import (
	"context"
	"errors"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// Still keeps all mailboxes of one user from being changed, so that what is
// read of several of them belongs together: it holds his namespace lock
// shared. Readers go on. Shared mailboxes have no such lock; each is still
// only while it is open.
type Still struct {
	store *Store
	held  *lock.Held // nil for shared mailboxes
}

// HoldStill holds the mailboxes of n's owner still until Release. Until then
// this process must open them by Still.Open only: Store.Open would wait for
// itself. The error is of kind errs.Locked if it took too long.
func (s *Store) HoldStill(ctx context.Context, n mboxname.Name) (*Still, error) {
	l := s.o.Layout
	if n.OwnerOf(l.DeletedPrefix) == "" {
		return &Still{store: s}, nil
	}
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	held, err := s.o.Locks.Name(ctx, l.LockPath(l.NamespaceLock(n)), lock.Shared)
	if err != nil {
		return nil, err
	}
	return &Still{s, held}, nil
}

// Release lets the mailboxes be changed again.
func (st *Still) Release() {
	if st.held != nil {
		st.held.Release()
		st.held = nil
	}
}

// ErrDefect is the error of Still.Open for a mailbox that must be repaired
// first, as Store.Open does. It is of kind errs.Locked.
var ErrDefect = errors.New("needs repair")

// Open is Store.Open for reading, under the lock that is held.
func (st *Still) Open(ctx context.Context, ref Ref) (*Mailbox, error) {
	ctx, cancel := st.store.withDeadline(ctx)
	defer cancel()
	m, err := st.store.openUnder(ctx, ref, Read)
	if err != nil {
		return nil, err
	}
	if m.defect() != nil {
		m.Close()
		return nil, errs.New(errs.Locked, "mailbox.Still", string(ref.Name), ErrDefect)
	}
	m.settleCaches()
	return m, nil
}

// settleCaches ends a repack that was interrupted, so that the caches are
// the index's.
func (m *Mailbox) settleCaches() {
	m.cacheFile(&Record{})
	m.cacheFile(&Record{Flags: Archived})
}

// Files says where the files of a mailbox lie. Not all of them need be
// there.
type Files struct {
	Header, Index       string
	Cache, ArchiveCache string // one path if there is no archive partition
	Annotations         string
}

// Files says where the files of the mailbox lie.
func (m *Mailbox) Files() Files {
	p := &m.box.paths
	return Files{p.header, p.index, p.cache, p.archiveCache, p.annotations}
}

// MessagePath is the path of a message's file. What it names stays the same
// as long as the mailbox is open, and never changes in place.
func (m *Mailbox) MessagePath(r *Record) string { return m.messagePath(r) }

// MessageIDOf is the Message-ID of a message by its cache record, with its
// angle brackets; "" if it has none.
func (m *Mailbox) MessageIDOf(r *Record, buf *CacheBuffer) (string, error) {
	b, _, err := m.CacheBytes(r, buf)
	if err != nil {
		return "", err
	}
	return messageID(b), nil
}

// Annotations calls fn for the stored annotations of all messages, the
// owner's under his name. Those that an index of a newer version holds itself
// are left out.
func (m *Mailbox) Annotations(ctx context.Context, fn func(Annotation) error) error {
	if m.store.o.Annotations == nil {
		return nil
	}
	return m.store.o.Annotations.MessageEach(ctx, m.messages(), 0, func(a Annotation, _ uint64) error {
		if isVirtual(a.Entry, Version) {
			return nil
		}
		return fn(a)
	})
}

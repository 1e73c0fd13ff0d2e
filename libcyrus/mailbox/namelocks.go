package mailbox

import (
	"context"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// nameLocks is the namespace and mailbox locks that somebody wants, by path,
// in the order in which they are taken.
type nameLocks struct {
	spaces, names       []string
	spaceMode, nameMode lock.Mode
}

const (
	// underSpace is how long a mailbox lock is waited for while the
	// namespace is locked, apart how long it is left to others then: at
	// first, and at most.
	underSpace = 50 * time.Millisecond
	minApart   = 10 * time.Millisecond
	maxApart   = 100 * time.Millisecond
)

// takeLocks takes namespace locks, then mailbox locks.
//
// A real Cyrus does not keep to this order: a session in the middle of a
// command has a mailbox locked shared, and comes back for the namespace
// (mailbox_unlock_index releases only the latter). Whoever waits for such a
// mailbox, to have it exclusively or behind somebody who wants that, must not
// keep the namespace meanwhile: each would wait for the other.
func (m *Mailbox) takeLocks(ctx context.Context, n *nameLocks) error {
	start, apart := time.Now(), minApart
	for {
		if err := m.lockPaths(ctx, &m.namespaces, n.spaces, n.spaceMode); err != nil {
			return err
		}
		if len(n.spaces) == 0 {
			return m.lockPaths(ctx, &m.names, n.names, n.nameMode)
		}
		short, cancel := lock.WithTimeout(ctx, underSpace)
		err := m.lockPaths(short, &m.names, n.names, n.nameMode)
		cancel()
		again := err != nil && errs.Is(err, errs.Locked) && ctx.Err() == nil
		if waited := time.Since(start); !again && waited > longLock {
			m.store.o.Log.Warn("mailbox lock wait", "mailbox", m.ref.Name, "uniqueid", m.ref.UniqueID, "waited", waited, "got", err == nil)
		}
		if !again {
			return err
		}
		m.unlockNames()
		select {
		case <-time.After(apart):
		case <-ctx.Done():
		}
		apart = min(2*apart, maxApart)
	}
}

func (m *Mailbox) lockPaths(ctx context.Context, held *[]*lock.Held, paths []string, mode lock.Mode) error {
	for _, path := range paths {
		h, err := m.store.o.Locks.Name(ctx, path, mode)
		if err != nil {
			return err
		}
		*held = append(*held, h)
	}
	return nil
}

// unlockNames releases namespace locks, then mailbox locks.
func (m *Mailbox) unlockNames() {
	for _, group := range []*[]*lock.Held{&m.namespaces, &m.names} {
		for _, h := range *group {
			h.Release()
		}
		*group = nil
	}
}

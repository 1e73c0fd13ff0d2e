package mailbox

import (
	"context"
	"fmt"
)

// A panic is a fault of ours. What a session was changing when it came is
// void: nothing of it was counted, as records are on disk only together with
// the mark of an interrupted writer, which the next one repairs. With an
// exclusive lock in its hands the process may also have begun to change what
// it keeps in memory, so that it forgets that, looks at the whole
// mailbox the next time, and should end with its last client.

// closeIfPanic is deferred where the caller is to close the mailbox.
func (m *Mailbox) closeIfPanic() {
	if p := recover(); p != nil {
		m.panicked(p)
		panic(p)
	}
}

// panicked releases all locks after a panic.
func (m *Mailbox) panicked(p any) {
	if m.box != nil && m.mode != Read {
		m.distrust(fmt.Sprintf("panic: %v", p))
	}
	m.close()
}

// distrust forgets what the process knows of a mailbox, and tells that it
// should end.
func (m *Mailbox) distrust(why string) {
	m.committing = false
	m.changes = changes{}
	m.box.forget()
	m.box.mu.Lock()
	m.box.checked, m.box.suspect = false, true
	m.box.mu.Unlock()
	m.store.o.Log.Error("the process does not trust what it knows of a mailbox any more", "mailbox", m.ref.Name, "why", why)
	if m.store.o.Panicked != nil {
		m.store.o.Panicked(m.ref)
	}
}

// findDefect is defect for a caller who does not close the mailbox if that
// panics.
func (m *Mailbox) findDefect() func(context.Context, Ref) error {
	defer m.closeIfPanic()
	return m.defect()
}

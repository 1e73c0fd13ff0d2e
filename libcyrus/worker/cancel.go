package worker

import "sync/atomic"

// cancelling is whether somebody wants the command of a session to end:
// SIGUSR2 to a process with one client, or CANCEL on the control socket.
type cancelling struct{ state atomic.Int32 }

// The states of a session that may be told to cancel.
const (
	noCommand int32 = iota
	runningCommand
	cancelledCommand
)

// runs says whether a command runs from now on; what was wanted of the one
// before is forgotten.
func (c *cancelling) runs(yes bool) {
	if yes {
		c.state.Store(runningCommand)
	} else {
		c.state.Store(noCommand)
	}
}

// Cancelled reports whether the command that SetProc has named last is to end:
// a command that only reads looks from time to time, answers with a NO, and the
// session goes on. It is of no concern to commands that change something.
//
// Source: cmd_cancelled in Cyrus imap/global.c, which imapd asks in SEARCH, SORT,
// THREAD and FETCH.
func (c *Conn) Cancelled() bool { return c.cancelling.state.Load() == cancelledCommand }

// cancelCommand cancels the command that runs, and reports whether there is one.
func (c *Conn) cancelCommand() bool {
	return c.cancelling.state.CompareAndSwap(runningCommand, cancelledCommand)
}

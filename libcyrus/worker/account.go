package worker

import (
	"time"

	"gocyrus/libcyrus/proc"
)

// slowCommand is how long a command may run before the list of sessions
// shows it. Writing the list for each costs more than most commands.
const slowCommand = 100 * time.Millisecond

// SetProc tells the list of sessions (cyr_info proc) who is logged in
// ("" before), the internal name of the selected mailbox ("" for none) and
// the command that runs ("" when idle). A change of user or mailbox is
// written at once, a command when it takes long; in a process with one
// client everything is written at once, as in Cyrus.
func (c *Conn) SetProc(user, mailbox, command string) {
	c.cancelling.runs(command != "")
	if c.process.procs == nil {
		return
	}
	a := &c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	e := proc.Entry{Service: c.process.env.Service, Client: c.Client(), User: user, Mailbox: mailbox, Command: command}
	same := a.slot != nil && e.User == a.entry.User && e.Mailbox == a.entry.Mailbox
	a.entry, a.began = e, time.Now()
	switch {
	case !same || c.process.env.MaxClients == 1:
		a.write(c.process)
	case command != "":
		a.watch(c.process, slowCommand)
	case a.shown != "":
		a.write(c.process)
	}
}

// watch has the command looked at after d, unless one has already been
// meant to be: a timer that is set back for each command wakes a thread each
// time. The caller holds mu.
func (a *account) watch(p *process, d time.Duration) {
	switch {
	case a.watched:
	case a.late == nil:
		a.late = time.AfterFunc(d, func() { a.writeLate(p) })
	default:
		a.late.Reset(d)
	}
	a.watched = true
}

// writeLate shows the command that is still running, once it is slow.
func (a *account) writeLate(p *process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watched = false
	if a.slot == nil || a.entry.Command == "" {
		return
	}
	if left := slowCommand - time.Since(a.began); left > 0 {
		a.watch(p, left)
		return
	}
	a.write(p)
}

// write writes the entry. The caller holds mu.
func (a *account) write(p *process) {
	if a.slot == nil {
		s, err := p.procs.Open()
		if err != nil {
			p.env.Log.Error("IOERROR: no entry in the list of sessions", "error", err)
			return
		}
		a.slot = s
	}
	if err := a.slot.Set(a.entry); err != nil {
		p.env.Log.Error("IOERROR: cannot write the list of sessions", "error", err)
		return
	}
	a.shown = a.entry.Command
}

// close removes the entry.
func (a *account) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.late != nil {
		a.late.Stop()
	}
	if a.slot != nil {
		a.slot.Close()
		a.slot = nil
	}
}

// current returns a copy of the entry, and the session's number in the
// list, 0 if it has none.
func (a *account) current() (e proc.Entry, number int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.slot != nil {
		number = a.slot.Number()
	}
	return a.entry, number
}

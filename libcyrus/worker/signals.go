package worker

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gocyrus/libcyrus/syslog"
)

// catchSignals acts on signals until the returned function is called:
//
//	SIGTERM, SIGQUIT, SIGINT  end all sessions, then exit with status 75
//	SIGHUP                    take no more clients
//	SIGUSR2                   cancel the command of the only client
//
// SIGPIPE comes from descriptors only that the runtime ignores it for.
func (p *process) catchSignals() (restore func()) {
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-ch:
				p.signalled(s)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
	}
}

func (p *process) signalled(s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		p.drain("", 0)
	case syscall.SIGUSR2:
		if p.env.MaxClients == 1 {
			p.each((*Conn).cancelCommand)
		}
	default:
		p.env.Log.Log(context.Background(), syslog.LevelNotice, "graceful shutdown")
		p.stop(&Ending{Text: "Server is shutting down", Graceful: true}, exitTempFail, stopWait)
	}
}

// each calls fn for the sessions that are there now and returns for how
// many it said yes.
func (p *process) each(fn func(*Conn) bool) (n int) {
	p.mu.Lock()
	all := make([]*Conn, 0, len(p.sessions))
	for c := range p.sessions {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		if fn(c) {
			n++
		}
	}
	return n
}

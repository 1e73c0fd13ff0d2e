package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/syslog"
)

// How long sessions may take to end when the process must, before their
// connections are cut, and what is then left for the handlers.
const (
	stopWait   = 30 * time.Second // after SIGTERM: a command in progress is finished
	orphanWait = 8 * time.Second  // after the loss of master: a new one wants the sockets
	cutWait    = 2 * time.Second
)

// tick is how often a worker looks whether anything has changed that
// nobody tells it of: its program, its parent, the time.
const tick = time.Second

// process is the state of a worker.
type process struct {
	svc     Service
	env     *Env
	flags   *flags
	handler Handler
	status  *status
	listen  *listener
	program program
	procs   *proc.Table
	tls     *serverTLS
	ids     sessionIDs
	names   *hostNames
	rules   *wrappers
	heap    *heap // nil: the runtime's
	ppid    int
	ended   chan struct{} // closed when there is nothing left to do

	mu        sync.Mutex // guards what follows
	sessions  map[*Conn]struct{}
	reserved  int  // clients that have been accepted
	admitted  int  // of these, those that master was told of
	used      int  // clients since the start
	accepting bool // a client may still come
	ready     bool // master counts on us to take the next client
	draining  bool // no more clients are taken
	stopping  *Ending
	code      int // exit status
	lastEnd   time.Time
	room      *sync.Cond // signalled when reserved, draining or stopping change
}

// newProcess puts the parts together; run does the rest.
func newProcess(s Service, env *Env, f *flags) *process {
	p := &process{
		svc: s, env: env, flags: f, program: thisProgram(), ppid: os.Getppid(),
		status: &status{fd: statusFD, log: env.Log}, ended: make(chan struct{}),
		sessions: make(map[*Conn]struct{}), ready: true,
	}
	p.room = sync.NewCond(&p.mu)
	p.names = newHostNames()
	p.rules = newWrappers(env.Log)
	p.ids.base = config.SyslogPrefix.In(env.Config)
	if p.ids.base == "" {
		p.ids.base = env.Config.ServerName()
	}
	if env.Stdio {
		p.status.fd = -1
	}
	env.process = p
	return p
}

// run opens the service, serves until the end, and returns the exit status.
func (p *process) run() int {
	code, err := p.open()
	if err != nil {
		p.env.Log.Error(err.Error())
		fmt.Fprintln(os.Stderr, err)
		p.status.tell(unavailable)
		return code
	}
	signals := p.catchSignals()
	defer signals()
	control := p.openControl()
	switch {
	case p.env.Stdio:
		p.serveStdio()
	case p.svc.Datagram:
		go p.watch()
		p.servePackets()
	default:
		p.accepting = true
		go p.watch()
		go p.accept()
		<-p.ended
	}
	control.close()
	if err := p.handler.Close(); err != nil {
		p.env.Log.Error("closing the service", "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// open does what may fail before the first client.
func (p *process) open() (code int, err error) {
	if !p.env.Stdio {
		if p.listen, err = newListener(listenFD); err != nil {
			return 1, err
		}
	}
	if p.procs, err = proc.NewTable(proc.Dir(p.env.Config), p.env.MaxClients == 1); err != nil {
		p.env.Log.Error("IOERROR: no list of sessions", "error", err) // mail goes on
	}
	p.tls = newServerTLS(p.env.Config, p.env.Log)
	if p.handler, err = p.svc.Open(p.env); err != nil {
		var bad *config.Error
		if errors.As(err, &bad) {
			return exitConfig, err
		}
		return 1, err
	}
	return 0, nil
}

// accept takes clients until there may be no more.
func (p *process) accept() {
	runtime.LockOSThread()
	defer p.noMore()
	for p.waitRoom() {
		fd, from, err := p.listen.accept()
		switch {
		case err == nil:
			p.reserve()
			go p.serve(fd, from)
		case p.listen.again(err):
		case p.orphaned():
			p.listen.close() // another worker has shut it
		default:
			p.env.Log.Error("accept failed: " + sysText(err))
			p.drain("", exitOS)
		}
	}
}

// noMore says that the last client has been accepted.
func (p *process) noMore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepting = false
	p.checkEnd()
}

// waitRoom waits until another client may be accepted, and returns false
// if none may ever.
func (p *process) waitRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.reserved >= p.env.MaxClients && !p.draining && p.stopping == nil {
		p.room.Wait()
	}
	return !p.draining && p.stopping == nil
}

func (p *process) reserve() {
	p.mu.Lock()
	p.reserved++
	p.mu.Unlock()
}

// serve is the life of one client, in a goroutine of its own.
func (p *process) serve(fd int, from unix.Sockaddr) {
	served := false
	defer func() { p.release(served) }()
	c, err := p.newConn(fd, from)
	if err != nil {
		p.env.Log.Error("cannot use accepted socket", "error", err)
		return
	}
	if !p.rules.allow(p.env.Service, c) {
		c.abort()
		return
	}
	served = p.admit(c)
	if !served {
		c.abort()
		return
	}
	p.session(c)
}

// session runs the handler on c.
func (p *process) session(c *Conn) {
	log := p.env.Log
	log.Debug("accepted connection")
	var before unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before) // does not fail
	defer p.remove(c)
	defer p.logUsage(c, before)
	defer func() {
		if r := recover(); r != nil {
			log.Error(fmt.Sprintf("panic: %v", r), "client", c.Client(), "sessionid", c.SessionID(), "stack", string(debug.Stack()))
		}
	}()
	c.lookUp()
	if err := p.handler.Serve(c.ctx, c); !quietEnd(err) {
		log.Warn("session ended", "client", c.Client(), "error", err)
	}
}

// admit counts c as a client and tells master of it.
func (p *process) admit(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping != nil {
		return false
	}
	p.sessions[c] = struct{}{}
	p.admitted++
	p.used++
	switch {
	case p.admitted < p.env.MaxClients && p.ready:
		p.status.tell(connectionMulti)
	case p.ready:
		p.ready = false
		p.status.tell(unavailable)
		p.status.tell(connection)
	default:
		p.status.tell(connection)
	}
	if p.used >= max(1, p.flags.uses)*p.env.MaxClients {
		p.drainLocked(0)
	}
	return true
}

// remove ends what is left of c.
func (p *process) remove(c *Conn) {
	c.finish()
	p.mu.Lock()
	delete(p.sessions, c)
	p.mu.Unlock()
}

// release gives a client's place back.
func (p *process) release(served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved--
	if served {
		p.admitted--
		p.lastEnd = time.Now()
	}
	if !p.ready && !p.draining && p.stopping == nil && p.admitted < p.env.MaxClients {
		p.ready = true
		p.status.tell(available)
	}
	p.room.Broadcast()
	p.checkEnd()
}

// checkEnd closes ended when the last client has gone and no other can
// come. The caller holds mu.
func (p *process) checkEnd() {
	switch {
	case p.reserved > 0, !p.draining && p.stopping == nil:
		return
	case p.accepting && p.stopping == nil:
		return // noMore asks again, within a second
	}
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
}

// drain takes no more clients; the process ends with the last of those
// that are there. why is logged, at level info, unless it is "".
func (p *process) drain(why string, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why != "" && !p.draining && p.stopping == nil {
		p.env.Log.Info(why)
	}
	p.drainLocked(code)
}

// drainLocked is drain for those who hold mu.
func (p *process) drainLocked(code int) {
	if p.draining || p.stopping != nil {
		return
	}
	p.draining = true
	p.code = code
	if p.ready || p.env.MaxClients > 1 { // a full one says it again: only then does master replace it
		p.ready = false
		p.status.tell(unavailable)
	}
	if limit := config.DrainTimeout.In(p.env.Config); limit > 0 {
		time.AfterFunc(limit, func() {
			p.stop(&Ending{Text: "Server is closing this connection, please connect again", Graceful: true}, p.code, stopWait)
		})
	}
	p.room.Broadcast()
	p.checkEnd()
}

// stop ends all sessions: each is told at once; those still there after
// wait are cut.
func (p *process) stop(e *Ending, code int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping != nil {
		return
	}
	p.stopping, p.code = e, code
	if p.ready {
		p.ready = false
		p.status.tell(unavailable)
	}
	for c := range p.sessions {
		c.end(e)
	}
	time.AfterFunc(wait, p.cut)
	p.room.Broadcast()
	p.checkEnd()
}

// cut closes the connections that are left, and ends the process soon
// whatever their sessions do.
func (p *process) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.sessions {
		c.abort()
	}
	time.AfterFunc(cutWait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-p.ended:
		default:
			p.env.Log.Warn("sessions do not end", "sessions", len(p.sessions))
			close(p.ended)
		}
	})
}

// watch looks each second for what nobody tells of. The loss of master it
// sees at once: the next one wants the sockets.
func (p *process) watch() {
	for {
		p.status.wait(tick)
		select {
		case <-p.ended:
			return
		default:
		}
		if p.orphaned() {
			p.env.Log.Log(context.Background(), syslog.LevelNotice, "master is gone, closing down")
			p.listen.close()
			p.stop(&Ending{Text: "Server is closing this connection, please connect again", Graceful: true}, 0, orphanWait)
			return
		}
		if text, yes := p.program.replaced(); yes {
			p.drain(text, 0)
		}
		if p.idle() {
			p.drain("", 0)
		}
		p.heap.rest()
	}
}

// orphaned reports whether master is gone.
func (p *process) orphaned() bool {
	return p.status.broken() || os.Getppid() != p.ppid
}

// idle reports whether the process has waited long enough for another
// client. One that never had a client waits without an end, as in Cyrus.
func (p *process) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flags.idle > 0 && p.used > 0 && p.reserved == 0 && time.Since(p.lastEnd) >= p.flags.idle
}

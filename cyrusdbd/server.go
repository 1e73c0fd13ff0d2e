package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/cyrusdb/dbwire"
)

// server serves clients at a socket.
type server struct {
	store  *store
	log    *slog.Logger
	paths  dbwire.Paths
	idle   time.Duration // a temporary one leaves so long after its last client; 0: it is none
	parent int           // master; 0: none

	ctx  context.Context    // while it serves
	stop context.CancelFunc // ends serve

	mu       sync.Mutex // guards what follows
	sessions map[*session]bool
	lastGone time.Time // when the last client went
}

// newServer returns a server for an open store. Idle is not 0 if it is to
// leave so long after its last client.
func newServer(st *store, paths dbwire.Paths, idle time.Duration, log *slog.Logger) *server {
	v := &server{store: st, log: log, paths: paths, idle: idle, sessions: map[*session]bool{}, lastGone: time.Now()}
	v.ctx, v.stop = context.WithCancel(context.Background())
	return v
}

// orphanIdle is how long after its last client a server leaves whose master
// has died.
const orphanIdle = 10 * time.Second

// patience is how long the server waits for clients before it leaves; 0 is
// without end. With a limit it hands over to another server when asked: it
// is temporary.
func (v *server) patience() time.Duration {
	if v.parent != 0 && os.Getppid() != v.parent {
		return orphanIdle
	}
	return v.idle
}

// hello is what is told to a new client.
func (v *server) hello() dbwire.HelloReply {
	return dbwire.HelloReply{
		Features: dbwire.FeatureFreeze,
		Pid:      uint32(os.Getpid()), Temporary: v.patience() > 0,
		ReadOnly: v.store.readOnly || v.store.full.Load(),
		Site:     v.store.site, Epoch: v.store.epoch.Load(),
	}
}

// leave makes serve return.
func (v *server) leave(why string) {
	v.log.Info("leaving", "reason", why)
	v.stop()
}

// serve takes clients from l until ctx ends or leave is called. Then it ends
// all connections; transactions that were begun are finished first.
func (v *server) serve(ctx context.Context, l *net.UnixListener) error {
	defer context.AfterFunc(ctx, v.stop)()
	ctx = v.ctx
	defer v.stop()
	var all sync.WaitGroup
	v.lookAtDisk()
	all.Go(func() { v.watchDisk(ctx) })
	all.Go(func() { v.watchIdle(ctx) })
	stopAccept := context.AfterFunc(ctx, func() { l.Close() })
	defer stopAccept()
	var failed error
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() == nil && retry(err) {
				v.log.Error("accept", "error", err)
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if ctx.Err() == nil {
				failed = err
			}
			break
		}
		if err := allowed(conn); err != nil {
			v.log.Warn("badclient", "error", err)
			conn.Close()
			continue
		}
		s := &session{srv: v, conn: conn}
		v.add(s)
		all.Go(func() {
			defer v.remove(s)
			if err := s.serve(); err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
				v.log.Info("client", "error", err)
			}
		})
	}
	v.stop()
	v.closeAll()
	all.Wait()
	return failed
}

// retry reports whether accept may work again soon.
func retry(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.ENOMEM)
}

// allowed lets in root and processes of our own user.
func allowed(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return errors.New("uid " + itoa(int(cred.Uid)) + " may not use the databases")
	}
	return nil
}

func (v *server) add(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sessions[s] = true
}

func (v *server) remove(s *session) {
	s.conn.Close()
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sessions, s)
	v.lastGone = time.Now()
}

// closeAll lets sessions read nothing more; what they have begun they finish.
func (v *server) closeAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.sessions {
		s.conn.CloseRead()
	}
}

// watchIdle ends a temporary server that nobody has used for a while.
func (v *server) watchIdle(ctx context.Context) {
	t := time.NewTicker(max(min(cmp.Or(v.idle, orphanIdle)/10, time.Second), 10*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		v.mu.Lock()
		unused := time.Since(v.lastGone)
		if len(v.sessions) > 0 {
			unused = 0
		}
		v.mu.Unlock()
		limit := v.patience()
		over := limit > 0 && unused > limit
		if over {
			v.leave("no clients")
			return
		}
	}
}

const (
	// diskEvery is how often the room on the disk is looked at.
	diskEvery = 500 * time.Millisecond
	// maxReserve octets must be free for changes to be accepted: pebble
	// cannot go on once its log or a table cannot be written.
	maxReserve = 64 << 20
)

// watchDisk looks at the disk now and then.
func (v *server) watchDisk(ctx context.Context) {
	t := time.NewTicker(diskEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			v.lookAtDisk()
		}
	}
}

// lookAtDisk refuses changes from now on if the disk is nearly full. A
// store that was opened for reading only is opened again, by the next
// server, when there is room.
func (v *server) lookAtDisk() {
	full, err := nearlyFull(v.paths.Data)
	switch {
	case err != nil:
		v.log.Warn("statfs", "error", err)
	case v.store.readOnly && !full && writable(v.paths.Data):
		v.leave("the databases can be written again")
	case full == v.store.full.Load():
	case full:
		v.store.full.Store(true)
		v.log.Error("DBERROR: disk is nearly full, changes are refused", "directory", v.paths.Data)
	default:
		v.store.full.Store(false)
		v.log.Warn("there is room on the disk again", "directory", v.paths.Data)
	}
}

// nearlyFull reports whether less than the reserve is free in dir: 64 MiB,
// or an eighth of a small file system.
func nearlyFull(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, err
	}
	size := uint64(st.Bsize)
	return st.Bavail*size < min(maxReserve, st.Blocks*size/8), nil
}

// writable reports whether a file can be made in dir.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "try")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(make([]byte, 4096))
	return err == nil && f.Sync() == nil
}

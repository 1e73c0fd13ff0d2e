package mailbox

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
)

// settle is how long changes are collected before watchers are told of them: a
// commit writes the index several times within less than a millisecond, syncs
// apart. The write of a header that is new and has no mark ends a commit: of it
// they are told at once, if they have been left alone for that long.
const settle = 2 * time.Millisecond

// watchers is who wants to know of changes of one mailbox.
type watchers struct {
	mu      sync.Mutex
	all     map[*watching]bool
	pending bool // notify will run soon
	wd      int  // inotify's number of the file, -1 = it is polled
	last    fileID
	told    time.Time       // when notify ran last
	header  [maxHeader]byte // of the index, when notifyOfWrite looked last
}

// watching is one who wants to know.
type watching struct{ changed func() }

// notify wakes all watchers of the mailbox.
func (b *box) notify() {
	w := &b.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell()
}

// tell is notify for who holds w.mu.
func (w *watchers) tell() {
	w.pending = false
	w.told = time.Now()
	for c := range w.all {
		c.changed()
	}
}

// notifyOfWrite tells the watchers of a write to the index: at once if it has
// ended a commit, else as notifySoon.
func (b *box) notifyOfWrite(fsys disk.FS) {
	if !b.committed(fsys) {
		b.notifySoon()
	}
}

// committed tells the watchers if a commit has just ended, and whether it did.
func (b *box) committed(fsys disk.FS) bool {
	f, err := fsys.Open(b.paths.index)
	if err != nil {
		return false
	}
	defer f.Close()
	var raw [maxHeader]byte
	n, err := f.ReadAt(raw[:], 0)
	if err != nil && err != io.EOF {
		return false
	}
	h, err := decodeIndexHeader(raw[:n])
	if err != nil || h.damagedCRC || h.dirty() {
		return false
	}
	clear(raw[h.layout().header:]) // records do not count
	w := &b.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if raw == w.header || time.Since(w.told) < settle {
		return false
	}
	w.header = raw
	w.tell()
	return true
}

// notifySoon is notify after more changes have had time to happen.
func (b *box) notifySoon() {
	w := &b.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.pending && len(w.all) > 0 {
		w.pending = true
		time.AfterFunc(settle, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.pending { // else they were told meanwhile
				w.tell()
			}
		})
	}
}

// watcher is the one inotify instance of a Store, opened when something is
// watched first. Where inotify does not work (no instance or watch is
// left, network file system, no real files) mailboxes are polled.
type watcher struct {
	store *Store

	mu     sync.Mutex
	file   *os.File // of inotify; nil = not opened
	broken bool     // it could not be opened
	byWD   map[int]*box
	polled map[*box]bool
	stop   chan struct{} // ends the polling; nil = it does not run
}

func (w *watcher) start(s *Store) {
	w.store, w.byWD, w.polled = s, map[int]*box{}, map[*box]bool{}
}

// Watch returns a channel on which something is sent soon after a mailbox
// has changed, by this process or another; several changes may be one, and
// some may be none that matters. stop must be called in the end.
func (s *Store) Watch(ref Ref) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	return c, s.WatchFunc(ref, func() {
		select {
		case c <- struct{}{}:
		default: // it has not yet seen the one before
		}
	})
}

// WatchFunc is Watch for somebody who watches many mailboxes: changed is called
// instead, from other goroutines, and must return at once.
func (s *Store) WatchFunc(ref Ref, changed func()) (stop func()) {
	c := &watching{changed}
	b, err := s.box(&ref)
	if err != nil {
		return func() {}
	}
	w := &b.watchers
	w.mu.Lock()
	if w.all == nil {
		w.all = map[*watching]bool{}
	}
	w.all[c] = true
	first := len(w.all) == 1
	w.mu.Unlock()
	if first {
		s.watch.add(b)
	}
	return sync.OnceFunc(func() {
		w.mu.Lock()
		delete(w.all, c)
		last := len(w.all) == 0
		w.mu.Unlock()
		if last {
			s.watch.remove(b)
		}
		b.release()
	})
}

const watchMask = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF

// add begins to watch a mailbox's index.
func (w *watcher) add(b *box) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store.o.FS != disk.OS() {
		w.poll(b)
		return
	}
	if w.file == nil && !w.broken {
		fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		if err != nil {
			w.broken = true
			w.complain(err, "fs.inotify.max_user_instances")
		} else {
			w.file = os.NewFile(uintptr(fd), "inotify")
			go w.read(w.file)
		}
	}
	w.addPath(b)
}

// addPath puts a watch on the file that is the index now. w.mu is held.
func (w *watcher) addPath(b *box) {
	if w.file == nil {
		w.poll(b)
		return
	}
	wd := -1
	var err error
	ctl, cerr := w.file.SyscallConn()
	if cerr == nil {
		cerr = ctl.Control(func(fd uintptr) { wd, err = unix.InotifyAddWatch(int(fd), b.paths.index, watchMask) })
	}
	if err == nil {
		err = cerr
	}
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			w.complain(err, "fs.inotify.max_user_watches")
		}
		w.poll(b)
		return
	}
	b.watchers.mu.Lock()
	b.watchers.wd = wd
	b.watchers.mu.Unlock()
	w.byWD[wd] = b
}

// complain says why mailboxes are polled.
func (w *watcher) complain(err error, sysctl string) {
	w.store.o.Log.Warn("inotify does not work; mailboxes are looked at from time to time instead",
		"interval", w.store.o.PollInterval, "error", err, "sysctl", sysctl)
}

// poll adds a mailbox to those that are polled. w.mu is held.
func (w *watcher) poll(b *box) {
	b.watchers.mu.Lock()
	b.watchers.wd = -1
	if fi, err := w.store.o.FS.Stat(b.paths.index); err == nil {
		b.watchers.last = idOf(fi)
	}
	b.watchers.mu.Unlock()
	w.polled[b] = true
	if w.stop == nil {
		w.stop = make(chan struct{})
		go w.pollAll(w.stop)
	}
}

// pollAll looks at the polled mailboxes until there are none.
func (w *watcher) pollAll(stop chan struct{}) {
	tick := time.NewTicker(w.store.o.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		boxes := make([]*box, 0, len(w.polled))
		for b := range w.polled {
			boxes = append(boxes, b)
		}
		w.mu.Unlock()
		for _, b := range boxes {
			fi, err := w.store.o.FS.Stat(b.paths.index)
			var id fileID
			if err == nil {
				id = idOf(fi)
			}
			b.watchers.mu.Lock()
			same := b.watchers.last == id
			b.watchers.last = id
			b.watchers.mu.Unlock()
			if !same {
				b.notify()
			}
		}
	}
}

// remove ends watching a mailbox.
func (w *watcher) remove(b *box) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.watchers.mu.Lock()
	again := len(b.watchers.all) > 0 // somebody new came meanwhile
	wd := b.watchers.wd
	b.watchers.mu.Unlock()
	if again {
		return
	}
	delete(w.polled, b)
	if w.stop != nil && len(w.polled) == 0 {
		close(w.stop)
		w.stop = nil
	}
	if w.byWD[wd] == b && w.file != nil {
		delete(w.byWD, wd)
		if ctl, err := w.file.SyscallConn(); err == nil {
			ctl.Control(func(fd uintptr) { unix.InotifyRmWatch(int(fd), uint32(wd)) })
		}
	}
}

// read takes events from inotify until it is closed.
func (w *watcher) read(f *os.File) {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		for off := 0; off+unix.SizeofInotifyEvent <= n; {
			wd := int(int32(ne.Uint32(buf[off:])))
			mask := ne.Uint32(buf[off+4:])
			off += unix.SizeofInotifyEvent + int(ne.Uint32(buf[off+12:]))
			w.event(wd, mask)
		}
	}
}

// event deals with one event. When the file was replaced (its number of
// names changes, or it is gone) the new one is watched.
func (w *watcher) event(wd int, mask uint32) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		w.mu.Lock()
		for _, b := range w.byWD {
			b.notifySoon()
		}
		w.mu.Unlock()
		return
	}
	w.mu.Lock()
	b := w.byWD[wd]
	if b != nil && mask&^unix.IN_MODIFY != 0 {
		delete(w.byWD, wd)
		w.addPath(b)
	}
	w.mu.Unlock()
	switch {
	case b == nil:
	case mask == unix.IN_MODIFY:
		b.notifyOfWrite(w.store.o.FS)
	default:
		b.notifySoon()
	}
}

// close ends all watching.
func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	if w.stop != nil {
		close(w.stop)
		w.stop = nil
	}
	w.broken = true
}

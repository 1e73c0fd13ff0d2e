package lock

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
)

// owner returns the process that keeps f from being locked, 0 if nobody
// does, and -1 if the kernel does not tell: the lock is of the kind we use.
func owner(f disk.File, mode Mode) int {
	if f.Fd() == disk.NoFd {
		return 0
	}
	q := unix.Flock_t{Type: mode.kernel()}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &q); err != nil || q.Type == unix.F_UNLCK {
		return 0
	}
	return int(q.Pid)
}

// searching keeps all but one from looking through /proc at a time.
var searching sync.Mutex

// keeper is owner, but finds the process also where the lock is of the kind we
// use: -1 if it is another user's, or somebody else is looking just now. It is
// slow. In /proc/PID/fdinfo/FD each lock has a line:
//
//	lock:	1: OFDLCK ADVISORY  WRITE -1 fe:00:1234 0 EOF
func keeper(f disk.File, mode Mode) int {
	pid := owner(f, mode)
	if pid != -1 || !searching.TryLock() {
		return pid
	}
	defer searching.Unlock()
	fi, err := f.Stat()
	if err != nil {
		return pid
	}
	ino := []byte(":" + strconv.FormatUint(disk.Inode(fi), 10) + " ")
	infos, _ := filepath.Glob("/proc/[0-9]*/fdinfo/*")
	for _, name := range infos {
		info, err := os.ReadFile(name)
		if err != nil {
			continue // closed meanwhile, or another user's
		}
		for line := range bytes.Lines(info) {
			if bytes.HasPrefix(line, []byte("lock:")) && bytes.Contains(line, ino) {
				pid, _ = strconv.Atoi(strings.Split(name, "/")[2])
				return pid
			}
		}
	}
	return pid
}

// Owner reports who keeps f from being locked now: a process, 0 for nobody,
// -1 for somebody with a lock of our kind, in this process or another. In
// memory there are no others.
func Owner(f disk.File, mode Mode) int { return owner(f, mode) }

// wanted reports whether another process waits for a lock on f. It reads
// /proc/locks, where lines with an arrow are waits:
//
//	3: -> OFDLCK ADVISORY  WRITE -1 fe:00:1234 0 EOF
//
// and says yes if that cannot be read.
func wanted(f disk.File) bool {
	if f.Fd() == disk.NoFd {
		return false
	}
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return true
	}
	ino := []byte(":" + strconv.FormatUint(disk.Inode(fi), 10) + " ")
	for line := range bytes.Lines(locks) {
		if bytes.Contains(line, []byte("->")) && bytes.Contains(line, ino) {
			return true
		}
	}
	return false
}

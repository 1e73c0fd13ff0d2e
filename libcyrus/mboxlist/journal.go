package mboxlist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// An operation of several steps, or one that leaves files when it stops, is
// written down before its first step: in a file of its own below
// {configdirectory}/unfinished, which the process that does it keeps locked.
// A real Cyrus knows nothing of it. Whoever finds such a file that nobody has
// locked, when he opens the list or before he changes it, takes all steps that
// are missing:
//
//	crash …                        what the next one finds, and does
//	while the file is written      NAME.NEW, or after a power cut NAME without all
//	                               of its contents: removed
//	before the first step          nothing was done: all steps
//	between two steps              each is a change that is whole: the others
//	within a step                  see the step in unfinished.go
//	after the last step            each step sees that it was taken
//	                               (a power cut may bring the file back, but not
//	                               once another operation has begun: it syncs
//	                               the directory)
//
// An operation that fails, but did not crash, is taken back if it was in its
// first step. Later, and if it cannot be taken back, the file stays.

// operation is the content of such a file.
type operation struct {
	Version int // formatVersion
	Session string
	Steps   []step
}

const formatVersion = 1

// step is one change. Which members it has depends on Do.
type step struct {
	Do        string
	Name      mboxname.Name
	ID        string        `json:",omitempty"` // unique id
	To        mboxname.Name `json:",omitempty"`
	Type      string        `json:",omitempty"` // letters, with those of flags
	From      string        `json:",omitempty"` // partition before
	Partition string        `json:",omitempty"` // partition then
	ACL       string        `json:",omitempty"`
	Uses      string        `json:",omitempty"` // special uses
	Options   uint32        `json:",omitempty"` // of the index
	OldUser   string        `json:",omitempty"`
	NewUser   string        `json:",omitempty"`
	Immediate bool          `json:",omitempty"`
	Limits    *quota.Limits `json:",omitempty"`
	Last      uint32        `json:",omitempty"` // UID
	Stage     string        `json:",omitempty"` // of an undump: see mailbox.Incoming.Name

	fresh bool // ID was made for this step
}

// journal is the operations that this process does.
type journal struct {
	mu     sync.Mutex
	active map[string]bool // by path
	count  atomic.Uint64
}

func (j *journal) enter(path string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active[path] {
		return false
	}
	if j.active == nil {
		j.active = map[string]bool{}
	}
	j.active[path] = true
	return true
}

func (j *journal) leave(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.active, path)
}

// written is an operation that is written down, and locked.
type written struct {
	l    *List
	path string
	file disk.File
	held *lock.Held
	did  int // steps that were taken
}

// Busy reports whether some process may be in the middle of an operation of
// several steps, so that the list is about to change again.
func (l *List) Busy() bool {
	files, err := l.o.FS.ReadDir(l.journalDir())
	return err == nil && len(files) > 0
}

func (l *List) journalDir() string { return filepath.Join(l.o.Layout.ConfigDir, "unfinished") }

// writeDown makes the file of an operation, which lasts.
func (l *List) writeDown(ctx context.Context, op *operation) (*written, error) {
	data, err := json.Marshal(op)
	if err != nil {
		return nil, err
	}
	dir := l.journalDir()
	if err := disk.MkdirSync(l.o.FS, dir, 0o700); err != nil {
		return nil, disk.Error("mboxlist.journal", dir, err)
	}
	for tries := 1; ; tries++ {
		path := filepath.Join(dir, fmt.Sprintf("%d-%d-%d", time.Now().UnixNano(), os.Getpid(), l.journal.count.Add(1)))
		e := &written{l: l, path: path}
		l.journal.enter(path)
		if err = e.write(ctx, data); err == nil {
			return e, nil
		}
		e.close()
		// Somebody may have found it before it was locked, and removed it.
		if !errors.Is(err, fs.ErrNotExist) || tries == writeTries {
			return nil, disk.Error("mboxlist.journal", path, err)
		}
	}
}

// writeTries is how often writing an operation down is tried: each needs another
// process that looks for interrupted ones within the same microseconds.
const writeTries = 10

// write makes the file under another name, locks it, and gives it its own:
// nobody finds it without the lock. It is synced last: so one commit of the
// file system's journal has all of it, where a sync before the new name and one
// after it took two.
func (e *written) write(ctx context.Context, data []byte) (err error) {
	fsys := e.l.o.FS
	name := e.path + newSuffix
	if e.file, err = fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if e.held, err = e.l.o.Locks.File(ctx, e.file, e.path, lock.Exclusive); err == nil {
		_, err = e.file.WriteAt(data, 0)
	}
	if err == nil {
		err = fsys.Rename(name, e.path)
	}
	if err == nil {
		err = e.file.Sync()
	}
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(e.path))
	}
	if err != nil {
		_ = fsys.Remove(name)   // one of them is not there
		_ = fsys.Remove(e.path) // nothing was done of it
	}
	return err
}

// newSuffix and badSuffix are those of files that are not complete, and that
// nobody understands.
const (
	newSuffix = ".NEW"
	badSuffix = ".bad"
)

// done removes the file: all steps were taken, or none.
func (e *written) done() {
	if err := e.l.o.FS.Remove(e.path); err != nil {
		e.l.o.Log.Error("an operation that has ended stays written down", "file", e.path, "error", err)
	}
	e.close()
}

// close leaves the operation to the next one.
func (e *written) close() {
	if e.held != nil {
		e.held.Release()
	}
	if e.file != nil {
		_ = e.file.Close() // nothing is written
	}
	e.l.journal.leave(e.path)
}

// asOne does an operation that no crash can halve: do takes its steps, and
// calls its argument after each. Steps must not be empty.
func (l *List) asOne(ctx context.Context, who Actor, steps []step, do func(took func()) error) error {
	op := &operation{Version: formatVersion, Session: who.SessionID, Steps: steps}
	e, err := l.writeDown(ctx, op)
	if errs.Is(err, errs.DiskFull) && removes(steps) {
		return do(func() {}) // it makes room
	}
	if err != nil {
		return err
	}
	if err = do(func() { e.did++ }); err == nil {
		e.done()
		return nil
	}
	last := context.WithoutCancel(ctx)
	if halfway(err, e.did) && errs.Is(err, errs.Locked) && l.finish(last, op) == nil {
		e.done() // it would be done anyhow: so it is not a failure
		return nil
	}
	if !halfway(err, e.did) {
		took, undo := l.takeBack(last, op)
		if undo == nil && took { // only the rest of the first step has failed
			undo, err = nil, l.finish(last, op)
		}
		if undo == nil && (err == nil || !took) {
			e.done()
			return err
		}
	}
	l.o.Log.Error("an operation was interrupted, and will be finished", "file", e.path, "steps", len(steps), "did", e.did, "error", err)
	e.close()
	return err
}

// removes reports whether steps only delete for good.
func removes(steps []step) bool {
	return !slices.ContainsFunc(steps, func(s step) bool { return s.Do != stepDelete || !s.Immediate })
}

// halfway reports whether an operation that failed after some steps must be
// finished later. What one is refused for at a step ends it, as in Cyrus.
func halfway(err error, did int) bool {
	if did == 0 {
		return false
	}
	switch errs.KindOf(err) {
	case errs.Internal, errs.IO, errs.Locked, errs.Unavailable, errs.DiskFull, errs.BadFormat:
		return true
	}
	return false
}

// Resume finishes the operations on the list that a crash has interrupted.
// Failures are for the log: what remains is tried again by the next one. It is
// to be called when the list was opened; operations call it themselves.
func (l *List) Resume(ctx context.Context) {
	files, err := l.o.FS.ReadDir(l.journalDir())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.o.Log.Error("operations that were interrupted cannot be looked for", "error", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), badSuffix) {
			continue
		}
		path := filepath.Join(l.journalDir(), f.Name())
		if err := l.resume(ctx, path); err != nil {
			l.o.Log.Error("an operation that was interrupted cannot be finished yet", "file", path, "error", err)
		}
	}
}

// resume finishes one operation, unless somebody does it.
func (l *List) resume(ctx context.Context, path string) error {
	own := strings.TrimSuffix(path, newSuffix) // the lock's name
	if !l.journal.enter(own) {
		return nil
	}
	defer l.journal.leave(own)
	f, err := l.o.FS.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close()
	if lock.Owner(f, lock.Exclusive) != 0 {
		return nil // by another process
	}
	held, err := l.o.Locks.File(ctx, f, own, lock.Exclusive)
	if err != nil {
		return err
	}
	defer held.Release()
	if same, err := l.o.Locks.Current(f, path); err != nil || !same {
		return ignoreMissing(err)
	}
	if strings.HasSuffix(path, newSuffix) {
		return l.o.FS.Remove(path)
	}
	data, err := disk.ReadFile(l.o.FS, path)
	if err != nil {
		return err
	}
	if !complete(data) {
		l.o.Log.Warn("an operation that was interrupted before it began is forgotten", "file", path)
		return l.o.FS.Remove(path)
	}
	op, err := parseOperation(data)
	if err != nil {
		_ = l.o.FS.Rename(path, path+badSuffix) // else it is complained of again and again
		return err
	}
	l.o.Log.Warn("an operation that was interrupted is finished now", "file", path, "steps", len(op.Steps))
	if err := l.finish(ctx, op); err != nil {
		return err
	}
	return l.o.FS.Remove(path)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// complete reports whether a file has all that was written to it: after a power
// cut octets are missing at its end, or are zero. Then no step was taken.
func complete(data []byte) bool { return json.Valid(data) }

// parseOperation reads the content of a file. One of a later version is an
// error, and so is a step without what all need.
func parseOperation(data []byte) (*operation, error) {
	op := &operation{}
	if err := json.Unmarshal(data, op); err != nil {
		return nil, err
	}
	if op.Version != formatVersion {
		return nil, fmt.Errorf("operation of version %d", op.Version)
	}
	for _, s := range op.Steps {
		if finish, _ := known(s.Do); finish == nil || s.Name == "" || s.ID != "" && !mboxname.ValidID(s.ID) {
			return nil, fmt.Errorf("step %q of %q is not known", s.Do, s.Name)
		}
	}
	return op, nil
}

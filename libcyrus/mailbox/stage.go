package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/message"
)

// stageMemory is how much of a staged message is kept in memory: most
// messages are then written with one call, and never read back.
const stageMemory = 128 << 10

var stageBuffers = sync.Pool{New: func() any { return new([stageMemory]byte) }}

// stageCount makes the names of this process's stage files differ.
var stageCount atomic.Uint64

// Staged is a message on its way: a file in a partition's stage directory.
// It is written by one goroutine; then it may be handed to Append as often
// as there are recipients, also at the same time.
type Staged struct {
	store     *Store
	partition string
	path      string

	mu     sync.Mutex
	file   disk.File          // nil after Remove, and while it rests
	rests  bool               // see Rest
	buf    *[stageMemory]byte // what is not yet in the file; nil after Remove
	n      int                // bytes in buf
	size   int64
	inFile int64 // octets written to the file
	err    error // of a write; nothing works afterwards
	msg    *message.Message
	times  map[string]Stamp // by path: what the file's time was set to
	copies map[string]string

	syncing sync.Mutex       // guards synced; not held together with mu
	synced  map[string]error // by path: the file there lasts, if nil
}

// Stage makes an empty staged message on a partition.
func (s *Store) Stage(partition string) (*Staged, error) {
	dir, err := s.o.Layout.StageDir(partition)
	if err != nil {
		return nil, err
	}
	st := &Staged{store: s, partition: partition, times: map[string]Stamp{}, copies: map[string]string{}, synced: map[string]error{}}
	st.path, st.file, err = s.createStage(dir)
	if err != nil {
		return nil, disk.Error("mailbox.Stage", dir, err)
	}
	st.buf = stageBuffers.Get().(*[stageMemory]byte)
	return st, nil
}

// createStage creates a stage file, and its directory if there is none.
func (s *Store) createStage(dir string) (string, disk.File, error) {
	path := fmt.Sprintf("%s/%d-%d-%d", dir, os.Getpid(), time.Now().Unix(), stageCount.Add(1))
	const flags = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	f, err := s.o.FS.OpenFile(path, flags, fileMode)
	if errors.Is(err, os.ErrNotExist) {
		if err = s.o.FS.MkdirAll(dir, dirMode); err == nil {
			f, err = s.o.FS.OpenFile(path, flags, fileMode)
		}
	}
	return path, f, err
}

// Write appends to the message.
func (st *Staged) Write(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil && (st.msg != nil || st.rests) {
		st.err = errors.New("mailbox: write to a staged message that is complete")
	}
	done := 0
	for st.err == nil && done < len(p) {
		if st.n == len(st.buf) {
			st.flush()
			continue
		}
		n := copy(st.buf[st.n:], p[done:])
		st.n += n
		done += n
		st.size += int64(n)
	}
	return done, disk.Error("mailbox.Stage", st.path, st.err)
}

// flush writes the buffer to the file.
func (st *Staged) flush() {
	if st.n == 0 || st.err != nil {
		return
	}
	_, st.err = st.file.WriteAt(st.buf[:st.n], st.inFile)
	st.inFile += int64(st.n)
	st.n = 0
}

// Path is the file of the message, which is complete after Parse.
func (st *Staged) Path() string { return st.path }

// Size is the number of octets written so far.
func (st *Staged) Size() int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.size
}

// ReadAt reads what was written.
func (st *Staged) ReadAt(p []byte, off int64) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.inFile == 0 && st.buf != nil {
		if off >= int64(st.n) {
			return 0, io.EOF
		}
		n := copy(p, st.buf[off:st.n])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	st.flush()
	if err := st.reopen(); err != nil {
		return 0, disk.Error("mailbox.Stage", st.path, err)
	}
	return st.file.ReadAt(p, off)
}

// Rest ends writing and gives back descriptor and memory: where many messages
// wait to be appended together. What needs the message later opens and parses
// it again.
func (st *Staged) Rest() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, err := st.parse(); err != nil {
		return err
	}
	st.rests = true
	st.rest()
	return nil
}

// rest closes a message that Rest was called for.
func (st *Staged) rest() {
	if st.rests && st.file != nil {
		st.file.Close()
		st.file, st.msg = nil, nil
	}
}

// reopen opens the file of a message that rests.
func (st *Staged) reopen() (err error) {
	if st.err == nil && st.rests && st.file == nil {
		st.file, err = st.store.o.FS.OpenFile(st.path, os.O_RDWR, fileMode)
		return err
	}
	return st.err
}

// Parse ends writing and parses the message; Append does it if the caller
// has not. It may be called again and gives the same.
func (st *Staged) Parse() (*message.Message, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.parse()
}

func (st *Staged) parse() (*message.Message, error) {
	if st.msg != nil || st.err != nil {
		return st.msg, disk.Error("mailbox.Stage", st.path, st.err)
	}
	var msg *message.Message
	var err error
	if st.rests {
		if err = st.reopen(); err == nil {
			st.msg, err = message.ParseReader(st.file, st.size, st.store.o.Message)
		}
		return st.msg, disk.Error("mailbox.Stage", st.path, err)
	}
	if st.inFile == 0 {
		// The message refers to its bytes, which the buffer's next user
		// will overwrite.
		msg, err = message.Parse(append([]byte(nil), st.buf[:st.n]...), st.store.o.Message)
		st.flush()
	} else {
		st.flush()
		if st.err == nil {
			msg, err = message.ParseReader(st.file, st.size, st.store.o.Message)
		}
	}
	stageBuffers.Put(st.buf)
	st.buf = nil
	if st.err == nil {
		st.err = err
	}
	if st.err != nil {
		return nil, disk.Error("mailbox.Stage", st.path, st.err)
	}
	st.msg = msg
	return msg, nil
}

// ready returns the path of a copy of the message on a partition with its
// time. The copy lasts only after sync.
func (st *Staged) ready(partition string, t Stamp) (string, *message.Message, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	msg, err := st.parse()
	if err != nil {
		return "", nil, err
	}
	path := st.path
	if partition != st.partition {
		if path, err = st.copyTo(partition); err != nil {
			return "", nil, disk.Error("mailbox.Stage", st.path, err)
		}
	}
	if have, ok := st.times[path]; ok && have == t {
		return path, msg, nil
	}
	if err := st.store.o.FS.Chtimes(path, t.Time()); err != nil {
		return "", nil, disk.Error("mailbox.Stage", st.path, err)
	}
	st.times[path] = t
	return path, msg, nil
}

// sync makes the contents of the file at path last, once: its links share
// them.
func (st *Staged) sync(path string) error {
	st.syncing.Lock()
	defer st.syncing.Unlock()
	err, done := st.synced[path]
	if !done {
		err = disk.Error("mailbox.Stage", path, st.syncFile(path))
		st.synced[path] = err
	}
	return err
}

func (st *Staged) syncFile(path string) error {
	st.mu.Lock()
	f, rests := st.file, st.rests
	st.mu.Unlock()
	if f == nil && !rests {
		return errors.New("mailbox: staged message was removed")
	}
	if path == st.path && !rests {
		return f.Sync()
	}
	f, err := st.store.o.FS.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// copyTo copies the message to another partition's stage directory. After an
// error there is no copy.
func (st *Staged) copyTo(partition string) (string, error) {
	if path, ok := st.copies[partition]; ok {
		return path, nil
	}
	dir, err := st.store.o.Layout.StageDir(partition)
	if err != nil {
		return "", err
	}
	path, f, err := st.store.createStage(dir)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.NewSectionReader(st.file, 0, st.size))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		st.store.removeStage(path)
		return "", err
	}
	st.copies[partition] = path
	return path, nil
}

// Remove removes the file; always to be called in the end. Messages that
// were appended keep theirs.
func (st *Staged) Remove() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.file == nil && !st.rests {
		return
	}
	if st.buf != nil {
		stageBuffers.Put(st.buf)
		st.buf = nil
	}
	if st.file != nil {
		st.file.Close()
	}
	st.file, st.rests = nil, false
	st.err = errors.New("mailbox: staged message was removed")
	for _, path := range st.copies {
		st.store.removeStage(path)
	}
	st.store.removeStage(st.path)
}

func (s *Store) removeStage(path string) {
	if err := s.o.FS.Remove(path); err != nil {
		s.o.Log.Warn("stage file is left", "file", filepath.Base(path), "error", err)
	}
}

// CleanStage removes stage files of a partition, and directories that Receive
// has made, that are older than a day: what programs left that were killed. It
// returns how many.
func (s *Store) CleanStage(partition string) (int, error) {
	dir, err := s.o.Layout.StageDir(partition)
	if err != nil {
		return 0, err
	}
	files, err := s.o.FS.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, disk.Error("mailbox.CleanStage", dir, err)
	}
	n := 0
	for _, e := range files {
		// The time is in the name; that of the file is a message's.
		var pid, made, seq int64
		if k, _ := fmt.Sscanf(e.Name(), "%d-%d-%d", &pid, &made, &seq); k != 3 || time.Since(time.Unix(made, 0)) < 24*time.Hour {
			continue
		}
		if err := disk.RemoveTree(s.o.FS, dir+"/"+e.Name()); err != nil {
			return n, errs.New(errs.IO, "mailbox.CleanStage", e.Name(), err)
		}
		n++
	}
	return n, nil
}

// done lets a message rest again that rested before it was used.
func (st *Staged) done() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.rest()
}

package worker

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
)

// maxNotice is the longest line of msg/shutdown and msg/motd that is sent,
// in bytes.
const maxNotice = 1023

// ShutdownText returns what an admin wants every client to be told before
// it is cut: the first line of {configdirectory}/msg/shutdown.SERVICE, or
// else of msg/shutdown. It may be "". ok is false if there is neither file.
// Who asks decides whom it concerns: Cyrus lets admins stay.
//
// Source: shutdown_file in Cyrus imap/global.c.
func (e *Env) ShutdownText() (text string, ok bool) {
	var dir unix.Stat_t
	if err := unix.Stat(e.noticeDir(), &dir); err != nil || e.noShutdown.known(dir.Mtim) {
		return "", false
	}
	text, err := e.firstLine("shutdown." + e.Service)
	own := err
	if err != nil {
		text, err = e.firstLine("shutdown")
	}
	switch {
	case err == nil:
		e.Log.Debug("Shutdown file: " + text + ", closing connection")
	case errors.Is(own, fs.ErrNotExist) && errors.Is(err, fs.ErrNotExist):
		e.noShutdown.note(dir.Mtim)
	}
	return text, err == nil
}

// noticeDir is the directory of the files that clients are told.
func (e *Env) noticeDir() string {
	return filepath.Join(config.Configdirectory.In(e.Config), "msg")
}

// Motd returns the first line of {configdirectory}/msg/motd, which every
// client is told after the greeting. ok is false if there is none.
func (e *Env) Motd() (text string, ok bool) {
	text, err := e.firstLine("motd")
	return text, err == nil && text != ""
}

// noShutdown remembers that there is no shutdown file, as long as the time of
// the directory stays what it was. Before each command two files were looked
// for that are almost never there: that was a fifteenth of a SELECT.
type noShutdown struct {
	mu   sync.Mutex
	time unix.Timespec // of the directory; zero if it is not known
}

// fileTimeStep is more than the steps in which a file system counts time: what
// has changed within it may change again and have the same time.
const fileTimeStep = 2 * time.Second

// known reports whether nothing has come into the directory since it had no
// shutdown file.
func (n *noShutdown) known(now unix.Timespec) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.time == now && now != unix.Timespec{}
}

// note remembers that there was no shutdown file after the directory had a
// time.
func (n *noShutdown) note(t unix.Timespec) {
	if time.Since(time.Unix(t.Unix())) < fileTimeStep {
		return
	}
	n.mu.Lock()
	n.time = t
	n.mu.Unlock()
}

// firstLine reads a file of the directory msg.
func (e *Env) firstLine(name string) (text string, err error) {
	f, err := os.Open(filepath.Join(e.noticeDir(), name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 4096).ReadSlice('\n') // what there is of it
	text, _, _ = strings.Cut(string(line), "\r")
	text = strings.TrimSuffix(text, "\n")
	if len(text) > maxNotice {
		text = text[:maxNotice]
	}
	return text, nil
}

// TLSAvailable reports whether there is a certificate, so that STARTTLS
// can be offered.
func (e *Env) TLSAvailable() bool { return e.process.tls.available() }

// Drain takes no more clients and ends the process with the last of those
// that are there: for a service that no longer trusts its own state. why
// is logged.
func (e *Env) Drain(why string) { e.process.drain(why, 0) }

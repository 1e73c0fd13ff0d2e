// Package proc keeps the list of sessions that `cyr_info proc`, the limits
// on log-ins and the ending of a deleted user's sessions read: one file
// per session in imapd.conf's proc_path, named by a number, with one line
//
//	service TAB client TAB user TAB mailbox TAB command LF
//
// as Cyrus writes it (imap/proc.c).
//
// Tools send signals to these numbers, so the number of a session of a
// process with many sessions is one that no process can have: it is the
// process's id plus a multiple of 2^22, between 2^23 and 2^31-1. What is
// left when the multiple is taken away tells whose entry it is, so that
// entries of a process that was killed are known to be stale.
package proc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// stride is the number of process ids that Linux can give
// (PID_MAX_LIMIT, 2^22).
const stride = 1 << 22

// firstBlock and lastBlock bound the multiples of stride in use: from
// 2^23, because a negative or small number would be a process or a group
// of them, to the largest that a C int holds.
const (
	firstBlock = 2
	lastBlock  = 1<<31/stride - 1
)

// Entry is one session.
type Entry struct {
	Number  int    // name of the file; set by Read
	Service string // entry name in cyrus.conf
	Client  string // "host [address]"
	User    string // "" before log-in
	Mailbox string // internal name, "" when none is selected
	Command string // "" when idle
}

// PID returns the process (or a thread of it) that a number belongs to.
func PID(number int) int { return number % stride }

// line is the content of e's file. Bytes that would end a field or the
// line are written as blanks.
func (e *Entry) line() string {
	fields := []string{e.Service, e.Client, e.User, e.Mailbox, e.Command}
	for i, f := range fields {
		if strings.ContainsAny(f, "\t\n\r\x00") {
			fields[i] = strings.Map(blankControl, f)
		}
	}
	return strings.Join(fields, "\t") + "\n"
}

func blankControl(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// parse reads the content of a file. Cyrus writes fewer fields when the
// last ones are empty; they may be missing.
func parse(s string) (Entry, bool) {
	s, _, _ = strings.Cut(s, "\n")
	f := strings.Split(s, "\t")
	if len(f) < 2 {
		return Entry{}, false
	}
	for len(f) < 5 {
		f = append(f, "")
	}
	return Entry{Service: f[0], Client: f[1], User: f[2], Mailbox: f[3], Command: f[4]}, true
}

// Read returns the entries in directory dir whose processes are alive, in
// no certain order. A directory that does not exist has none.
func Read(dir string) ([]Entry, error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, d := range names {
		n, ok := number(d.Name())
		if !ok || !alive(PID(n)) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, d.Name()))
		if err != nil {
			continue // it has ended
		}
		if e, ok := parse(string(data)); ok {
			e.Number = n
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// number reads a file name. Only plain decimal numbers are entries: files
// being written are called NUMBER.new.
func number(name string) (int, bool) {
	n, err := strconv.ParseUint(name, 10, 31)
	return int(n), err == nil && n > 0
}

// alive reports whether a process or thread has this number.
func alive(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// sweep removes the entries of processes that are no more, as one that was
// killed leaves its own behind, and those of process own, which has not yet
// written any. A number that was given to a new process in the meantime keeps
// its entry until that process ends.
func sweep(dir string, own int) {
	names, _ := os.ReadDir(dir)
	for _, d := range names {
		n, ok := number(strings.TrimSuffix(d.Name(), ".new"))
		if ok && (PID(n) == own || !alive(PID(n))) {
			_ = os.Remove(filepath.Join(dir, d.Name())) // somebody else may have swept it
		}
	}
}

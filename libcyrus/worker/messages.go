package worker

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

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
	if text, ok = e.firstLine("shutdown." + e.Service); !ok {
		text, ok = e.firstLine("shutdown")
	}
	if ok {
		e.Log.Debug("Shutdown file: " + text + ", closing connection")
	}
	return text, ok
}

// Motd returns the first line of {configdirectory}/msg/motd, which every
// client is told after the greeting. ok is false if there is none.
func (e *Env) Motd() (text string, ok bool) {
	text, ok = e.firstLine("motd")
	return text, ok && text != ""
}

// firstLine reads a file of the directory msg.
func (e *Env) firstLine(name string) (text string, ok bool) {
	f, err := os.Open(filepath.Join(config.Configdirectory.In(e.Config), "msg", name))
	if err != nil {
		return "", false
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 4096).ReadSlice('\n') // what there is of it
	text, _, _ = strings.Cut(string(line), "\r")
	text = strings.TrimSuffix(text, "\n")
	if len(text) > maxNotice {
		text = text[:maxNotice]
	}
	return text, true
}

// TLSAvailable reports whether there is a certificate, so that STARTTLS
// can be offered.
func (e *Env) TLSAvailable() bool { return e.process.tls.available() }

// Drain takes no more clients and ends the process with the last of those
// that are there: for a service that no longer trusts its own state. why
// is logged.
func (e *Env) Drain(why string) { e.process.drain(why, 0) }

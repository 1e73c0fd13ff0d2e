package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"gocyrus/libcyrus/config"
)

// telemetry is a transcript of one session, in
// {configdirectory}/log/USER/SERVICE-NUMBER, for an admin who has made that
// directory. Before what the client sent stands "<TIME<", before what the
// server sent ">TIME>", with seconds since 1970 (prot_setlog in Cyrus
// lib/prot.c, imap/telemetry.c). It begins after log-in, so no password
// of that is in it. A nil *telemetry writes nothing.
type telemetry struct {
	mu sync.Mutex // guards f
	f  *os.File
}

// StartTelemetry begins the transcript of the session if the user's
// directory exists. A second call, or one with another user, begins anew.
func (c *Conn) StartTelemetry(user string) {
	c.tele.close()
	c.tele = nil
	if user == "" || strings.ContainsAny(user, "/\x00") || user == "." || user == ".." {
		return
	}
	conf := c.process.env.Config
	dir := filepath.Join(config.Configdirectory.In(conf), "log", user)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return
	}
	name := c.process.env.Service + "-" + c.telemetryName()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.process.env.Log.Error("IOERROR: unable to open telemetry log", "error", err)
		return
	}
	_, _ = fmt.Fprintf(f, "---------- %s %s\n\n", user, time.Now().Format(time.ANSIC))
	c.tele = &telemetry{f: f}
}

// telemetryName tells the session's file from those of others of the same
// user and service: the session id with telemetry_bysessionid, the process
// id if there is one session per process, else the number in the list of
// sessions, which can be no process's.
func (c *Conn) telemetryName() string {
	if config.TelemetryBysessionid.In(c.process.env.Config) {
		return c.SessionID()
	}
	if _, n := c.account.current(); n != 0 {
		return strconv.Itoa(n)
	}
	if c.process.env.MaxClients == 1 {
		return strconv.Itoa(os.Getpid())
	}
	return c.SessionID()
}

func (t *telemetry) read(b []byte)    { t.add('<', b) }
func (t *telemetry) written(b []byte) { t.add('>', b) }

// add writes one piece. Errors are nobody's business: mail goes on.
func (t *telemetry) add(mark byte, b []byte) {
	if t == nil || len(b) == 0 {
		return
	}
	piece := strconv.AppendInt([]byte{mark}, time.Now().Unix(), 10)
	piece = append(append(piece, mark), b...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f != nil {
		_, _ = t.f.Write(piece)
	}
}

func (t *telemetry) close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f != nil {
		_ = t.f.Close()
		t.f = nil
	}
}

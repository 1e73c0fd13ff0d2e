// Package syslog sends log records to the system's syslog daemon, in the
// form in which Cyrus's lines arrive there, so that what reads mail.log
// (fail2ban, logcheck, statistics) goes on working.
package syslog

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// LevelNotice is syslog's "notice", between Info and Warn: what an admin
// counts (log-ins, deliveries) but need not act on.
const LevelNotice = slog.Level(2)

// LevelCritical is syslog's "crit": the program cannot go on.
const LevelCritical = slog.Level(12)

// maxLine is the longest line sent, in bytes: rsyslog's default limit.
const maxLine = 8192

// writeWait is how long a line may wait for a syslog daemon that does not
// read. After it the line is dropped: a stuck daemon must not stop the mail.
const writeWait = 200 * time.Millisecond

// redialWait is the shortest time between two attempts to find the daemon.
const redialWait = time.Second

// StderrEnv is the variable with which master, run with -D or -L, makes the
// programs it starts write their lines to standard error as well.
const StderrEnv = "CYRUS_LOG_STDERR"

// Options says where the lines go. The zero value sends to /dev/log.
type Options struct {
	Ident    string    // program name in each line: "imap" or "prefix/imap"
	Facility string    // "", DAEMON, MAIL, NEWS, USER, LOCAL0 … LOCAL7; "" is MAIL, as in Debian's Cyrus
	Debug    bool      // send debug lines too (imapd.conf: debug)
	Socket   string    // "" is /dev/log
	Copy     io.Writer // gets each line as well, with a time and without priority; nil is standard error if StderrEnv is set, else nothing
}

// DefaultPrefix is what Debian's Cyrus puts before the names of its programs
// where imapd.conf has no syslog_prefix; its master alone does not.
const DefaultPrefix = "cyrus"

// Ident joins imapd.conf's syslog_prefix (may be "") and the name of a
// service or command as Debian's Cyrus does. $CYRUS_SYSLOG_PREFIX beats the
// option.
func Ident(prefix, service string) string {
	return MasterIdent(cmp.Or(prefix, DefaultPrefix), service)
}

// MasterIdent is Ident for master: without a prefix it has none.
func MasterIdent(prefix, service string) string {
	if p := os.Getenv("CYRUS_SYSLOG_PREFIX"); p != "" {
		prefix = p
	}
	if prefix == "" {
		return service
	}
	return prefix + "/" + service
}

// Handler is a slog.Handler that writes to a syslog socket. Its methods
// may be called by many goroutines. Handle never fails and never blocks
// for longer than 0.2 s; what cannot be sent is counted and dropped.
type Handler struct {
	out    *output
	min    slog.Level
	attrs  []byte // rendered attributes of With
	groups string // "a.b." of WithGroup
}

var _ slog.Handler = (*Handler)(nil)

// output is the connection, shared by all handlers made from one by With.
type output struct {
	head     string // "ident[pid]: "
	facility int    // already shifted
	socket   string
	copy     io.Writer

	mu       sync.Mutex // guards what follows, and the order of lines
	conn     net.Conn   // nil when there is none
	lastDial time.Time
	dropped  uint64 // since the last line that was sent
	total    uint64 // since the start
	buf      []byte
}

// New returns a handler for o. It does not fail: a daemon that is not there
// is looked for again with later lines.
func New(o Options) *Handler {
	if o.Socket == "" {
		o.Socket = "/dev/log"
	}
	if o.Copy == nil && os.Getenv(StderrEnv) != "" {
		o.Copy = os.Stderr
	}
	h := &Handler{min: slog.LevelInfo, out: &output{
		head:     o.Ident + "[" + strconv.Itoa(os.Getpid()) + "]: ",
		facility: facilities[o.Facility] << 3,
		socket:   o.Socket,
		copy:     o.Copy,
	}}
	if _, ok := facilities[o.Facility]; !ok {
		h.out.facility = facilities["MAIL"] << 3
	}
	if o.Debug {
		h.min = slog.LevelDebug
	}
	return h
}

// facilities is what syslog_facility may be (lib/imapoptions), with
// syslog.h's numbers.
var facilities = map[string]int{
	"": 2, "MAIL": 2, "USER": 1, "DAEMON": 3, "NEWS": 7,
	"LOCAL0": 16, "LOCAL1": 17, "LOCAL2": 18, "LOCAL3": 19,
	"LOCAL4": 20, "LOCAL5": 21, "LOCAL6": 22, "LOCAL7": 23,
}

// severity is the syslog number of a level: 7 debug … 2 critical.
func severity(l slog.Level) int {
	switch {
	case l >= LevelCritical:
		return 2
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= LevelNotice:
		return 5
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// Dropped returns how many lines could not be sent since the start.
func (h *Handler) Dropped() uint64 {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	return h.out.total
}

// Enabled reports whether lines of this level are sent.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.min }

// Handle sends one record as one line.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	o := h.out
	o.mu.Lock()
	defer o.mu.Unlock()
	msg := appendText(o.buf[:0], r.Message)
	msg = append(msg, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		msg = appendAttr(msg, h.groups, a)
		return true
	})
	if len(msg) > maxLine {
		msg = append(msg[:maxLine-3], "..."...)
	}
	o.buf = msg[:0]
	o.write(severity(r.Level), r.Time, msg)
	return nil
}

// WithAttrs returns a handler that adds attrs to each line.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.attrs = append([]byte(nil), h.attrs...)
	for _, a := range attrs {
		n.attrs = appendAttr(n.attrs, h.groups, a)
	}
	return &n
}

// WithGroup returns a handler that puts "name." before later keys.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	n := *h
	n.groups += name + "."
	return &n
}

// write sends msg, which is one line without its end. The caller holds mu.
func (o *output) write(severity int, t time.Time, msg []byte) {
	if t.IsZero() {
		t = time.Now()
	}
	if o.copy != nil {
		line := append(t.AppendFormat(nil, time.Stamp), ' ')
		line = append(append(append(line, o.head...), msg...), '\n')
		_, _ = o.copy.Write(line) // nowhere to complain
	}
	if o.dropped > 0 && o.send(4, t, []byte(strconv.FormatUint(o.dropped, 10)+" lines before this one could not be sent to syslog")) {
		o.dropped = 0
	}
	if !o.send(severity, t, msg) {
		o.dropped++
		o.total++
	}
}

// send makes one datagram and tries to deliver it, on a new connection if
// the old one has failed.
func (o *output) send(severity int, t time.Time, msg []byte) bool {
	b := make([]byte, 0, len(o.head)+len(msg)+24)
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(o.facility|severity), 10)
	b = append(b, '>')
	b = t.AppendFormat(b, time.Stamp)
	b = append(b, ' ')
	b = append(append(b, o.head...), msg...)
	for range 2 {
		if o.conn == nil && !o.dial() {
			return false
		}
		_ = o.conn.SetWriteDeadline(time.Now().Add(writeWait))
		_, err := o.conn.Write(b)
		if err == nil {
			return true
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return false // it is there, but does not read
		}
		_ = o.conn.Close()
		o.conn = nil
		o.lastDial = time.Time{}
	}
	return false
}

// dial connects to the daemon, but not more often than redialWait.
func (o *output) dial() bool {
	now := time.Now()
	if now.Sub(o.lastDial) < redialWait {
		return false
	}
	o.lastDial = now
	c, err := net.Dial("unixgram", o.socket)
	if err != nil {
		return false
	}
	o.conn = c
	return true
}

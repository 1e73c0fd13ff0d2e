package worker

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
)

// control is the worker's control socket,
// {configdirectory}/socket/ctl.PID, a stream socket with a line protocol
// for root and the cyrus user:
//
//	LIST                      the sessions: one line each, its fields
//	                          (session id, number in the list of sessions,
//	                          client, user, mailbox, command) separated by tabs
//	END user NAME             ends sessions: of a user, with a mailbox (internal
//	END mailbox NAME          name) selected, or the one with a session id
//	END session ID
//	CANCEL user NAME          ends only the command that runs, if it only reads;
//	                          likewise with mailbox and session
//	DRAIN                     takes no more clients
//
// The answer ends with a line "OK N", where N is how many sessions it
// concerned, or is "NO TEXT". Any number of requests may follow each other.
type control struct {
	process  *process
	listener *net.UnixListener
	path     string
}

// controlWait is how long a request may take to arrive.
const controlWait = 10 * time.Second

// ControlPath is where the control socket of process pid is.
func ControlPath(c *config.Config, pid int) string {
	return filepath.Join(config.Configdirectory.In(c), "socket", "ctl."+strconv.Itoa(pid))
}

// openControl opens the socket. Without one, mail goes on; nil is
// returned then.
func (p *process) openControl() *control {
	if p.env.Stdio {
		return nil
	}
	c := &control{process: p, path: ControlPath(p.env.Config, os.Getpid())}
	_ = os.Remove(c.path) // of an earlier process with our number
	var err error
	if c.listener, err = listenUnix(c.path); err != nil {
		p.env.Log.Warn("no control socket", "error", err)
		return nil
	}
	go c.serve()
	return c
}

// listenUnix listens at path, which may be longer than the 107 bytes of an
// address. Others than the owner cannot connect.
func listenUnix(path string) (*net.UnixListener, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	short := path
	if len(path) > 100 {
		short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, os.Chmod(path, 0o600)
}

func (c *control) close() {
	if c != nil {
		_ = c.listener.Close()
		_ = os.Remove(c.path)
	}
}

func (c *control) serve() {
	for {
		conn, err := c.listener.AcceptUnix()
		if err != nil {
			return
		}
		go c.client(conn)
	}
}

// client answers the requests of one connection.
func (c *control) client(conn *net.UnixConn) {
	defer conn.Close()
	if !trusted(conn) {
		return
	}
	in := bufio.NewScanner(conn)
	for {
		_ = conn.SetDeadline(time.Now().Add(controlWait))
		if !in.Scan() {
			return
		}
		if _, err := conn.Write([]byte(c.answer(in.Text()))); err != nil {
			return
		}
	}
}

// trusted reports whether the other end is root or the user we run as.
func trusted(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cerr == nil && err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
}

// answer does what one line asks for and returns the lines to send.
func (c *control) answer(line string) string {
	verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r"), " ")
	kind, value, _ := strings.Cut(rest, " ")
	match := matcher(kind, value)
	switch strings.ToUpper(verb) {
	case "LIST":
		return c.list()
	case "DRAIN":
		c.process.drain("told to drain", 0)
		return "OK 0\n"
	case "END":
		if match != nil {
			c.process.env.Log.Log(context.Background(), syslog.LevelNotice, "ending sessions", kind, value)
			return ok(c.process.each(func(s *Conn) bool {
				yes := s.ended() == nil && match(s) // one that is on its way out is not ended twice
				if yes {
					s.end(&Ending{Text: "Session was ended by the administrator", Graceful: true})
				}
				return yes
			}))
		}
	case "CANCEL":
		if match != nil {
			return ok(c.process.each(func(s *Conn) bool { return match(s) && s.cancelCommand() }))
		}
	}
	return "NO unknown request\n"
}

func ok(n int) string { return fmt.Sprintf("OK %d\n", n) }

// matcher returns which sessions a request means, nil if it is malformed.
func matcher(kind, value string) func(*Conn) bool {
	if value == "" {
		return nil
	}
	switch strings.ToLower(kind) {
	case "user":
		return func(c *Conn) bool { e, _ := c.account.current(); return e.User == value }
	case "mailbox":
		return func(c *Conn) bool { e, _ := c.account.current(); return e.Mailbox == value }
	case "session":
		return func(c *Conn) bool { return c.SessionID() == value }
	}
	return nil
}

// list is the answer to LIST.
func (c *control) list() string {
	var b strings.Builder
	n := c.process.each(func(s *Conn) bool {
		e, number := s.account.current()
		fmt.Fprintf(&b, "%s\t%d\t%s\t%s\t%s\t%s\n", s.SessionID(), number, s.Client(), e.User, e.Mailbox, e.Command)
		return true
	})
	return b.String() + ok(n)
}

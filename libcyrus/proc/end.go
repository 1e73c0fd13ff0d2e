package proc

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Which says which sessions are meant: the fields that are not empty must
// agree.
type Which struct {
	User    string
	Mailbox string // selected; internal name
	Except  string // the id of a session that goes on
}

func (w *Which) match(user, mailbox string) bool {
	return (w.User != "" || w.Mailbox != "") && (w.User == "" || w.User == user) && (w.Mailbox == "" || w.Mailbox == mailbox)
}

// endWait is how long a worker may take to answer.
const endWait = 3 * time.Second

// End ends sessions on the whole site: our workers are told through their
// control sockets, {configDir}/socket/ctl.PID, and end them with BYE; processes
// of a Cyrus, known by their entries in procDir, get a signal, but not this one
// nor that of a worker of ours. Failures are returned; one that has ended
// already is none.
//
// Source: proc_killuser and proc_killmbox in Cyrus imap/proc.c.
func End(configDir, procDir string, which Which) error {
	sockets, err := filepath.Glob(filepath.Join(configDir, "socket", "ctl.*"))
	ours := map[int]bool{os.Getpid(): true}
	for _, path := range sockets {
		if pid, err := strconv.Atoi(path[strings.LastIndexByte(path, '.')+1:]); err == nil {
			ours[pid] = true
		}
		if e := endAt(path, &which); e != nil && !errors.Is(e, syscall.ECONNREFUSED) && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("%s: %w", path, e))
		}
	}
	entries, e := Read(procDir)
	err = errors.Join(err, e)
	for i := range entries {
		pid := PID(entries[i].Number)
		if pid != entries[i].Number || pid <= 1 || ours[pid] || !which.match(entries[i].User, entries[i].Mailbox) {
			continue
		}
		if e := syscall.Kill(pid, syscall.SIGTERM); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("process %d: %w", pid, e))
		}
	}
	return err
}

// endAt asks one worker for its sessions, and has those that are meant end.
func endAt(socket string, which *Which) error {
	conn, err := net.DialTimeout("unix", socket, endWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(endWait)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	ask := func(request string) (lines []string, err error) {
		if _, err := fmt.Fprintln(conn, request); err != nil {
			return nil, err
		}
		for {
			line, err := r.ReadString('\n')
			switch {
			case err != nil:
				return lines, err
			case strings.HasPrefix(line, "OK "):
				return lines, nil
			case strings.HasPrefix(line, "NO "):
				return lines, errors.New(strings.TrimSpace(line))
			}
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	sessions, err := ask("LIST")
	for _, s := range sessions {
		f := strings.Split(s, "\t")
		if err != nil || len(f) < 5 || f[0] == which.Except || !which.match(f[3], f[4]) {
			continue
		}
		_, err = ask("END session " + f[0])
	}
	return err
}

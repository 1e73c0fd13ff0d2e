package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// stageVar tells a master that another image of it started it, and with
// which descriptors. It is not handed on.
const stageVar = "GOCYRUS_MASTER_STAGE"

// The stages after the first, which has no name.
const (
	stageDaemon  = "daemon"  // started by -d, to go on in the background
	stageDropped = "dropped" // the user has been changed
)

// stage is how far the start has come. Descriptors are -1 if there is none.
type stage struct {
	name     string
	report   int // where the parent of stageDaemon waits for the result
	pidFile  int // locked
	complain int // standard error as it was at the start
}

// takeStage reads the stage from the environment and takes it out.
func takeStage() stage {
	s := stage{report: -1, pidFile: -1, complain: -1}
	v, ok := os.LookupEnv(stageVar)
	if !ok {
		return s
	}
	os.Unsetenv(stageVar)
	n, err := fmt.Sscan(v, &s.name, &s.report, &s.pidFile, &s.complain)
	known := s.name == stageDaemon && s.report > 2 || s.name == stageDropped && s.pidFile > 2
	if err != nil || n != 4 || !known {
		return stage{report: -1, pidFile: -1, complain: -1}
	}
	for _, fd := range []int{s.report, s.pidFile, s.complain} {
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return s
}

// environ is the environment for the next image of master, at stage s.
func (s stage) environ() []string {
	return append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", stageVar, s.name, s.report, s.pidFile, s.complain))
}

// stderr returns standard error as it was at the start, nil if there was
// none. It outlives the redirection.
func (s *stage) stderr() *os.File {
	if s.name != stageDropped {
		fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 5)
		if err != nil {
			return nil
		}
		s.complain = fd
	}
	if s.complain < 0 {
		return nil
	}
	return os.NewFile(uintptr(s.complain), "stderr")
}

// tell sends the result of the start to the parent of stageDaemon: a C int.
func (s *stage) tell(log *logger, code int) {
	if s.report < 0 {
		return
	}
	b := []byte{byte(code), 0, 0, 0}
	if _, err := unix.Write(s.report, b); err != nil {
		log.errorf("can't write to startup parent pipe: %s", text(err))
	}
	unix.Close(s.report)
	s.report = -1
}

// without returns the environment without the variables of the given names.
func without(env []string, names ...string) []string {
	var kept []string
next:
	for _, kv := range env {
		for _, name := range names {
			if strings.HasPrefix(kv, name+"=") {
				continue next
			}
		}
		kept = append(kept, kv)
	}
	return kept
}

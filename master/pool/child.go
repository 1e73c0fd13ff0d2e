package pool

import (
	"fmt"
	"time"
)

// State is what a process is doing. The numbers appear in log lines.
// Source: Cyrus master/master.c.
type State uint8

// The states of a process.
const (
	Unknown State = 0
	Ready   State = 2 // can take a client; so it begins
	Busy    State = 3 // takes no client now
	Dead    State = 4
)

var stateNames = map[State]string{Unknown: "UNKNOWN", Ready: "READY", Busy: "BUSY", Dead: "DEAD"}

func (s State) String() string { return stateNames[s] }

const (
	// deadFor is how long a dead process is remembered, for its messages
	// may come late. Source: Cyrus master/master.c.
	deadFor = 2 * time.Second
	// A process that lives this long after it was told to leave is worth a
	// line in the log.
	slowToLeave = 30 * time.Second
)

// Child is a process that master started.
type Child struct {
	PID  int
	desc string   // for the log: "type:SERVICE name:imap path:/..."
	svc  *Service // nil: an event
	slot int      // number among those that take clients; -1: none

	state    State
	started  time.Time
	diedAt   time.Time
	hungUpAt time.Time // when it was sent SIGHUP; zero: never, or logged already
	hungUp   bool      // it was sent SIGHUP

	share    int  // clients it was told it may take; 0: none told
	served   bool // it told of a client
	multi    bool // it takes more than one
	taking   bool // it said Unavailable and has not yet said why
	draining bool // it takes no more clients for ever
}

// Describe returns how log lines name the process pid; c may be nil.
func (c *Child) describe(pid int, now time.Time) string {
	if c == nil {
		return fmt.Sprintf("unknown process pid:%d", pid)
	}
	return fmt.Sprintf("process %s age:%.3fs pid:%d", c.desc, now.Sub(c.started).Seconds(), pid)
}

// Description returns how log lines name what a process is for. path may
// be "" if name is.
func Description(kind, name, path string) string {
	return "type:" + kind + " name:" + name + " path:" + path
}

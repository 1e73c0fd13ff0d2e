package pool

import (
	"math"
	"time"
)

// Settings is what cyrus.conf says of how many processes a service has.
type Settings struct {
	// Prefork is the number of ready processes to keep.
	Prefork int
	// MaxChild limits the processes that take clients; negative: no limit.
	// Without MaxClients it limits the clients of all processes together.
	MaxChild int
	// MaxClients is the number of clients of one process; 0: not said.
	MaxClients int
	// DefaultClients is the number of clients of one process if MaxClients
	// is 0. If it is 0 too, the process is told no number and takes one.
	DefaultClients int
	// MaxForkRate is the number of processes started in a second, about,
	// over which no more are; 0: no limit.
	MaxForkRate int
	// Babysit starts a process when there is none left.
	Babysit bool
}

// Class is what kind of process a service has.
type Class uint8

// The classes of services.
const (
	Listener   Class = iota // takes clients from a socket
	Daemon                  // one process, always there
	WaitDaemon              // the same, started before and stopped after all others
	Database                // a wait daemon that is never given up
)

// String returns the word for the class in log lines about a process.
func (c Class) String() string {
	if c == Listener {
		return "SERVICE"
	}
	return "DAEMON"
}

const (
	// A service whose processes die this often before they have served
	// anybody, each within maxFailGap of the last, is given up until the
	// next reload.
	// Source: Cyrus master/master.c.
	maxReadyFails = 5
	maxFailGap    = 10 * time.Second

	// forkrateDecay is how much of the old estimate is left after one
	// second, forkratePause how long the service is left alone when the
	// estimate is over the limit. Source: Cyrus master/master.c.
	forkrateDecay = 0.5
	forkratePause = 400 * time.Millisecond

	// A process that leaves by itself within shortLife without having
	// served anybody was of no use. After manyShort of them in a row only
	// one is started in shortLife: a worker that finds, say, somebody
	// else's database says so with a status that is no failure.
	shortLife = time.Second
	manyShort = 5

	// In complainSpan there are at most maxComplaints lines about senseless
	// messages to one service.
	complainSpan  = 10 * time.Second
	maxComplaints = 20

	// failedStart is how long to wait after the system could not start a
	// process for lack of memory, processes or descriptors.
	failedStart = time.Second

	// The pause before a Database is started again begins at minBackoff
	// (but the first time there is none), doubles with each death within
	// maxFailGap of the start, and ends at maxBackoff.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Service is one service in one address family, or a daemon. Its methods
// only look; Table's change it.
type Service struct {
	Name   string // of the line in cyrus.conf
	Family string // "ipv4", "ipv6", "unix", "daemon"
	Class  Class

	set      Settings
	enabled  bool // may have new processes
	single   bool // its processes turned out to take one client each
	ready    int  // live processes that can take a client
	active   int  // live processes
	draining int  // of these, such as take no more clients for ever
	slots    []bool

	forks, connections int // since the start

	readyFails int
	lastFail   time.Time

	forkrate      float64 // estimate, per second
	intervalForks int     // since intervalStart
	intervalStart time.Time

	complainedAt time.Time // when the present count of complaints began
	complaints   int       // lines about senseless messages since then
	unsaid       int       // such messages without a line

	shortLives int
	backoff    time.Duration
	notBefore  time.Time // no process is started before
	wakeAt     time.Time // when to look again, zero: not needed
}

// Ready returns the number of processes that can take a client.
func (s *Service) Ready() int { return s.ready }

// Active returns the number of live processes.
func (s *Service) Active() int { return s.active }

// Settings returns what s was configured with last.
func (s *Service) Settings() Settings { return s.set }

// ReadyFails returns how often in a row processes died in the ready state.
func (s *Service) ReadyFails() int { return s.readyFails }

// Forks returns the number of processes started so far.
func (s *Service) Forks() int { return s.forks }

// ForkRate returns the estimate of processes started per second. It is kept
// only if their number is limited.
func (s *Service) ForkRate() float64 { return s.forkrate }

// MaxProcesses returns how many processes may take clients at the same
// time; math.MaxInt is no limit.
func (s *Service) MaxProcesses() int { return s.maxProcesses() }

func (s *Service) daemon() bool { return s.Class != Listener }

// maxProcesses is how many processes may take clients at the same time.
func (s *Service) maxProcesses() int {
	n := s.set.MaxChild
	if n < 0 {
		return math.MaxInt
	}
	if s.shared() {
		return (n + s.set.DefaultClients - 1) / s.set.DefaultClients
	}
	return n
}

// shared reports whether MaxChild is a number of clients, which the
// processes share out among themselves.
func (s *Service) shared() bool {
	return s.set.MaxChild >= 0 && s.set.MaxClients == 0 && s.set.DefaultClients > 0 && !s.single
}

// share is the number of clients that the process in a slot may take;
// 0: it is told none.
func (s *Service) share(slot int) int {
	if s.set.MaxClients > 0 {
		return s.set.MaxClients
	}
	if !s.shared() {
		return s.set.DefaultClients
	}
	n := max(s.maxProcesses(), 1)
	share := s.set.MaxChild / n
	if slot < s.set.MaxChild%n {
		share++
	}
	return max(share, 1)
}

// counted is the number of processes that count towards maxProcesses.
func (s *Service) counted() int { return s.active - s.draining }

// takeSlot returns the lowest number that no process has that takes clients.
func (s *Service) takeSlot() int {
	for i, used := range s.slots {
		if !used {
			s.slots[i] = true
			return i
		}
	}
	s.slots = append(s.slots, true)
	return len(s.slots) - 1
}

func (s *Service) freeSlot(slot int) {
	if slot >= 0 && slot < len(s.slots) {
		s.slots[slot] = false
	}
}

// limited reports whether s must not start a process now, and if so sets
// the time to ask again. It brings the estimate of the fork rate up to date.
//
// Source: service_is_fork_limited in Cyrus master/master.c.
func (s *Service) limited(now time.Time) bool {
	if now.Before(s.notBefore) {
		s.wake(s.notBefore)
		return true
	}
	if s.set.MaxForkRate <= 0 {
		return false
	}
	if interval := now.Sub(s.intervalStart).Seconds(); interval > 0 {
		f := math.Pow(forkrateDecay, interval)
		s.forkrate = f*s.forkrate + (1-f)*float64(s.intervalForks)/interval
		s.intervalForks = 0
		s.intervalStart = now
	}
	if int(s.forkrate) < s.set.MaxForkRate {
		return false
	}
	s.wake(now.Add(forkratePause))
	return true
}

// wake makes the table ask for attention at t, or before.
func (s *Service) wake(t time.Time) {
	if s.wakeAt.IsZero() || t.Before(s.wakeAt) {
		s.wakeAt = t
	}
}

// hold keeps s from starting a process for d.
func (s *Service) hold(now time.Time, d time.Duration) {
	if t := now.Add(d); t.After(s.notBefore) {
		s.notBefore = t
	}
}

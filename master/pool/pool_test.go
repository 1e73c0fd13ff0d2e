package pool

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log that keeps "LEVEL text".
type lines struct{ all []string }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.all = append(l.all, r.Level.String()+" "+r.Message)
	return nil
}

func (l *lines) has(part string) bool {
	for _, s := range l.all {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// fixture is a table with one service and a supply of process ids.
type fixture struct {
	*testing.T
	*Table
	log lines
	s   *Service
	pid int
}

func newFixture(t *testing.T, class Class, set Settings) *fixture {
	f := &fixture{T: t, pid: 100}
	f.Table = New(slog.New(&f.log), 0)
	f.s = &Service{Name: "imap", Family: "ipv4", Class: class}
	f.Add(f.s, set)
	return f
}

// staff starts what is wanted, as master does, and returns how many.
func (f *fixture) staff() (n int) {
	for range f.Wanted(f.s) {
		if f.May(f.s) {
			f.fork()
			n++
		}
	}
	return n
}

// fork starts a process and returns its pid and how many clients it may take.
func (f *fixture) fork() (pid, clients int) {
	slot, clients := f.Place(f.s)
	f.pid++
	f.Started(f.s, f.pid, slot, Description("SERVICE", f.s.Name, "/bin/w"))
	return f.pid, clients
}

func (f *fixture) say(pid int, kinds ...Kind) {
	for _, k := range kinds {
		f.Message(f.s, Message{k, int32(pid)})
	}
}

func (f *fixture) want(what string, got, want any) {
	f.Helper()
	if got != want {
		f.Errorf("%s = %v, want %v\n%s", what, got, want, strings.Join(f.log.all, "\n"))
	}
}

func (f *fixture) counts(ready, active int) {
	f.Helper()
	f.want("ready/active", fmt.Sprint(f.s.Ready(), "/", f.s.Active()), fmt.Sprint(ready, "/", active))
}

func exit(code int) syscall.WaitStatus             { return syscall.WaitStatus(code << 8) }
func signaled(s syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(s) }

func TestDecodeMessages(t *testing.T) {
	b := binary.NativeEndian.AppendUint32(nil, 4)
	b = binary.NativeEndian.AppendUint32(b, 77)
	all, rest := DecodeMessages(append(b, 1, 2, 3))
	if len(all) != 1 || all[0] != (Message{ConnectionMulti, 77}) || rest != 3 {
		t.Errorf("DecodeMessages = %v, %d", all, rest)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x65\x00\x00\x00\x02\x00\x00\x00\x65\x00\x00\x00rest"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newFixture(t, Listener, Settings{Prefork: 2, MaxChild: 5, DefaultClients: 3})
		x.staff()
		all, rest := DecodeMessages(b)
		if len(all)*MessageSize+rest != len(b) {
			t.Fatalf("%d messages and %d bytes of %d", len(all), rest, len(b))
		}
		for _, m := range all {
			m.PID = 101 + m.PID&3
			x.Message(x.s, m)
			if x.s.ready < 0 || x.s.ready > x.s.active || x.s.draining < 0 || x.s.draining > x.s.active {
				t.Fatalf("ready %d, active %d, draining %d", x.s.ready, x.s.active, x.s.draining)
			}
		}
		x.Exited(101, exit(0))
		x.Exited(102, exit(0))
		if x.s.ready != 0 || x.s.active != 0 || x.s.draining != 0 {
			t.Fatalf("after all have ended: ready %d, active %d, draining %d", x.s.ready, x.s.active, x.s.draining)
		}
	})
}

// TestMessages sends each message in each state, as Cyrus's process_msg has
// it: the new state, the change in ready workers, and the line.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		before []Kind // from READY
		then   Kind
		ready  int
		log    string
	}{
		{nil, Available, 1, "WARN service imap/ipv4 pid 101 in READY state: sent available message but it is already ready"},
		{nil, Unavailable, 0, ""},
		{nil, Connection, 0, "ERROR service imap/ipv4 pid 101 in READY state: reported new connection, forced to BUSY state"},
		{nil, ConnectionMulti, 1, ""},
		{[]Kind{Unavailable}, Available, 1, ""},
		{[]Kind{Unavailable}, Unavailable, 0, "WARN service imap/ipv4 pid 101 in BUSY state: sent unavailable message but it is already busy"},
		{[]Kind{Unavailable}, Connection, 0, ""},
		{[]Kind{Unavailable}, ConnectionMulti, 1, "ERROR service imap/ipv4 pid 101 in BUSY state: serving one more multi-threaded connection, forced to READY state"},
		{nil, 9, 1, "ERROR+4 service imap/ipv4 pid 101: Software bug: unrecognized message 0x9"},
	} {
		f := newFixture(t, Listener, Settings{MaxChild: -1})
		pid, _ := f.fork()
		f.say(pid, c.before...)
		f.say(pid, c.then)
		f.counts(c.ready, 1)
		if got := strings.Join(f.log.all, "\n"); got != c.log {
			t.Errorf("%v then %d logs %q, want %q", c.before, c.then, got, c.log)
		}
	}
}

func TestMessagesFromStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{MaxChild: -1})
		pid, _ := f.fork()
		other := &Service{Name: "pop3", Family: "ipv6"}
		f.Add(other, Settings{MaxChild: -1})
		f.Message(other, Message{Unavailable, int32(pid)})
		f.counts(1, 1)
		f.want("log", f.log.has("ERROR service pop3/ipv6 pid 101: ignoring message 0x2"), true)
		f.say(4711, Available, Connection)
		f.counts(1, 1)
		f.want("log", f.log.has("WARN service imap/ipv4 pid 4711: receiving messages from long dead children"), true)
		f.want("connections", f.s.connections, 1)
		f.Exited(pid, exit(0))
		f.say(pid, Available) // an echo
		f.counts(0, 0)
		time.Sleep(3 * time.Second)
		f.Sweep()
		f.want("children", len(f.children), 0)
	})
}

func TestComplaintsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{MaxChild: -1})
		for range 1000 {
			f.say(4711, 99)
		}
		f.want("lines", len(f.log.all), maxComplaints)
		time.Sleep(11 * time.Second)
		f.say(4711, Available)
		f.want("log", f.log.has("more senseless messages"), true)
	})
}

func TestVerboseLines(t *testing.T) {
	f := newFixture(t, Listener, Settings{Prefork: 1, MaxChild: -1})
	f.verbose = 1
	f.staff()
	f.say(101, Unavailable, Connection, Available, ConnectionMulti)
	want := []string{
		"DEBUG service imap/ipv4 needs 1 more ready workers",
		"DEBUG service imap/ipv4 pid 101 in READY state: now unavailable and in BUSY state",
		"DEBUG service imap/ipv4 now has 0 ready workers",
		"DEBUG service imap/ipv4 pid 101 in BUSY state: now serving connection",
		"DEBUG service imap/ipv4 now has 0 ready workers",
		"DEBUG service imap/ipv4 pid 101 in BUSY state: now available and in READY state",
		"DEBUG service imap/ipv4 now has 1 ready workers",
		"DEBUG service imap/ipv4 pid 101 in READY state: serving one more multi-threaded connection",
		"DEBUG service imap/ipv4 now has 1 ready workers",
	}
	if got := strings.Join(f.log.all, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("log:\n%s", got)
	}
}

func TestPrefork(t *testing.T) {
	f := newFixture(t, Listener, Settings{Prefork: 3, MaxChild: 5})
	f.want("started", f.staff(), 3)
	f.want("started", f.staff(), 0)
	f.say(101, Unavailable, Connection)
	f.say(102, Unavailable, Connection)
	f.want("started", f.staff(), 2)
	f.say(103, Unavailable, Connection)
	f.want("started at the limit", f.staff(), 0)
	f.want("listening", f.Listening(f.s), false) // there are ready ones
	f.say(104, Unavailable, Connection)
	f.say(105, Unavailable, Connection)
	f.counts(0, 5)
	f.want("listening at the limit", f.Listening(f.s), false)
	f.Exited(101, exit(75))
	f.want("started after one has left", f.staff(), 1)
}

func TestListening(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: 2})
	f.want("listening", f.Listening(f.s), true)
	pid, _ := f.fork()
	f.want("listening with a ready process", f.Listening(f.s), false)
	f.say(pid, Unavailable, Connection)
	f.want("listening when it is busy", f.Listening(f.s), true)
	f.Stop()
	f.want("listening at the end", f.Listening(f.s), false)
}

// TestManyClients is a worker with room for several clients.
func TestManyClients(t *testing.T) {
	f := newFixture(t, Listener, Settings{Prefork: 1, MaxChild: -1, MaxClients: 3})
	f.staff()
	f.say(101, ConnectionMulti, ConnectionMulti)
	f.counts(1, 1)
	f.want("started", f.staff(), 0)
	f.say(101, Unavailable, Connection)
	f.counts(0, 1)
	f.want("started when the first is full", f.staff(), 1)
	f.say(101, Available)
	f.counts(2, 2)
	f.want("connections", f.s.connections, 3)
	if len(f.log.all) > 0 {
		t.Error(f.log.all)
	}
}

// TestMaxChildLimitsClients tells each process its share of maxchild.
func TestMaxChildLimitsClients(t *testing.T) {
	for _, c := range []struct {
		set    Settings
		shares []int // of the processes that may live at the same time
	}{
		{Settings{MaxChild: 100, DefaultClients: 250}, []int{100}},
		{Settings{MaxChild: 250, DefaultClients: 250}, []int{250}},
		{Settings{MaxChild: 300, DefaultClients: 250}, []int{150, 150}},
		{Settings{MaxChild: 7, DefaultClients: 3}, []int{3, 2, 2}},
		{Settings{MaxChild: 1, DefaultClients: 20}, []int{1}},
		{Settings{MaxChild: 2, MaxClients: 40, DefaultClients: 250}, []int{40, 40}},
		{Settings{MaxChild: 1}, []int{0}},
		{Settings{MaxChild: 0, DefaultClients: 250}, nil},
	} {
		f := newFixture(t, Listener, c.set)
		var shares []int
		for f.Listening(f.s) {
			pid, share := f.fork()
			f.say(pid, Unavailable)
			f.say(pid, Connection)
			f.s.single = false // the shares are what is tested here
			shares = append(shares, share)
		}
		f.want(fmt.Sprintf("%+v: shares", c.set), fmt.Sprint(shares), fmt.Sprint(c.shares))
	}
}

// TestSingleClientWorkers: real Cyrus workers don't read the number; then
// maxchild is a number of processes, as it was.
func TestSingleClientWorkers(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: 3, DefaultClients: 250})
	for range 3 {
		f.want("listening", f.Listening(f.s), true)
		pid, _ := f.fork()
		f.say(pid, Unavailable, Connection)
	}
	f.want("listening at the limit", f.Listening(f.s), false)
	f.Configure(f.s, f.s.set)
	f.want("single after a reload without a change", f.s.single, true)
}

// TestSlots gives the share of a process that has gone to the next one.
func TestSlots(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: 5, DefaultClients: 3})
	a, n := f.fork()
	f.want("first share", n, 3)
	_, n = f.fork()
	f.want("second share", n, 2)
	f.Exited(a, exit(0))
	_, n = f.fork()
	f.want("share after the first has gone", n, 3)
}

func TestDraining(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: 1, MaxClients: 10})
	pid, _ := f.fork()
	f.say(pid, ConnectionMulti)
	f.say(pid, Unavailable) // it has served enough, but its client stays
	f.counts(0, 1)
	f.want("listening while one drains", f.Listening(f.s), true)
	f.fork()
	f.counts(1, 2)
	f.Exited(pid, exit(0))
	f.counts(1, 1)
	f.want("draining", f.s.draining, 0)
}

func TestDrainingWhenFull(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: 1, MaxClients: 2})
	pid, _ := f.fork()
	f.say(pid, ConnectionMulti, Unavailable, Connection)
	f.want("listening when full", f.Listening(f.s), false)
	f.say(pid, Unavailable)
	f.want("listening when it says that it drains", f.Listening(f.s), true)
	if len(f.log.all) > 0 {
		t.Error(f.log.all)
	}
}

func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{MaxChild: 1})
		pid, _ := f.fork()
		f.say(pid, Unavailable, Connection)
		for _, c := range f.Children(f.s) {
			f.HungUp(c)
		}
		f.want("listening", f.Listening(f.s), true)
		time.Sleep(31 * time.Second)
		f.Sweep()
		f.Sweep()
		n := strings.Count(strings.Join(f.log.all, "\n"), "INFO service imap/ipv4 pid 101 in state 3 has not yet been recycled since SIGHUP was sent (31s ago)")
		f.want("lines", n, 1)
	})
}

// TestThrottle is the table of what counts as a failure.
func TestThrottle(t *testing.T) {
	killed := signaled(syscall.SIGKILL)
	for _, c := range []struct {
		name     string
		class    Class
		says     []Kind
		end      syscall.WaitStatus
		gap      time.Duration
		disabled bool
	}{
		{"killed at once", Listener, nil, killed, time.Second, true},
		{"status 1", Listener, nil, exit(1), time.Second, true},
		{"unavailable, then status 1", Listener, []Kind{Unavailable}, exit(1), time.Second, true},
		{"seldom", Listener, nil, killed, 11 * time.Second, false},
		{"after a client", Listener, []Kind{Unavailable, Connection, Available}, killed, time.Second, false},
		{"with a client", Listener, []Kind{ConnectionMulti}, killed, time.Second, false},
		{"normal end", Listener, nil, exit(0), time.Second, false},
		{"graceful end", Listener, nil, exit(75), time.Second, false},
		{"daemon", Daemon, nil, exit(1), time.Second, true},
		{"wait daemon", WaitDaemon, nil, exit(1), time.Second, false},
		{"database", Database, nil, exit(1), time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, c.class, Settings{Prefork: 1, MaxChild: -1})
				var gone *Service
				for range 5 {
					if gone != nil {
						t.Fatal("given up too early")
					}
					pid, _ := f.fork()
					f.say(pid, c.says...)
					time.Sleep(c.gap)
					gone = f.Exited(pid, c.end)
				}
				f.want("disabled", gone != nil, c.disabled)
				f.want("enabled", f.s.enabled, !c.disabled)
				f.want("log", f.log.has("ERROR too many failures for service imap/ipv4, disabling until next SIGHUP"), c.disabled)
				f.want("log", f.log.has("ERROR daemon imap/ipv4 is repeatedly failing"), c.class == WaitDaemon)
				f.Configure(f.s, f.s.set)
				f.want("enabled after a reload", f.s.enabled, true)
				f.want("failures after a reload", f.s.ReadyFails(), 0)
			})
		})
	}
}

func TestStopCountsNoFailures(t *testing.T) {
	f := newFixture(t, Listener, Settings{Prefork: 1, MaxChild: -1})
	for range 6 {
		f.fork()
	}
	f.Stop()
	for pid := 101; pid <= 106; pid++ {
		f.Exited(pid, signaled(syscall.SIGTERM))
	}
	f.want("enabled", f.s.enabled, true)
	f.want("living", f.Living(), 0)
	f.want("wanted", f.Wanted(f.s), 0)
}

func TestKilledByHangUp(t *testing.T) {
	f := newFixture(t, Daemon, Settings{})
	for range 6 {
		pid, _ := f.fork()
		f.HungUp(f.children[pid])
		f.Exited(pid, signaled(syscall.SIGHUP))
	}
	f.want("enabled", f.s.enabled, true)
}

// TestShortLives slows down workers that leave at once without a failure.
func TestShortLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{Prefork: 1, MaxChild: -1})
		n := 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			n += f.staff()
			for _, c := range f.Children(f.s) {
				time.Sleep(10 * time.Millisecond)
				f.Exited(c.PID, exit(75))
			}
			if wake := f.NextWake(); !wake.IsZero() {
				time.Sleep(time.Until(wake))
			}
		}
		if n < 10 || n > 16 {
			t.Errorf("%d processes in ten seconds", n)
		}
	})
}

// TestForkRate follows Cyrus's estimate: a limit of 10 lets about 15
// through at once and 10 per second after that.
func TestForkRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{MaxChild: -1, MaxForkRate: 10})
		burst := 0
		for f.Listening(f.s) {
			time.Sleep(time.Millisecond)
			f.fork()
			burst++
			f.say(f.pid, Unavailable, Connection)
		}
		if burst < 13 || burst > 17 {
			t.Errorf("%d processes at once", burst)
		}
		f.want("wake-up", time.Until(f.NextWake()), forkratePause)
		f.want("second wake-up", f.NextWake().IsZero(), true)
		n := 0
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			if f.May(f.s) {
				f.fork()
				n++
				time.Sleep(time.Millisecond)
				continue
			}
			time.Sleep(time.Until(f.NextWake()))
		}
		if n < 150 || n > 250 {
			t.Errorf("%d processes in 20 seconds", n)
		}
	})
}

func TestDatabaseBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Database, Settings{})
		var pauses []time.Duration
		die := func(life time.Duration) {
			before := time.Now()
			for f.staff() == 0 {
				time.Sleep(time.Until(f.NextWake()))
			}
			pauses = append(pauses, time.Since(before))
			time.Sleep(life)
			f.Exited(f.pid, signaled(syscall.SIGKILL))
		}
		for range 9 {
			die(time.Millisecond)
		}
		die(time.Hour)
		die(0)
		want := "[0s 0s 100ms 200ms 400ms 800ms 1.6s 3.2s 5s 5s 0s]"
		f.want("pauses", fmt.Sprint(pauses), want)
	})
}

func TestNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Listener, Settings{Prefork: 1, MaxChild: -1})
		slot, _ := f.Place(f.s)
		f.want("disabled by a full system", f.NotStarted(f.s, slot, false), false)
		f.want("may", f.May(f.s), false)
		time.Sleep(time.Second)
		f.want("may after a second", f.May(f.s), true)
		for i := range 5 {
			slot, _ := f.Place(f.s)
			f.want("disabled", f.NotStarted(f.s, slot, true), i == 4)
		}
	})
}

func TestBabysit(t *testing.T) {
	f := newFixture(t, Listener, Settings{Babysit: true, MaxChild: -1})
	f.want("started", f.staff(), 1)
	f.want("log", f.log.has("ERROR lost all children for service: imap/ipv4.  Applying babysitter."), true)
}

func TestRemovable(t *testing.T) {
	f := newFixture(t, Listener, Settings{MaxChild: -1})
	pid, _ := f.fork()
	f.Disable(f.s)
	f.want("removable", f.Removable(f.s), false)
	f.want("listening", f.Listening(f.s), false)
	f.Exited(pid, exit(0))
	f.want("removable", f.Removable(f.s), true)
	f.Remove(f.s)
	f.want("services", len(f.Services()), 0)
}

func TestEndLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			w    syscall.WaitStatus
			want string
		}{
			{exit(0), "DEBUG process type:EVENT name:e path:/bin/e age:1.500s pid:7 exited normally"},
			{exit(75), "DEBUG process type:EVENT name:e path:/bin/e age:1.500s pid:7 was killed"},
			{exit(3), "ERROR process type:EVENT name:e path:/bin/e age:1.500s pid:7 exited, status 3"},
			{signaled(9), "ERROR process type:EVENT name:e path:/bin/e age:1.500s pid:7 signaled to death by signal 9 (Killed)"},
			{signaled(11) | 0x80, "ERROR process type:EVENT name:e path:/bin/e age:1.500s pid:7 signaled to death by signal 11 (Segmentation fault, core dumped)"},
		} {
			var l lines
			table := New(slog.New(&l), 0)
			table.StartedEvent(7, Description("EVENT", "e", "/bin/e"))
			time.Sleep(1500 * time.Millisecond)
			table.Exited(7, c.w)
			if len(l.all) != 1 || l.all[0] != c.want {
				t.Errorf("%q, want %q", l.all, c.want)
			}
		}
		var l lines
		New(slog.New(&l), 0).Exited(8, exit(0))
		if got, want := l.all[1], "ERROR received SIGCHLD from unknown child pid 8, ignoring"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

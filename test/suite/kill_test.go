package suite

import (
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// killed runs writers, calls kill several times with some time in between,
// and checks that mail flows again soon after each and none is lost.
func killed(t *testing.T, s *server.Site, times int, kill func(round int)) {
	t.Helper()
	w := startWriters(s, 8)
	time.Sleep(300 * time.Millisecond)
	for round := range times {
		kill(round)
		at := time.Now()
		for !w.served(at) {
			if time.Since(at) > time.Minute {
				w.finish()
				t.Fatalf("no new connection has delivered for a minute after kill %d", round+1)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
	}
	acked := w.finish()
	t.Logf("longest time without a delivery: %v", w.gap)
	if w.gap > back {
		t.Errorf("no delivery for %v, want at most %v", w.gap, back)
	}
	checkNothingLost(t, s, acked)
}

func TestKillCyrusdbd(t *testing.T) {
	s := server.Start(t, server.Options{})
	killed(t, s, 3, func(int) {
		killOne(t, s, "cyrusdbd", 0)
		s.Login("user1").Close()
	})
}

// TestKillWorkers kills ten workers within far less than a minute: the
// failure throttle must not close the service.
func TestKillWorkers(t *testing.T) {
	for name, shared := range map[string]bool{"own": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			s := server.Start(t, server.Options{Shared: shared})
			killed(t, s, 10, func(round int) { killOne(t, s, "lmtpd", round) })
		})
	}
}

func TestKillMaster(t *testing.T) {
	s := server.Start(t, server.Options{})
	killed(t, s, 3, func(int) {
		s.Kill()
		s.Run()
	})
}

// killOne ends a process of the site with SIGKILL.
func killOne(t *testing.T, s *server.Site, program string, n int) {
	t.Helper()
	pids := s.Processes(program)
	for end := time.Now().Add(30 * time.Second); len(pids) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		pids = s.Processes(program)
	}
	if len(pids) == 0 {
		t.Fatalf("no %s runs\n%s", program, s.Log())
	}
	if err := syscall.Kill(pids[n%len(pids)], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

package worker

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"
)

// profileTime is how long a CPU profile goes on.
const profileTime = 5 * time.Second

// profileOnSignal writes profiles for developers: if GOCYRUS_PPROF names a
// directory, SIGUSR1 makes the process write what it does in the next five
// seconds to cpu.<pid> there, and then what its memory holds to heap.<pid>.
// Without that variable SIGUSR1 is what it was.
func profileOnSignal(log *slog.Logger) {
	dir := os.Getenv("GOCYRUS_PPROF")
	if dir == "" {
		return
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	var busy atomic.Bool
	go func() {
		for range ch {
			if !busy.CompareAndSwap(false, true) {
				continue
			}
			if err := writeProfiles(dir); err != nil {
				log.Error("no profile", "error", err)
			}
			busy.Store(false)
		}
	}()
}

func writeProfiles(dir string) error {
	name := func(kind string) string { return filepath.Join(dir, fmt.Sprintf("%s.%d", kind, os.Getpid())) }
	cpu, err := os.Create(name("cpu"))
	if err != nil {
		return err
	}
	defer cpu.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	time.Sleep(profileTime)
	pprof.StopCPUProfile()
	heap, err := os.Create(name("heap"))
	if err != nil {
		return err
	}
	defer heap.Close()
	return pprof.WriteHeapProfile(heap)
}

package worker

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// The collector runs when the heap has grown by a part of what is alive. That
// is bound to be little in a process with few clients: with SELECTs alone it
// ran a hundred times a second, and with its sweeping and waking of threads took
// a quarter of the processor. So a process may always collect minGarbage before
// it runs, and gives the memory back once its clients do nothing.
const (
	minPercent = 50      // measured: memory per client matters more than the collector's time
	minGarbage = 8 << 20 // octets
	// At more than maxPercent the runtime's own least heap, 4 MiB for each
	// 100, would be above minGarbage.
	maxPercent = 200
)

// heap sets the collector's pace after each of its runs.
type heap struct {
	percent atomic.Int64
	// allocated is how much had been allocated in all when the process was
	// looked at last, and returned when memory was given back last.
	allocated, returned uint64
}

// newHeap begins to set the pace, unless the environment (GOGC) does; then it
// is nil.
func newHeap() *heap {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	h := &heap{}
	h.set()
	h.again()
	return h
}

// again has the pace set after the next run: an object that nobody uses is
// noticed by it.
func (h *heap) again() {
	runtime.AddCleanup(new([64]byte), func(h *heap) {
		h.set()
		h.again()
	}, h)
}

const (
	liveMetric      = "/gc/heap/live:bytes"
	allocatedMetric = "/gc/heap/allocs:bytes"
)

func metric(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// set changes the pace if it is far from what it should be: each change stops
// the process for a moment.
func (h *heap) set() {
	live := max(metric(liveMetric), 1)
	want := int64(min(max(minGarbage*100/live, minPercent), maxPercent))
	if have := h.percent.Load(); want > have*5/4 || want < have*4/5 {
		h.percent.Store(want)
		debug.SetGCPercent(int(want))
	}
}

// rest gives memory back to the system when next to nothing has been
// allocated since the last call, but much since it was given back last. It is
// called each second, by one goroutine.
func (h *heap) rest() {
	if h == nil {
		return
	}
	now := metric(allocatedMetric)
	quiet := now-h.allocated < minGarbage/64
	h.allocated = now
	if quiet && now-h.returned > minGarbage/4 {
		debug.FreeOSMemory()
		h.returned = metric(allocatedMetric)
	}
}

// tune sets the runtime up for many small sessions in each of many
// processes. What the environment says (GOGC, GOMAXPROCS, GOMEMLIMIT) is
// left alone.
func tune() *heap {
	if os.Getenv("GOMAXPROCS") == "" {
		// There are several workers; none needs the whole machine.
		runtime.GOMAXPROCS(min(runtime.NumCPU(), max(2, runtime.NumCPU()/4)))
	}
	return newHeap()
}

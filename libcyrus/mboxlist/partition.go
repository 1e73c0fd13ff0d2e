package mboxlist

import (
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// choosePartition is where a new tree of mailboxes goes: the default
// partition, or one by partition_select_mode.
func (l *List) choosePartition() (string, error) {
	if l.o.DefaultPartition != "" {
		return l.o.DefaultPartition, nil
	}
	if n := l.partitions.choose(rand.Float64()); n != "" {
		return n, nil
	}
	return "", errs.New(errs.BadPartition, "mboxlist.Create", "", errors.New("no partition may be chosen"))
}

// PartitionChoice is how partitions are chosen: partition_select_*.
type PartitionChoice struct {
	Mode      string
	Exclude   []string
	Reinit    int // choices until free space is looked up again; 0: each time
	SoftLimit int // per cent in use
}

// partitions chooses among partitions. It may be used from many goroutines.
//
// Source: Cyrus imap/partlist.c.
type partitions struct {
	o     PartitionChoice
	names []string
	dirs  map[string]string
	look  func(dir string) volume

	mu      sync.Mutex
	volumes []volume
	weights []float64 // per cent; 0 is not chosen
	random  bool      // free space is not known: all are the same
	uses    int       // since it was looked up
}

// volume is what is known of the file system of a partition, in octets; without
// total nothing is.
type volume struct {
	id          [2]int32
	free, total uint64
}

func newPartitions(layout *mboxname.Layout, o PartitionChoice) *partitions {
	names := slices.Sorted(maps.Keys(layout.Partitions))
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(o.Exclude, n) })
	return &partitions{o: o, names: names, dirs: layout.Partitions, look: volumeOf}
}

// volumeOf looks at the file system of a directory, which need not be there yet.
func volumeOf(dir string) volume {
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	for errors.Is(err, unix.ENOENT) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &st)
	}
	if err != nil {
		return volume{}
	}
	return volume{st.Fsid.Val, st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize)}
}

// choose returns a partition, "" if there is none with room; at is from 0 to
// below 1.
func (p *partitions) choose(at float64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.volumes == nil || p.o.Mode != "random" && p.uses >= p.o.Reinit {
		p.weigh()
		p.uses = 0
	}
	p.uses++
	sizes := p.weights
	switch {
	case len(p.names) == 0 || slices.Max(p.weights) == 0:
		return ""
	case p.random, p.o.Mode == "freespace-percent-weighted", p.o.Mode == "freespace-percent-weighted-delta":
		return p.names[pick(p.weights, at)]
	case p.o.Mode == "freespace-most":
		sizes = make([]float64, len(p.names))
		for i := range sizes {
			if p.weights[i] > 0 {
				sizes[i] = float64(p.volumes[i].free)
			}
		}
	}
	return p.names[slices.Index(sizes, slices.Max(sizes))]
}

// weigh looks at free space.
func (p *partitions) weigh() {
	p.volumes = make([]volume, len(p.names))
	p.weights = make([]float64, len(p.names))
	known := map[string]bool{"freespace-most": true, "freespace-percent-most": true, "freespace-percent-weighted": true, "freespace-percent-weighted-delta": true}
	p.random = !known[p.o.Mode]
	for i, n := range p.names {
		if p.random {
			break
		}
		v := p.look(p.dirs[n])
		p.volumes[i] = v
		if v.total == 0 || v.free > v.total {
			p.random = true
			break
		}
		p.weights[i] = 100 * float64(v.free) / float64(v.total)
	}
	if p.random {
		for i := range p.weights {
			p.weights[i] = 1
		}
		return
	}
	p.limit()
	if p.o.Mode == "freespace-most" || p.o.Mode == "freespace-percent-most" {
		for i := range p.weights { // of partitions on one volume the first
			if slices.ContainsFunc(p.volumes[:i], func(v volume) bool { return v.id == p.volumes[i].id }) {
				p.weights[i] = 0
			}
		}
	}
}

// limit leaves out partitions that are too full, if not all are, and has what is
// free count only as far as it is more than on the fullest one (weighted-delta).
func (p *partitions) limit() {
	least := 100 - float64(p.o.SoftLimit)
	some := slices.ContainsFunc(p.weights, func(w float64) bool { return w > least })
	lowest := 100.0
	for i, w := range p.weights {
		if some && w <= least {
			p.weights[i] = 0
		} else {
			lowest = min(lowest, w)
		}
	}
	if p.o.Mode != "freespace-percent-weighted-delta" {
		return
	}
	const share = 0.5 // that the fullest one gets nevertheless
	for i, w := range p.weights {
		if !some || w > least {
			p.weights[i] = w - lowest + share
		}
	}
}

// pick chooses an index by weight; at is from 0 to below 1. The last one with
// any is what rounding leaves.
func pick(weights []float64, at float64) int {
	var sum float64
	last := 0
	for i, w := range weights {
		if sum += w; w > 0 {
			last = i
		}
	}
	at *= sum
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	return last
}

package mailbox

import (
	"cmp"
	"slices"
	"sync"
)

// rewrite is a record that is changed in place.
type rewrite struct{ old, new Record }

// rewrites is the records that are changed in place, in ascending order. It
// is an array that is used again: with a map of pointers, a change of all
// flags of a mailbox spent a third of its time on memory.
type rewrites []rewrite

// maxKeptRewrites is how large an array is kept: 20,000 of them are 6 MiB,
// until the next collection.
const maxKeptRewrites = 20000

var rewritesPool = sync.Pool{New: func() any { return new(rewrites) }}

func newRewrites() rewrites { return (*rewritesPool.Get().(*rewrites))[:0] }

// free gives the array back.
func (w *rewrites) free() {
	if kept := *w; cap(kept) > 0 && cap(kept) <= maxKeptRewrites {
		rewritesPool.Put(&kept)
	}
	*w = nil
}

// find returns the place of a record, and whether it is there.
func (w rewrites) find(recno uint32) (int, bool) {
	// They come in order, so that a new one is behind all others.
	if n := len(w); n == 0 || w[n-1].new.Recno < recno {
		return n, false
	}
	return slices.BinarySearchFunc(w, recno, func(x rewrite, recno uint32) int { return cmp.Compare(x.new.Recno, recno) })
}

// get returns a record, or nil. It is valid until the next put.
func (w rewrites) get(recno uint32) *rewrite {
	if i, ok := w.find(recno); ok {
		return &w[i]
	}
	return nil
}

// add returns the place of a record, which is made of the record as it is on
// disk if there is none yet. It is valid until the next add.
func (w *rewrites) add(old *Record) *rewrite {
	i, ok := w.find(old.Recno)
	switch {
	case ok:
	case i == len(*w):
		*w = append(*w, rewrite{*old, *old})
	default:
		*w = slices.Insert(*w, i, rewrite{*old, *old})
	}
	return &(*w)[i]
}

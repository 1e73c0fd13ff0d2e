package mailbox

import (
	"context"
	"time"
)

// Foreseen is what an operation would do.
type Foreseen struct {
	Messages int
	Octets   uint64
}

func (f *Foreseen) add(r *Record) {
	f.Messages++
	f.Octets += uint64(r.Size)
}

// ForeseeArchive says what ArchiveMessages would move.
func (s *Store) ForeseeArchive(ctx context.Context, ref Ref, before time.Time) (f Foreseen, err error) {
	if s.o.Archive == nil {
		return f, nil
	}
	stamp := s.archiveBefore()
	if !before.IsZero() {
		stamp = StampOf(before)
	}
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return f, err
	}
	defer m.Close()
	if m.box.paths.dir == m.box.paths.archiveDir || !m.hdr.layout().hasExists {
		return f, nil
	}
	err = m.Each(1, func(r *Record) bool {
		if r.Live() && r.Flags&Archived == 0 && s.shouldArchive(r, stamp) {
			f.add(r)
		}
		return true
	})
	return f, err
}

// ForeseeCleanup says what Cleanup would remove.
func (s *Store) ForeseeCleanup(ctx context.Context, ref Ref, o CleanupOptions) (f Foreseen, err error) {
	before := StampOf(o.ExpungedBefore)
	idle, err := s.nothingToClean(ctx, ref, before)
	if err != nil || idle {
		return f, err
	}
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return f, err
	}
	defer m.Close()
	err = m.Each(1, func(r *Record) bool {
		at := *r
		switch {
		case r.Flags&Unlinked != 0 || r.Flags&Expunged != 0 && r.LastUpdated < before:
		case r.Flags&NeedsCleanup != 0 && m.box.paths.dir != m.box.paths.archiveDir:
			at.Flags ^= Archived // the other copy
		default:
			return true
		}
		if _, err := m.store.o.FS.Stat(m.messagePath(&at)); err == nil {
			f.add(r)
		}
		return true
	})
	return f, err
}

package mailbox

import (
	"sync"
	"time"

	"gocyrus/libcyrus/disk"
)

// unchanged is the headers of indexes as they were when somebody had them
// locked, with what tells that they are the same now: then one look at the file
// answers STATUS and NOOP. With locks, two files to open and two to read it was
// four times what Dovecot needs for a STATUS.
type unchanged struct {
	step time.Duration // fileTimeStep

	mu    sync.Mutex
	heads map[string]head // by Ref.key
}

type head struct {
	path    string
	id      fileID
	changed time.Time // as the system notes it; nobody can set it back
	hdr     IndexHeader
}

// maxHeads is how many are kept, each of some 500 octets.
const maxHeads = 2048

// fileTimeStep is more than the steps in which a file system counts time: what
// was changed within it may be changed again and have the same time. Where
// time is not counted in seconds the step is that of the kernel's clock, 10 ms at
// most.
const fileTimeStep = 2 * time.Second

// settled reports whether another change will have another time.
func (u *unchanged) settled(at time.Time) bool {
	age := time.Since(at)
	return age >= u.step || age >= u.step/20 && at.Nanosecond() != 0
}

// Remember keeps the header for Unchanged, if nothing was changed since m was
// opened.
func (m *Mailbox) Remember() {
	if m.index == nil || m.mode != Read {
		return
	}
	at := disk.Changed(m.info)
	if !m.store.unchanged.settled(at) {
		return
	}
	u := &m.store.unchanged
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.heads == nil || len(u.heads) >= maxHeads {
		u.heads = make(map[string]head)
	}
	u.heads[m.box.key] = head{m.box.paths.index, idOf(m.info), at, m.hdr}
}

// Unchanged returns the index header of a mailbox, and the inode of its index,
// if it is certain without any lock that nothing has changed since Remember.
func (s *Store) Unchanged(ref Ref) (h IndexHeader, inode uint64, ok bool) {
	key := ref.key()
	s.unchanged.mu.Lock()
	k, ok := s.unchanged.heads[key]
	s.unchanged.mu.Unlock()
	if !ok {
		return h, 0, false
	}
	fi, err := s.o.FS.Stat(k.path)
	if err != nil || idOf(fi) != k.id || !disk.Changed(fi).Equal(k.changed) {
		return h, 0, false
	}
	return k.hdr, k.id.ino, true
}

// OwnsSeen is that of a Mailbox with a header.
func (s *Store) OwnsSeen(ref Ref, h *IndexHeader, user string) bool {
	return h.ownsSeen(user, func() string { return ref.Name.OwnerOf(s.o.Layout.DeletedPrefix) })
}

// OpenUnchanged is Open for reading without any lock, if Unchanged knows the
// mailbox and its UIDs are known. Of what is returned only the methods may be
// called that read no record: Header, Flags, Live, FirstUnseen and the like, and
// Close. ok is false if Open is needed.
func (s *Store) OpenUnchanged(ref Ref) (m *Mailbox, ok bool) {
	h, inode, ok := s.Unchanged(ref)
	if !ok {
		return nil, false
	}
	b, err := s.box(&ref)
	if err != nil {
		return nil, false
	}
	m = &Mailbox{store: s, box: b, ref: ref, hdr: h}
	if !b.lendTo(m, inode) {
		b.release()
		return nil, false
	}
	return m, true
}

// lendTo gives m what is known, if it is that of the header that m has.
func (b *box) lendTo(m *Mailbox, inode uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.checked || b.suspect || b.index == nil || b.index.ino != inode ||
		b.head == nil || m.hdr.HeaderCRC == 0 || b.head.crc != m.hdr.HeaderCRC {
		return false
	}
	m.file = b.index
	if b.live.of != m.liveState() || b.live.modseq != m.hdr.HighestModseq || b.live.modseq == 0 {
		return false
	}
	m.file.acquire()
	m.head, m.crcs = b.head, b.crcs
	return true
}

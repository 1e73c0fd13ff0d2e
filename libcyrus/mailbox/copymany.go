package mailbox

import (
	"context"
	"errors"
	"io/fs"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
)

// A copy of many messages is done in pieces, so that it takes no more memory
// than one of copyAtOnce messages, and is nevertheless one change of the
// destination. What it does, and what a crash after each step leaves:
//
//	1 the originals go into a spool        nothing
//	2 for each piece: links, cache and     files above last_uid, records behind
//	  index records, behind the last one   those that the header counts: both are
//	  that counts                          replaced by the next append
//	3 all of that lasts                    the same
//	4 the index header, fsync              the copies
//	5 MOVE: the originals are expunged,    both, of those that were not reached
//	  expungeAtOnce at a time
//
// In memory are 12 octets for each message besides: the UIDs of originals and
// copies. Who wants events (or the audit log) pays for what they tell of each
// message, and conversations are collected until step 3.
const (
	copyAtOnce    = 2000
	expungeAtOnce = 20000
)

// copyMany is Copy for many messages.
func (s *Store) copyMany(ctx context.Context, src Ref, uids []uint32, dst Ref, o CopyOptions) (uint32, []CopyPair, error) {
	sp, how, err := s.spoolCopies(ctx, src, uids, &o)
	if err != nil {
		return 0, nil, err
	}
	defer sp.close()
	if sp.n == 0 {
		return 0, nil, nil
	}
	p := pour{from: sp, how: how, o: &o}
	err = s.pourInto(ctx, dst, &p)
	if errors.Is(err, conversations.ErrNoSplits) {
		p.whole = !s.makeSplits(ctx, dst.Name)
		err = s.pourInto(ctx, dst, &p)
	}
	if err != nil {
		return 0, nil, err
	}
	if o.Move {
		err = s.expungeSpooled(context.WithoutCancel(ctx), src, sp, &o)
	}
	return p.validity, p.pairs, err
}

// spoolCopies reads what is needed of the messages to be copied.
func (s *Store) spoolCopies(ctx context.Context, src Ref, uids []uint32, o *CopyOptions) (*spool, AppendOptions, error) {
	sp, err := s.newSpool(src.Partition)
	if err != nil {
		return nil, AppendOptions{}, err
	}
	root, err := s.gather(ctx, src, uids, o, sp.add)
	if err == nil {
		err = sp.rewind()
	}
	if err != nil {
		sp.close()
		return nil, AppendOptions{}, err
	}
	return sp, o.appendOptions(root), nil
}

// pour is a copy on its way from a spool to its destination.
type pour struct {
	from  *spool
	how   AppendOptions
	o     *CopyOptions
	whole bool // see batch

	m        *Mailbox
	b        *batch
	first    uint32 // UID of the first copy
	end      int64  // of the index before
	validity uint32
	pairs    []CopyPair
}

// pourInto appends all messages of a spool, or none.
func (s *Store) pourInto(ctx context.Context, dst Ref, p *pour) error {
	if err := p.from.rewind(); err != nil {
		return err
	}
	m, err := s.Open(ctx, dst, Write)
	if err != nil {
		return err
	}
	defer m.Close()
	m.begin()
	p.m, p.b, p.pairs = m, &batch{m: m, whole: p.whole}, make([]CopyPair, 0, p.from.n)
	p.first, p.end = 0, m.hdr.layout().offset(m.hdr.NumRecords+1)
	if err = p.pieces(ctx); err != nil {
		m.file.Truncate(p.end) // what is behind the last record does not matter
	} else {
		err = p.commit(ctx)
	}
	if err != nil {
		p.unlink()
		return err
	}
	p.validity = m.hdr.UIDValidity
	return nil
}

// pieces does one piece after the other.
func (p *pour) pieces(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		items, originals, err := p.from.next(p.m.store.copyAtOnce)
		if err != nil || len(items) == 0 {
			return err
		}
		r := &appendRequest{ref: p.m.ref, items: items, o: p.how}
		r.o.tellOriginals(p.o, originals)
		if err := p.piece(ctx, r); err != nil {
			return err
		}
		for i := range r.placed {
			p.pairs = append(p.pairs, CopyPair{originals[i].UID, r.placed[i].rec.UID})
		}
	}
}

// piece appends some messages behind those that the index counts.
func (p *pour) piece(ctx context.Context, r *appendRequest) error {
	b := p.b
	b.reqs = []*appendRequest{r}
	err := b.place(ctx, r)
	if len(r.placed) > 0 && p.first == 0 {
		p.first = r.placed[0].rec.UID
	}
	if err != nil {
		return err
	}
	if err := b.converse(r); err != nil {
		return err
	}
	b.addRecords(r)
	if err := b.spill(); err != nil {
		return fsError("mailbox.Copy", p.m.ref.Name, err)
	}
	b.report(r)
	return nil
}

// spill writes the cache records and index records so far, which last when the
// batch is committed.
func (b *batch) spill() error {
	for i := range b.caches {
		c := &b.caches[i]
		if len(c.buf) == 0 {
			continue
		}
		if _, err := c.file.WriteAt(c.buf, c.base); err != nil {
			return err
		}
		c.base, c.buf = c.base+int64(len(c.buf)), c.buf[:0]
	}
	err := b.m.writeRecords()
	b.m.changes.added = b.m.changes.added[:0]
	return err
}

// commit makes all pieces last, then the header.
func (p *pour) commit(ctx context.Context) error {
	m := p.m
	tasks := []func() error{m.file.Datasync}
	for i := range p.b.caches {
		tasks = append(tasks, p.b.caches[i].tasks(m)...)
	}
	if err := m.prepare(ctx, tasks...); err != nil {
		return fsError("mailbox.Copy", m.ref.Name, err)
	}
	return m.finish()
}

// unlink removes the files of all pieces. What cannot be removed lies above
// last_uid, as after a crash.
func (p *pour) unlink() {
	m := p.m
	if p.first == 0 {
		return
	}
	paths := &m.box.paths
	failed := false
	for uid := p.first; uid != 0 && uid <= m.hdr.LastUID; uid++ {
		for i, dir := range []string{paths.dir, paths.archiveDir} {
			if i == 1 && dir == paths.dir {
				continue
			}
			err := m.store.o.FS.Remove(uidPath(dir, uid))
			failed = failed || err != nil && !errors.Is(err, fs.ErrNotExist)
		}
	}
	if failed {
		m.store.o.Log.Warn("files of a copy that failed are left", "mailbox", m.ref.Name, "uid", p.first)
	}
}

// expungeSpooled expunges the originals of a MOVE.
func (s *Store) expungeSpooled(ctx context.Context, src Ref, sp *spool, o *CopyOptions) error {
	if err := sp.rewind(); err != nil {
		return err
	}
	var from []Record
	for {
		items, originals, err := sp.next(s.copyAtOnce)
		if err != nil {
			return err
		}
		from = append(from, originals...)
		if len(from) >= expungeAtOnce || len(items) == 0 && len(from) > 0 {
			if err := s.expungeOriginals(ctx, src, from, o); err != nil {
				return err
			}
			from = from[:0]
		}
		if len(items) == 0 {
			return nil
		}
	}
}

// expungeOriginals is expungeMoved that waits longer for the source.
func (s *Store) expungeOriginals(ctx context.Context, src Ref, from []Record, o *CopyOptions) error {
	err := s.expungeMoved(ctx, src, from, o)
	for tries := 1; errs.Is(err, errs.Locked) && tries < moveTries; tries++ {
		err = s.expungeMoved(ctx, src, from, o)
	}
	return err
}

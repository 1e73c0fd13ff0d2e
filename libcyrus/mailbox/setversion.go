package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
)

// ErrVersion is the cause of SetVersion's failure with a version that is not
// written.
var ErrVersion = errors.New("index version not supported")

// SetVersion rewrites the index in another version, from OldestKept to
// Version. What the new one has no room for goes where Cyrus keeps it for
// such a version: the conversation, the time of the append and the first
// modseq into message annotations, the owner's \Seen (below version 12) into
// his seen database by setSeen. On the way back they come from there. Expunged
// messages, which versions below 12 cannot have, are removed for good.
// It returns the version that the mailbox had.
//
// Source: mailbox_setversion, mailbox_index_repack in Cyrus imap/mailbox.c.
func (s *Store) SetVersion(ctx context.Context, ref Ref, version uint32, setSeen func(seen []uint32, recent uint32) error) (from uint32, err error) {
	if layoutOf(version) == nil || version < OldestKept {
		return 0, errs.New(errs.BadArgument, "mailbox.SetVersion", string(ref.Name), ErrVersion)
	}
	m, err := s.Open(ctx, ref, Exclusive)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if from = m.hdr.Version; from == version {
		return from, nil
	}
	v := &reversion{m: m, ctx: ctx, to: version}
	if err := v.read(); err != nil {
		return from, err
	}
	if from >= 12 && version < 12 && setSeen != nil && m.owner() != "" {
		if err := setSeen(v.seen, m.hdr.RecentUID); err != nil {
			return from, err
		}
	}
	if from < 12 && version >= 12 && s.o.OwnerSeen != nil {
		if err := v.readSeen(); err != nil {
			return from, err
		}
	}
	if v.counts = s.keepsConversations(&ref) && m.hdr.layout().cid == 0 != (layoutOf(version).cid == 0); !v.counts {
		return from, v.write()
	}
	if err := v.write(); err != nil {
		return from, err
	}
	m.Close()
	return from, s.settle(ctx, ref, false)
}

// reversion is one run of SetVersion.
type reversion struct {
	m       *Mailbox
	ctx     context.Context
	to      uint32
	records []salvaged
	seen    []uint32     // what the owner has seen
	set     []Annotation // annotations that change
	gone    []uint32     // expunged messages that the new version cannot have
	files   []string     // and their files
	recent  uint32
	counts  bool // conversations come or go: they are counted afterwards
}

// read reads all records, and moves what is kept elsewhere in the new
// version.
func (v *reversion) read() error {
	m := v.m
	v.recent = m.hdr.RecentUID
	m.changes.old.AnnotUsed = 1 // the header's word that there are none is not believed
	if _, err := m.annotsOf(v.ctx, 0); err != nil {
		return err
	}
	return m.Each(1, func(r *Record) bool {
		if r.Live() && r.Flags&Seen != 0 {
			v.seen = append(v.seen, r.UID)
		}
		if !r.Live() && !layoutOf(v.to).hasExists {
			v.gone, v.files = append(v.gone, r.UID), append(v.files, m.messagePath(r))
			return true
		}
		rec := *r
		v.move(&rec, annotThread, 13, 16, &rec.CID)
		saved := uint64(rec.SaveDate)
		v.move(&rec, annotSaved, 15, 10, &saved)
		rec.SaveDate = Stamp(saved)
		v.move(&rec, annotCreated, 16, 10, &rec.CreatedModseq)
		if v.to < 12 {
			rec.Flags &^= Seen
		}
		if m.hdr.Version < 12 && v.to >= 12 {
			if msg, err := m.parse(r); err == nil {
				sent, gm := msg.Times(r.InternalDate.Time())
				rec.SentDate, rec.GMTime = StampOf(sent), StampOf(gm)
			}
		}
		v.records = append(v.records, salvaged{Record: rec})
		return true
	})
}

// move moves a number between the record and an annotation; since is the first
// version in which it is in the record.
func (v *reversion) move(r *Record, entry string, since uint32, base int, n *uint64) {
	m := v.m
	had, has := m.hdr.Version >= since, v.to >= since
	if had == has {
		return
	}
	a := Annotation{UID: r.UID, Key: annot.Key{Entry: entry}}
	if had { // out of the record
		if *n != 0 {
			a.Value = strconv.AppendUint(nil, *n, base)
			v.set = append(v.set, a)
			m.changes.messages[r.UID] = withAnnotation(m.changes.messages[r.UID], a)
		}
		*n = 0
		return
	}
	for _, have := range m.changes.messages[r.UID] {
		if have.Entry == entry && have.User == "" {
			*n, _ = strconv.ParseUint(string(have.Value), base, 64)
			v.set = append(v.set, a)
			m.changes.messages[r.UID] = withAnnotation(m.changes.messages[r.UID], a)
			return
		}
	}
}

// readSeen takes what the owner has seen from his seen database.
func (v *reversion) readSeen() error {
	seen, recent, err := v.m.store.o.OwnerSeen(v.ctx, v.m.ref)
	if err != nil {
		return err
	}
	v.recent = max(v.recent, recent)
	for i := range v.records {
		if r := &v.records[i].Record; seen != nil && seen(r.UID) {
			r.Flags |= Seen
		}
	}
	return nil
}

// write writes the new index. Annotations last before it when they come out of
// records, and go after it when they went into them: a crash leaves both.
func (v *reversion) write() error {
	m := v.m
	m.store.o.Log.Info(fmt.Sprintf("Repacking mailbox %s version %d", m.ref.Name, v.to))
	down := v.to < m.hdr.Version
	if down {
		if err := v.annotate(); err != nil {
			return err
		}
	}
	was := m.hdr.usage()
	rb, err := m.newRebuild(v.to, m.hdr.Version < 12 && v.to >= 12) // the older ones have no checksums of caches
	if err != nil {
		return err
	}
	if layoutOf(v.to).hasExists {
		rb.hdr.HeaderCRC, rb.hdr.RecentUID = m.head.crc, v.recent
	}
	if v.to >= 17 && rb.hdr.ChangesEpoch == 0 {
		rb.hdr.ChangesEpoch = now()
	}
	if err := m.recount(v.ctx, &rb.hdr, v.records); err != nil {
		return rb.fail(err)
	}
	for i := range v.records {
		if err := rb.add(&v.records[i].Record, false); err != nil {
			return rb.fail(err)
		}
	}
	if v.counts {
		rb.hdr.Options |= optDirty // until that is done
	}
	is := rb.hdr.usage()
	if err := rb.finish(); err != nil {
		return err
	}
	for _, f := range v.files {
		m.store.o.FS.Remove(f)
	}
	if !down {
		if err := v.annotate(); err != nil {
			return err
		}
	}
	if a := m.store.o.Annotations; a != nil && len(v.gone) > 0 {
		if err := a.MessageDrop(v.ctx, m.messages(), v.gone); err != nil {
			return err
		}
	}
	m.store.changed(m.ref.Name)
	if diff := is.Add(was.Neg()); !diff.IsZero() && m.head.quotaRoot != "" && m.store.o.Quota != nil {
		return m.store.o.Quota.Update(v.ctx, m.head.quotaRoot, m.ref.Name, diff)
	}
	return nil
}

// annotate writes the annotations that change.
func (v *reversion) annotate() error {
	m := v.m
	if len(v.set) == 0 || m.store.o.Annotations == nil {
		return nil
	}
	_, err := m.store.o.Annotations.MessageSet(v.ctx, m.messages(), m.hdr.HighestModseq, v.set)
	return err
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/message"
)

// Undump makes a mailbox what an Incoming says: its messages with their UIDs,
// flags, dates and modseqs, the UIDVALIDITY, the next UID and the options of
// the index; and gives the mailbox annotations of its own. Unique id, name,
// access control list and quota root stay, and so do keywords that are there.
// The quota is counted, and not asked.
//
// No message is lost: each that is there and not expunged has to come too. Of
// those that are there with the same contents no file needs to come. Otherwise
// nothing is changed, and the error is of kind errs.BadArgument; its cause
// says why. What a crash leaves:
//
//	while files are placed     the mailbox as it was, and files that no record names
//	annotations stored         some annotations more
//	index renamed              see rebuild; the use of quota is not counted yet,
//	                           nor are conversations: the next who opens the
//	                           mailbox does that
//
// Done again it does the rest.
func (s *Store) Undump(ctx context.Context, ref Ref, in *Incoming, annotations []annot.Row) error {
	u := &undump{in: in, annotations: annotations}
	if in.HasMailbox() {
		c, err := in.contents()
		if err != nil {
			return err
		}
		u.from = c
	}
	m, err := s.Open(ctx, ref, Exclusive)
	if err != nil {
		return err
	}
	defer m.Close()
	u.m = m
	if u.from == nil {
		return u.annotateOnly(ctx)
	}
	if err := u.compare(); err != nil {
		return err
	}
	if err := u.place(); err != nil {
		return disk.Error("mailbox.Undump", string(ref.Name), err)
	}
	u.heads()
	conversed := m.hasConversations()
	if err := u.write(ctx, conversed); err != nil {
		return disk.Error("mailbox.Undump", string(ref.Name), err)
	}
	m.Close()
	if conversed {
		return s.settle(ctx, ref, true)
	}
	return nil
}

// Undumped reports whether a mailbox has all messages of an Incoming under its
// UIDVALIDITY: Undump has done its work, and what it refuses came later.
func (s *Store) Undumped(ctx context.Context, ref Ref, in *Incoming) (bool, error) {
	if !in.HasMailbox() {
		return true, nil
	}
	c, err := in.contents()
	if err != nil {
		return false, err
	}
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return false, err
	}
	defer m.Close()
	missing := map[uint32]GUID{}
	for i := range c.records {
		if c.records[i].Live() {
			missing[c.records[i].UID] = c.records[i].GUID
		}
	}
	err = m.Each(1, func(r *Record) bool {
		if missing[r.UID] == r.GUID {
			delete(missing, r.UID)
		}
		return true
	})
	return len(missing) == 0 && m.hdr.UIDValidity == c.hdr.UIDValidity, err
}

// undump is one run of Undump.
type undump struct {
	m           *Mailbox
	in          *Incoming
	from        *incomingContents // nil: nothing came of the mailbox itself
	annotations []annot.Row

	have    map[uint32]Record // the messages that are there, by UID
	records []salvaged        // of the new index
	gone    []string          // files that the new index does not know
	dropped uint64            // the highest modseq of a record that is left out
	hdr     IndexHeader
}

// annotateOnly stores annotations where nothing else came.
func (u *undump) annotateOnly(ctx context.Context) error {
	if len(u.annotations) == 0 {
		return nil
	}
	m := u.m
	m.begin()
	was, _, err := m.mailboxAnnotations(ctx)
	if err == nil {
		err = u.annotate(ctx)
	}
	if err != nil {
		return err
	}
	is, known, err := m.mailboxAnnotations(ctx)
	if err != nil || !known {
		return err
	}
	for range u.annotations {
		m.nextModseq()
	}
	m.AddAnnotationUse(int64(is) - int64(was))
	return m.Commit(ctx)
}

func (u *undump) annotate(ctx context.Context) error {
	if len(u.annotations) == 0 || u.m.store.o.Annotations == nil {
		return nil
	}
	return u.m.store.o.Annotations.SetAll(ctx, u.m.annotScope(), u.annotations)
}

// compare finds out which records the new index gets, and refuses what would
// lose a message, or has one too few.
func (u *undump) compare() error {
	u.have = map[uint32]Record{}
	coming := map[uint32]GUID{}
	for i := range u.from.records {
		coming[u.from.records[i].UID] = u.from.records[i].GUID
	}
	var refused error
	err := u.m.Each(1, func(r *Record) bool {
		guid, comes := coming[r.UID]
		switch {
		case comes && guid == r.GUID:
			u.have[r.UID] = *r
		case r.Flags&Unlinked != 0:
		case comes:
			refused = u.in.bad(fmt.Sprintf("The mailbox has another message with the UID %d", r.UID))
		case r.Live():
			refused = u.in.bad(fmt.Sprintf("The mailbox has a message that is not in the dump, with the UID %d", r.UID))
		default:
			u.gone = append(u.gone, u.m.messagePath(r))
		}
		return refused == nil
	})
	if err != nil || refused != nil {
		return errors.Join(refused, err)
	}
	for i := range u.from.records {
		r := u.from.records[i]
		here, have := u.have[r.UID]
		switch {
		case r.Flags&Unlinked == 0 && (u.in.Has(fileOf(r.UID)) || have && here.Flags&Unlinked == 0):
			r.Flags = r.Flags&^(Archived|NeedsCleanup) | here.Flags&Archived
			u.records = append(u.records, salvaged{Record: r})
		case r.Live():
			return u.in.bad(fmt.Sprintf("The message with the UID %d is missing", r.UID))
		default:
			u.dropped = max(u.dropped, r.Modseq)
		}
	}
	return nil
}

// fileOf is the name of a message's file.
func fileOf(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) + "." }

// place gives the messages that came their places, and their keywords the
// numbers that they have here.
func (u *undump) place() error {
	m, s := u.m, u.m.store
	numbers := map[int]int{}
	for i := range u.records {
		r := &u.records[i].Record
		here, have := u.have[r.UID]
		if !have || here.Flags&Unlinked != 0 {
			from := u.in.Path(fileOf(r.UID))
			if err := s.o.FS.Chtimes(from, r.InternalDate.Time()); err != nil {
				return err
			}
			if err := s.placeFile(from, m.messagePath(r)); err != nil {
				return err
			}
		}
		if err := u.keywords(r, numbers); err != nil {
			return err
		}
	}
	return s.syncDirs(m.box.paths.dir + "/x")
}

// keywords gives the keywords of a record their numbers. Keywords that are not
// here get one.
func (u *undump) keywords(r *Record, numbers map[int]int) (err error) {
	var user UserFlags
	r.User.Each(func(n int) {
		if err != nil || n >= len(u.from.flags) || u.from.flags[n] == "" {
			return // it has no name
		}
		number, known := numbers[n]
		if !known {
			if number, err = u.m.AddFlag(u.from.flags[n], MaxUserFlags); err != nil {
				return
			}
			numbers[n] = number
		}
		user.Set(number)
	})
	r.User = user
	return err
}

// heads makes the new header of the index. A client that has seen this
// mailbox under the same UIDVALIDITY finds everything changed.
func (u *undump) heads() {
	m, was := u.m, &u.from.hdr
	h := m.hdr.uncounted()
	h.Version, h.UIDValidity = Version, was.UIDValidity
	h.LastUID = max(was.LastUID, m.hdr.LastUID)
	if m.hdr.UIDValidity != was.UIDValidity {
		h.LastUID = was.LastUID
	}
	h.HighestModseq = max(m.hdr.HighestModseq, was.HighestModseq, 1)
	for i := range u.records {
		h.HighestModseq = max(h.HighestModseq, u.records[i].Modseq)
	}
	h.HighestModseq += uint64(len(u.annotations)) // each takes one, as in Cyrus
	h.DeletedModseq = max(was.DeletedModseq, u.dropped)
	if m.hdr.LastUID != 0 && m.hdr.UIDValidity == was.UIDValidity {
		h.HighestModseq++
		h.DeletedModseq = h.HighestModseq
		for i := range u.records {
			u.records[i].Modseq = h.HighestModseq
		}
	}
	for i := range u.records {
		r := &u.records[i].Record
		r.Modseq = max(r.Modseq, 1)
		if r.CreatedModseq == 0 {
			r.CreatedModseq = r.Modseq
		}
	}
	h.CreatedModseq = max(was.CreatedModseq, 1)
	const kept = OptPOP3NewUIDL | OptSharedSeen | OptDuplicate | OptHasAlarms
	h.Options = was.Options & kept
	h.LastAppend, h.POP3LastLogin, h.POP3ShowAfter = was.LastAppend, was.POP3LastLogin, was.POP3ShowAfter
	h.RecentUID, h.RecentTime, h.ChangesEpoch = min(was.RecentUID, h.LastUID), was.RecentTime, now()
	u.hdr = h
}

// write writes cyrus.header if there are new keywords, the annotations, and
// the new index with its cache.
func (u *undump) write(ctx context.Context, conversed bool) error {
	m, s := u.m, u.m.store
	if m.changes.head {
		data := m.head.encode()
		m.head.crc = checksum(data)
		if err := disk.ReplaceSync(s.o.FS, m.box.paths.header, data, fileMode); err != nil {
			return err
		}
	}
	if err := u.annotate(ctx); err != nil {
		return err
	}
	if err := u.oldCache(); err != nil {
		return err
	}
	before := m.changes.old
	if !m.changes.began {
		before = m.hdr
	}
	rb, err := m.newRebuild(Version, true)
	if err != nil {
		return err
	}
	h := u.hdr
	h.Generation, h.NumRecords, h.HeaderCRC = rb.hdr.Generation, 0, m.head.crc
	if conversed {
		h.Options |= optDirty // until they are counted
	}
	if err := m.recount(ctx, &h, u.records); err != nil {
		return rb.fail(err)
	}
	rb.hdr = h
	for i := range u.records {
		if err := u.add(rb, &u.records[i].Record); err != nil {
			return rb.fail(err)
		}
	}
	m.hdr = h
	if err := rb.finish(); err != nil {
		return err
	}
	m.box.forget()
	m.trust()
	if s.o.Counters != nil {
		m.updateCounters(func(n *counters.Counters, k counters.Kind) {
			n.UIDValidity = max(n.UIDValidity, h.UIDValidity)
			n.Raise(k, counters.Folder, h.HighestModseq)
		})
	}
	if diff := h.usage().Add(before.usage().Neg()); !diff.IsZero() && m.head.quotaRoot != "" && s.o.Quota != nil {
		if err := s.o.Quota.Update(ctx, m.head.quotaRoot, m.ref.Name, diff); err != nil {
			return err
		}
	}
	s.changed(m.ref.Name)
	for _, f := range u.gone {
		_ = s.o.FS.Remove(f) // reconstruct would find it
	}
	return nil
}

// oldCache makes an empty cache where there is none, as before the first
// append: for one of an older generation the new one is looked for if a crash
// has kept it from its place.
func (u *undump) oldCache() error {
	fsys, path := u.m.store.o.FS, u.m.box.paths.cache
	if _, err := fsys.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.ReplaceSync(fsys, path, be.AppendUint32(nil, u.m.hdr.Generation), cacheMode)
}

// add adds a record to the new index, and its cache record: what a dump says
// of the structure of its messages is not believed.
func (u *undump) add(rb *rebuild, r *Record) error {
	msg, err := u.m.parse(r)
	if err != nil {
		return err
	}
	if GUID(msg.GUID) != r.GUID {
		return u.in.bad(fmt.Sprintf("The file of the message with the UID %d is damaged", r.UID))
	}
	fillRecord(r, msg, r.InternalDate.Time())
	c := &rb.caches[u.m.cacheSlot(r)]
	if *c == nil {
		if *c, err = rb.newCache(u.m.box.paths.archiveCache); err != nil {
			return err
		}
	}
	cache := msg.CacheRecord()
	r.CacheOffset, r.CacheVersion, r.CacheCRC = uint64((*c).off), message.CacheVersion, checksum(cache)
	if err := (*c).write(cache); err != nil {
		return err
	}
	rb.hdr.NumRecords++
	r.Recno = rb.hdr.NumRecords
	rb.hdr.layout().encode(rb.rec, r)
	return rb.index.write(rb.rec)
}

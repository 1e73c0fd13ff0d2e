// Package metadata is the annotations of the server and of mailboxes (RFC
// 5464) as a user reads and changes them: those in databases, and those that
// stand for something else, such as an option of a mailbox.
package metadata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

// Store is the annotations of a site. It may be used from many goroutines.
type Store struct {
	site     *site.Site
	counters *counters.Store
}

// New returns the annotations of a site.
func New(s *site.Site) *Store {
	return &Store{s, counters.New(counters.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log,
		Home: func(ctx context.Context, user string) (string, bool, error) { return s.List.HomeOf(ctx, user) },
	})}
}

// Mailbox returns annotations of a mailbox. What the user may not read is
// left out.
func (s *Store) Mailbox(ctx context.Context, who mboxlist.Actor, e *mboxlist.Entry, q annot.Query) ([]annot.Answer, error) {
	m, err := s.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	src := ofMailbox{ctx: ctx, entry: e, box: m, admin: who.Admin, rights: s.site.List.Rights(who, e)}
	return s.site.Definitions.Answer(annot.OfMailbox, q, who.User, &src)
}

// ofMailbox finds values of a mailbox, which is open.
type ofMailbox struct {
	ctx    context.Context
	entry  *mboxlist.Entry
	box    *mailbox.Mailbox
	rights acl.Rights
	admin  bool
}

// Rows returns what is stored.
func (o *ofMailbox) Rows() ([]annot.Row, error) { return o.box.BoxAnnotations(o.ctx) }

// MayRead reports whether the user may read an entry.
//
// Source: _annotate_may_fetch in Cyrus imap/annotate.c.
func (o *ofMailbox) MayRead(d *annot.Definition) bool {
	return o.admin || d.OwnCheck || o.rights.Has(acl.Lookup|acl.Read)
}

// Computed returns a value that is not in the database.
func (o *ofMailbox) Computed(d *annot.Definition) (value []byte, ok bool, err error) {
	h := o.box.Header()
	number := func(n uint64) ([]byte, bool, error) { return strconv.AppendUint(nil, n, 10), true, nil }
	switch d.Place {
	case annot.InOptions:
		return truth(h.Options&optionBits[d.Option] != 0)
	case annot.HasAlarms:
		return truth(h.Options&mailbox.OptHasAlarms != 0)
	case annot.InShowAfter:
		return date(h.POP3ShowAfter)
	case annot.LastPop:
		return date(h.POP3LastLogin)
	case annot.Size:
		return number(h.QuotaUsed)
	case annot.AnnotSize:
		return number(h.AnnotUsed)
	case annot.FolderModseq:
		return number(o.entry.FolderModseq)
	case annot.LastUpdate:
		t, err := o.box.IndexTime()
		if err != nil {
			return nil, false, err
		}
		return dateText(t), true, nil
	case annot.Partition:
		return []byte(o.entry.Partition), o.admin || o.rights.Has(acl.Lookup), nil
	case annot.SyncCRCs:
		return fmt.Appendf(nil, "%d %d", h.SyncCRC, h.SyncCRCAnnot), true, nil
	case annot.UniqueID:
		return []byte(o.box.UniqueID()), true, nil
	}
	return nil, false, nil
}

// optionBits is the index options that annotations show.
var optionBits = map[annot.Option]mailbox.IndexOptions{
	annot.OptionSharedSeen: mailbox.OptSharedSeen,
	annot.OptionDuplicates: mailbox.OptDuplicate,
	annot.OptionNewUIDL:    mailbox.OptPOP3NewUIDL,
}

func truth(b bool) ([]byte, bool, error) { return strconv.AppendBool(nil, b), true, nil }

// date prints a time as IMAP does; none is nil.
func date(s mailbox.Stamp) ([]byte, bool, error) {
	if s == 0 {
		return nil, true, nil
	}
	return dateText(s.Time()), true, nil
}

// dateText is a time as INTERNALDATE has it, without its quotes.
func dateText(t time.Time) []byte {
	return bytes.Trim(imapwire.AppendDateTime(nil, t.In(time.Local)), `"`)
}

// Server returns annotations of the server.
func (s *Store) Server(ctx context.Context, who mboxlist.Actor, q annot.Query) ([]annot.Answer, error) {
	return s.site.Definitions.Answer(annot.OfServer, q, who.User, &ofServer{ctx: ctx, store: s, user: who.User})
}

// ofServer finds values of the server.
type ofServer struct {
	ctx   context.Context
	store *Store
	user  string
}

// Rows returns what is stored.
func (o *ofServer) Rows() (rows []annot.Row, err error) {
	err = o.store.site.Annot.Each(o.ctx, annot.Scope{}, func(k annot.Key, v []byte) error {
		rows = append(rows, annot.Row{Key: k, Value: slices.Clone(v)})
		return nil
	})
	return rows, err
}

// MayRead reports whether the user may read an entry: all may.
func (o *ofServer) MayRead(*annot.Definition) bool { return true }

// Computed returns a value that is not in the database.
func (o *ofServer) Computed(d *annot.Definition) (value []byte, ok bool, err error) {
	s := o.store.site
	switch d.Place {
	case annot.InFile:
		text, err := firstLine(s.FS, o.store.messagePath(d))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return text, true, err
	case annot.UserModseq, annot.UserCounters:
		c, err := o.store.counters.Read(o.ctx, s.Names.Inbox(o.user))
		if err != nil || o.user == "" {
			return nil, false, err
		}
		if d.Place == annot.UserModseq {
			return strconv.AppendUint(nil, c.Modseqs[counters.Highest], 10), true, nil
		}
		return userCounters(&c), true, nil
	case annot.Freespace, annot.FreespaceTotal, annot.FreespaceMost:
		return o.store.freespace(d.Place), true, nil
	}
	return nil, false, nil
}

// countersVersion is that of the counters of Cyrus 3.6.
const countersVersion = 9

// userCounters prints counters as Cyrus does: the version of the file, the
// modseqs of version 7, the UIDVALIDITY.
//
// Source: annotation_get_usercounters in Cyrus imap/annotate.c.
func userCounters(c *counters.Counters) []byte {
	version := uint64(countersVersion)
	if *c == (counters.Counters{}) {
		version = 0
	}
	b := strconv.AppendUint(nil, version, 10)
	for _, n := range c.Modseqs[:counters.RACL+1] {
		b = strconv.AppendUint(append(b, ' '), n, 10)
	}
	return strconv.AppendUint(append(b, ' '), uint64(c.UIDValidity), 10)
}

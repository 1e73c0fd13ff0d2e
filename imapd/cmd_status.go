package main

import (
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
)

// statusItem is something that STATUS tells.
type statusItem uint16

// The items, in the order in which Cyrus prints them.
const (
	statusMessages statusItem = 1 << iota
	statusRecent
	statusUIDNext
	statusUIDValidity
	statusMailboxID
	statusUnseen
	statusSize
	statusCreatedModseq
	statusHighestModseq
	statusDeleted
	statusDeletedStorage
)

// statusItems is the items by name and in order.
var statusItems = []struct {
	name string
	item statusItem
}{
	{"MESSAGES", statusMessages},
	{"RECENT", statusRecent},
	{"UIDNEXT", statusUIDNext},
	{"UIDVALIDITY", statusUIDValidity},
	{"MAILBOXID", statusMailboxID},
	{"UNSEEN", statusUnseen},
	{"SIZE", statusSize},
	{"CREATEDMODSEQ", statusCreatedModseq},
	{"HIGHESTMODSEQ", statusHighestModseq},
	{"DELETED", statusDeleted},                // RFC 9208 section 4.1.4, RFC 9051 section 6.3.11
	{"DELETED-STORAGE", statusDeletedStorage}, // in octets
}

// statusCapability is the capability that an item belongs to, if it can be
// turned off.
var statusCapability = map[statusItem]string{statusDeleted: "QUOTA=RES-MESSAGE", statusDeletedStorage: "QUOTA=RES-STORAGE"}

// statusArgs is the arguments of STATUS.
type statusArgs struct {
	mailbox string
	items   []statusItem
}

// parseStatus reads the arguments of STATUS (RFC 3501 section 6.3.10).
func parseStatus(r *imapwire.Reader) (a statusArgs, err error) {
	if a.mailbox, err = argument(r); err != nil {
		return a, err
	}
	a.items, err = parseStatusItems(r)
	return a, err
}

// parseStatusItems reads a blank and a list of items.
//
// Source: parse_statusitems in Cyrus imap/imapd.c.
func parseStatusItems(r *imapwire.Reader) ([]statusItem, error) {
	if !r.Space() {
		return nil, r.Missing()
	}
	const bad = imapwire.SyntaxError("Bad status string")
	if !r.Accept('(') {
		return nil, orWrong(r, nil, bad)
	}
	var items []statusItem
	for {
		word := r.Word()
		if word == "" {
			return nil, orWrong(r, nil, bad)
		}
		item, ok := statusNamed(r, word)
		if !ok {
			return nil, orWrong(r, nil, imapwire.SyntaxError("Invalid Status attributes "+strings.ToLower(word)))
		}
		items = append(items, item)
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return nil, orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in Status"))
	}
	return items, nil
}

// statusNamed finds an item by its name in any case.
func statusNamed(r *imapwire.Reader, word string) (statusItem, bool) {
	for _, s := range statusItems {
		if strings.EqualFold(s.name, word) && offers(r, statusCapability[s.item]) {
			return s.item, true
		}
	}
	return 0, false
}

// status tells about a mailbox that need not be selected (RFC 3501 section
// 6.3.10).
func (s *session) status(a statusArgs) (string, error) {
	if s.client.Rev2 && slices.Contains(a.items, statusRecent) {
		return "", imapwire.SyntaxError("Invalid Status attributes recent") // RFC 9051 appendix E
	}
	if s.view != nil { // as in Cyrus changes are told before
		if err := s.refresh(false, false); err != nil {
			return "", err
		}
	}
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.Read)
	if err != nil {
		return "", err
	}
	return "", s.sendStatus(a.mailbox, e, a.items)
}

// sendStatus sends the STATUS of a mailbox; external is its name as the
// client wrote it.
func (s *session) sendStatus(external string, e *mboxlist.Entry, items []statusItem) error {
	if !s.site.List.Rights(s.who, e).Has(acl.Read) {
		return errs.New(errs.Denied, "imapd.status", external, nil)
	}
	var want statusItem
	for _, i := range items {
		want |= i
	}
	if s.client.Rev2 {
		want &^= statusRecent
	}
	c, err := s.counts(e, want)
	if err != nil {
		return err
	}
	b := append(s.w.Buffer(), "* STATUS "...)
	b = append(s.appendName(b, external), ' ')
	sep := byte('(')
	for _, i := range statusItems {
		if want&i.item == 0 {
			continue
		}
		b = append(append(append(b, sep), i.name...), ' ')
		if i.item == statusMailboxID {
			b = append(append(append(b, '('), e.UniqueID...), ')')
		} else {
			b = imapwire.AppendUint(b, c[i.item])
		}
		sep = ' '
	}
	s.w.SetBuffer(append(b, ")\r\n"...))
	return nil
}

// counts looks into a mailbox: the header answers for its owner; for other
// readers the records are counted.
func (s *session) counts(e *mboxlist.Entry, want statusItem) (map[statusItem]uint64, error) {
	if h, _, ok := s.site.Store.Unchanged(e.Ref()); ok && h.RecentUID >= h.LastUID && s.site.Store.OwnsSeen(e.Ref(), &h, s.who.User) &&
		(want&statusDeletedStorage == 0 || h.Deleted == 0) {
		return s.statusOf(e, &h, 0, h.Unseen, 0), nil
	}
	m, err := s.site.Store.Open(s.ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	m.Remember()
	h := m.Header()
	recent, unseen, err := s.unseen(m, &h, e)
	if err != nil {
		return nil, err
	}
	storage := uint64(0)
	if want&statusDeletedStorage != 0 && h.Deleted > 0 {
		if storage, err = deletedStorage(m); err != nil {
			return nil, err
		}
	}
	return s.statusOf(e, &h, recent, unseen, storage), nil
}

// statusOf is what a mailbox has to say.
func (s *session) statusOf(e *mboxlist.Entry, h *mailbox.IndexHeader, recent, unseen uint32, storage uint64) map[statusItem]uint64 {
	if s.view != nil && s.view.Ref().UniqueID == e.UniqueID {
		recent = s.view.Recent()
	}
	return map[statusItem]uint64{
		statusMessages:      uint64(h.Exists),
		statusRecent:        uint64(recent),
		statusUIDNext:       uint64(h.LastUID) + 1,
		statusUIDValidity:   uint64(h.UIDValidity),
		statusUnseen:        uint64(unseen),
		statusSize:          h.QuotaUsed,
		statusCreatedModseq: h.CreatedModseq,
		statusHighestModseq: h.HighestModseq,

		statusDeleted:        uint64(h.Deleted),
		statusDeletedStorage: storage,
	}
}

// deletedStorage is how many octets the messages have that are \Deleted.
func deletedStorage(m *mailbox.Mailbox) (sum uint64, err error) {
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() && r.Flags&mailbox.Deleted != 0 {
			sum += uint64(r.Size)
		}
		return true
	})
	return sum, err
}

// unseen counts messages that are \Recent or not \Seen for the user.
func (s *session) unseen(m *mailbox.Mailbox, h *mailbox.IndexHeader, e *mboxlist.Entry) (recent, unseen uint32, err error) {
	if m.OwnsSeen(s.who.User) {
		if h.RecentUID >= h.LastUID {
			return 0, h.Unseen, nil
		}
		err = m.Each(1, func(r *mailbox.Record) bool {
			if r.Live() && r.UID > h.RecentUID {
				recent++
			}
			return true
		})
		return recent, h.Unseen, err
	}
	st, err := s.site.Seen.Get(s.ctx, m.SeenUser(s.who.User), e.UniqueID)
	if err != nil {
		return 0, 0, err
	}
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			if r.UID > st.LastUID {
				recent++
			}
			if !st.Seen.Has(r.UID) {
				unseen++
			}
		}
		return true
	})
	return recent, unseen, err
}

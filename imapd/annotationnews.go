package main

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/mailbox"
)

// messageEntry names an annotation of a message: the user's own, or a shared
// one.
type messageEntry struct {
	uid   uint32
	entry string
	own   bool
}

// annotationNews is what a client that has asked for AnnotationChange knows of
// the annotations of the messages in the selected mailbox: a number for each
// that is stored and that the user may know.
type annotationNews struct {
	id    string // of the mailbox
	head  mailbox.IndexHeader
	known map[messageEntry]uint64
}

// stale reports whether annotations may have changed since.
func (a *annotationNews) stale(now *mailbox.IndexHeader) bool {
	const checked = 13 // the first version that has a checksum of them
	return now.Version < checked && now.HighestModseq != a.head.HighestModseq || now.SyncCRCAnnot != a.head.SyncCRCAnnot
}

// readAnnotations reads those of the selected mailbox, which is open.
func (s *session) readAnnotations(m *mailbox.Mailbox) (*annotationNews, error) {
	a := &annotationNews{id: s.view.Ref().UniqueID, head: m.Header(), known: map[messageEntry]uint64{}}
	return a, m.Annotations(s.ctx, func(x mailbox.Annotation) error {
		if x.User == "" || x.User == s.who.User {
			h := fnv.New64a()
			_, _ = h.Write(x.Value)
			a.known[messageEntry{x.UID, x.Entry, x.User != ""}] = h.Sum64()
		}
		return nil
	})
}

// tellMessageAnnotations tells of annotations that have changed in the selected
// mailbox, by the names of their entries (RFC 5465 section 5.1, RFC 5257
// section 4.4). Those of messages that have come since are not changes. The
// first time after SELECT or NOTIFY it only looks.
func (s *session) tellMessageAnnotations(n *notifier) error {
	m, err := s.site.Store.Open(s.ctx, s.view.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	was, h := n.annotations, m.Header()
	if was != nil && was.id == s.view.Ref().UniqueID && was.head.UIDValidity == h.UIDValidity && !was.stale(&h) {
		return nil
	}
	now, err := s.readAnnotations(m)
	if err != nil {
		return err
	}
	n.annotations = now
	if was == nil || was.id != now.id || was.head.UIDValidity != h.UIDValidity {
		return nil
	}
	changed := map[uint32][]string{}
	for _, e := range differing(was.known, now.known) {
		if e.uid <= was.head.LastUID && !slices.Contains(changed[e.uid], e.entry) {
			changed[e.uid] = append(changed[e.uid], e.entry)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(changed)) {
		r, ok, err := m.FindUID(uid, 0)
		if err != nil {
			return err
		}
		if ok && r.Live() {
			s.view.ReportAnnotations(s.w, uid, r.Modseq, changed[uid])
		}
	}
	return nil
}

// differing is the entries that are not the same in both, sorted.
func differing(was, is map[messageEntry]uint64) (out []messageEntry) {
	for e, sum := range is {
		if old, ok := was[e]; !ok || old != sum {
			out = append(out, e)
		}
	}
	for e := range was {
		if _, ok := is[e]; !ok {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b messageEntry) int {
		return cmp.Or(cmp.Compare(a.uid, b.uid), strings.Compare(a.entry, b.entry))
	})
	return out
}

// annotatedMyself notes that this client has changed annotations, of which it
// is not told. What others have changed meanwhile is told later, unless it is
// the same entry.
func (s *session) annotatedMyself(sets []annot.Set) {
	n := s.notifier
	if n == nil || n.annotations == nil || n.annotations.id != s.view.Ref().UniqueID {
		return
	}
	m, err := s.site.Store.Open(s.ctx, s.view.Ref(), mailbox.Read)
	if err != nil {
		return // then it is told
	}
	defer m.Close()
	now, err := s.readAnnotations(m)
	if err != nil {
		return
	}
	mine := map[string]bool{}
	for _, set := range sets {
		mine[strings.ToLower(set.Entry)] = true
	}
	known := n.annotations.known
	others := false
	for _, e := range differing(known, now.known) {
		sum, there := now.known[e]
		switch {
		case !mine[strings.ToLower(e.entry)]:
			others = true
		case there:
			known[e] = sum
		default:
			delete(known, e)
		}
	}
	if !others {
		n.annotations.head = now.head
	}
}

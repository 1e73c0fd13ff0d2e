package restore

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/seen"
)

// Select chooses messages of a mailbox. What is empty does not matter; a
// message must fit all the rest. A nil *Select chooses all.
type Select struct {
	UIDs       seen.UIDs // in the snapshot
	MessageIDs []string  // with or without angle brackets
	GUIDs      []mailbox.GUID
	Since      time.Time // INTERNALDATE: not before
	Before     time.Time
}

// ParseGUID reads a GUID in hex digits.
func ParseGUID(s string) (g mailbox.GUID, err error) {
	n, err := hex.Decode(g[:], []byte(strings.ToLower(s[:min(len(s), 2*len(g))])))
	if err != nil || n != len(g) || len(s) != 2*len(g) {
		return g, errs.New(errs.BadArgument, "restore.ParseGUID", s, err)
	}
	return g, nil
}

// has reports whether a message is chosen.
func (s *Select) has(m *mailbox.Mailbox, rec *mailbox.Record, buf *mailbox.CacheBuffer) (bool, error) {
	switch {
	case s == nil:
		return true, nil
	case len(s.UIDs) > 0 && !s.UIDs.Has(rec.UID),
		len(s.GUIDs) > 0 && !slices.Contains(s.GUIDs, rec.GUID),
		!s.Since.IsZero() && rec.InternalDate.Time().Before(s.Since),
		!s.Before.IsZero() && !rec.InternalDate.Time().Before(s.Before):
		return false, nil
	case len(s.MessageIDs) == 0:
		return true, nil
	}
	id, err := m.MessageIDOf(rec, buf)
	bare := strings.Trim(id, "<>")
	return bare != "" && slices.ContainsFunc(s.MessageIDs, func(w string) bool { return strings.Trim(w, "<>") == bare }), err
}

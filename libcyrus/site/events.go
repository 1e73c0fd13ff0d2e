package site

import (
	"context"

	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// openEvents opens the notifier, if the site wants events. Those that other
// closers make are sent, as it is closed last.
func (s *Site) openEvents() {
	if s.still {
		return
	}
	s.Events = event.New(s.Config, s.Log)
	if s.Events == nil {
		return
	}
	s.Events.Uses = func(ctx context.Context, n mboxname.Name, uniqueID string) ([]string, error) {
		return s.List.SpecialUses(ctx, &mboxlist.Entry{Name: n, UniqueID: uniqueID})
	}
	s.onClose(s.Events.Close)
}

package site

import (
	"context"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/conversations"
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
	if config.Conversations.In(s.Config) {
		s.Events.Conversations = s.conversationsOf
	}
	s.onClose(s.Events.Close)
}

// conversationsOf is what events tell of the conversations of a mailbox, and of
// the counters of its owner.
func (s *Site) conversationsOf(ctx context.Context, n mboxname.Name, uniqueID string) (*event.Conversations, error) {
	c, err := s.Counters.Read(ctx, n)
	if err != nil {
		return nil, err
	}
	told := &event.Conversations{Counters: c.Modseqs[:], UIDValidity: c.UIDValidity}
	if n.Owner() == "" {
		return told, nil
	}
	t, err := s.Conversations.Look(ctx, n.Owner())
	if err != nil || t == nil {
		return told, err
	}
	defer t.Close()
	told.Exists, told.Unseen, err = t.FolderStatus(conversations.Folder{Name: string(n), ID: uniqueID})
	return told, err
}

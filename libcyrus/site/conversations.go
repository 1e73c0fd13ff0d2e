package site

import (
	"context"
	"math"
	"strconv"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// openConversations opens the conversations and counters of users, if the site
// keeps them.
func (s *Site) openConversations() {
	c := s.Config
	if !config.Conversations.In(c) {
		return
	}
	// Unlike for other files, an INBOX that is being made or is gone counts
	// too: the mailboxes of a user get another name one by one.
	home := func(ctx context.Context, user string) (string, bool, error) {
		e, err := s.List.Find(ctx, s.Names.Inbox(user))
		if errs.Is(err, errs.NotFound) {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
		return e.UniqueID, e.Has(mboxlist.LegacyDirs), nil
	}
	s.Counters = counters.New(counters.Options{FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log, Home: home})
	s.Conversations = conversations.New(conversations.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log, Kind: conversationsKind(config.ConversationsDb.In(c)), Home: home,
		Lookup: func(ctx context.Context, name string) string {
			e, err := s.List.Lookup(ctx, mboxname.Name(name))
			if err != nil {
				return ""
			}
			return e.UniqueID
		},
		CountedFlags: config.ConversationsCountedFlags.In(c),
		Limits: conversations.Limits{
			Records:  limit(config.ConversationsMaxGuidrecords.In(c)),
			Exists:   limit(config.ConversationsMaxGuidexists.In(c)),
			InFolder: limit(config.ConversationsMaxGuidinfolder.In(c)),
		},
		Splits:    splits{s},
		MaxThread: maxThread(config.ConversationsMaxThread.In(c)),
	})
	if config.QuotaUseConversations.In(c) {
		s.Quota.Once = func(ctx context.Context, root mboxname.Name) (messages, octets int64, err error) {
			t, err := s.Conversations.Look(ctx, root.Owner())
			if err != nil || t == nil {
				return 0, 0, err
			}
			defer t.Close()
			return t.Use()
		}
	}
	s.Quota.Modseq = func(ctx context.Context, root mboxname.Name, last uint64) uint64 {
		n := last + 1
		if owner := root.Owner(); owner != "" {
			if id, _, err := home(ctx, owner); err != nil || id == "" {
				return n // a user who is about to get his mailboxes
			}
		}
		err := s.Counters.Update(ctx, root, func(c *counters.Counters) { n = c.NextOf(counters.Quota, last) })
		if err != nil {
			s.Log.Error("counters cannot be changed", "quotaroot", root, "error", err)
		}
		return n
	}
}

// conversationsKind is the kind of new databases. Those that Cyrus can have
// and we cannot write are made as twoskip, which it opens unasked.
func conversationsKind(kind string) string {
	if kind == "skiplist" || kind == "twoskip" {
		return kind
	}
	return "twoskip"
}

// maxThread is conversations_max_thread as Cyrus compares with it: less than 0
// is no limit.
func maxThread(n int) uint32 {
	if n < 0 {
		return math.MaxUint32
	}
	return uint32(n)
}

// splits is how conversations go on that have too many messages.
type splits struct{ *Site }

// Ready reports whether the user has the mailbox where that is written.
func (s splits) Ready(ctx context.Context, user string) bool {
	_, ok, err := s.find(ctx, user)
	return ok && err == nil
}

// Next is the conversation that goes on for another one, 0 if none does.
func (s splits) Next(ctx context.Context, user string, cid uint64) (uint64, error) {
	ref, ok, err := s.find(ctx, user)
	if err != nil || !ok {
		return 0, err
	}
	v, ok, err := s.Annot.Get(ctx, annot.Scope{MailboxID: ref.UniqueID, Owner: user}, mailbox.NextConversation(cid))
	if err != nil || !ok || len(v) != 16 {
		return 0, err
	}
	n, err := strconv.ParseUint(string(v), 16, 64)
	if err != nil {
		return 0, nil // it is split once more
	}
	return n, nil
}

func splitsName(user string) mboxname.Name {
	p := mboxname.UserParts(user)
	p.Boxes = []string{mailbox.SplitFolder}
	return p.Name("")
}

func (s splits) find(ctx context.Context, user string) (ref mailbox.Ref, ok bool, err error) {
	e, err := s.List.Lookup(ctx, splitsName(user))
	if errs.Is(err, errs.NotFound) {
		return ref, false, nil
	}
	if err != nil {
		return ref, false, err
	}
	return e.Ref(), true, nil
}

// make makes the mailbox of a user where it is written how conversations go on.
func (s splits) make(ctx context.Context, user string) error {
	who := mboxlist.Actor{}
	who.User = user
	_, err := s.List.Create(ctx, who, splitsName(user), mboxlist.CreateOptions{Kind: mboxlist.Collection, Force: true})
	if errs.Is(err, errs.Exists) { // another session was faster
		return nil
	}
	return err
}

// userMailboxes is all mailboxes of a user.
func (s *Site) userMailboxes(ctx context.Context, user string) (refs []mailbox.Ref, err error) {
	err = s.List.User(ctx, user, false, func(e *mboxlist.Entry) (bool, error) {
		refs = append(refs, e.Ref())
		return true, nil
	})
	return refs, err
}

// folder finds a mailbox as conversations call it.
func (s *Site) folder(ctx context.Context, key string, byName bool) (mailbox.Ref, bool) {
	var e *mboxlist.Entry
	var err error
	if byName {
		e, err = s.List.Lookup(ctx, mboxname.Name(key))
	} else {
		e, err = s.List.LookupID(ctx, key)
	}
	if err != nil {
		return mailbox.Ref{}, false
	}
	return e.Ref(), true
}

package quota

import (
	"context"
	"errors"

	"gocyrus/libcyrus/event"
)

// exceeded is the resource whose limit is in the way.
type exceeded Resource

func (e exceeded) Error() string { return Resource(e).String() + " limit" }

// tellExceeded makes the event of a limit that is in the way. RFC 5423 knows
// only of storage and messages.
//
// Source: quota_check in Cyrus imap/quota_db.c.
func (s *Store) tellExceeded(ctx context.Context, r *Root, err error) {
	var what exceeded
	if s.Events.Wants(event.QuotaExceed) && errors.As(err, &what) {
		s.tell(ctx, event.QuotaExceed, r, Resource(what))
	}
}

// tellWithin makes an event for each limit that is left by a change of use.
//
// Source: quota_update_useds in Cyrus imap/quota_db.c.
func (s *Store) tellWithin(ctx context.Context, was, is *Root) {
	if !s.Events.Wants(event.QuotaWithin) {
		return
	}
	for _, res := range []Resource{Storage, Message} {
		if was.reached(res) && !is.reached(res) {
			s.tell(ctx, event.QuotaWithin, is, res)
		}
	}
}

// tellLimits makes the events of changed limits. Both are told of then, where
// there is one for storage; what is under its limit again has an event too.
//
// Source: mboxlist_setquotas in Cyrus imap/mboxlist.c.
func (s *Store) tellLimits(ctx context.Context, was, is *Root, created bool) {
	if !s.Events.Wants(event.QuotaChange|event.QuotaWithin) || !created && was.Limit == is.Limit {
		return
	}
	s.tell(ctx, event.QuotaChange, is, Storage, Message)
	var within []Resource
	for _, res := range []Resource{Storage, Message} {
		if was.reached(res) && !is.reached(res) && !created {
			within = append(within, res)
		}
	}
	if within != nil {
		s.tell(ctx, event.QuotaWithin, is, within...)
	}
}

// reached reports whether no use is left of a limit.
//
// Source: quota_is_overquota in Cyrus imap/quota_db.c.
func (r *Root) reached(res Resource) bool {
	return r.Limit[res] >= 0 && r.Used[res] >= r.Limit[res]*res.Unit()
}

// tell makes an event about some resources of a root. The user is the root's.
func (s *Store) tell(ctx context.Context, t event.Type, r *Root, about ...Resource) {
	q := &event.Quota{Root: r.Name}
	for _, res := range about {
		switch res {
		case Storage:
			q.Storage, q.DiskQuota, q.DiskUsed = true, r.Limit[res], r.Used[res]/res.Unit()
		case Message:
			q.Messages, q.MaxMessages, q.MessagesThere = true, r.Limit[res], r.Used[res]
		}
	}
	if q.Storage || q.Messages {
		s.Events.Send(&event.Event{Type: t, User: r.Name.Owner(), Session: event.SessionOf(ctx), Quota: q})
	}
}

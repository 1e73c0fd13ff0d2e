package mboxlist

import (
	"context"
	"strings"

	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
)

// tell makes an event about a mailbox that somebody has changed. What the
// server does by itself makes none.
func (l *List) tell(t event.Type, who Actor, e *Entry) {
	if who.User != "" && l.o.Events.Wants(t) {
		l.o.Events.Send(&event.Event{Type: t, User: who.User, Session: who.SessionID, Mailbox: told(e)})
	}
}

// told is what an event tells of a mailbox.
func told(e *Entry) *event.Mailbox {
	return &event.Mailbox{Name: e.Name, UniqueID: e.UniqueID, UIDValidity: e.UIDValidity, Type: e.Type, ACL: e.ACL.String()}
}

// tellRename makes the event of a new name.
func (l *List) tellRename(ctx context.Context, who Actor, old *Entry, to mboxname.Name) {
	if who.User == "" || !l.o.Events.Wants(event.MailboxRename) {
		return
	}
	e, err := l.Lookup(ctx, to)
	if err != nil {
		return // somebody has renamed it again
	}
	l.o.Events.Send(&event.Event{Type: event.MailboxRename, User: who.User, Session: who.SessionID, Mailbox: told(e), Old: told(old)})
}

// tellACL makes the event of a changed access control list: it tells the rights
// as they were asked for, without the sign.
func (l *List) tellACL(who Actor, e *Entry, id, rights string, removed bool) {
	if !l.o.Events.Wants(event.AclChange) {
		return
	}
	l.o.Events.Send(&event.Event{
		Type: event.AclChange, User: who.User, Session: who.SessionID, Mailbox: told(e),
		Subject: id, Rights: strings.TrimLeft(rights, "+-"), NoRights: removed,
	})
}

// tellSubscription makes the event of a name that was put on a user's list, or
// taken from it, whether or not it was there.
func (l *List) tellSubscription(ctx context.Context, t event.Type, who Actor, n mboxname.Name) {
	if !l.o.Events.Wants(t) {
		return
	}
	box := &event.Mailbox{Name: n}
	if e, err := l.Lookup(ctx, n); err == nil {
		box.UniqueID = e.UniqueID
	}
	l.o.Events.Send(&event.Event{Type: t, User: who.User, Session: who.SessionID, Mailbox: box})
}

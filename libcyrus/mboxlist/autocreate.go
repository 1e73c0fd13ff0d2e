package mboxlist

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// Autocreate is what imapd.conf's autocreate_* say about users who log in,
// or get mail, and have no INBOX.
type Autocreate struct {
	Quota           int64             // KiB of storage; 0 is no limit, less makes no INBOX
	Messages        int64             // limit of messages; 0 or less is none
	Post            bool              // also when mail comes in
	Users           []string          // identifiers of those for whom it is done; none means nobody
	Folders         []string          // made below the INBOX; '.' between components
	Subscribe       []string          // of Folders
	SubscribeShared []string          // shared mailboxes
	SubscribeAll    bool              // all shared mailboxes that the user may look up
	ACL             []FolderACL       // set on Folders
	Use             map[string]string // special use by folder
	// Sieve, if not nil, gives the user his first script.
	Sieve func(ctx context.Context, userID string) error
}

// OnNewUser sets Autocreate.Sieve. It is for the opener of a site, before
// anybody else uses the list.
func (l *List) OnNewUser(fn func(ctx context.Context, userID string) error) {
	l.o.Autocreate.Sieve = fn
}

// FolderACL is one autocreate_acl.
type FolderACL struct {
	Folder, ID, Rights string
}

// Inbox returns the INBOX of a user, made by the rules of autocreate_* if
// there is none; errs.NotFound if there is none and none is to be made. post
// says that it is asked for because mail comes in.
//
// Source: autocreate_user in Cyrus imap/autocreate.c.
func (l *List) Inbox(ctx context.Context, who Actor, post bool) (*Entry, error) {
	a := &l.o.Autocreate
	n := l.o.Names.Inbox(who.User)
	e, err := l.Lookup(ctx, n)
	if !errs.Is(err, errs.NotFound) || !a.wants(who.Identity, post) {
		return e, err
	}
	e, err = l.Create(ctx, who, n, CreateOptions{Force: true})
	if errs.Is(err, errs.Exists) {
		return l.Lookup(ctx, n) // another log-in was faster
	}
	if err != nil {
		l.o.Log.Error(fmt.Sprintf("autocreateinbox: User %s, INBOX failed. %v", who.User, err))
		return nil, err
	}
	l.o.Log.Log(ctx, noticeLevel, fmt.Sprintf("autocreateinbox: User %s, INBOX was successfully created in partition %s", who.User, e.Partition))
	l.furnish(ctx, who, e)
	return e, nil
}

// wants reports whether an INBOX is to be made for who.
func (a *Autocreate) wants(who acl.Identity, post bool) bool {
	return a.Quota >= 0 && (a.Post || !post) && !who.Admin && who.User != "" && who.User != acl.Anonymous &&
		slices.ContainsFunc(a.Users, who.Is)
}

// furnish gives a new user his quota, folders and subscriptions. What fails
// is logged; the INBOX is there all the same.
func (l *List) furnish(ctx context.Context, who Actor, inbox *Entry) {
	a := &l.o.Autocreate
	failed := func(what string, err error) {
		if err != nil {
			l.o.Log.Error("autocreateinbox: User "+who.User+", "+what+" failed", "error", err)
		}
	}
	limits := quota.NoLimits()
	if a.Quota > 0 {
		limits[quota.Storage] = a.Quota
	}
	if a.Messages > 0 {
		limits[quota.Message] = a.Messages
	}
	if limits != quota.NoLimits() {
		failed("quota", l.SetQuota(ctx, Actor{Identity: acl.Identity{Admin: true}, SessionID: who.SessionID}, inbox.Name, limits, false))
	}
	_, err := l.o.Subs.Add(ctx, who.User, inbox.Name)
	failed("subscription", err)
	for _, f := range a.Folders {
		n := mboxname.Name(string(inbox.Name) + "." + f)
		e, err := l.Create(ctx, who, n, CreateOptions{Force: true})
		failed("folder "+f, err)
		if err != nil {
			continue
		}
		if use := a.Use[f]; use != "" {
			failed("special use of "+f, l.SetSpecialUse(ctx, e, use))
		}
		if slices.Contains(a.Subscribe, f) {
			_, err := l.o.Subs.Add(ctx, who.User, n)
			failed("subscription", err)
		}
		for _, x := range a.ACL {
			if x.Folder == f {
				failed("acl of "+f, l.SetACL(ctx, who, n, x.ID, x.Rights))
			}
		}
	}
	failed("subscription", l.subscribeShared(ctx, who))
	if a.Sieve != nil {
		failed("sieve script", a.Sieve(ctx, who.User))
	}
}

// subscribeShared subscribes a new user to shared mailboxes that he may
// look up.
func (l *List) subscribeShared(ctx context.Context, who Actor) error {
	a := &l.o.Autocreate
	names := slices.Clone(a.SubscribeShared)
	if a.SubscribeAll {
		domain := mboxname.UserParts(who.User).Domain
		err := l.Scan(ctx, "", func(e *Entry) (bool, error) {
			if e.Exists() && e.Name.OwnerOf(l.o.Names.DeletedPrefix) == "" && e.Name.Domain() == domain {
				names = append(names, string(e.Name))
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	for _, n := range names {
		err := l.Subscribe(ctx, who, mboxname.Name(n))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}

// ParseList splits a value of autocreate_* at '|', without the blanks around
// the parts.
func ParseList(value string) []string {
	var out []string
	for p := range strings.SplitSeq(value, "|") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// Subscribe puts a mailbox on the user's list: one that he may look up, or
// any with allowallsubscribe; else errs.NotFound.
func (l *List) Subscribe(ctx context.Context, who Actor, n mboxname.Name) error {
	if l.o.SubscribeAll {
		if err := l.o.Names.Valid(n); err != nil {
			return err
		}
	} else if _, err := l.Need(ctx, who, n, acl.Lookup); err != nil {
		return err
	}
	_, err := l.o.Subs.Add(ctx, who.User, n)
	if err == nil {
		l.tellSubscription(ctx, event.MailboxSubscribe, who, n)
	}
	return err
}

// Unsubscribe takes a name from the user's list, whether or not it is on it
// and the mailbox exists.
func (l *List) Unsubscribe(ctx context.Context, who Actor, n mboxname.Name) error {
	_, err := l.o.Subs.Remove(ctx, who.User, n)
	if err == nil {
		l.tellSubscription(ctx, event.MailboxUnsubscribe, who, n)
	}
	return err
}

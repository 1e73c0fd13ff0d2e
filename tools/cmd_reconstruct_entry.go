package main

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
)

// compareEntry compares what the list has of a mailbox with what the mailbox
// has, and the two records of the list with each other.
//
// Source: do_reconstruct in Cyrus imap/reconstruct.c.
func (r *reconstruction) compareEntry(ctx context.Context, e *mboxlist.Entry, is mailbox.Reconstructed) error {
	fixed := *e
	dirty := false
	say := func(format string, a ...any) {
		fmt.Fprintf(r.out, format+"\n", a...)
		dirty = true
	}
	byID, err := r.site.List.Stored(ctx, e.UniqueID)
	switch {
	case errs.Is(err, errs.NotFound):
		say("Missing mboxlist entry for uniqueid - will rewrite %s (%s)", e.Name, e.UniqueID)
	case errs.Is(err, errs.BadFormat):
		say("Error reading mailboxesdb for %s", e.Name)
	case err != nil:
		return err
	case byID.Name != e.Name:
		if other, err := r.site.List.Lookup(ctx, byID.Name); err == nil && other.UniqueID == e.UniqueID {
			return r.sameID(ctx, e, byID)
		}
		say("Missing mboxlist entry for uniqueid - will rewrite %s (%s)", e.Name, e.UniqueID)
	default:
		fixed.History = byID.History
		r.compareRecords(e, byID, say)
	}
	if is.UIDValidity != e.UIDValidity {
		if r.o.PreferList && e.UIDValidity != 0 {
			fmt.Fprintf(r.out, "Wrong uidvalidity in mailbox, fixing %s (%d -> %d)\n", e.Name, is.UIDValidity, e.UIDValidity)
		} else {
			say("Wrong uidvalidity in mbentry, fixing %s (%d -> %d)", e.Name, e.UIDValidity, is.UIDValidity)
			fixed.UIDValidity = is.UIDValidity
		}
	}
	if !r.o.PreferList && is.ACL != e.ACL.String() {
		fixed.ACL, dirty = acl.ParseList(is.ACL), true
	}
	if !dirty || r.o.Look {
		return nil
	}
	return r.site.List.Load(ctx, &fixed)
}

// compareRecords tells what the record by name and that by id do not agree
// about.
func (r *reconstruction) compareRecords(e, byID *mboxlist.Entry, say func(string, ...any)) {
	if e.UIDValidity != byID.UIDValidity {
		say("mismatched uidvalidity byid %s (%d %d)", e.Name, e.UIDValidity, byID.UIDValidity)
	}
	for _, x := range []struct{ what, is, want string }{
		{"mbtype", e.Type, byID.Type}, {"partition", e.Partition, byID.Partition},
		{"server", e.Server, byID.Server}, {"acl", e.ACL.String(), byID.ACL.String()},
	} {
		if x.is != x.want {
			say("mismatched %s byid %s (%s %s)", x.what, e.Name, x.is, x.want)
		}
	}
}

// errClash is for a mailbox that has the unique id of another one, and keeps it.
var errClash = errors.New("uniqueid clash")

// sameID is for a mailbox whose unique id belongs to another one. With -I it
// gets one of its own; where directories have the names of ids it begins
// empty, as what is there is the other's.
func (r *reconstruction) sameID(ctx context.Context, e, other *mboxlist.Entry) error {
	fmt.Fprintf(r.out, "Wrong uniqueid! %s (should be %s)\n", other.Name, e.Name)
	if !r.newIDs || r.o.Look {
		r.log.Error(fmt.Sprintf("uniqueid clash with %s for %s (%s)", other.Name, e.Name, e.UniqueID))
		return errClash
	}
	id, err := r.site.List.NewID(ctx, e)
	if err == nil {
		fmt.Fprintf(r.out, "uniqueid clash with %s - changed %s (%s => %s)\n", other.Name, e.Name, e.UniqueID, id)
		r.log.Error(fmt.Sprintf("uniqueid clash with %s - changed %s (%s => %s)", other.Name, e.Name, e.UniqueID, id))
	}
	return err
}

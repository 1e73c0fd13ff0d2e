package metadata

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/mail"
	"slices"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
)

// ErrDate is the cause of the error of a time that cannot be understood; the
// text is Cyrus's.
var ErrDate = errors.New("Syntax error in parameters")

// SetMailbox changes annotations of a mailbox, all or none; the change lasts
// on return. A value that is as it was needs no right.
//
// Kinds: errs.NotFound, errs.Denied, errs.OverQuota, errs.BadArgument for
// wrong values, errs.NotSupported for special uses (mboxlist.ErrUseTaken).
//
// Source: annotate_state_store in Cyrus imap/annotate.c.
func (s *Store) SetMailbox(ctx context.Context, who mboxlist.Actor, e *mboxlist.Entry, sets []annot.Set) error {
	rights := s.site.List.Rights(who, e)
	if !who.Admin && !rights.Has(acl.Lookup) {
		return errs.New(errs.NotFound, "metadata.SetMailbox", string(e.Name), nil)
	}
	changes, err := s.site.Definitions.Check(annot.OfMailbox, sets, annot.Actor{User: who.User, Rights: rights, Admin: who.Admin})
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		if c.OnlyInbox && !e.Name.IsInbox() {
			return errs.New(errs.Denied, "metadata.SetMailbox", c.Entry, nil)
		}
		if c.Entry == annot.SpecialUse && c.Value != nil {
			uses, err := s.site.List.CheckUses(ctx, who.User, e, string(c.Value))
			if err != nil {
				return err
			}
			c.Value = []byte(uses)
		}
	}
	m, err := s.site.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	m.SetSession(who.SessionID)
	if done, err := change(ctx, m, changes); err != nil || !done {
		return err
	}
	m.BeforeCommit(func(ctx context.Context) error {
		return s.site.List.Touch(ctx, e.Name, m.Header().HighestModseq)
	})
	return m.Commit(ctx)
}

// change makes the changes of an open mailbox. It reports whether anything
// is different.
func change(ctx context.Context, m *mailbox.Mailbox, changes []annot.Change) (done bool, err error) {
	var stored []annot.Change
	for _, c := range changes {
		var now bool
		switch c.Place {
		case annot.InDB:
			stored = append(stored, c)
		case annot.InOptions:
			now, err = setOption(m, &c)
		case annot.InShowAfter:
			now, err = setShowAfter(m, &c)
		}
		if err != nil {
			return false, err
		}
		done = done || now
	}
	now, err := m.AnnotateBox(ctx, stored)
	return done || now, err
}

// setOption switches an option of the index; anything but "true" is off.
func setOption(m *mailbox.Mailbox, c *annot.Change) (bool, error) {
	bit := optionBits[c.Option]
	set, clear := mailbox.IndexOptions(0), bit
	if string(c.Value) == "true" {
		set, clear = bit, 0
	}
	if m.Header().Options&bit == set {
		return false, nil
	}
	if !c.Allowed {
		return false, errs.New(errs.Denied, "metadata.SetMailbox", c.Entry, nil)
	}
	m.SetOptions(set, clear)
	m.NextModseq()
	return true, nil
}

// setShowAfter sets the time up to which POP3 hides messages.
func setShowAfter(m *mailbox.Mailbox, c *annot.Change) (bool, error) {
	t := time.Unix(0, 0)
	if c.Value != nil {
		var err error
		if t, err = mail.ParseDate(string(c.Value)); err != nil {
			return false, errs.New(errs.BadArgument, "metadata.SetMailbox", c.Entry, ErrDate)
		}
	}
	if mailbox.StampOf(t) == m.Header().POP3ShowAfter {
		return false, nil
	}
	if !c.Allowed {
		return false, errs.New(errs.Denied, "metadata.SetMailbox", c.Entry, nil)
	}
	m.SetPOP3(nil, &t)
	m.NextModseq()
	return true, nil
}

// SetServer changes annotations of the server. Those in the database change
// all at once, after the files of the others.
func (s *Store) SetServer(ctx context.Context, who mboxlist.Actor, sets []annot.Set) error {
	changes, err := s.site.Definitions.Check(annot.OfServer, sets, annot.Actor{User: who.User, Admin: who.Admin})
	if err != nil {
		return err
	}
	var rows []annot.Row
	for _, c := range changes {
		if c.Place == annot.InDB {
			old, _, err := s.site.Annot.Get(ctx, annot.Scope{}, c.Key)
			if err != nil {
				return err
			}
			if bytes.Equal(old, c.Value) {
				continue
			}
			rows = append(rows, annot.Row{Key: c.Key, Value: c.Value})
		}
		if !c.Allowed {
			return errs.New(errs.Denied, "metadata.SetServer", c.Entry, nil)
		}
	}
	for i := range changes {
		if changes[i].Place == annot.InFile {
			if err := s.setFile(&changes[i]); err != nil {
				return err
			}
		}
	}
	return s.site.Annot.SetAll(ctx, annot.Scope{}, slices.Clip(rows))
}

// setFile writes a file below msg/, or removes it.
func (s *Store) setFile(c *annot.Change) error {
	path := s.messagePath(c.Definition)
	if c.Value != nil {
		return s.writeMessage(path, append(slices.Clone(c.Value), '\n'))
	}
	err := s.site.FS.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return ioError(path, err)
}

package mboxlist

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// The kinds of steps.
const (
	stepMake   = "make"   // a mailbox
	stepMove   = "move"   // one to another name or partition
	stepFill   = "fill"   // the gap that one leaves above others
	stepDelete = "delete" // a mailbox, for good or below DELETED
	stepData   = "data"   // of a user whose mailboxes are deleted: it goes too
	stepRoot   = "root"   // a new quota root, with the limits of an old one
	stepFiles  = "files"  // of a user with legacy directories get his new name
	stepDrop   = "drop"   // the quota roots at and below an old name
	stepEmpty  = "empty"  // the messages of an INBOX go to a mailbox

	stepUndump     = "undump"      // what came with a dump goes to a mailbox
	stepUndumpRest = "undump rest" // what came besides it
)

// stepFunc finishes a step that a crash has interrupted, or that nobody has
// begun, or takes one back that has failed. It does nothing where the step was
// taken, or where another mailbox is in its place by now.
type stepFunc func(*List, context.Context, Actor, *step) error

// known returns what finishes a step of a kind, nil for one that is not known,
// and what takes it back, nil if that is nothing.
//
//	a crash within …    leaves                                    finished by
//	make                files, marked or whole; an INBOX that     making it with the same unique
//	                    is announced; one folder too many         id; counting the root
//	                    counted
//	move: before list   nothing, or files in the new place        moving it
//	move: after list    a header with the old name, root or       making the header what the list
//	                    ACL; files in the old place               says; removing them; counting
//	delete for good     files of a mailbox that the list does     removing them, if the header
//	                    not know                                  says that they are its
//	delete later        as move
//	data, files, root,  some of it                                doing all of it again
//	drop, fill
//	empty               copies, with their originals              expunging these; moving the
//	                                                              others
//	undump              see mailbox.Store.Undump                  doing all of it again
//	undump rest         some of it                                doing all of it again
func known(do string) (finish, undo stepFunc) {
	switch do {
	case stepMake:
		return (*List).finishMake, (*List).undoMake
	case stepMove:
		return (*List).finishMove, (*List).settleMove
	case stepFill:
		return (*List).finishFill, nil
	case stepDelete:
		return (*List).finishDelete, (*List).settleDelete
	case stepData:
		return (*List).finishData, nil
	case stepRoot:
		return (*List).finishRoot, (*List).undoRoot
	case stepFiles:
		return (*List).finishFiles, nil
	case stepDrop:
		return (*List).finishDrop, nil
	case stepEmpty:
		return (*List).finishEmpty, nil
	case stepUndump:
		return (*List).finishUndump, nil
	case stepUndumpRest:
		return (*List).finishUndumpRest, nil
	}
	return nil, nil
}

// finish takes all steps that are missing. What cannot be done because of what
// happened since is logged and left out.
func (l *List) finish(ctx context.Context, op *operation) error {
	who := Actor{SessionID: op.Session}
	for i := range op.Steps {
		s := &op.Steps[i]
		finish, _ := known(s.Do)
		err := finish(l, ctx, who, s)
		switch errs.KindOf(err) {
		case errs.NotFound, errs.Exists, errs.OverQuota, errs.BadName, errs.BadPartition, errs.HasChildren, errs.NotSupported:
			if err != nil {
				l.o.Log.Error("a step of an interrupted operation is left out", "step", s.Do, "mailbox", s.Name, "to", s.To, "error", err)
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	return l.countConversations(ctx, op)
}

// countConversations counts those of all users anew whose mailboxes an operation
// has moved: a kill may come after the list was changed, and before them.
func (l *List) countConversations(ctx context.Context, op *operation) error {
	var users []string
	for i := range op.Steps {
		for _, n := range []mboxname.Name{op.Steps[i].Name, op.Steps[i].To} {
			if u := n.Owner(); u != "" && !slices.Contains(users, u) {
				users = append(users, u)
			}
		}
	}
	for _, u := range users {
		if err := l.o.Store.CountConversations(ctx, u, nil); err != nil {
			return err
		}
	}
	return nil
}

// takeBack removes what the first step of an operation that failed has left. It
// reports whether the step was taken nevertheless, as far as the list goes.
func (l *List) takeBack(ctx context.Context, op *operation) (took bool, err error) {
	s := &op.Steps[0]
	if _, undo := known(s.Do); undo != nil {
		if err := undo(l, ctx, Actor{SessionID: op.Session}, s); err != nil {
			return false, err
		}
	}
	at, err := l.where(ctx, s.ID)
	switch {
	case err != nil || s.ID == "":
		return false, err
	case s.Do == stepMake:
		return at != nil, nil
	case s.Do == stepMove:
		return at != nil && at.Name == s.To && at.Partition == s.Partition, nil
	case s.Do == stepDelete:
		return at == nil || at.Name != s.Name, nil
	}
	return false, nil
}

// where returns the entry of a unique id, nil if no mailbox has it.
func (l *List) where(ctx context.Context, id string) (*Entry, error) {
	if id == "" {
		return nil, nil
	}
	e, err := l.LookupID(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return e, err
}

// entry is the mailbox of a step as it was before.
func (s *step) entry() *Entry {
	return &Entry{Name: s.Name, UniqueID: s.ID, Type: s.Type, Partition: s.From, ACL: acl.ParseList(s.ACL)}
}

// madeEntry is the mailbox of a step that makes or moves one, as it is then.
func (s *step) madeEntry() *Entry {
	e := s.entry()
	e.Partition = s.Partition
	if s.To != "" {
		e.Name = s.To
	}
	return e
}

// makeStep is the step of a mailbox that is to be made.
func (l *List) makeStep(p *plan, n mboxname.Name, o CreateOptions) step {
	e := l.newEntry(p, n, o)
	return step{
		Do: stepMake, Name: n, ID: e.UniqueID, Type: e.Type, Partition: e.Partition, ACL: e.ACL.String(),
		Uses: strings.Join(o.SpecialUse, " "), Options: uint32(o.Options), fresh: o.UniqueID == "",
	}
}

func (l *List) finishMake(ctx context.Context, who Actor, s *step) error {
	at, err := l.fetch(ctx, keyOf(s.Name))
	if err != nil {
		return err
	}
	switch {
	case at.Entry == nil || at.Has(Intermediate) && at.UniqueID == s.ID || !at.Exists() && at.UniqueID != s.ID:
		if _, err := l.takeMake(ctx, who, s); err != nil {
			return err
		}
		return l.recountOf(ctx, s.Name)
	case !at.Exists() || at.UniqueID != s.ID:
		return nil // it was made, and is gone; or the name is another's
	}
	if s.Uses == "" {
		return nil
	}
	return l.SetSpecialUse(ctx, s.madeEntry(), s.Uses)
}

// undoMake removes the files of a mailbox that did not get into the list, and
// the announcement of an INBOX.
func (l *List) undoMake(ctx context.Context, who Actor, s *step) error {
	at, err := l.fetch(ctx, keyOf(s.Name))
	if err != nil {
		return err
	}
	if at.Entry != nil && at.UniqueID == s.ID {
		if !at.Has(Intermediate) {
			return nil
		}
		c := l.begin(who)
		c.gone(at)
		c.forget(s.ID)
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	return l.discard(ctx, s.madeEntry())
}

// discard removes files that are where a mailbox is not, or is not any more.
func (l *List) discard(ctx context.Context, e *Entry) error {
	at, err := l.where(ctx, e.UniqueID)
	if err != nil {
		return err
	}
	var lives *mailbox.Ref
	if at != nil {
		ref := at.Ref()
		lives = &ref
	}
	return l.o.Store.Discard(ctx, e.Ref(), lives)
}

// recountOf has the quota root of a mailbox counted.
func (l *List) recountOf(ctx context.Context, n mboxname.Name) error {
	root, err := l.o.Quota.FindRoot(ctx, n)
	if err == nil && root != "" {
		l.RecountSoon(root)
	}
	return err
}

// moveStep is the step of a mailbox that is to be moved.
func moveStep(e *Entry, to mboxname.Name, m moveOptions) step {
	then := m.entry(e, to)
	return step{
		Do: stepMove, Name: e.Name, ID: e.UniqueID, To: to, Type: e.Type, From: e.Partition, Partition: then.Partition,
		OldUser: m.oldUser, NewUser: m.newUser,
	}
}

func (l *List) finishMove(ctx context.Context, who Actor, s *step) error {
	at, err := l.where(ctx, s.ID)
	if err != nil || at == nil {
		return err
	}
	if at.Name == s.Name && at.Partition == s.From {
		if err := l.discard(ctx, s.madeEntry()); err != nil { // a copy, maybe whole
			return err
		}
		m := moveOptions{oldUser: s.OldUser, newUser: s.NewUser}
		if s.Partition != s.From {
			m.partition = s.Partition
		}
		if err := retry(ctx, func() error { return l.moveOne(ctx, who, s.Name, s.To, m) }); err != nil {
			return err
		}
	}
	return l.settleMove(ctx, who, s)
}

// settleMove removes the files of a mailbox from where it is not, and makes its
// header what the list says.
func (l *List) settleMove(ctx context.Context, _ Actor, s *step) error {
	if err := l.discard(ctx, s.entry()); err != nil {
		return err
	}
	if err := l.discard(ctx, s.madeEntry()); err != nil {
		return err
	}
	at, err := l.where(ctx, s.ID)
	if err != nil || at == nil {
		return err
	}
	if err := l.settle(ctx, at); err != nil {
		return err
	}
	return l.recountOf(ctx, s.Name) // maybe it was taken from there twice
}

// settle makes the header of a mailbox what the list says, and counts the
// quota roots that it was and is under.
func (l *List) settle(ctx context.Context, e *Entry) error {
	root, err := l.o.Quota.FindRoot(ctx, e.Name)
	if err != nil {
		return err
	}
	var was mboxname.Name
	changed := false
	err = l.changeBox(ctx, e, func(box *mailbox.Mailbox) bool {
		was = box.QuotaRoot()
		if box.HeaderName() != e.Name {
			box.SetName(e.Name)
			changed = true
		}
		if was != root {
			box.SetQuotaRoot(root)
			changed = true
		}
		if box.ACL() != e.ACL.String() {
			box.SetACL(e.ACL.String())
			changed = true
		}
		if box.Header().UIDValidity < e.UIDValidity {
			box.SetUIDValidity(e.UIDValidity)
			changed = true
		}
		return changed
	})
	if err != nil {
		return err
	}
	for _, r := range []mboxname.Name{was, root} {
		if r != "" {
			l.RecountSoon(r)
		}
	}
	return nil
}

func (l *List) finishFill(ctx context.Context, who Actor, s *step) error {
	return l.fillIn(ctx, who, s.entry(), s.To)
}

// deleteStep is the step of a mailbox that is to be deleted.
func (l *List) deleteStep(ctx context.Context, e *Entry, o DeleteOptions) (s step, err error) {
	s = step{Do: stepDelete, Name: e.Name, ID: e.UniqueID, Type: e.Type, From: e.Partition, Immediate: !l.later(e, o)}
	if !s.Immediate {
		s.To, err = l.deletedName(ctx, e.Name)
		s.Partition = e.Partition
	}
	return s, err
}

func (l *List) finishDelete(ctx context.Context, who Actor, s *step) error {
	at, err := l.where(ctx, s.ID)
	if err == nil && at != nil && at.Name == s.Name {
		if !s.Immediate {
			err = l.discard(ctx, s.madeEntry()) // a copy, maybe whole
		}
		if err == nil {
			err = l.takeDelete(ctx, who, s)
		}
	}
	if err != nil {
		return err
	}
	return l.settleDelete(ctx, who, s)
}

// settleDelete removes what a mailbox that is gone has left, or makes the
// header of one that waits below DELETED what the list says.
func (l *List) settleDelete(ctx context.Context, _ Actor, s *step) error {
	if err := l.discard(ctx, s.entry()); err != nil {
		return err
	}
	if !s.Immediate {
		if err := l.discard(ctx, s.madeEntry()); err != nil {
			return err
		}
	}
	at, err := l.where(ctx, s.ID)
	if err != nil {
		return err
	}
	if at != nil {
		if err := l.settle(ctx, at); err != nil {
			return err
		}
		return l.recountOf(ctx, s.Name)
	}
	if err := l.recountOf(ctx, s.Name); err != nil {
		return err
	}
	return l.o.Annot.RemoveAll(ctx, s.ID)
}

// finishData removes the data of a deleted user. What does not depend on the
// unique id of his INBOX stays if there is a user of that name.
func (l *List) finishData(ctx context.Context, who Actor, s *step) error {
	at, err := l.where(ctx, s.ID)
	if err != nil || at != nil && at.Name == s.Name {
		return err
	}
	has, err := l.anyIn(ctx, s.Name)
	if err != nil {
		return err
	}
	inbox := s.entry()
	if has && inbox.Has(LegacyDirs) {
		return nil
	}
	return l.deleteData(ctx, s.Name.Owner(), inbox, who.SessionID)
}

func (l *List) finishRoot(ctx context.Context, _ Actor, s *step) error {
	if s.Limits == nil {
		return errs.New(errs.BadFormat, "mboxlist.finish", string(s.Name), errors.New("no limits"))
	}
	if _, err := l.o.Quota.Get(ctx, s.To); !errs.Is(err, errs.QuotaNotFound) {
		return err
	}
	_, err := l.o.Quota.SetLimits(ctx, s.To, *s.Limits)
	return err
}

// undoRoot removes a quota root that was made for a user who did not come.
func (l *List) undoRoot(ctx context.Context, _ Actor, s *step) error {
	has, err := l.anyIn(ctx, s.To)
	if err != nil || has {
		return err
	}
	err = l.o.Quota.Delete(ctx, s.To)
	if errs.Is(err, errs.QuotaNotFound) {
		return nil
	}
	return err
}

func (l *List) finishFiles(_ context.Context, _ Actor, s *step) error {
	return l.renameFiles(s.entry(), moveOptions{oldUser: s.OldUser, newUser: s.NewUser})
}

func (l *List) finishDrop(ctx context.Context, _ Actor, s *step) error {
	if has, err := l.anyIn(ctx, s.Name); err != nil || has {
		return err
	}
	if err := l.removeRoots(ctx, s.Name); err != nil {
		return err
	}
	roots, err := l.o.Quota.Below(ctx, s.To)
	for _, r := range roots {
		l.RecountSoon(r.Name)
	}
	return err
}

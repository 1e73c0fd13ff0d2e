package mboxlist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxkey"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/subs"
)

// The names of a user's files in an Incoming; those of his Sieve directory
// have a prefix. See DumpedFile.
const (
	dumpedSeen   = "SEEN"
	dumpedSubs   = "SUBS"
	dumpedKeys   = "MBOXKEY"
	dumpedSieve  = "SIEVE-"
	dumpedActive = "SIEVED-" // the file that the user's scripts begin with
	dumpedRest   = "undump.json"
)

// maxSieveFile bounds a file of the Sieve directory.
const maxSieveFile = 16 << 20

// Dumped is what comes in a dump besides files.
type Dumped struct {
	Limits      *quota.Limits // of the quota root that the mailbox is; nil: it is none
	Annotations []annot.Row   // of the mailbox
	Active      string        // which file of the Sieve directory is the active one; "" changes nothing
}

// DumpedFile says how a file of a dump is called in an Incoming: "" if it is of
// no use here, and ok is false for one that a dump cannot have, which for
// those of users is any dump but that of an INBOX. active: it is the byte code
// of the active script.
//
// Source: undump_mailbox in Cyrus imap/mbdump.c.
func DumpedFile(name string, inbox bool) (as string, active, ok bool) {
	if is, needed := mailbox.MailboxFile(name); is {
		if !needed {
			name = ""
		}
		return name, false, true
	}
	switch {
	case !inbox:
		return "", false, false
	case name == dumpedSeen, name == dumpedSubs, name == dumpedKeys:
		return name, false, true
	case name == "DAV":
		return "", false, true
	}
	file, active := strings.CutPrefix(name, dumpedActive)
	if !active {
		var sieve bool
		if file, sieve = strings.CutPrefix(name, dumpedSieve); !sieve {
			return "", false, false
		}
	}
	return dumpedSieve + file, active, validSieveFile(file)
}

// validSieveFile reports whether a Sieve directory may have a file of that
// name: byte code, or the text of before Cyrus 3.6.
func validSieveFile(name string) bool {
	stem := strings.TrimSuffix(strings.TrimSuffix(name, ".bc"), ".script")
	odd := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '/' || r == 0x7f })
	return stem != "" && stem != name && stem[0] != '.' && len(name) < 200 && !odd
}

// Undump makes a mailbox what came in a dump: see mailbox.Store.Undump for
// its messages. If it is an INBOX, what its user has seen of others'
// mailboxes, and his secrets for URLs, are added to those that he has;
// subscriptions are replaced, and Sieve files written. All is checked before
// anything is changed, and then it is one operation that no crash halves. in
// is used up, whatever happens. Only admins may.
//
// Kinds: errs.Denied, errs.NotFound, errs.BadArgument (what came does not
// belong together; the cause says why).
func (l *List) Undump(ctx context.Context, who Actor, n mboxname.Name, in *mailbox.Incoming, d Dumped) error {
	keep := false
	defer func() {
		if !keep {
			in.Remove()
		}
	}()
	if !l.isAdmin(who, n) {
		return denied("mboxlist.Undump", n)
	}
	e, err := l.Lookup(ctx, n)
	if err != nil {
		return err
	}
	if in.HasMailbox() {
		if err := in.Check(); err != nil {
			return err
		}
	}
	if err := l.checkUser(ctx, e, in, &d); err != nil {
		return err
	}
	rest, err := json.Marshal(d)
	if err == nil {
		err = in.Put(dumpedRest, bytes.NewReader(rest), int64(len(rest)))
	}
	if err == nil {
		err = in.Seal()
	}
	if err != nil {
		return err
	}
	box := step{Do: stepUndump, Name: n, ID: e.UniqueID, Partition: e.Partition, Stage: in.Name()}
	others := box
	others.Do = stepUndumpRest
	err = l.asOne(ctx, who, []step{box, others}, func(took func()) error {
		if err := l.undumpBox(ctx, who, e, in, d); err != nil {
			return err
		}
		keep = true // whoever finishes it needs it
		took()
		return l.undumpRest(ctx, who, e, in, d)
	})
	if err == nil {
		keep = false
	}
	return err
}

// undumpBox takes the step of the mailbox itself.
func (l *List) undumpBox(ctx context.Context, who Actor, e *Entry, in *mailbox.Incoming, d Dumped) error {
	if err := l.o.Store.Undump(ctx, e.Ref(), in, d.Annotations); err != nil {
		return err
	}
	return retry(ctx, func() error { return l.followIndex(ctx, who, e) })
}

// followIndex makes the list's UIDVALIDITY that of the index.
func (l *List) followIndex(ctx context.Context, who Actor, e *Entry) error {
	m, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	h := m.Header()
	m.Close()
	old, err := l.fetch(ctx, keyOf(e.Name))
	if err != nil || old.Entry == nil || old.UniqueID != e.UniqueID || old.UIDValidity == h.UIDValidity {
		return err
	}
	is := *old.Entry
	is.UIDValidity, is.CreatedModseq = h.UIDValidity, h.CreatedModseq
	is.FolderModseq, is.Mtime = max(is.FolderModseq, h.HighestModseq), l.now()
	c := l.begin(who)
	c.name(old, &is)
	if err := c.id(ctx, &is, nil); err != nil {
		return err
	}
	return c.commit(ctx)
}

// undumpRest takes the step of everything else. Each part may be done again.
func (l *List) undumpRest(ctx context.Context, who Actor, e *Entry, in *mailbox.Incoming, d Dumped) error {
	if e.Name.IsInbox() {
		if err := l.undumpUser(ctx, e, in, &d); err != nil {
			return err
		}
	}
	who.Identity = acl.Identity{User: who.User, Admin: true}
	_, err := l.o.Quota.Get(ctx, e.Name)
	switch {
	case err != nil && !errs.Is(err, errs.QuotaNotFound):
		return err
	case d.Limits == nil && err == nil:
		return l.RemoveQuota(ctx, who, e.Name)
	case d.Limits == nil || *d.Limits == quota.NoLimits():
		return nil
	}
	return l.SetQuota(ctx, who, e.Name, *d.Limits, false)
}

// undumpUser brings the files of a user.
func (l *List) undumpUser(ctx context.Context, e *Entry, in *mailbox.Incoming, d *Dumped) error {
	user := e.Name.Owner()
	err := l.eachDumpedDB(ctx, user, in, func(name string, db cyrusdb.DB, names []mboxname.Name) error {
		switch name {
		case dumpedSeen:
			return l.o.Seen.Merge(ctx, user, db)
		case dumpedSubs:
			return l.o.Subs.Replace(ctx, user, names)
		}
		return l.o.MboxKeys.Merge(ctx, user, db)
	})
	if err != nil {
		return err
	}
	dir := l.o.Layout.UserSieveDir(user, e.UniqueID, e.Has(LegacyDirs))
	for _, name := range in.Names() {
		file, ok := strings.CutPrefix(name, dumpedSieve)
		if !ok {
			continue
		}
		data, err := disk.ReadFile(l.o.FS, in.Path(name))
		if err == nil {
			err = disk.MkdirSync(l.o.FS, dir, 0o755)
		}
		if err == nil {
			err = disk.ReplaceSync(l.o.FS, dir+"/"+file, data, 0o600)
		}
		if err != nil {
			return disk.Error("mboxlist.Undump", dir+"/"+file, err)
		}
	}
	if d.Active == "" {
		return nil
	}
	return disk.Error("mboxlist.Undump", dir, activate(l.o.FS, dir, d.Active))
}

// activate makes a file of a Sieve directory the active one, in one step.
func activate(fsys disk.FS, dir, file string) error {
	name := dir + "/defaultbc"
	fresh := name + disk.NewSuffix
	if err := ignoreMissing(fsys.Remove(fresh)); err != nil {
		return err
	}
	if err := fsys.Symlink(file, fresh); err != nil {
		return err
	}
	if err := fsys.Rename(fresh, name); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// eachDumpedDB opens each database of a user that has come. names is what is
// in that of subscriptions.
func (l *List) eachDumpedDB(ctx context.Context, user string, in *mailbox.Incoming, fn func(name string, db cyrusdb.DB, names []mboxname.Name) error) error {
	for _, name := range []string{dumpedSeen, dumpedSubs, dumpedKeys} {
		if !in.Has(name) {
			continue
		}
		err := l.withDumpedDB(in.Path(name), func(db cyrusdb.DB) error {
			var names []mboxname.Name
			var err error
			switch name {
			case dumpedSeen:
				err = seen.Check(ctx, db)
			case dumpedSubs:
				names, err = subs.Names(ctx, user, db)
			default:
				err = mboxkey.Check(ctx, db)
			}
			if err != nil {
				return errs.New(errs.BadFormat, "mboxlist.Undump", name, err)
			}
			return fn(name, db, names)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *List) withDumpedDB(path string, fn func(cyrusdb.DB) error) error {
	db, _, err := cyrusdb.OpenAny(l.o.FS, l.o.Locks, path)
	if err != nil {
		return err
	}
	err = fn(db)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// checkUser looks at what has come for a user.
func (l *List) checkUser(ctx context.Context, e *Entry, in *mailbox.Incoming, d *Dumped) error {
	bad := func(text string) error {
		return errs.New(errs.BadArgument, "mboxlist.Undump", string(e.Name), errors.New(text))
	}
	if d.Active != "" && !in.Has(dumpedSieve+d.Active) {
		return bad("The active script is missing")
	}
	for _, name := range in.Names() {
		if strings.HasPrefix(name, dumpedSieve) && in.Size(name) > maxSieveFile {
			return bad("A script is too large")
		}
	}
	which := ""
	err := l.eachDumpedDB(ctx, e.Name.Owner(), in, func(name string, _ cyrusdb.DB, _ []mboxname.Name) error {
		which = name
		return nil
	})
	if errs.Is(err, errs.BadFormat) {
		l.o.Log.Warn("a database in a dump cannot be read", "mailbox", string(e.Name), "after", which, "error", err)
		return bad("A database of the user cannot be read")
	}
	return err
}

// received returns what a step of an undump has received, and its mailbox; nil
// if either is not there any more.
func (l *List) received(ctx context.Context, s *step) (*Entry, *mailbox.Incoming, Dumped, error) {
	var d Dumped
	at, err := l.where(ctx, s.ID)
	if err != nil || at == nil || at.Name != s.Name {
		return nil, nil, d, err
	}
	in, err := l.o.Store.Received(s.Partition, filepath.Base(s.Stage))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, d, nil
	}
	if err != nil {
		return nil, nil, d, err
	}
	data, err := disk.ReadFile(l.o.FS, in.Path(dumpedRest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, d, nil // it is being removed
	}
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	return at, in, d, err
}

func (l *List) finishUndump(ctx context.Context, who Actor, s *step) error {
	e, in, d, err := l.received(ctx, s)
	if err != nil || e == nil {
		return err
	}
	if err := l.undumpBox(ctx, who, e, in, d); err != nil {
		if !errs.Is(err, errs.BadArgument) {
			return err
		}
		done, derr := l.o.Store.Undumped(ctx, e.Ref(), in)
		if derr != nil {
			return derr
		}
		if !done { // the mailbox was changed before the step began
			l.o.Log.Error("an interrupted UNDUMP is given up", "mailbox", string(s.Name), "error", err)
			in.Remove()
			return nil
		}
	}
	return l.recountOf(ctx, s.Name)
}

func (l *List) finishUndumpRest(ctx context.Context, who Actor, s *step) error {
	e, in, d, err := l.received(ctx, s)
	if err != nil || e == nil {
		return err
	}
	if err := l.undumpRest(ctx, who, e, in, d); err != nil {
		return err
	}
	in.Remove()
	return nil
}

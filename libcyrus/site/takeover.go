package site

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// NewTakeOver is what converts the mailbox list of a Cyrus before 3.6 on the
// site of a configuration; close must be called in the end. In own mode the
// result is Cyrus's file too, for cyrusdb.Convert.
func NewTakeOver(fsys disk.FS, c *config.Config, log *slog.Logger) (t *mboxlist.TakeOver, close func(), err error) {
	own, err := cyrusdb.OwnMode(c)
	if err != nil {
		return nil, nil, err
	}
	s := &Site{Config: c, Log: log, FS: fsys, Names: mboxname.RulesFrom(c), Layout: mboxname.LayoutFrom(c)}
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if s.Rights, err = rightsFrom(c); err != nil {
		return nil, nil, err
	}
	s.Locks = lock.NewTable(fsys, log)
	store, err := mailbox.New(mailbox.Options{FS: fsys, Locks: s.Locks, Layout: s.Layout, Log: log})
	if err != nil {
		s.Locks.Close()
		return nil, nil, err
	}
	t = &mboxlist.TakeOver{
		Options: mboxlist.Options{
			FS: fsys, Locks: s.Locks, Store: store, Layout: s.Layout, Names: s.Names, Rights: s.Rights, Log: log,
			Admins: strings.Fields(config.Admins.In(c)), ReverseACLs: config.Reverseacls.In(c),
		},
		Path: databasePath(c, config.MboxlistDbPath, "mailboxes.db"), Kind: "twoskip",
		AnnotPath: databasePath(c, config.AnnotationDbPath, "annotations.db"), AnnotKind: "twoskip",
	}
	if !own {
		t.Kind, t.AnnotKind = fileKind(config.MboxlistDb.In(c)), fileKind(config.AnnotationDb.In(c))
	}
	return t, func() { store.Close(); s.Locks.Close() }, nil
}

func databasePath(c *config.Config, option config.Option[string], name string) string {
	if p := option.In(c); p != "" {
		return p
	}
	return filepath.Join(config.Configdirectory.In(c), name)
}

// TakeOver converts the mailbox list if it is one from before Cyrus 3.6, and
// says whether it was. Progress may be nil.
func TakeOver(ctx context.Context, fsys disk.FS, c *config.Config, log *slog.Logger, progress func(done, total int)) (bool, error) {
	t, end, err := NewTakeOver(fsys, c, log)
	if err != nil {
		return false, err
	}
	defer end()
	t.Progress = progress
	if old, err := t.Old(ctx); err != nil || !old {
		return false, err
	}
	held, err := t.Locks.Name(ctx, t.Layout.LockPath("$MBOXLIST_UPGRADE"), lock.Exclusive)
	if err != nil {
		return false, err
	}
	defer held.Release()
	p, err := t.Plan(ctx)
	if err != nil || !p.List.Old {
		return false, err
	}
	return true, t.Run(ctx, p)
}

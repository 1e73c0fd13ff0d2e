package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const ctlCyrusDBUse = `ctl_cyrusdb [-C <altconfig>] -c
ctl_cyrusdb [-C <altconfig>] -r [-x]
`

// ctlCyrusDB brings the databases into order (-r), or copies them (-c).
//
// Source: Cyrus imap/ctl_cyrusdb.c.
func ctlCyrusDB(p *program) int { return p.end(p.ctlCyrusDB()) }

func (p *program) ctlCyrusDB() error {
	opts, _, err := p.options("C:crx", ctlCyrusDBUse, exMinusOne)
	if err != nil {
		return err
	}
	var conf string
	var op byte
	keepReserved := false
	for _, o := range opts {
		switch {
		case o.Letter == 'C':
			conf = o.Arg
		case o.Letter == 'x':
			keepReserved = true
		case op != 0:
			return p.misused(ctlCyrusDBUse, exMinusOne)
		default:
			op = o.Letter
		}
	}
	if op == 0 || op != 'r' && keepReserved {
		return p.misused(ctlCyrusDBUse, exMinusOne)
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	if op == 'c' {
		return p.logged("checkpointing cyrus databases", func() error { return p.checkpoint(c) })
	}
	return p.logged("recovering cyrus databases", func() error { return p.recoverAll(c, !keepReserved) })
}

// logged runs fn between two lines in the log.
func (p *program) logged(what string, fn func() error) error {
	p.notice("%s", what)
	err := fn()
	p.notice("done %s", what)
	return err
}

// recoverAll is -r.
func (p *program) recoverAll(c *config.Config, cleanUp bool) error {
	if err := p.stampRecovery(disk.OS(), config.Configdirectory.In(c), time.Now()); err != nil {
		return err
	}
	if err := p.takeOver(c); err != nil {
		return err
	}
	if !cleanUp {
		return nil
	}
	s, err := p.openStore(c)
	if err != nil {
		return err
	}
	defer s.Close()
	p.cleanStage(s)
	return p.removeReserved(context.Background(), s.List)
}

// cleanStage removes the files that killed programs have left while they
// received messages, of all partitions. Nothing needs them: errors are logged.
func (p *program) cleanStage(s *site.Site) {
	for partition := range s.Layout.Partitions {
		n, err := s.Store.CleanStage(partition)
		if n > 0 {
			p.notice("removed %d stale stage files of partition %s", n, partition)
		}
		if err != nil {
			p.log.Error("stage files are left", "partition", partition, "error", err)
		}
	}
}

// takeOver converts what a Cyrus before 3.6 has left, and brings databases
// that Cyrus has left into own mode.
func (p *program) takeOver(c *config.Config) error {
	if _, err := site.TakeOver(context.Background(), disk.OS(), c, p.log, p.progress("ctl_cyrusdb: mailboxes")); err != nil {
		if mode, ok := errors.AsType[*config.Error](err); ok {
			return &exit{exConfig, mode}
		}
		return err
	}
	own, err := cyrusdb.OwnMode(c)
	if err != nil {
		return &exit{exConfig, err}
	}
	if !own {
		return nil
	}
	fsys := disk.OS()
	done, err := cyrusdb.Convert(context.Background(), c, fsys, lock.NewTable(fsys, p.log), p.log)
	for _, path := range done {
		p.notice("converted %s to pebble", path)
	}
	if mode, ok := errors.AsType[*cyrusdb.ModeError](err); ok {
		return &exit{exConfig, mode}
	}
	return err
}

// removeReserved removes the mailboxes whose creation began, but did not
// come to its end.
func (p *program) removeReserved(ctx context.Context, list *mboxlist.List) error {
	var reserved []mboxname.Name
	err := list.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Has(mboxlist.Reserved) {
			reserved = append(reserved, e.Name)
		}
		return true, nil
	})
	for _, n := range reserved {
		if err := list.Forget(ctx, n); err != nil {
			p.log.Error(fmt.Sprintf("could not remove reserved mailbox '%s': %v", n, err))
			continue
		}
		p.notice("removed reserved mailbox '%s'", n)
	}
	return err
}

// checkpoint is -c.
func (p *program) checkpoint(c *config.Config) error {
	fsys, configDir := disk.OS(), config.Configdirectory.In(c)
	dir, err := rotateBackups(fsys, configDir)
	if err == nil {
		if err = p.copyAll(c, fsys, dir); err == nil {
			err = fsys.SyncDir(dir)
		}
	}
	if err != nil {
		p.log.Error(fmt.Sprintf("DBERROR: archive %s: %v", filepath.Join(configDir, "db"), err))
		return &exit{exFailure, errors.New("ctl_cyrusdb: unable to archive environment")}
	}
	return nil
}

// copyAll copies what cannot be made anew from other files: the list of
// mailboxes, the quotas where they are in one file, and the annotations.
func (p *program) copyAll(c *config.Config, fsys disk.FS, dir string) error {
	ctx := context.Background()
	own, err := cyrusdb.OwnMode(c)
	if err != nil {
		return err
	}
	if own {
		return p.copyPebble(ctx, c, dir)
	}
	locks := lock.NewTable(fsys, p.log)
	for _, db := range []struct{ path, name string }{
		{config.MboxlistDbPath.In(c), "mailboxes.db"},
		{config.QuotaDbPath.In(c), "quotas.db"},
		{config.AnnotationDbPath.In(c), "annotations.db"},
	} {
		path := db.path
		if path == "" {
			path = filepath.Join(config.Configdirectory.In(c), db.name)
		}
		if fi, err := fsys.Stat(path); err == nil && fi.IsDir() {
			continue // quotalegacy
		}
		if err := copyDatabase(ctx, fsys, locks, path, dir); err != nil {
			return err
		}
	}
	return nil
}

// copyPebble has cyrusdbd write a copy of its databases below dir.
func (p *program) copyPebble(ctx context.Context, c *config.Config, dir string) error {
	client := cyrusdb.Connect(c, p.log)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkpointWait)
	defer cancel()
	return client.Checkpoint(ctx, filepath.Join(dir, "db.pebble"))
}

// checkpointWait is how long cyrusdbd may take for a copy: it links most
// files, but has to write what it keeps in memory.
const checkpointWait = 5 * time.Minute

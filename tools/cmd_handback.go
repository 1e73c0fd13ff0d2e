package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
)

const handbackUse = "usage: cyrus handback [-C <alt_config>]\n"

// handback gives the databases back to Cyrus: it writes its files from
// pebble and puts them in place of the markers. Master must be stopped.
func handback(p *program) int { return p.end(p.handback()) }

func (p *program) handback() error {
	opts, operands, err := p.options("C:", handbackUse, exUsage)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return p.misused(handbackUse, exUsage)
	}
	var conf string
	for _, o := range opts {
		conf = o.Arg
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := cyrusdb.CheckOwn(c, disk.OS()); err != nil {
		return &exit{exConfig, err}
	}
	path := mailboxesPath(c)
	if kind, err := cyrusdb.Detect(disk.OS(), path); err == nil && kind != "" {
		return fatal(exConfig, "%s is Cyrus's already", path)
	}
	client := cyrusdb.Connect(c, p.log)
	hello, err := client.Hello(ctx)
	client.Close()
	if err != nil {
		return err
	}
	if !hello.Temporary {
		return fatal(exTempFail, "cyrusdbd (pid %d) works for master: stop master first", hello.Pid)
	}
	if err := p.writeScripts(ctx, c); err != nil {
		return err
	}
	if err := forgetStatus(c, disk.OS()); err != nil {
		return err
	}
	err = cyrusdb.Handback(ctx, c, disk.OS(), p.log)
	if mode, ok := errors.AsType[*cyrusdb.ModeError](err); ok {
		return &exit{exConfig, mode}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, "The databases are Cyrus's again. To work on with them as they are, set mboxlist_db, annotation_db,")
	fmt.Fprintln(p.out, "duplicate_db and userdeny_db to Cyrus's types; ctl_cyrusdb -r takes them over anew.")
	return nil
}

// writeScripts writes what Cyrus wants to know of Sieve scripts, while the
// mailbox list is still ours.
func (p *program) writeScripts(ctx context.Context, c *config.Config) error {
	s, err := p.openStore(c)
	if err != nil {
		return err
	}
	defer s.Close()
	return p.indexScripts(ctx, s)
}

// forgetStatus removes statuscache.db, which Cyrus left and would believe:
// in own mode nobody takes the entries out of mailboxes that change.
func forgetStatus(c *config.Config, fsys disk.FS) error {
	path := config.StatuscacheDbPath.In(c)
	if path == "" {
		path = filepath.Join(config.Configdirectory.In(c), "statuscache.db")
	}
	if err := fsys.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// mailboxesPath is where Cyrus has the list of mailboxes.
func mailboxesPath(c *config.Config) string {
	if path := config.MboxlistDbPath.In(c); path != "" {
		return path
	}
	return filepath.Join(config.Configdirectory.In(c), "mailboxes.db")
}

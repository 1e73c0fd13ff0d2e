package cyrusdb

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// SiteDBs is the databases that all processes of a site share.
type SiteDBs struct {
	Mailboxes   DB
	Annotations DB // of the server and of mailboxes
	Duplicates  DB
	UserDeny    DB

	// Server is the connection to cyrusdbd in own mode, nil in shared mode.
	Server *dbd.Client
}

// OpenSite opens the databases of a site in the mode that it is configured
// for. The error is a *ModeError, with which the program exits with status
// 78, if they are not there in that mode; of kind errs.Unavailable if
// cyrusdbd does not answer.
func OpenSite(c *config.Config, fsys disk.FS, locks *lock.Table, log *slog.Logger) (*SiteDBs, error) {
	own, err := OwnMode(c)
	if err != nil {
		return nil, err
	}
	if own {
		return openOwn(c, fsys, log)
	}
	return openShared(c, fsys, locks)
}

// Close closes them all.
func (s *SiteDBs) Close() error {
	var all []error
	for _, db := range []DB{s.Mailboxes, s.Annotations, s.Duplicates, s.UserDeny} {
		all = append(all, db.Close())
	}
	if s.Server != nil {
		all = append(all, s.Server.Close())
	}
	return errors.Join(all...)
}

// Connect returns a client of the site's cyrusdbd, which starts a temporary
// one if there is none. It does not look at markers.
func Connect(c *config.Config, log *slog.Logger) *dbd.Client {
	paths := dbwire.PathsOf(config.Configdirectory.In(c))
	return dbd.New(dbd.Options{
		Paths: paths, Log: log,
		Start: dbd.Starter(c.Path(), config.BinDir(), paths),
	})
}

func openOwn(c *config.Config, fsys disk.FS, log *slog.Logger) (*SiteDBs, error) {
	l, err := checkOwn(c, fsys)
	if err != nil {
		return nil, err
	}
	if path := l.first(isCyrus); path != "" {
		return nil, modeError("%s is a database of Cyrus: run ctl_cyrusdb -r to convert it, or set mboxlist_db, annotation_db, duplicate_db and userdeny_db to its types to work with it as it is", path)
	}
	client := Connect(c, log)
	hello, err := client.Hello(context.Background())
	if err == nil {
		if l, err = survey(c, fsys); err == nil {
			err = l.agreed(hello)
		}
	}
	if err != nil {
		client.Close()
		var start *dbd.StartError
		if errors.As(err, &start) {
			return nil, &ModeError{Text: trimFatal(start.Text)}
		}
		return nil, err
	}
	return &SiteDBs{
		Mailboxes: client.DB(dbd.Mailboxes), Annotations: client.DB(dbd.Annotations),
		Duplicates: client.DB(dbd.Duplicates), UserDeny: client.DB(dbd.UserDeny),
		Server: client,
	}, nil
}

// trimFatal takes away what Error puts in front again.
func trimFatal(text string) string {
	const prefix = "fatal error: "
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return text
}

// agreed checks that the server has the data that the markers name.
func (l *layout) agreed(hello dbwire.HelloReply) error {
	if l.mailboxes() == nothing {
		return modeError("cyrusdbd (pid %d) serves databases that %s does not mention: restart it", hello.Pid, l.files[len(l.files)-1].path)
	}
	return l.compare(hello.Site, hello.Epoch)
}

func openShared(c *config.Config, fsys disk.FS, locks *lock.Table) (*SiteDBs, error) {
	l, err := survey(c, fsys)
	if err != nil {
		return nil, err
	}
	if path := l.first(isMarker); path != "" {
		return nil, modeError("%s says that the databases are in pebble: run cyrus handback to make files of Cyrus of them, or set mboxlist_db, annotation_db, duplicate_db and userdeny_db to pebble", path)
	}
	if l.mailboxes() == nothing {
		if err := checkSpool(c, fsys, l.files[len(l.files)-1].path); err != nil {
			return nil, err
		}
	}
	s := &SiteDBs{}
	for _, f := range l.files {
		db := &lazyDB{open: func(flags Flags) (DB, error) { return Open(fsys, locks, f.kind, f.path, flags) }}
		switch f.name {
		case dbd.Mailboxes:
			s.Mailboxes = db
			_, err := db.get(Create)
			if errs.Is(err, errs.BadFormat) {
				return nil, modeError("the mailbox list cannot be read: %v: put it back from a backup, or make it anew from the mail with reconstruct -m", err)
			}
			if err != nil {
				return nil, err
			}
		case dbd.Annotations:
			s.Annotations = db
		case dbd.Duplicates:
			s.Duplicates = db
		case dbd.UserDeny:
			s.UserDeny = db
		}
	}
	return s, nil
}

// lazyDB is a database whose file may be missing, which is as good as an
// empty one, until something is written. Admins remove some of Cyrus's
// databases, such as deliver.db, while it runs.
type lazyDB struct {
	open func(Flags) (DB, error)

	mu sync.Mutex
	db DB
}

func (d *lazyDB) get(flags Flags) (DB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		db, err := d.open(flags)
		if err != nil {
			return nil, err
		}
		d.db = db
	}
	return d.db, nil
}

// forget closes db, whose file has gone.
func (d *lazyDB) forget(db DB) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == db {
		d.db.Close()
		d.db = nil
	}
}

// use calls fn with the database; without one it returns fs.ErrNotExist.
func (d *lazyDB) use(flags Flags, fn func(DB) error) error {
	db, err := d.get(flags)
	if err == nil {
		err = fn(db)
	}
	if db == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.forget(db)
	if db, err = d.get(flags); err == nil {
		err = fn(db)
	}
	return err
}

func (d *lazyDB) Get(ctx context.Context, key []byte) (value []byte, err error) {
	err = d.use(0, func(db DB) error {
		value, err = db.Get(ctx, key)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	return value, err
}

func (d *lazyDB) Scan(ctx context.Context, from []byte, fn ScanFunc) error {
	return d.read(func(db DB) error { return db.Scan(ctx, from, fn) })
}

func (d *lazyDB) ScanPrefix(ctx context.Context, prefix []byte, fn ScanFunc) error {
	return d.read(func(db DB) error { return db.ScanPrefix(ctx, prefix, fn) })
}

func (d *lazyDB) read(fn func(DB) error) error {
	err := d.use(0, fn)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *lazyDB) Commit(ctx context.Context, tx Tx) error {
	return d.use(Create, func(db DB) error { return db.Commit(ctx, tx) })
}

func (d *lazyDB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		return nil
	}
	err := d.db.Close()
	d.db = nil
	return err
}

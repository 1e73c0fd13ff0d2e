package site

import (
	"context"
	"sync"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/mboxname"
)

// databases are those that the whole site shares.
type databases struct {
	mailboxes, annotations, duplicates, userDeny cyrusdb.DB
}

// openDatabases opens the databases of the site, in Cyrus's files.
func (s *Site) openDatabases() (d databases, err error) {
	c := s.Config
	for _, x := range []struct {
		db         *cyrusdb.DB
		kind, path string
		file       string
	}{
		{&d.mailboxes, config.MboxlistDb.In(c), config.MboxlistDbPath.In(c), "mailboxes.db"},
		{&d.annotations, config.AnnotationDb.In(c), config.AnnotationDbPath.In(c), "annotations.db"},
		{&d.duplicates, config.DuplicateDb.In(c), config.DuplicateDbPath.In(c), "deliver.db"},
		{&d.userDeny, config.UserdenyDb.In(c), config.UserdenyDbPath.In(c), "user_deny.db"},
	} {
		if x.path == "" {
			x.path = s.Layout.ConfigDir + "/" + x.file
		}
		if *x.db, err = cyrusdb.Open(s.FS, s.Locks, fileKind(x.kind), x.path, cyrusdb.Create); err != nil {
			d.close()
			return d, fault("%s: %v", x.path, err)
		}
	}
	return d, nil
}

func (d *databases) close() {
	for _, db := range []cyrusdb.DB{d.mailboxes, d.annotations, d.duplicates, d.userDeny} {
		if db != nil {
			db.Close()
		}
	}
}

// fileKind is the kind of a database in a file of its own.
func fileKind(kind string) string {
	if kind == "flat" {
		return kind
	}
	return "twoskip"
}

// quotaDB is the tree of quota roots.
func (s *Site) quotaDB() cyrusdb.DB {
	base := s.Layout.ConfigDir
	return quotalegacy.Open(s.FS, s.Locks, quotalegacy.Layout{
		Base: base, FullHash: s.Layout.FullHash, Domains: s.Names.Virtual != mboxname.VirtualOff,
	})
}

// statusCache is Cyrus's cache of answers to STATUS. It is not used here,
// but a Cyrus that works on the same spool believes it, so that an entry is
// removed when its mailbox changes.
type statusCache struct {
	site *Site
	mu   sync.Mutex
	db   cyrusdb.DB // opened at the first change
}

func (c *statusCache) path() string {
	if p := config.StatuscacheDbPath.In(c.site.Config); p != "" {
		return p
	}
	return c.site.Layout.ConfigDir + "/statuscache.db"
}

func (c *statusCache) exists() bool {
	_, err := c.site.FS.Stat(c.path())
	return err == nil
}

// forget removes the entry of a mailbox.
func (c *statusCache) forget(n mboxname.Name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.db == nil {
		if c.db, err = cyrusdb.Open(c.site.FS, c.site.Locks, "twoskip", c.path(), 0); err != nil {
			return // it is gone: nobody will believe it
		}
	}
	key := []byte(string(n) + "%")
	if _, err = c.db.Get(context.Background(), key); err != nil {
		return
	}
	var tx cyrusdb.Tx
	tx.Delete(key)
	if err = c.db.Commit(context.Background(), tx); err != nil {
		c.site.Log.Warn("statuscache.db: entry cannot be removed", "mailbox", string(n), "error", err)
	}
}

func (c *statusCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil {
		return nil
	}
	return c.db.Close()
}

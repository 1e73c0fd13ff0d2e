package site

import (
	"context"
	"sync"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/mboxname"
)

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

package mboxlist

import (
	"context"
	"sync"

	"gocyrus/libcyrus/mboxname"
)

// trees keeps the mailboxes of users as they were read lately, as long as
// nothing at all has changed in the list. To read and decode them was two
// thirds of a LIST of many mailboxes.
//
// It works where the database says whether it has changed (own mode): such an
// answer is as good as reading again. Else nothing is kept.
type trees struct {
	mu      sync.Mutex
	changes uint64 // of the database, when all of these were read
	size    int    // entries of all
	of      map[mboxname.Name][]*Entry
}

// maxTrees is how many entries are kept, each of some 500 octets.
const maxTrees = 4096

// changing is a database that can say whether it has changed: see dbd.DB.
type changing interface {
	Changes() (n uint64, ok bool)
}

// get returns what was kept; nil is nothing.
func (t *trees) get(n mboxname.Name, changes uint64) []*Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes != changes {
		return nil
	}
	return t.of[n]
}

// put keeps a tree that was read while the database was as changes says.
func (t *trees) put(n mboxname.Name, changes uint64, all []*Entry) {
	if len(all) > maxTrees {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes != changes || t.of == nil || t.size+len(all) > maxTrees {
		t.changes, t.size, t.of = changes, 0, map[mboxname.Name][]*Entry{}
	}
	t.size += len(all) - len(t.of[n])
	t.of[n] = all
}

// treeOf is Tree for the INBOX of a user and what is below it.
func (l *List) treeOf(ctx context.Context, n mboxname.Name, fn ScanFunc) error {
	db, ok := l.db.(changing)
	if !ok {
		return l.readTree(ctx, n, fn)
	}
	before, known := db.Changes()
	if known {
		if all := l.trees.get(n, before); all != nil {
			for _, e := range all {
				its := *e
				if more, err := fn(&its); err != nil || !more {
					return err
				}
			}
			return nil
		}
	}
	all, whole := []*Entry{}, true
	err := l.readTree(ctx, n, func(e *Entry) (more bool, err error) {
		its := *e
		all = append(all, &its)
		more, err = fn(e)
		whole = whole && more
		return more, err
	})
	if after, ok := db.Changes(); err == nil && whole && known && ok && after == before {
		l.trees.put(n, before, all)
	}
	return err
}

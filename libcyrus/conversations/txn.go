package conversations

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/errs"
)

// Keys of which there is one.
const (
	folderIDs   = "$FOLDER_IDS"
	folderNames = "$FOLDER_NAMES" // of old databases
	flagsKey    = "$COUNTED_FLAGS"
	useKey      = "Q"
)

// maxFlags is how many flags can be counted.
const maxFlags = 32

// Folder names a mailbox: old databases know it by its name, others by its
// unique id.
type Folder struct {
	Name string // internal
	ID   string
}

// Txn is a change of a user's database. It belongs to one goroutine.
type Txn struct {
	store *Store
	user  string
	db    cyrusdb.DB          // nil: all is in set
	r     *twoskip.Reader     // of db, while it is being read
	set   map[string][]byte   // what changes; nil values are removed
	guids map[string][]string // keys of set that begin with "G" and a GUID
	ctx   context.Context
	// Whole has all messages of a thread stay together: where it is written how
	// they go on cannot be made.
	Whole bool

	// splits is how conversations go on since Begin, by the first of them.
	splits map[uint64]uint64

	flags   []string
	folders []string // unique ids, or names, by number; "-" is free
	byName  bool
	trashID string
	trash   int // number of the folder Trash, -1 if it has none
	use     *use
}

// noFolder is in the list of folders where one was removed.
const noFolder = "-"

// begin reads what every change needs.
func (t *Txn) begin() error {
	v, err := t.get(flagsKey)
	if err != nil {
		return err
	}
	if v == nil && t.store.o.CountedFlags != "" {
		v = []byte(t.store.o.CountedFlags)
		t.put(flagsKey, v)
	}
	t.setFlags(string(v))
	v, err = t.get(folderIDs)
	if err == nil && v == nil {
		v, err = t.get(folderNames)
		t.byName = v != nil
	}
	if err == nil && v != nil {
		var n *dlist.Node
		if n, err = dlist.Parse(v); err == nil {
			for i := range n.Items {
				t.folders = append(t.folders, n.Items[i].String())
			}
		}
	}
	if err != nil {
		return err
	}
	t.findTrash()
	return nil
}

func (t *Txn) setFlags(list string) {
	t.flags = strings.Fields(list)
	t.flags = t.flags[:min(len(t.flags), maxFlags)]
}

// findTrash finds the number of the folder Trash.
func (t *Txn) findTrash() {
	t.trash = -1
	if t.byName {
		t.trash = slices.Index(t.folders, t.store.trashOf(t.user))
		return
	}
	if t.trashID == "" && t.store.o.Lookup != nil {
		t.trashID = t.store.o.Lookup(t.ctx, t.store.trashOf(t.user))
	}
	if t.trashID != "" {
		t.trash = slices.Index(t.folders, t.trashID)
	}
}

// key is what a folder is called in this database.
func (t *Txn) key(f Folder) string {
	if t.byName {
		return f.Name
	}
	return f.ID
}

// number is the number of a folder, which gets one if it has none.
func (t *Txn) number(f Folder) int {
	key := t.key(f)
	if n := slices.Index(t.folders, key); n >= 0 {
		return n
	}
	n := slices.Index(t.folders, noFolder)
	if n < 0 {
		n = len(t.folders)
		t.folders = append(t.folders, key)
	}
	t.folders[n] = key
	t.putFolders()
	t.findTrash()
	return n
}

func (t *Txn) putFolders() {
	n := dlist.NewList()
	for _, f := range t.folders {
		n.Add(dlist.Text("", f))
	}
	key := folderIDs
	if t.byName {
		key = folderNames
	}
	t.put(key, n.Encode())
}

// get returns a value, nil if there is none.
func (t *Txn) get(key string) ([]byte, error) {
	if v, ok := t.set[key]; ok {
		return v, nil
	}
	if t.db == nil {
		return nil, nil
	}
	v, err := t.stored(key)
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return nil, nil
	}
	if err == nil && v == nil {
		v = []byte{}
	}
	return v, err
}

// stored is a value in the file.
func (t *Txn) stored(key string) ([]byte, error) {
	if err := t.hold(); err != nil {
		return nil, err
	}
	if t.r != nil {
		return t.r.Get([]byte(key))
	}
	return t.db.Get(t.ctx, []byte(key))
}

func (t *Txn) scan(prefix string, fn cyrusdb.ScanFunc) error {
	if err := t.hold(); err != nil {
		return err
	}
	if t.r != nil {
		return t.r.ScanPrefix(t.ctx, []byte(prefix), fn)
	}
	return t.db.ScanPrefix(t.ctx, []byte(prefix), fn)
}

// hold keeps the file locked for reading until Release: it is read many times,
// and nobody else changes it.
func (t *Txn) hold() (err error) {
	if db, ok := t.db.(*twoskip.DB); ok && t.r == nil {
		t.r, err = db.Reader(t.ctx)
	}
	return err
}

// Release unlocks the file until it is read again: the caller changes it by
// another Txn.
func (t *Txn) Release() {
	if t.r != nil {
		t.r.Close()
		t.r = nil
	}
}

// put sets a value; nil removes it.
func (t *Txn) put(key string, v []byte) {
	if _, known := t.set[key]; !known && isPlace(key) {
		g := key[:1+40]
		t.guids[g] = append(t.guids[g], key)
	}
	t.set[key] = v
}

// isPlace reports whether a key is one of a G record.
func isPlace(key string) bool { return len(key) > 1+40 && key[0] == 'G' }

// each calls fn for all records with a prefix, in the order of their keys. fn
// may change the database.
func (t *Txn) each(prefix string, fn func(key string, v []byte) error) error {
	found := map[string][]byte{}
	if t.db != nil {
		err := t.scan(prefix, func(k, v []byte) (bool, error) {
			found[string(k)] = append([]byte{}, v...)
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	if len(prefix) == 1+40 && prefix[0] == 'G' {
		for _, k := range t.guids[prefix] {
			found[k] = t.set[k]
		}
	} else {
		for k, v := range t.set {
			if strings.HasPrefix(k, prefix) {
				found[k] = v
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(found)) {
		if v := found[k]; v != nil {
			if err := fn(k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Context is what Begin was called with, without its end.
func (t *Txn) Context() context.Context { return t.ctx }

// Splits is which conversations go on as others since Begin, by the id of the
// first one: what the caller writes where Options.Splits reads it, before he
// commits.
func (t *Txn) Splits() map[uint64]uint64 { return t.splits }

// Dirty reports whether there is something to commit.
func (t *Txn) Dirty() bool { return len(t.set) > 0 }

// Commit makes all changes; they last when it returns nil. The Txn must be
// closed afterwards.
func (t *Txn) Commit(ctx context.Context) error {
	t.putUse()
	if len(t.set) == 0 {
		return nil
	}
	t.Release()
	err := t.db.Commit(ctx, t.changes())
	if err == nil {
		t.set, t.guids, t.use = map[string][]byte{}, map[string][]string{}, nil
	}
	return err
}

// changes is what Commit changes.
func (t *Txn) changes() (tx cyrusdb.Tx) {
	for _, k := range slices.Sorted(maps.Keys(t.set)) {
		if v := t.set[k]; v == nil {
			tx.Delete([]byte(k))
		} else {
			tx.Put([]byte(k), v)
		}
	}
	return tx
}

// Stage is Commit in steps, beside those of an index; nil for databases that
// cannot do that, which Commit must change. Until the Stage is closed t must not
// be used, and afterwards only be closed if the Stage was committed.
func (t *Txn) Stage(ctx context.Context) (*twoskip.Stage, error) {
	db, ok := t.db.(*twoskip.DB)
	if !ok {
		return nil, nil
	}
	t.putUse()
	t.Release()
	return db.Stage(ctx, t.changes())
}

// Modseq is the highest modseq of a folder; false if the database does not know
// the folder.
func (t *Txn) Modseq(f Folder) (modseq uint64, known bool, err error) {
	s, err := t.status("F" + t.key(f))
	return s.modseq, s.modseq != 0, err
}

// putUse stores Q, if it has changed; a recount that finds no message leaves
// none.
func (t *Txn) putUse() {
	switch {
	case t.use == nil:
	case *t.use == use{}:
		t.put(useKey, nil)
	default:
		t.put(useKey, t.use.encode())
	}
}

// Close ends the Txn; what is not committed is lost.
func (t *Txn) Close() {
	t.Release()
	if t.db != nil {
		t.db.Close()
		t.db = nil
	}
}

// badRecord classifies a record that cannot be read.
func (t *Txn) badRecord(key string, err error) error {
	return errs.New(errs.BadFormat, "conversations", t.user+": "+key, err)
}

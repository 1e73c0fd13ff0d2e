package conversations

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// Options says what a Store works with, and how.
type Options struct {
	FS     disk.FS
	Locks  *lock.Table
	Layout *mboxname.Layout
	Log    *slog.Logger
	Kind   string // conversations_db: of new databases
	Home   mboxname.Home
	// Lookup is the unique id of the mailbox with an internal name, "" if
	// there is none. Without it no folder is Trash.
	Lookup func(ctx context.Context, name string) string

	CountedFlags string // conversations_counted_flags
	Limits       Limits
	// Splits, if not nil, is where it is written which conversation goes on
	// for one that has MaxThread messages (conversations_max_thread). Without
	// it none has too many.
	Splits    Splits
	MaxThread uint32
	// Now is the clock in seconds since 1970.
	Now func() int64
}

// Splits knows how conversations go on. Its methods are called while the
// user's namespace is locked.
type Splits interface {
	// Ready reports whether the user's mailbox for this is there.
	Ready(ctx context.Context, user string) bool
	// Next returns the conversation that goes on for another one, 0 if none
	// does.
	Next(ctx context.Context, user string, cid uint64) (uint64, error)
}

// ErrNoSplits means that a conversation must go on as another one, and that the
// user has no mailbox yet where that is written: it must be made before the
// same is tried again.
var ErrNoSplits = errors.New("no mailbox for split conversations")

// Limits bounds the copies of one message that a user may have.
type Limits struct {
	Records  uint32 // conversations_max_guidrecords: with expunged ones
	Exists   uint32 // conversations_max_guidexists
	InFolder uint32 // conversations_max_guidinfolder
}

// Store is the conversations of a site. It may be used from many goroutines.
type Store struct{ o Options }

// New returns the conversations of a site. It opens nothing yet.
func New(o Options) *Store { return &Store{o} }

// trashOf is the internal name of a user's folder Trash.
func (s *Store) trashOf(user string) string {
	p := mboxname.UserParts(user)
	name := "user." + strings.ReplaceAll(p.Localpart, ".", "^") + ".Trash"
	if p.Domain != "" {
		name = p.Domain + "!" + name
	}
	return name
}

// Path is the file of a user's database.
func (s *Store) Path(ctx context.Context, user string) (string, error) {
	return s.o.Layout.FileOf(ctx, s.o.Home, mboxname.Conversations, user)
}

// Begin opens a user's database to be changed, and makes it if there is none.
// The caller holds the user's namespace lock exclusively until he has closed
// the Txn. ctx bounds all that the Txn reads.
func (s *Store) Begin(ctx context.Context, user string) (*Txn, error) {
	path, err := s.Path(ctx, user)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, user, path, cyrusdb.Create)
}

// Look is Begin for reading: nil if there is no database. The namespace lock
// may be shared.
func (s *Store) Look(ctx context.Context, user string) (*Txn, error) {
	path, err := s.Path(ctx, user)
	if err != nil {
		return nil, err
	}
	t, err := s.open(ctx, user, path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}

func (s *Store) open(ctx context.Context, user, path string, flags cyrusdb.Flags) (*Txn, error) {
	if flags&cyrusdb.Create != 0 {
		if err := disk.MkdirSync(s.o.FS, filepath.Dir(path), 0o755); err != nil {
			return nil, disk.Error("conversations.Begin", path, err)
		}
	}
	db, err := cyrusdb.Open(s.o.FS, s.o.Locks, s.o.Kind, path, flags)
	if err != nil {
		return nil, err
	}
	if l, ok := db.(interface{ SetLog(*slog.Logger) }); ok {
		l.SetLog(s.o.Log)
	}
	t := s.newTxn(ctx, user, db)
	if err := t.begin(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (s *Store) newTxn(ctx context.Context, user string, db cyrusdb.DB) *Txn {
	return &Txn{store: s, user: user, db: db, ctx: context.WithoutCancel(ctx), set: map[string][]byte{}, guids: map[string][]string{}, splits: map[uint64]uint64{}}
}

// now is the time of a change.
func (s *Store) now() int64 {
	if s.o.Now != nil {
		return s.o.Now()
	}
	return time.Now().Unix()
}

// Package scripts keeps the Sieve scripts of users as Cyrus 3.6 does: the
// text of each is a message of the user's mailbox #sieve, whose Subject is
// the script's name and whose flag \Flagged says that it is the active one;
// the byte code is NAME.bc in the user's Sieve directory, where the link
// defaultbc names the active one for lmtpd.
//
// The messages are what is true. A change reaches them first; what a crash
// has left undone in the directory is done by the next Open. A link to byte
// code that belongs to no message is left to whoever has set it, until
// somebody makes a script of the user active.
//
// Global scripts, which every user may include, are files: NAME.script and
// NAME.bc in one directory for the site and one for each domain.
//
// Source: sieve_db.c and sievedir.c in Cyrus imap.
package scripts

import (
	"context"
	"errors"
	"path"
	"strings"
	"unicode/utf8"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

// Why an operation is refused.
var (
	ErrName     = errors.New("Invalid script name")
	ErrNotFound = errors.New("Script does not exist")
	ErrActive   = errors.New("Active script cannot be deleted")
	ErrExists   = errors.New("A script with that name already exists")
	ErrTooMany  = errors.New("too many scripts")
)

// A Script is one stored script.
type Script struct {
	Name   string
	ID     string // lasts while text and name change
	Active bool
	Text   []byte
	uid    uint32
	stale  []uint32 // of messages that it has replaced
	was    []string // the names in them
}

// User is the scripts of one user. It belongs to one goroutine; other
// processes may change the same scripts between two calls.
type User struct {
	site  *site.Site
	id    string
	ref   mailbox.Ref
	dir   string
	rules sieve.Options
}

// Rules are those by which texts are checked: imapd.conf's, without the
// extensions that delivery does not have.
func Rules(c *config.Config) sieve.Options {
	o := sieve.OptionsFrom(c)
	o.NoSnooze, o.NoIMIP, o.NoJMAPQuery = true, true, true
	return o
}

// Open returns the scripts of a user, and makes the mailbox and the directory
// for them. Byte code that is missing, or not made from the text, is made
// anew. The user must have an INBOX: errs.NotFound.
func Open(ctx context.Context, s *site.Site, userID string) (*User, error) {
	inbox, legacy, err := s.List.HomeOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	name := mboxname.UserParts(userID).Name("")
	if _, err := s.List.Lookup(ctx, name); err != nil {
		return nil, err
	}
	u := &User{site: s, id: userID, rules: Rules(s.Config)}
	u.dir = s.Layout.UserSieveDir(userID, inbox, legacy)
	if err := disk.MkdirSync(s.FS, u.dir, 0o755); err != nil {
		return nil, errs.New(errs.IO, "scripts.Open", u.dir, err)
	}
	p := mboxname.UserParts(userID)
	p.Boxes = []string{config.SieveFolder.In(s.Config)}
	e, err := s.List.Lookup(ctx, p.Name(""))
	if errs.Is(err, errs.NotFound) {
		if err := u.begin(); err != nil {
			return nil, err
		}
		who := mboxlist.Actor{}
		who.User = userID
		e, err = s.List.Create(ctx, who, p.Name(""), mboxlist.CreateOptions{Kind: mboxlist.Sieve, Force: true})
		if errs.Is(err, errs.Exists) { // another session was faster
			e, err = s.List.Lookup(ctx, p.Name(""))
		}
	}
	if err != nil {
		return nil, err
	}
	u.ref = e.Ref()
	return u, u.locked(ctx, func() error {
		if err := u.finish(ctx); err != nil {
			return err
		}
		return u.settle(ctx)
	})
}

// locked runs fn while no other session changes these scripts.
func (u *User) locked(ctx context.Context, fn func() error) error {
	held, err := u.site.Locks.Name(ctx, path.Join(u.dir, "scripts.lock"), lock.Exclusive)
	if err != nil {
		return err
	}
	defer held.Release()
	return fn()
}

// Check compiles a text: sieve.Errors if it is no script.
func (u *User) Check(text []byte) (*sieve.Script, error) { return sieve.Parse(text, u.rules) }

// ValidName reports whether a script may have a name: UTF-8 that
// fits a file name, without controls, line ends and '/' (RFC 5804 section 1.6).
func ValidName(name string) bool {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == '/'
	})
}

// maxName leaves room for the ends of file names. File systems take 255
// octets of a name.
const maxName = 255 - len(".bc.NEW")

// List returns all scripts in the order of their messages.
func (u *User) List(ctx context.Context) ([]Script, error) { return u.read(ctx) }

// Get returns a script: ErrNotFound, ErrName.
func (u *User) Get(ctx context.Context, name string) (*Script, error) {
	if !ValidName(name) {
		return nil, ErrName
	}
	all, err := u.read(ctx)
	if err != nil {
		return nil, err
	}
	return find(all, name)
}

func find(all []Script, name string) (*Script, error) {
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, ErrNotFound
}

// HaveSpace reports whether a script of this name could be stored: ErrTooMany,
// ErrName.
func (u *User) HaveSpace(ctx context.Context, name string) error {
	if !ValidName(name) {
		return ErrName
	}
	all, err := u.read(ctx)
	if err != nil {
		return err
	}
	return u.room(all, name)
}

// room is HaveSpace for scripts that have been read.
func (u *User) room(all []Script, name string) error {
	n := 1
	for i := range all {
		if all[i].Name != name {
			n++
		}
	}
	if n > config.SieveMaxscripts.In(u.site.Config) {
		return ErrTooMany
	}
	return nil
}

// Put stores a script, in the place of one of the same name: ErrName,
// ErrTooMany, sieve.Errors.
func (u *User) Put(ctx context.Context, name string, text []byte) error {
	if !ValidName(name) {
		return ErrName
	}
	return u.locked(ctx, func() error {
		all, err := u.read(ctx)
		if err != nil {
			return err
		}
		if err := u.room(all, name); err != nil {
			return err
		}
		if _, err := u.Check(text); err != nil {
			return err
		}
		x := Script{Name: name, ID: mailbox.NewUniqueID(), Text: text}
		if old, err := find(all, name); err == nil {
			x.ID, x.Active = old.ID, old.Active
		}
		return u.replace(ctx, x)
	})
}

// replace stores the next version of a script.
func (u *User) replace(ctx context.Context, x Script) error {
	if err := u.append(ctx, &x); err != nil {
		return err
	}
	return u.settle(ctx)
}

// Rename gives a script another name: ErrName, ErrNotFound, ErrExists.
func (u *User) Rename(ctx context.Context, from, to string) error {
	if !ValidName(from) || !ValidName(to) {
		return ErrName
	}
	return u.locked(ctx, func() error {
		all, err := u.read(ctx)
		if err != nil {
			return err
		}
		x, err := find(all, from)
		if err != nil {
			return err
		}
		if _, err := find(all, to); err == nil {
			return ErrExists
		}
		x.Name = to
		if err := u.replace(ctx, *x); err != nil {
			return err
		}
		return u.remove(from)
	})
}

// Activate makes a script the active one, "" none: ErrName, ErrNotFound.
func (u *User) Activate(ctx context.Context, name string) error {
	if name != "" && !ValidName(name) {
		return ErrName
	}
	return u.locked(ctx, func() error {
		all, err := u.read(ctx)
		if err != nil {
			return err
		}
		want := uint32(0)
		if name != "" {
			x, err := find(all, name)
			if err != nil {
				return err
			}
			want = x.uid
		}
		if name == "" { // the link first: of none that is active by its message anybody may have set it
			if err := u.unlink(); err != nil {
				return err
			}
		}
		if err := u.flag(ctx, all, want); err != nil {
			return errors.Join(err, u.settle(ctx))
		}
		if err := u.settle(ctx); err != nil || name == "" {
			return err
		}
		return u.link(name + ".bc") // also from one that somebody else has set
	})
}

// Delete removes a script: ErrName, ErrNotFound, ErrActive.
func (u *User) Delete(ctx context.Context, name string) error {
	if !ValidName(name) {
		return ErrName
	}
	return u.locked(ctx, func() error {
		all, err := u.read(ctx)
		if err != nil {
			return err
		}
		x, err := find(all, name)
		if err != nil {
			return err
		}
		if x.Active {
			return ErrActive
		}
		if err := u.expunge(ctx, append(x.stale, x.uid)); err != nil {
			return err
		}
		return u.remove(name)
	})
}

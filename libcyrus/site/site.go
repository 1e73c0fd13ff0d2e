// Package site opens everything of a mail store that a configuration names.
// Each worker and tool that deals with mail starts here.
package site

import (
	"log/slog"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/subs"
	"gocyrus/libcyrus/userdeny"
)

// Site is an open mail store. Everything in it may be used from many
// goroutines.
type Site struct {
	Config    *config.Config
	Log       *slog.Logger
	FS        disk.FS
	Locks     *lock.Table
	Names     mboxname.Rules
	Rights    acl.Rules
	Layout    *mboxname.Layout
	List      *mboxlist.List
	Store     *mailbox.Store
	Quota     *quota.Store
	Subs      *subs.Store
	Seen      *seen.Store
	Annot     *annot.Store
	Duplicate *duplicate.Store
	UserDeny  *userdeny.Store
}

// Open opens the mail store of a configuration. Errors name the option and
// path that is wrong; the program should end with status 78.
func Open(c *config.Config, log *slog.Logger) (*Site, error) { panic("not written yet") }

// Close closes all files.
func (s *Site) Close() error { panic("not written yet") }

// Namespace is how a user sees names; "" is nobody.
func (s *Site) Namespace(user string, admin bool) *mboxname.Namespace {
	return mboxname.NewNamespace(s.Names, user, admin)
}

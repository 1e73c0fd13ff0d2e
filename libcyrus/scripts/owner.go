package scripts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/version"
)

// An Owner is the one on whose behalf a script runs: it answers, as part of a
// sieve.Host, what the script asks of the site, and says where it may file.
// All fields are set before the script runs. It belongs to one run.
type Owner struct {
	sieve.NoHost
	Ctx     context.Context
	Site    *site.Site
	Library *Library
	User    string         // "" for a shared mailbox
	Domain  string         // whose global scripts come before the site's
	Who     mboxlist.Actor // with whose rights the script works
	NS      *mboxname.Namespace
	Log     *slog.Logger
}

// Include finds a script for the command of that name.
func (o *Owner) Include(name string, global bool) (*sieve.Script, string, error) {
	s, at, err := o.Library.Named(o.Ctx, o.User, o.Domain, name, global)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.BadName) {
		err = fmt.Errorf("%w: %s", sieve.ErrNoScript, name)
	}
	return s, at, err
}

// internal is the internal form of a name in a script.
//
// Source: mboxname_from_externalUTF8 in Cyrus imap/mboxname.c.
func (o *Owner) internal(name string) (mboxname.Name, error) {
	if config.SieveUtf8fileinto.In(o.Site.Config) {
		coded, err := mboxname.EncodeUTF7(name)
		if err != nil {
			return "", errs.New(errs.BadName, "scripts.internal", name, err)
		}
		name = coded
	}
	return o.NS.Internal(name)
}

// visible returns a mailbox that the owner knows of: one that he may look up
// or deliver to.
func (o *Owner) visible(name string) *mboxlist.Entry {
	n, err := o.NS.Internal(name)
	if err != nil {
		return nil
	}
	return o.visibleName(n)
}

func (o *Owner) visibleName(n mboxname.Name) *mboxlist.Entry {
	e, err := o.Site.List.Lookup(o.Ctx, n)
	if err != nil || o.Site.List.Rights(o.Who, e)&(acl.Lookup|acl.Post) == 0 {
		return nil
	}
	return e
}

// byID returns a mailbox that the owner knows of and that can take mail.
func (o *Owner) byID(id string) *mboxlist.Entry {
	e, err := o.Site.List.LookupID(o.Ctx, id)
	if err != nil || e.Kind() != mboxlist.Email || e.Name.IsDeleted(o.Site.Layout.DeletedPrefix) {
		return nil
	}
	return o.visibleName(e.Name)
}

// MailboxExists is the test of that name (RFC 5490).
func (o *Owner) MailboxExists(name string) bool { return o.visible(name) != nil }

// MailboxIDExists is the test of that name (RFC 9042).
func (o *Owner) MailboxIDExists(id string) bool { return o.byID(id) != nil }

// SpecialUseExists is the test of that name (RFC 8579).
func (o *Owner) SpecialUseExists(mailbox *string, uses []string) bool {
	if mailbox == nil {
		for _, u := range uses {
			if o.User != "" && strings.EqualFold(u, `\Inbox`) {
				continue
			}
			if _, err := o.Site.List.SpecialUse(o.Ctx, o.User, u); err != nil {
				return false
			}
		}
		return true
	}
	e := o.visible(*mailbox)
	if e == nil {
		return false
	}
	have, err := o.Site.List.SpecialUses(o.Ctx, e)
	if err != nil {
		return false
	}
	if o.User != "" && e.Name == mboxname.Inbox(o.User) {
		have = append(slices.Clone(have), `\Inbox`)
	}
	for _, u := range uses {
		if !slices.ContainsFunc(have, func(x string) bool { return strings.EqualFold(x, u) }) {
			return false
		}
	}
	return len(have) > 0
}

// Metadata is an annotation of a mailbox or of the server (RFC 5490).
func (o *Owner) Metadata(mailbox *string, entry string) (string, bool) {
	var key annot.Key
	switch {
	case strings.HasPrefix(entry, "/private/"):
		key = annot.Key{Entry: strings.TrimPrefix(entry, "/private"), User: o.User}
	case strings.HasPrefix(entry, "/shared/"):
		key = annot.Key{Entry: strings.TrimPrefix(entry, "/shared")}
	default:
		return "", false
	}
	var scope annot.Scope
	if mailbox != nil {
		e := o.visible(*mailbox)
		if e == nil {
			return "", false
		}
		scope = annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}
	}
	v, ok, err := o.Site.Annot.Get(o.Ctx, scope, key)
	return string(v), ok && err == nil && len(v) > 0
}

// Environment is what of RFC 5183 is the same wherever a script runs.
func (o *Owner) Environment(item string) (string, bool) {
	host := o.Site.Config.ServerName()
	switch item {
	case "domain":
		_, domain, _ := strings.Cut(host, ".")
		return domain, true
	case "host":
		return host, true
	case "version":
		return version.Cyrus(), true
	case "imap.user", "imap.email", "imap.changedflags": // RFC 6785 sections 4.2 and 4.5: empty where no IMAP event is
		return "", config.Imapsieve.In(o.Site.Config)
	}
	return "", false
}

// FileIn is the mailbox that fileinto means, which need not be there.
//
// Source: sieve_fileinto in Cyrus imap/lmtp_sieve.c.
func (o *Owner) FileIn(m *sieve.Mailbox) (mboxname.Name, error) {
	if m.ID != nil {
		if e := o.byID(*m.ID); e != nil {
			return e.Name, nil
		}
	}
	if m.SpecialUse != nil && o.User != "" {
		if e, err := o.Site.List.SpecialUse(o.Ctx, o.User, *m.SpecialUse); err == nil {
			return e.Name, nil
		}
	}
	return o.internal(m.Name)
}

// Target is the mailbox that fileinto means, if the owner has a right there
// and it is for mail. One that is missing is made if script or configuration
// say so.
func (o *Owner) Target(m *sieve.Mailbox, need acl.Rights) (*mboxlist.Entry, error) {
	n, e, err := o.target(m)
	if err == nil && e == nil {
		e, err = o.make(n, m.SpecialUse)
	}
	if err != nil {
		return nil, err
	}
	if e, err = o.Site.List.Need(o.Ctx, o.Who, e.Name, need); err != nil {
		return nil, err
	}
	if e.Kind() != mboxlist.Email {
		return nil, errs.New(errs.NotSupported, "scripts.Target", string(e.Name), errNotMail)
	}
	return e, nil
}

// CheckTarget says whether Target would find the mailbox, and makes none.
func (o *Owner) CheckTarget(m *sieve.Mailbox, need acl.Rights) error {
	_, e, err := o.target(m)
	if err != nil || e == nil {
		return err
	}
	_, err = o.Target(&sieve.Mailbox{ID: &e.UniqueID, Name: m.Name}, need)
	return err
}

// target is the mailbox that fileinto means, nil if it is to be made.
func (o *Owner) target(m *sieve.Mailbox) (mboxname.Name, *mboxlist.Entry, error) {
	n, err := o.FileIn(m)
	if err != nil {
		return "", nil, err
	}
	e, err := o.Site.List.Lookup(o.Ctx, n)
	if errs.Is(err, errs.NotFound) && o.mayMake(n, m.Create) {
		return n, nil, nil
	}
	return n, e, err
}

var errNotMail = errors.New("it is not for mail")

// mayMake reports whether a missing mailbox is to be made.
func (o *Owner) mayMake(n mboxname.Name, asked bool) bool {
	if o.User == "" {
		return false
	}
	if asked || config.Anysievefolder.In(o.Site.Config) {
		return true
	}
	for _, f := range mboxlist.ParseList(config.AutocreateSieveFolders.In(o.Site.Config)) {
		if mboxname.Inbox(o.User).Child(f) == n {
			return true
		}
	}
	return false
}

// make makes a mailbox, with the rights of the script's owner, and subscribes
// him to it.
//
// Source: autosieve_createfolder in Cyrus imap/lmtp_sieve.c.
func (o *Owner) make(n mboxname.Name, use *string) (*mboxlist.Entry, error) {
	l := o.Site.List
	e, err := l.Create(o.Ctx, o.Who, n, mboxlist.CreateOptions{})
	if errs.Is(err, errs.Exists) {
		return l.Lookup(o.Ctx, n)
	}
	if err != nil {
		o.Log.Error("autosievefolder: User "+o.User+", folder "+string(n)+" creation failed", "error", err)
		return nil, err
	}
	if err := l.Subscribe(o.Ctx, o.Who, n); err != nil {
		o.Log.Error("autosievefolder: subscription failed", "user", o.User, "mailbox", n, "error", err)
	}
	if use != nil {
		uses, err := l.CheckUses(o.Ctx, o.User, e, *use)
		if err == nil {
			err = l.SetSpecialUse(o.Ctx, e, uses)
		}
		if err != nil {
			o.Log.Info("autosievefolder: special use not set", "user", o.User, "mailbox", n, "error", err)
		}
	}
	return e, nil
}

// systemFlags are the flags of IMAP that a script can set.
var systemFlags = map[string]mailbox.Flags{`\answered`: mailbox.Answered, `\flagged`: mailbox.Flagged,
	`\deleted`: mailbox.Deleted, `\draft`: mailbox.Draft, `\seen`: mailbox.Seen}

// Flags takes the flags of a script, as far as somebody with these rights
// may set them. \Seen is the mailbox owner's; owner says whether he is that.
// What is no flag at all is left out.
//
// Source: append_apply_flags in Cyrus imap/append.c.
func Flags(names []string, rights acl.Rights, owner bool) (flags mailbox.Flags, keywords []string) {
	for _, name := range names {
		flag, system := systemFlags[strings.ToLower(name)]
		need := acl.Write
		switch {
		case flag == mailbox.Seen:
			need = acl.Seen
		case flag == mailbox.Deleted:
			need = acl.DeleteMessage
		}
		if !rights.Has(need) || flag == mailbox.Seen && !owner || !sieve.IsFlag(name) {
			continue
		}
		if system {
			flags |= flag
		} else if !slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, name) }) {
			keywords = append(keywords, name)
		}
	}
	return flags, keywords
}

// Package site opens everything of a mail store that a configuration names.
// Each worker and tool that deals with mail starts here.
package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxkey"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/subs"
	"gocyrus/libcyrus/userdeny"
)

// Site is an open mail store. Everything in it may be used from many
// goroutines.
type Site struct {
	Config      *config.Config
	Log         *slog.Logger
	FS          disk.FS
	Locks       *lock.Table
	Names       mboxname.Rules
	Rights      acl.Rules
	Layout      *mboxname.Layout
	List        *mboxlist.List
	Store       *mailbox.Store
	Quota       *quota.Store
	Subs        *subs.Store
	MboxKeys    *mboxkey.Store
	Seen        *seen.Store
	Annot       *annot.Store
	Definitions *annot.Definitions // of annotations
	Duplicate   *duplicate.Store
	UserDeny    *userdeny.Store
	Events      *event.Notifier // nil if none are wanted
	Server      *dbd.Client     // cyrusdbd in own mode, nil in shared mode
	// Conversations and Counters are nil unless the site keeps them.
	Conversations *conversations.Store
	Counters      *counters.Store

	still   bool // nobody changes what is there: see OpenCopy
	status  *statusCache
	panics  func(why string) // see AfterPanic
	closers []func() error
}

// Open opens the mail store of a configuration. Errors name the option and
// path that is wrong, and are *config.Error: the program should end with
// status 78.
func Open(c *config.Config, log *slog.Logger) (*Site, error) { return OpenOn(disk.OS(), c, log) }

// OpenOn is Open on any file system.
func OpenOn(fsys disk.FS, c *config.Config, log *slog.Logger) (*Site, error) {
	return openOn(fsys, c, log, false)
}

// OpenCopy opens a copy of a mail store that nobody changes, in shared mode:
// its mailboxes are not looked at after an unclean boot.
func OpenCopy(fsys disk.FS, c *config.Config, log *slog.Logger) (*Site, error) {
	return openOn(fsys, c, log, true)
}

func openOn(fsys disk.FS, c *config.Config, log *slog.Logger, still bool) (*Site, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Site{
		still:  still,
		Config: c, Log: log, FS: fsys,
		Locks:  lock.NewTable(fsys, log),
		Names:  mboxname.RulesFrom(c),
		Layout: mboxname.LayoutFrom(c),
	}
	s.onClose(func() error { s.Locks.Close(); return nil })
	err := s.check()
	if err == nil {
		s.Rights, err = rightsFrom(c)
	}
	if err == nil {
		err = s.open()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// fault is an error of the configuration.
func fault(format string, args ...any) error {
	return &config.Error{Text: fmt.Sprintf(format, args...)}
}

// check looks whether the directories that the configuration names are
// there. A partition other than the default one may be missing, as in
// Debian's configuration: it is made with its first mailbox.
func (s *Site) check() error {
	dirs := map[string]string{"configdirectory": s.Layout.ConfigDir}
	for name, dir := range s.Layout.Partitions {
		dirs["partition-"+name] = dir
	}
	for name, dir := range s.Layout.MetaPartitions {
		dirs["metapartition-"+name] = dir
	}
	if s.Layout.ConfigDir == "" {
		return fault("configdirectory option not specified in configuration file")
	}
	if kind := config.QuotaDb.In(s.Config); kind != "quotalegacy" {
		return fault("quota_db: %s: quota roots are kept in one file each here: convert them with Cyrus's cvt_cyrusdb and set quota_db to quotalegacy", kind)
	}
	if len(s.Layout.Partitions) == 0 {
		return fault("no partition is specified in configuration file: partition-NAME: DIRECTORY")
	}
	def := config.Defaultpartition.In(s.Config)
	if _, ok := s.Layout.Partitions[def]; def != "" && !ok {
		return fault("partition-%s option not specified in configuration file, but defaultpartition names it", def)
	}
	for option, dir := range dirs {
		fi, err := s.FS.Stat(dir)
		_, partition, _ := strings.Cut(option, "partition-")
		if errors.Is(err, fs.ErrNotExist) && partition != "" && partition != def {
			s.Log.Warn("partition is not there yet", "option", option, "directory", dir)
			continue
		}
		if err != nil {
			return fault("%s: %v", option, err)
		}
		if !fi.IsDir() {
			return fault("%s: %s is not a directory", option, dir)
		}
	}
	return nil
}

// rightsFrom reads what a configuration says about access rights.
func rightsFrom(c *config.Config) (acl.Rules, error) {
	r := acl.DefaultRules()
	if d := config.Deleteright.In(c); d != "" {
		r.DeleteRight = d[0]
	}
	r.AdminImpliesWrite = config.AclAdminImpliesWrite.In(c)
	r.AnyoneForUsers = config.Anyoneuseracl.In(c)
	r.AllowSet = config.Allowsetacl.In(c)
	var err error
	if r.ImplicitOwner, err = r.Parse(config.ImplicitOwnerRights.In(c)); err != nil {
		return r, fault("implicit_owner_rights: %v", err)
	}
	words := strings.Fields(config.Defaultacl.In(c))
	if len(words)%2 != 0 {
		return r, fault("defaultacl: an identifier has no rights")
	}
	r.Default = nil
	for i := 0; i < len(words); i += 2 {
		x, err := r.Parse(words[i+1])
		if err != nil {
			return r, fault("defaultacl: %v", err)
		}
		if r.Default, err = r.Set(r.Default, words[i], acl.Replace, x); err != nil {
			return r, fault("defaultacl: %v", err)
		}
	}
	return r, nil
}

func (s *Site) onClose(fn func() error) { s.closers = append(s.closers, fn) }

// open opens databases and stores, from the bottom up.
func (s *Site) open() error {
	c := s.Config
	dbs, err := cyrusdb.OpenSite(c, s.FS, s.Locks, s.Log)
	if err != nil {
		return err
	}
	s.Server = dbs.Server
	if s.Server != nil {
		s.onClose(s.Server.Close)
	} else if err := s.refuseOld(dbs.Mailboxes); err != nil {
		dbs.Close()
		return err
	}
	s.openEvents()
	s.Quota = quota.New(s.quotaDB(), s.Names.DeletedPrefix, s.Log)
	s.Quota.Events = s.Events
	s.onClose(s.Quota.Close)
	s.Annot = annot.New(annot.Options{
		DB: dbs.Annotations, FS: s.FS, Locks: s.Locks, Log: s.Log, Kind: fileKind(config.AnnotationDb.In(c)),
	})
	s.onClose(s.Annot.Close)
	s.Definitions = s.definitions()
	s.Duplicate = duplicate.New(dbs.Duplicates, s.Log)
	s.onClose(s.Duplicate.Close)
	s.UserDeny = userdeny.New(dbs.UserDeny, s.Log)
	s.onClose(s.UserDeny.Close)
	home := func(ctx context.Context, user string) (string, bool, error) { return s.List.HomeOf(ctx, user) }
	s.Seen = seen.New(seen.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log, Kind: config.SeenstateDb.In(c), Home: home,
	})
	s.onClose(s.Seen.Close)
	s.Subs = subs.New(subs.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log, Kind: config.SubscriptionDb.In(c), Home: home,
	})
	s.onClose(s.Subs.Close)
	s.MboxKeys = mboxkey.New(mboxkey.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Kind: config.MboxkeyDb.In(c), Home: home,
	})
	s.onClose(s.MboxKeys.Close)
	s.openConversations()
	s.status = &statusCache{site: s}
	s.onClose(s.status.close)
	if s.Store, err = mailbox.New(s.storeOptions()); err != nil {
		dbs.Mailboxes.Close()
		return err
	}
	s.onClose(s.Store.Close)
	s.List = mboxlist.New(s.listOptions(dbs.Mailboxes))
	s.onClose(s.List.Close)
	s.List.Resume(context.Background())
	return nil
}

// refuseOld is for a Cyrus's list of mailboxes that has not been taken over:
// all mailboxes would seem to be gone.
func (s *Site) refuseOld(list cyrusdb.DB) error {
	old, err := mboxlist.IsOld(context.Background(), list)
	if err == nil && old {
		err = fault("the mailbox list is that of a Cyrus before 3.6: run ctl_cyrusdb -r to take it over")
	}
	if errs.Is(err, errs.BadFormat) {
		err = fault("the mailbox list cannot be read: %v: put it back from a backup, or make it anew from the mail with reconstruct -m", err)
	}
	return err
}

// storeOptions is how mailboxes are kept.
func (s *Site) storeOptions() mailbox.Options {
	c := s.Config
	o := mailbox.Options{
		FS: s.FS, Locks: s.Locks, Layout: s.Layout, Log: s.Log, Quota: s.Quota, Annotations: s.Annot,
		Events:             s.Events,
		OwnerSeen:          s.ownerSeen,
		Repaired:           s.repaired,
		Panicked:           s.panicked,
		UncleanBoot:        mailbox.BootTime(),
		Message:            message.OptionsFrom(c),
		ImmediateExpunge:   config.ExpungeMode.In(c) == "immediate",
		SemidelayedExpunge: config.ExpungeMode.In(c) == "semidelayed",
		AuditLog:           config.Auditlog.In(c),
		CopyFiles:          !config.Singleinstancestore.In(c),
		PollInterval:       config.Imapidlepoll.In(c),
		MaxMessages: map[string]uint32{
			string(mboxlist.Email):       limit(config.MailboxMaxmessagesEmail.In(c)),
			string(mboxlist.Calendar):    limit(config.MailboxMaxmessagesCalendar.In(c)),
			string(mboxlist.AddressBook): limit(config.MailboxMaxmessagesAddressbook.In(c)),
		},
	}
	if s.still {
		o.UncleanBoot = time.Time{}
	}
	if s.Conversations != nil {
		o.Conversations, o.Counters, o.UserMailboxes = s.Conversations, s.Counters, s.userMailboxes
		o.Folder, o.CountOnce = s.folder, config.QuotaUseConversations.In(c)
		o.FindSplits, o.MakeSplits = splits{s}.find, splits{s}.make
	}
	if s.Server == nil { // in own mode no Cyrus can be there
		o.Changed = s.status.forget
	}
	if config.ArchiveEnabled.In(c) {
		o.Archive = &mailbox.Archive{
			After:       config.ArchiveAfter.In(c),
			Size:        limit(config.ArchiveMaxsize.In(c)) * 1024,
			KeepFlagged: config.ArchiveKeepflagged.In(c),
		}
	}
	return o
}

// limit is an option's value as a limit; less than 0 is none.
func limit(n int) uint32 { return uint32(max(n, 0)) }

// ownerSeen reads what the owner of a mailbox has seen where Cyrus 2.3 kept
// it.
func (s *Site) ownerSeen(ctx context.Context, ref mailbox.Ref) (func(uid uint32) bool, uint32, error) {
	owner := ref.Name.OwnerOf(s.Names.DeletedPrefix)
	if owner == "" {
		return nil, 0, nil
	}
	st, err := s.Seen.Get(ctx, owner, ref.UniqueID)
	return st.Seen.Has, st.LastUID, err
}

// AfterPanic says what to do after a panic of somebody who held the exclusive
// lock of a mailbox: no more clients should come to this process. It must be
// called before anybody uses s.
func (s *Site) AfterPanic(fn func(why string)) { s.panics = fn }

// panicked is told of such a panic.
func (s *Site) panicked(ref mailbox.Ref) {
	if s.panics != nil {
		s.panics("panic while the mailbox " + string(ref.Name) + " was locked")
	}
}

// repaired counts a quota root anew after a mailbox of it was repaired.
func (s *Site) repaired(_ mailbox.Ref, root mboxname.Name) {
	s.List.RecountSoon(root)
}

// listOptions is how the list of mailboxes is kept.
func (s *Site) listOptions(db cyrusdb.DB) mboxlist.Options {
	c := s.Config
	return mboxlist.Options{
		Counters: s.Counters, Events: s.Events,
		DB: db, FS: s.FS, Locks: s.Locks, Store: s.Store, Quota: s.Quota, Subs: s.Subs, Seen: s.Seen, Annot: s.Annot, MboxKeys: s.MboxKeys,
		Layout: s.Layout, Names: s.Names, Rights: s.Rights, Log: s.Log,
		Admins:           strings.Fields(config.Admins.In(c)),
		DefaultPartition: config.Defaultpartition.In(c),
		Partitions: mboxlist.PartitionChoice{
			Mode:      config.PartitionSelectMode.In(c),
			Exclude:   strings.FieldsFunc(config.PartitionSelectExclude.In(c), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }),
			Reinit:    config.PartitionSelectUsageReinit.In(c),
			SoftLimit: config.PartitionSelectSoftUsageLimit.In(c),
		},
		LegacyDirs:    config.MailboxLegacyDirs.In(c),
		DelayedDelete: config.DeleteMode.In(c) == "delayed",
		DeleteUnsub:   config.DeleteUnsubscribe.In(c),
		UserMoves:     config.Allowusermoves.In(c),
		SubscribeAll:  config.Allowallsubscribe.In(c),
		ReverseACLs:   config.Reverseacls.In(c),
		AuditLog:      config.Auditlog.In(c),
		SpecialUses:   strings.Fields(config.SpecialuseExtra.In(c)),
		ProtectedUses: strings.Fields(config.SpecialuseProtect.In(c)),
		ChildlessUses: strings.Fields(config.SpecialuseNochildren.In(c)),
		NewOptions:    mailbox.IndexOptions(limit(config.MailboxDefaultOptions.In(c))),
		Autocreate:    autocreateFrom(c),
		UserGone:      func(user, session string) { s.endSessions(proc.Which{User: user, Except: session}) },
		MailboxGone:   func(n mboxname.Name, session string) { s.endSessions(proc.Which{Mailbox: string(n), Except: session}) },
	}
}

// Denied reports whether user_deny.db keeps a user from a service (the name of
// its line in cyrus.conf). A database that cannot be read keeps out nobody.
func (s *Site) Denied(ctx context.Context, user, service string) bool {
	_, denied, err := s.UserDeny.Denied(ctx, user, service)
	if err != nil {
		s.Log.Error("user_deny.db cannot be read", "user", user, "error", err)
	}
	return denied
}

// endSessions ends sessions on the whole site. Failures are for the log: what
// they were at is gone, and each finds that out with its next command.
func (s *Site) endSessions(which proc.Which) {
	if s.FS != disk.OS() {
		return // no processes serve it
	}
	if err := proc.End(config.Configdirectory.In(s.Config), proc.Dir(s.Config), which); err != nil {
		s.Log.Warn("sessions cannot be ended", "user", which.User, "mailbox", which.Mailbox, "error", err)
	}
}

// autocreateFrom reads the options autocreate_* and xlist-*.
func autocreateFrom(c *config.Config) mboxlist.Autocreate {
	a := mboxlist.Autocreate{
		Quota:           int64(config.AutocreateQuota.In(c)),
		Messages:        int64(config.AutocreateQuotaMessages.In(c)),
		Post:            config.AutocreatePost.In(c),
		Users:           strings.Fields(config.AutocreateUsers.In(c)),
		Folders:         mboxlist.ParseList(config.AutocreateInboxFolders.In(c)),
		Subscribe:       mboxlist.ParseList(config.AutocreateSubscribeFolders.In(c)),
		SubscribeShared: mboxlist.ParseList(config.AutocreateSubscribeSharedfolders.In(c)),
		SubscribeAll:    config.AutocreateSubscribeSharedfoldersAll.In(c),
		Use:             map[string]string{},
	}
	for _, kv := range c.OverflowPrefix("xlist-") {
		a.Use[kv.Value] = `\` + strings.TrimPrefix(kv.Key, "xlist-")
	}
	for _, kv := range c.OverflowPrefix("autocreate_acl") {
		if w := strings.Fields(kv.Value); len(w) >= 3 {
			a.ACL = append(a.ACL, mboxlist.FolderACL{
				Folder: strings.Join(w[:len(w)-2], " "), ID: w[len(w)-2], Rights: w[len(w)-1],
			})
		}
	}
	return a
}

// Close closes all files.
func (s *Site) Close() error {
	var failed error
	for i := len(s.closers) - 1; i >= 0; i-- {
		failed = errors.Join(failed, s.closers[i]())
	}
	s.closers = nil
	return failed
}

// Namespace is how a user sees names; "" is nobody.
func (s *Site) Namespace(user string, admin bool) *mboxname.Namespace {
	return mboxname.NewNamespace(s.Names, user, admin)
}

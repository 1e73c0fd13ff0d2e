package quota

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
)

// Store is the quota roots of a site. It may be used from many goroutines,
// while other processes use the same roots.
type Store struct {
	db            cyrusdb.DB
	log           *slog.Logger
	deletedPrefix string
	// Modseq, if not nil, takes the modseq of a change of a user's root, which
	// had last before; else it is one more.
	Modseq func(ctx context.Context, root mboxname.Name, last uint64) uint64
	// Once, if not nil, is what a user has whose root this is, with copies of a
	// message counted once (quota_use_conversations). Limits are of that then;
	// roots keep the use with all copies nevertheless.
	Once func(ctx context.Context, root mboxname.Name) (messages, octets int64, err error)
	// Events is told of changed limits, and of limits that are reached or left;
	// nil: nobody wants to know.
	Events *event.Notifier
}

// New returns the roots kept in db. deletedPrefix is imapd.conf's.
func New(db cyrusdb.DB, deletedPrefix string, log *slog.Logger) *Store {
	return &Store{db: db, log: log, deletedPrefix: deletedPrefix}
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Get returns a root; without it the error is of kind errs.QuotaNotFound.
func (s *Store) Get(ctx context.Context, root mboxname.Name) (*Root, error) {
	r, _, err := s.get(ctx, root)
	return r, err
}

// GetUse is Get for those whom the use is shown, and who ask whether there is
// room: Once counts, where there is one.
//
// Source: quota_read_withconversations in Cyrus imap/quota_db.c.
func (s *Store) GetUse(ctx context.Context, root mboxname.Name) (*Root, error) {
	r, err := s.Get(ctx, root)
	if err != nil || s.Once == nil || root.Owner() == "" {
		return r, err
	}
	messages, octets, err := s.Once(ctx, root)
	if err == nil {
		r.Used[Message], r.Used[Storage] = messages, octets
	}
	return r, err
}

// get returns the value too, also if it is no good or empty; nil means that
// there is none.
func (s *Store) get(ctx context.Context, root mboxname.Name) (*Root, []byte, error) {
	if root == "" {
		return nil, nil, errs.New(errs.QuotaNotFound, "quota.Get", "", nil)
	}
	v, err := s.db.Get(ctx, []byte(root))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return nil, nil, errs.New(errs.QuotaNotFound, "quota.Get", string(root), nil)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(v) == 0 { // as after a crash of old versions
		return nil, []byte{}, errs.New(errs.QuotaNotFound, "quota.Get", string(root), nil)
	}
	r, err := decode(root, v)
	if err != nil {
		return nil, v, errs.New(errs.BadFormat, "quota.Get", string(root), err)
	}
	return r, v, nil
}

// FindRoot returns the root that covers n: the longest prefix of the name
// that is one, then the root of its domain; "" if there is none, and for
// deleted mailboxes.
//
// Source: quota_findroot in Cyrus imap/quota_db.c.
func (s *Store) FindRoot(ctx context.Context, n mboxname.Name) (mboxname.Name, error) {
	if n.IsDeleted(s.deletedPrefix) {
		return "", nil
	}
	for c := n; c != ""; c = c.Parent() {
		ok, err := s.exists(ctx, c)
		if ok || err != nil {
			return c, err
		}
	}
	if d := n.Domain(); d != "" {
		whole := mboxname.Name(d + "!")
		if ok, err := s.exists(ctx, whole); ok || err != nil {
			return whole, err
		}
	}
	return "", nil
}

// exists reports whether there is a root of this name, readable or not.
func (s *Store) exists(ctx context.Context, root mboxname.Name) (bool, error) {
	v, err := s.db.Get(ctx, []byte(root))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return false, nil
	}
	return err == nil && len(v) > 0, err
}

// Check returns an error of kind errs.OverQuota if a change by diff would
// take the root over a limit of a resource that grows. A root that does not
// exist has room.
//
// Source: quota_check_useds in Cyrus imap/quota_db.c.
func (s *Store) Check(ctx context.Context, root mboxname.Name, diff Usage) error {
	return s.check(ctx, root, func(r *Root) error { return r.RoomFor(diff) })
}

// CheckDelivery is Check for a mail of so many octets that comes in: with
// strict (lmtp_strict_quota) it must fit, else use must only not be over a
// limit already.
func (s *Store) CheckDelivery(ctx context.Context, root mboxname.Name, strict bool, size int64) error {
	messages := int64(1)
	if !strict {
		size, messages = 0, 0
	}
	return s.check(ctx, root, func(r *Root) error {
		if err := r.Room(Storage, size); err != nil {
			return err
		}
		return r.Room(Message, messages)
	})
}

// check asks a root, if there is one.
func (s *Store) check(ctx context.Context, root mboxname.Name, ask func(*Root) error) error {
	if root == "" {
		return nil
	}
	r, err := s.GetUse(ctx, root)
	if errs.Is(err, errs.QuotaNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = ask(r)
	if err != nil {
		s.tellExceeded(ctx, r, err)
	}
	return err
}

// Update changes what is used of a root by diff, durably, and whatever the
// limits. mailbox is where the change happens. Without the root nothing is
// done.
//
// Source: quota_update_useds in Cyrus imap/quota_db.c.
func (s *Store) Update(ctx context.Context, root, mailbox mboxname.Name, diff Usage) error {
	if root == "" || diff.IsZero() {
		return nil
	}
	var was, is Root
	err := s.change(ctx, root, func(r *Root) {
		was = *r
		defer func() { is = *r }()
		if r.Used.use(diff) {
			s.log.Info("Quota underflow for root " + string(root) + ", you may wish to run \"quota -f\"")
		}
		if r.scan != nil && string(mailbox) <= r.scan.Mailbox {
			r.scan.Used.use(diff)
		}
	})
	if errs.Is(err, errs.QuotaNotFound) {
		return nil
	}
	if err == nil {
		s.tellWithin(ctx, &was, &is)
	}
	if err != nil {
		s.log.Error("LOSTQUOTA: unable to record change", "quotaroot", string(root),
			"bytes", diff[Storage], "messages", diff[Message], "error", err)
	}
	return err
}

// Renamed tells a Recount that runs meanwhile that a mailbox of the root got
// another name and so may be counted twice, or not at all. The caller has it
// locked. Use is what the mailbox uses.
func (s *Store) Renamed(ctx context.Context, root, from, to mboxname.Name, use Usage) error {
	if root == "" {
		return nil
	}
	r, err := s.Get(ctx, root)
	if errs.Is(err, errs.QuotaNotFound) || err == nil && r.scan == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return s.change(ctx, root, func(r *Root) {
		if r.scan == nil {
			return
		}
		if string(from) <= r.scan.Mailbox {
			r.scan.Used.use(use.Neg())
		}
		if string(to) <= r.scan.Mailbox {
			r.scan.Used.use(use)
		}
	})
}

// change reads a root, lets fn change it and stores it, as one step.
func (s *Store) change(ctx context.Context, root mboxname.Name, fn func(*Root)) error {
	return s.retry(ctx, root, func() error {
		r, old, err := s.get(ctx, root)
		if err != nil {
			return err
		}
		fn(r)
		return s.put(ctx, r, old)
	})
}

// put stores r in the place of old, which is nil for a new root.
func (s *Store) put(ctx context.Context, r *Root, old []byte) error {
	switch {
	case !r.Name.IsUser():
	case s.Modseq != nil:
		r.Modseq = s.Modseq(ctx, r.Name, r.Modseq)
	default:
		r.Modseq++
	}
	var tx cyrusdb.Tx
	tx.Require([]byte(r.Name), old)
	tx.Put([]byte(r.Name), r.encode())
	return s.db.Commit(ctx, tx)
}

// SetLimits sets the limits of a root, and makes it if it does not exist,
// with nothing used. It reports whether it is new.
func (s *Store) SetLimits(ctx context.Context, root mboxname.Name, l Limits) (created bool, err error) {
	if root == "" {
		return false, errs.New(errs.BadName, "quota.SetLimits", "", nil)
	}
	var was, is Root
	err = s.retry(ctx, root, func() error {
		r, old, err := s.get(ctx, root)
		if created = errs.Is(err, errs.QuotaNotFound); created {
			r = &Root{Name: root}
		} else if err != nil {
			return err
		}
		was = *r
		r.Limit = l
		is = *r
		return s.put(ctx, r, old)
	})
	if err == nil {
		s.tellLimits(ctx, &was, &is, created)
	}
	return created && err == nil, err
}

// retry repeats fn while others come between its reading and its writing.
func (s *Store) retry(ctx context.Context, root mboxname.Name, fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, cyrusdb.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return errs.New(errs.Locked, "quota.Store", string(root), ctx.Err())
		}
	}
}

// Delete removes a root; errs.QuotaNotFound without it.
func (s *Store) Delete(ctx context.Context, root mboxname.Name) error {
	return s.retry(ctx, root, func() error {
		_, old, err := s.get(ctx, root)
		if err != nil && old == nil {
			return err
		}
		var tx cyrusdb.Tx
		tx.Require([]byte(root), old)
		tx.Delete([]byte(root))
		return s.db.Commit(ctx, tx)
	})
}

// Below returns the root of n itself, if it is one, and all below it, in the
// order of the database; with "" all. Damaged ones are logged and left out.
func (s *Store) Below(ctx context.Context, n mboxname.Name) ([]*Root, error) {
	var out []*Root
	err := s.db.ScanPrefix(ctx, []byte(n), func(k, v []byte) (bool, error) {
		name := mboxname.Name(k)
		whole := strings.HasSuffix(string(n), "!")
		if n != "" && !whole && !n.Contains(name) || len(v) == 0 || strings.HasPrefix(string(k), "..") {
			return true, nil
		}
		r, err := decode(name, v)
		if err != nil {
			s.log.Error("DBERROR: error parsing quota", "quotaroot", string(name), "error", err)
			return true, nil
		}
		out = append(out, r)
		return true, nil
	})
	return out, err
}

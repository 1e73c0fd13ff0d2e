package main

import (
	"context"
	"errors"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annotator"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// deliver has the recipient's script say what becomes of the message. If he
// has none, or something of it fails, the message goes into his mailbox.
//
// Source: deliver in Cyrus imap/lmtpd.c.
func (s *session) deliver(ctx context.Context, m *incoming, r *recipient) error {
	ran, failed, err := s.runScript(ctx, m, r)
	if ran && !failed {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	f := filing{staged: m.staged}
	if failed {
		f.keywords = []string{failedFlag}
	}
	return s.deliverLocal(ctx, m, r, f)
}

// A filing is what is put into a mailbox.
type filing struct {
	staged   *mailbox.Staged
	flags    mailbox.Flags
	keywords []string
	rights   acl.Rights // of whom an annotator sets flags for
	also     *noted     // remembered in the same transaction as the delivery, if not nil
}

// noted is a mark, and whether it has been stored.
type noted struct {
	key  duplicate.Key
	done bool
}

// deliverLocal puts the message into a recipient's mailbox: the folder that
// the address names, if the sender may post there and it takes the message,
// else the INBOX. A shared mailbox has nothing to fall back to.
//
// Source: deliver_local in Cyrus imap/lmtpd.c.
func (s *session) deliverLocal(ctx context.Context, m *incoming, r *recipient, f filing) error {
	if r.user == "" {
		return s.post(ctx, m, r, r.name, f)
	}
	inbox := mboxname.Inbox(r.user)
	if r.name != inbox && s.post(ctx, m, r, r.name, f) == nil {
		return nil
	}
	e, err := s.site.List.Lookup(ctx, inbox)
	if err != nil {
		return err
	}
	f.rights = acl.All
	return s.appendTo(ctx, m, r, e, f)
}

// post appends to a mailbox that needs the right to post.
func (s *session) post(ctx context.Context, m *incoming, r *recipient, n mboxname.Name, f filing) error {
	e, err := s.lookupLike(ctx, n)
	if err != nil {
		return err
	}
	if err := s.need(acl.Post, e); err != nil {
		return err
	}
	f.rights = s.site.List.Rights(s.sender(), e)
	return s.appendTo(ctx, m, r, e, f)
}

// appendTo stores the message; it lasts when nil is returned.
func (s *session) appendTo(ctx context.Context, m *incoming, r *recipient, e *mboxlist.Entry, f filing) error {
	if err := s.excluded(ctx, e); err != nil {
		return err
	}
	o := mailbox.AppendOptions{SessionID: s.conn.SessionID(), Event: event.MessageNew, User: r.user}
	if r.ignoreQuota || !config.LmtpStrictQuota.In(s.conf) {
		o.Check = &quota.Usage{}
	}
	if !r.ignoreQuota {
		if err := s.checkQuota(ctx, e.Name, f.staged.Size()); err != nil {
			return err
		}
	}
	if config.Duplicatesuppression.In(s.conf) && m.id != "" {
		o.Once = s.once(m, e, f.also)
	}
	msg := mailbox.AppendMessage{Staged: f.staged, Flags: f.flags, Keywords: f.keywords, InternalDate: m.internal}
	s.annotator.Annotate(ctx, &msg, annotator.Subject{User: r.user, Rights: f.rights, Owner: r.user != ""})
	saw, err := s.takeSeen(ctx, e, r.user, &msg)
	if err != nil {
		return err
	}
	done, err := s.site.Store.Append(ctx, e.Ref(), []mailbox.AppendMessage{msg}, o)
	if errs.Is(err, errs.Duplicate) {
		s.eliminated(deliveryKey(m, e), "delivery")
		return nil
	}
	if errs.Is(err, errs.NotFound) {
		// The list has it and the disk does not: a partition that is not
		// mounted, or a mailbox on its way to another name. The mail must wait.
		return errs.New(errs.IO, "lmtpd.deliver", string(e.Name), err)
	}
	if err != nil {
		return err
	}
	if saw {
		s.markSeen(ctx, e, r.user, done[0].UID)
	}
	s.log.Info("Delivered: " + m.id + " to mailbox: " + string(e.Name))
	s.notifyOf(m, r, e)
	return nil
}

// once makes the delivery one that is done once for each mailbox: what has
// its id and date, in the same mailbox, is the same message. also is marked
// with it, if not nil.
//
// Source: deliver_mailbox in Cyrus imap/lmtpd.c.
func (s *session) once(m *incoming, e *mboxlist.Entry, also *noted) *mailbox.Once {
	key := deliveryKey(m, e)
	return &mailbox.Once{
		Key: key.ID + "\x00" + key.Date,
		Delivered: func(ctx context.Context) (uint32, bool, error) {
			mark, ok, err := s.site.Duplicate.Check(ctx, key)
			return mark.UID, ok, err
		},
		Mark: func(ctx context.Context, uid uint32) error {
			delivery := duplicate.Mark{Time: m.now, UID: uid}
			if also == nil {
				return s.site.Duplicate.Mark(ctx, key, delivery)
			}
			err := s.site.Duplicate.MarkAll(ctx, []duplicate.Key{key, also.key}, []duplicate.Mark{delivery, {Time: m.now}})
			also.done = err == nil
			return err
		},
	}
}

func deliveryKey(m *incoming, e *mboxlist.Entry) duplicate.Key {
	return duplicate.Key{ID: m.id, To: e.UniqueID, Date: m.date}
}

// eliminated logs that something was not done a second time.
//
// Source: duplicate_log in Cyrus imap/duplicate.c.
func (s *session) eliminated(k duplicate.Key, action string) {
	s.log.Info("dupelim: eliminated duplicate message to " + k.To + " id " + k.ID + " date " + k.Date + " (" + action + ")")
	if config.Auditlog.In(s.conf) {
		s.log.Log(context.Background(), syslog.LevelNotice, "auditlog: duplicate sessionid=<"+s.conn.SessionID()+"> action=<"+action+"> message-id="+k.ID+
			" user=<"+k.To+"> date=<"+k.Date+">")
	}
}

// notifyOf tells notifyd of new mail, if mailnotifier says how.
func (s *session) notifyOf(m *incoming, r *recipient, e *mboxlist.Entry) {
	method := config.Mailnotifier.In(s.conf)
	if method == "" {
		return
	}
	name, ok := s.site.Namespace(r.user, false).External(e.Name)
	if !ok {
		name = string(e.Name)
	}
	n := &notify.Message{
		Method:  method,
		Class:   "MAIL",
		User:    r.user,
		Mailbox: name,
		Text:    m.summary(),
	}
	s.notify.Send(n)
}

// summary is what a notification says of the message: who, what, to whom
// (generate_notify in Cyrus imap/lmtpd.c).
func (m *incoming) summary() string {
	var text []byte
	for _, name := range []string{"From", "Subject", "To"} {
		for _, v := range m.Fields().All(name) {
			text = append(append(append(append(text, name...), ": "...), v...), '\n')
		}
	}
	return string(text)
}

// failed logs why a recipient did not get the message, where the reply
// tells too little: the client is told a fixed text.
func (s *session) failed(err error, about string) {
	if r := (*rejection)(nil); errors.As(err, &r) {
		return // logged as such
	}
	switch errs.KindOf(err) {
	case errs.Internal, errs.IO, errs.BadFormat, errs.DiskFull, errs.Locked, errs.Unavailable:
		s.log.Error("delivery failed", "to", about, "sessionid", s.conn.SessionID(), "error", err)
	default:
		s.log.Debug("refused", "to", about, "error", err)
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/outgoing"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
)

// Bounds of what one command may cost through scripts: beyond them messages
// stay as the command has left them, and the log says so.
const (
	maxFiltered  = 1000             // messages
	maxRedirects = 20               // mails
	filterTime   = 10 * time.Second // for all of them
)

// imapSieve runs Sieve scripts on messages that IMAP commands have created or
// changed (RFC 6785).
type imapSieve struct {
	library  *scripts.Library
	rules    sieve.Options
	url      string
	outgoing *outgoing.Sender
	notify   *notify.Sender
}

// newIMAPSieve is nil unless imapd.conf turns it on.
func newIMAPSieve(s *server) *imapSieve {
	if !config.Imapsieve.In(s.conf) {
		return nil
	}
	x := &imapSieve{library: scripts.NewLibrary(s.site), rules: scripts.Rules(s.conf), url: config.ImapsieveUrl.In(s.conf)}
	x.outgoing, x.notify = outgoing.NewSender(s.conf, s.log), notify.NewSender(s.conf)
	if x.url == "" {
		x.url = "sieve://" + s.conf.ServerName()
	}
	return x
}

// A sieveEvent is what has happened to messages of a mailbox.
type sieveEvent struct {
	cause   string // APPEND, COPY or FLAG
	box     *mboxlist.Entry
	uids    []uint32
	changed map[uint32][]string // flags, of FLAG
}

// appended runs scripts after an APPEND.
func (s *session) appended(e *mboxlist.Entry, done []mailbox.Appended) {
	if s.imapsieve == nil {
		return
	}
	ev := sieveEvent{cause: "APPEND", box: e}
	for _, a := range done {
		ev.uids = append(ev.uids, a.UID)
	}
	s.filter(&ev)
}

// transferred runs scripts after a COPY or MOVE, and has the spam filter
// learn.
func (s *session) transferred(dst *mboxlist.Entry, pairs []mailbox.CopyPair) {
	if s.imapsieve == nil && s.learner == nil {
		return
	}
	ev := sieveEvent{cause: "COPY", box: dst}
	for _, p := range pairs {
		ev.uids = append(ev.uids, p.Copy)
	}
	if s.learner != nil {
		s.learn(dst, ev.uids)
	}
	if s.imapsieve != nil {
		s.filter(&ev)
	}
}

// watchFlags looks at the flags of messages before a STORE; what it returns
// runs scripts on those whose flags have changed.
func (s *session) watchFlags(set imapwire.SeqSet, uid bool) (after func()) {
	if s.imapsieve == nil {
		return func() {}
	}
	e, err := s.site.List.Lookup(s.ctx, s.view.Ref().Name)
	if err != nil {
		return func() {}
	}
	if script, _, err := s.eventScript(s.ctx, e); script == nil || err != nil {
		return func() {}
	}
	t := s.view.BySequence(set)
	if uid {
		t = s.view.ByUID(set)
	}
	uids := s.view.UIDs(t)
	before := s.flagsOf(e, uids)
	return func() {
		ev := sieveEvent{cause: "FLAG", box: e, changed: map[uint32][]string{}}
		now := s.flagsOf(e, uids)
		for _, u := range uids {
			if was, ok := before[u]; ok {
				if diff := difference(was, now[u]); len(diff) > 0 {
					ev.uids, ev.changed[u] = append(ev.uids, u), diff
				}
			}
		}
		s.filter(&ev)
	}
}

// difference is the flags that are in one of two lists.
func difference(a, b []string) (out []string) {
	for _, l := range [][2][]string{{a, b}, {b, a}} {
		for _, f := range l[0] {
			if !slices.Contains(l[1], f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// flagsOf is the flags of messages by UID; none after an error.
func (s *session) flagsOf(e *mboxlist.Entry, uids []uint32) map[uint32][]string {
	m, err := s.site.Store.Open(s.ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil
	}
	defer m.Close()
	out := map[uint32][]string{}
	for _, u := range uids[:min(len(uids), maxFiltered)] {
		r, ok, err := m.FindUID(u, 0)
		if err == nil && ok && r.Live() {
			out[u] = scripts.FlagNames(m, &r)
		}
	}
	return out
}

// scriptEntry is the annotation that names the script of a mailbox, or of all
// that have none.
const scriptEntry = "/imapsieve/script"

// eventScript is the script for events in a mailbox, with its path; nil if
// there is none. The name that the mailbox has comes before that of the
// server, also one that no script has (RFC 6785 section 2.3.1); an empty one is
// none, as SETMETADATA removes annotations with it. It is a script of the user in his own mailboxes, if he has one of
// that name; else a global one: nobody's script runs with the rights of
// another user, unless an admin has written it.
func (s *session) eventScript(ctx context.Context, e *mboxlist.Entry) (*sieve.Script, string, error) {
	key := annot.Key{Entry: scriptEntry}
	name, ok, err := s.site.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}, key)
	if err == nil && !ok {
		name, _, err = s.site.Annot.Get(ctx, annot.Scope{}, key)
	}
	if err != nil || len(name) == 0 {
		return nil, "", err
	}
	if s.who.User != "" && e.Name.Owner() == s.who.User {
		script, at, err := s.imapsieve.library.Named(ctx, s.who.User, e.Name.Domain(), string(name), false)
		if err == nil {
			return script, at, nil
		}
		if !errors.Is(err, sieve.ErrNoScript) {
			return nil, "", err
		}
	}
	return s.imapsieve.library.Named(ctx, s.who.User, e.Name.Domain(), string(name), true)
}

// filter runs the script of a mailbox on messages. The command has succeeded
// already: whatever goes wrong here is only logged.
func (s *session) filter(ev *sieveEvent) {
	if len(ev.uids) == 0 || ev.box.Kind() != mboxlist.Email {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, filterTime)
	defer cancel()
	script, key, err := s.eventScript(ctx, ev.box)
	if err != nil {
		s.log.Error("imapsieve: no script", "user", s.who.User, "mailbox", string(ev.box.Name), "error", err)
		return
	}
	if script == nil {
		return
	}
	run := s.stored(ctx, ev)
	mails := 0
	for i, uid := range ev.uids {
		if i == maxFiltered || ctx.Err() != nil {
			s.log.Warn("imapsieve: too many messages at once; the rest is not filtered", "user", s.who.User,
				"mailbox", string(ev.box.Name), "filtered", i, "messages", len(ev.uids))
			return
		}
		run.Items["imap.changedflags"] = strings.Join(ev.changed[uid], " ")
		p, err := run.Run(ctx, script, key, uid)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err == nil {
			err = p.Err
		}
		if err == nil {
			err = s.mail(ctx, run, p, &mails)
		}
		if err == nil {
			err = run.Do(ctx, p, scripts.How{})
		}
		if err != nil {
			s.log.Info("sieve runtime error for "+s.who.User+" mailbox "+string(ev.box.Name)+": "+err.Error(), "uid", uid, "cause", ev.cause)
		}
	}
}

// stored is what a script is run with.
func (s *session) stored(ctx context.Context, ev *sieveEvent) *scripts.Stored {
	o := &scripts.Owner{Ctx: ctx, Site: s.site, Library: s.imapsieve.library, User: s.who.User, Domain: ev.box.Name.Domain(),
		Who: s.who, NS: s.site.Namespace(s.who.User, false), Log: s.log}
	name, ok := s.ns.External(ev.box.Name)
	if !ok {
		name = string(ev.box.Name)
	}
	items := map[string]string{"location": "MS", "phase": "post", "name": "Cyrus IMAP", "imap.user": s.who.User, "imap.email": s.address(s.who.User),
		"imap.cause": ev.cause, "imap.mailbox": name, "remote-host": s.peerName()}
	if ip, _, err := net.SplitHostPort(s.conn.RemoteAddr().String()); err == nil {
		items["remote-ip"] = ip
	}
	return &scripts.Stored{Owner: o, Mailbox: ev.box, Items: items, NoEnvelope: true, EditHeaders: true, Options: s.imapsieve.rules, Limits: sieve.Limits{Time: filterTime}}
}

// address is a user's mail address.
func (s *session) address(user string) string {
	p := mboxname.UserParts(user)
	if p.Domain == "" {
		p.Domain = s.site.Names.DefaultDomain
	}
	if p.Domain == "" {
		p.Domain = s.name
	}
	return p.Localpart + "@" + p.Domain
}

// peerName is the name of the client's host.
func (s *session) peerName() string {
	client := s.conn.Client()
	if i := strings.IndexAny(client, " ["); i >= 0 {
		client = client[:i]
	}
	return client
}

// mail sends what a script redirects, from the owner of the mailbox (RFC 6785
// section 3.4) or, of a shared one, the user, and its notifications.
func (s *session) mail(ctx context.Context, run *scripts.Stored, p *scripts.Plan, sent *int) error {
	for i := range p.Redirects {
		if *sent++; *sent > maxRedirects {
			return errs.New(errs.NotSupported, "imapd.redirect", p.Redirects[i].Address, errTooMany)
		}
		if err := s.redirect(ctx, run, p, &p.Redirects[i]); err != nil {
			return err
		}
	}
	for _, n := range p.Notes {
		method := config.Sievenotifier.In(s.conf)
		if method == "" {
			break
		}
		if n.Method != "default" {
			method = n.Method
		}
		msg := &notify.Message{Method: method, Class: "SIEVE", Priority: n.Priority, User: s.who.User, Options: n.Options,
			Text: strings.ReplaceAll(n.Message, "\x00", "")}
		if err := s.imapsieve.notify.Send(msg); err != nil {
			s.log.Error(err.Error(), "user", s.who.User)
		}
	}
	return nil
}

var errTooMany = errors.New("one command may not redirect so many messages")

func (s *session) redirect(ctx context.Context, run *scripts.Stored, p *scripts.Plan, a *sieve.Action) error {
	if a.List {
		return errs.New(errs.NotSupported, "imapd.redirect", a.Address, nil)
	}
	text, size, err := run.Text(ctx, p, a.Header)
	if err != nil {
		return err
	}
	defer text.Close()
	const head = "X-Sieve-Action: redirect\r\n"
	from := s.who.User
	if owner := run.Mailbox.Name.Owner(); owner != "" {
		from = owner
	}
	err = s.imapsieve.outgoing.Send(ctx, &outgoing.Mail{From: s.address(from), To: []string{a.Address}, Auth: s.who.User, DeliverBy: a.DeliverBy,
		Data: io.MultiReader(strings.NewReader(head), text), Size: size + int64(len(head))})
	if err == nil {
		s.log.Info("sieve redirected: " + string(run.Mailbox.Name) + " to: " + a.Address)
	}
	return err
}

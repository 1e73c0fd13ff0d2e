package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/proc"
)

// openPause is how long a client waits whose maildrop cannot be opened, lest
// it come again at once (Cyrus imap/pop3d.c).
const openPause = 3 * time.Second

// splitUser splits a name as a client gives it into user and "+folder"
// (popsubfolders). The domain stays with the user.
func (s *session) splitUser(name string) (user, subfolder string) {
	plus := strings.IndexByte(name, '+')
	if plus < 0 || !config.Popsubfolders.In(s.conf) {
		return name, ""
	}
	end := len(name)
	if at := strings.IndexByte(name[plus:], '@'); at >= 0 && config.Virtdomains.In(s.conf) != "off" {
		end = plus + at
	}
	return name[:plus] + name[end:], name[plus:end]
}

// tlsMissing reports whether nothing may happen before STLS.
func (s *session) tlsMissing() bool { return config.TlsRequired.In(s.conf) && !s.peer.TLS }

// enter opens the maildrop of a user who has proved who he is. After an error
// the client may log in again.
func (s *session) enter(u auth.User, mech string) error {
	s.userID = u.ID
	if s.peer.TLS {
		mech += "+TLS"
	}
	s.notice("login: %s %s%s %s User logged in SESSIONID=<%s>", s.peer.Client, u.ID, s.subfolder, mech, s.conn.SessionID())
	if u.AuthID != "" && u.AuthID != u.ID {
		s.log.Info(u.AuthID + " acts as " + u.ID + " SESSIONID=<" + s.conn.SessionID() + ">")
	}
	d, err := s.openDrop(u)
	if err == nil {
		err = s.room(u.ID)
	}
	if err != nil {
		s.unlockDrop()
		s.userID, s.subfolder = "", ""
		return err
	}
	s.drop = d
	s.proc("")
	s.conn.StartTelemetry(u.ID)
	s.announce(event.Login)
	s.w.Line("+OK Mailbox locked and ready SESSIONID=<" + s.conn.SessionID() + ">")
	return nil
}

// announce makes the event of a log-in, or of the end of a session.
func (s *session) announce(t event.Type) {
	if s.drop == nil || !s.site.Events.Wants(t) {
		return
	}
	e := &event.Event{Type: t, User: s.userID, Session: s.conn.SessionID()}
	e.Server, _ = s.conn.LocalAddr().(*net.TCPAddr)
	if c, ok := s.conn.(interface{ RemoteAddr() net.Addr }); ok {
		e.Client, _ = c.RemoteAddr().(*net.TCPAddr)
	}
	s.site.Events.Send(e)
}

// openDrop finds and reads the mailbox.
func (s *session) openDrop(u auth.User) (*maildrop, error) {
	who := mboxlist.Actor{SessionID: s.conn.SessionID()}
	who.User, who.Groups, who.Admin = u.ID, u.Groups, u.Admin
	name := s.dropName(u.ID)
	e, err := s.findDrop(who, name)
	var rights acl.Rights
	if err == nil {
		rights = s.site.List.Rights(who, e)
		if config.Popuseacl.In(s.conf) && rights&acl.Read == 0 {
			err = errs.New(hiddenKind(rights), "pop3d.openDrop", string(name), nil)
		}
	}
	if err != nil {
		return nil, s.noDrop(name, "[SYS/TEMP]", err)
	}
	if err := s.lockDrop(e); err != nil {
		return nil, s.noDrop(name, "[IN-USE]", err)
	}
	d, last, err := s.readDrop(s.ctx, e)
	if err != nil {
		return nil, s.noDrop(name, "[SYS/PERM]", err)
	}
	if every := config.Popminpoll.In(s.conf); every > 0 && last.Add(every).After(d.opened) {
		text := fmt.Sprintf("Logins must be at least %d minute%s apart", int(every.Minutes()), plural(int(every.Minutes())))
		s.log.Error(string(name) + ": " + text)
		return nil, refusal("[LOGIN-DELAY] " + text)
	}
	d.rights = rights
	return d, nil
}

func plural(n int) string {
	if n > 1 {
		return "s"
	}
	return ""
}

// hiddenKind is why somebody with these rights may not read.
func hiddenKind(r acl.Rights) errs.Kind {
	if r&acl.Lookup != 0 {
		return errs.Denied
	}
	return errs.NotFound
}

// dropName is the name of the mailbox that the client wants.
func (s *session) dropName(userID string) mboxname.Name {
	p := mboxname.UserParts(userID)
	if s.subfolder != "" {
		sep := string(s.site.Namespace("", true).Separator())
		p.Boxes = strings.Split(s.subfolder[1:], sep)
	}
	return p.Name("")
}

// findDrop looks for the mailbox; an INBOX, or all that autocreate_* says, is
// made if it is missing. For a folder that is missing beside an INBOX it says
// errs.Exists, as Cyrus does: that is what came of making the INBOX.
func (s *session) findDrop(who mboxlist.Actor, name mboxname.Name) (*mboxlist.Entry, error) {
	e, err := s.site.List.Lookup(s.ctx, name)
	if !errs.Is(err, errs.NotFound) {
		return e, err
	}
	inbox := mboxname.UserParts(who.User).Name("")
	_, missing := s.site.List.Lookup(s.ctx, inbox)
	if missing == nil {
		return nil, errs.New(errs.Exists, "pop3d.findDrop", string(name), err)
	}
	if _, err := s.site.List.Inbox(s.ctx, who, false); err != nil {
		return nil, err
	}
	return s.site.List.Lookup(s.ctx, name)
}

// noDrop logs and words why a mailbox cannot be opened, after a pause.
func (s *session) noDrop(name mboxname.Name, code string, err error) error {
	s.pause(openPause)
	text := errs.KindOf(err).String()
	if ofServer(err) {
		s.log.Error("Unable to open maildrop "+string(name)+": "+text, "error", err)
	} else {
		s.log.Info("Unable to open maildrop " + string(name) + ": " + text)
	}
	return refusal(code + " Unable to open maildrop: " + text)
}

// room refuses a log-in where there are too many sessions.
func (s *session) room(user string) error {
	text, err := proc.Full(s.conf, s.service, s.peer.Client, user)
	if err != nil || text == "" {
		return err
	}
	s.log.Error(text)
	return refusal(text)
}

// asFailure is err as a refused log-in, if it is one.
func asFailure(err error) (*auth.Error, bool) {
	var fail *auth.Error
	ok := errors.As(err, &fail)
	return fail, ok
}

package main

import (
	"bytes"
	"context"
	"io"
	"mime/quotedprintable"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
)

// Do performs one action of a script.
func (h *scriptHost) Do(a sieve.Action) error {
	switch a.Kind {
	case sieve.Keep:
		return h.keep(&a)
	case sieve.FileInto:
		return h.fileInto(&a)
	case sieve.Discard:
		h.s.log.Info("sieve discarded: " + h.m.id)
		h.audit("discard", "")
		return nil
	case sieve.Redirect:
		return h.redirect(&a)
	case sieve.Reject, sieve.Ereject:
		return h.reject(&a)
	}
	return errs.New(errs.NotSupported, "lmtpd.Do", a.Kind.String(), nil)
}

// edited is a message with another header.
type edited struct {
	header []byte
	staged *mailbox.Staged
}

// staged is the message with the header that an action wants; it is made
// once for actions with the same one.
func (h *scriptHost) staged(header []byte, partition string) (*mailbox.Staged, error) {
	if header == nil {
		return h.m.staged, nil
	}
	if h.edit != nil && bytes.Equal(h.edit.header, header) {
		return h.edit.staged, nil
	}
	st, err := h.s.site.Store.Stage(partition)
	if err != nil {
		return nil, err
	}
	h.dropEdit()
	h.edit = &edited{header, st}
	body, _ := h.m.body()
	_, err = io.Copy(st, io.MultiReader(bytes.NewReader(h.m.ended(header)), body))
	if err != nil {
		h.dropEdit()
		return nil, errs.New(diskKind(err), "lmtpd.staged", partition, err)
	}
	return st, nil
}

func (h *scriptHost) dropEdit() {
	if h.edit != nil {
		h.edit.staged.Remove()
		h.edit = nil
	}
}

// keep stores the message where it would be without a script. Into a user's
// INBOX it always may; elsewhere the sender needs the right to post.
func (h *scriptHost) keep(a *sieve.Action) error {
	e, err := h.s.lookupLike(h.ctx, h.keepIn())
	if err != nil {
		return err
	}
	rights := acl.All
	if h.r.user == "" || e.Name != mboxname.Inbox(h.r.user) {
		if err := h.s.need(acl.Post, e); err != nil {
			return err
		}
		rights = h.s.site.List.Rights(h.s.sender(), e) | h.s.site.List.Rights(h.Who, e)
	}
	return h.file(e, a, rights)
}

// fileInto stores the message in a mailbox to which the script's owner may
// post. One that is missing is made if script or configuration say so.
func (h *scriptHost) fileInto(a *sieve.Action) error {
	e, err := h.Target(&a.Mailbox, acl.Post)
	if err != nil {
		return err
	}
	return h.file(e, a, h.s.site.List.Rights(h.Who, e))
}

// file appends the message as an action wants it.
func (h *scriptHost) file(e *mboxlist.Entry, a *sieve.Action, rights acl.Rights) error {
	if e.Kind() != mboxlist.Email {
		return errs.New(errs.NotSupported, "lmtpd.file", string(e.Name), nil)
	}
	st, err := h.staged(a.Header, e.Partition)
	if err != nil {
		return err
	}
	f := filing{staged: st, rights: rights}
	if h.only {
		f.also = &h.ran
	}
	f.flags, f.keywords = scripts.Flags(a.Mailbox.Flags, rights, h.r.user != "")
	ctx, cancel := context.WithTimeout(h.ctx, lockWait)
	defer cancel()
	return h.s.appendTo(ctx, h.m, h.r, e, f)
}

// A rejection is the reply of a script that refuses the message.
type rejection struct{ lines []string }

// Error is the reply in one line.
func (r *rejection) Error() string { return "rejected: " + strings.Join(r.lines, " ") }

// reply is the lines of the LMTP reply.
func (r *rejection) reply() string {
	var b strings.Builder
	for i, l := range r.lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if i == len(r.lines)-1 {
			b.WriteString("550 5.7.1 " + l)
		} else {
			b.WriteString("550-5.7.1 " + l)
		}
	}
	return b.String()
}

// reject refuses the message in the LMTP session, or by a mail to the sender
// if the reason has other octets than US-ASCII or sieve_use_lmtp_reject is
// off (RFC 5429). Ereject always does the former.
//
// Source: sieve_reject in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) reject(a *sieve.Action) error {
	plain := strings.IndexFunc(a.Reason, func(r rune) bool { return r >= 0x80 }) < 0
	if a.Kind == sieve.Ereject || plain && config.SieveUseLmtpReject.In(h.s.conf) {
		text := a.Reason
		if !plain {
			text = quoted(text)
		}
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' })
		if len(lines) == 0 {
			lines = []string{""}
		}
		h.err = &rejection{lines}
		h.s.log.Info("sieve LMTP rejected: " + h.m.id)
		h.audit("LMTP reject", " userid=<"+h.r.user+">")
		return nil
	}
	to := h.s.mail.returnPath
	if to == "" {
		h.s.log.Info("sieve: discarded reject to <> for " + h.r.user + " id " + h.m.id)
		h.audit("discard-reject", " userid=<"+h.r.user+">")
		return nil
	}
	if err := h.sendRejection(to, a.Reason); err != nil {
		return err
	}
	h.s.log.Info("sieve rejected: " + h.m.id + " to: " + to)
	h.audit("reject", " target=<"+to+"> userid=<"+h.r.user+">")
	return nil
}

// quoted is text in quoted-printable.
func quoted(text string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close() // a strings.Builder does not fail
	return b.String()
}

// Notify asks notifyd to pass a notification on, if sievenotifier says that
// there is one.
//
// Source: sieve_notify in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) Notify(n sieve.Notification) error {
	method := config.Sievenotifier.In(h.s.conf)
	if method == "" {
		return nil
	}
	if n.Method != "default" {
		method = n.Method
	}
	msg := &notify.Message{Method: method, Class: "SIEVE", Priority: n.Priority, User: h.r.user, Options: n.Options,
		Text: strings.ReplaceAll(n.Message, "\x00", ""), File: h.m.staged.Path()}
	h.s.notify.Send(msg)
	return nil
}

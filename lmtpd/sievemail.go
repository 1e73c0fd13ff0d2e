package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/outgoing"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/version"
)

// redirect passes the message on, unless it was passed on to that address
// before: that ends loops.
//
// Source: sieve_redirect and send_forward in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) redirect(a *sieve.Action) error {
	if a.List {
		return errs.New(errs.NotSupported, "lmtpd.redirect", a.Address, nil)
	}
	key := duplicate.Key{ID: h.m.id + "-" + a.Address, To: h.sieveTo(), Date: h.m.date}
	if _, done := h.marked(key); done {
		h.s.eliminated(key, "redirect")
		return nil
	}
	header := h.m.headerBlock
	if a.Header != nil {
		header = h.m.ended(a.Header)
	}
	header = append([]byte("X-Sieve-Action: redirect\r\n"), withoutReturnPath(header)...)
	body, n := h.m.body()
	m := &outgoing.Mail{
		From: h.s.outgoing.Forwarded(h.s.mail.returnPath), To: []string{a.Address},
		Data: io.MultiReader(bytes.NewReader(header), body), Size: int64(len(header)) + n,
		Auth: h.r.user, DeliverBy: a.DeliverBy,
	}
	m.UTF8 = h.needsUTF8(m.From, a.Address, string(header))
	if a.DSNNotify != nil {
		m.Notify = *a.DSNNotify
	}
	if a.DSNRet != nil {
		m.Return = *a.DSNRet
	}
	if err := h.s.outgoing.Send(h.ctx, m); err != nil {
		return err
	}
	h.mark(key, time.Now())
	h.s.log.Info("sieve redirected: " + h.m.id + " to: " + a.Address)
	h.audit("redirect", " target=<"+a.Address+"> userid=<"+h.r.user+">")
	return nil
}

// withoutReturnPath is a header block without that field.
func withoutReturnPath(header []byte) []byte {
	const name = "return-path:"
	var out []byte
	skip := false
	for line := range bytes.Lines(header) {
		if line[0] != ' ' && line[0] != '\t' {
			skip = len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name)
		}
		if !skip {
			out = append(out, line...)
		}
	}
	return out
}

// head begins a mail of ours with the fields that all of them have, and
// returns its id.
func (h *scriptHost) head(b *bytes.Buffer, action string, now time.Time) string {
	id := h.s.newMessageID(now)
	fmt.Fprintf(b, "Message-ID: %s\r\nDate: %s\r\nX-Sieve: %s\r\nX-Sieve-Action: %s\r\n", id, message.FormatDate(now), sieveVersion, action)
	return id
}

// sendOurs sends a mail of ours to one address. Its return path is null, so
// that nobody answers it.
func (h *scriptHost) sendOurs(to string, data io.Reader, size int64, utf8 bool) error {
	return h.s.outgoing.Send(h.ctx, &outgoing.Mail{To: []string{to}, Data: data, Size: size, Auth: h.r.user, UTF8: utf8})
}

// needsUTF8 reports whether a mail can go out with SMTPUTF8 only: the message
// came so, and one of these pieces of the mail's header and envelope, which
// are the message's, is not ASCII.
func (h *scriptHost) needsUTF8(pieces ...string) bool {
	return h.s.mail.utf8 && slices.ContainsFunc(pieces, func(p string) bool { return !isASCII(p) })
}

// sendRejection tells the sender that the message was refused, by a
// disposition notification (RFC 5429 section 2.1.1, RFC 8098, RFC 6533).
//
// Source: send_rejection in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) sendRejection(to, reason string) error {
	host, now := h.s.conf.ServerName(), time.Now()
	kind, addressType, recipient := "message/rfc822", "rfc822", h.r.recipient(h.s.site.Names.DefaultDomain, h.NS.Separator())
	notification := "message/disposition-notification"
	utf8 := h.needsUTF8(to, h.r.address, string(h.m.headerBlock))
	if utf8 {
		kind, addressType, recipient = "message/global", "utf-8", h.r.address
		notification = "message/global-disposition-notification"
	}
	boundary := fmt.Sprintf("%d/%s", os.Getpid(), host)
	var b bytes.Buffer
	id := h.head(&b, "reject", now)
	fmt.Fprintf(&b, "From: Mail Sieve Subsystem <%s>\r\nTo: <%s>\r\nMIME-Version: 1.0\r\n", config.Postmaster.In(h.s.conf), to)
	fmt.Fprintf(&b, "Content-Type: multipart/report; report-type=disposition-notification;\r\n\tboundary=\"%s\"\r\n", boundary)
	b.WriteString("Subject: Automatically rejected mail\r\nAuto-Submitted: auto-replied (rejected)\r\n\r\n")
	b.WriteString("This is a MIME-encapsulated message\r\n\r\n")
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n", boundary)
	b.WriteString("Content-Transfer-Encoding: 8bit\r\n\r\n")
	b.WriteString("Your message was automatically rejected by Sieve, a mail\r\nfiltering language.\r\n\r\n")
	fmt.Fprintf(&b, "The following reason was given:\r\n%s\r\n\r\n", reason)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, notification)
	fmt.Fprintf(&b, "Reporting-UA: %s; Cyrus %s/%s\r\n", host, version.Cyrus(), sieveVersion)
	if original := h.m.Fields().Get("original-recipient"); original != "" {
		fmt.Fprintf(&b, "Original-Recipient: rfc822; %s\r\n", original)
	}
	fmt.Fprintf(&b, "Final-Recipient: %s; %s\r\n", addressType, recipient)
	fmt.Fprintf(&b, "Original-Message-ID: %s\r\n", h.m.id)
	b.WriteString("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n\r\n")
	fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, kind)
	end := fmt.Sprintf("\r\n\r\n--%s--\r\n", boundary)
	size := h.m.staged.Size()
	data := io.MultiReader(&b, io.NewSectionReader(h.m.staged, 0, size), strings.NewReader(end))
	if err := h.sendOurs(to, data, int64(b.Len())+size+int64(len(end)), utf8); err != nil {
		return err
	}
	h.mark(duplicate.Key{ID: id, To: h.sieveTo(), Date: message.FormatDate(now)}, now)
	return nil
}

// Respond sends a vacation response, unless the last is too young.
//
// Source: autorespond and send_response in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) Respond(r sieve.Response) (sent bool, err error) {
	now := time.Now()
	key := duplicate.Key{ID: fmt.Sprintf("%X", r.Hash[:]), To: h.r.user}
	if until, ok := h.marked(key); ok && now.Before(until) {
		return false, nil
	}
	// First the mark, so that of two mails at once one is answered.
	h.mark(key, now.Add(time.Duration(r.Seconds)*time.Second))
	var b bytes.Buffer
	id := h.response(&b, &r, now)
	head, _, _ := strings.Cut(b.String(), "\r\n\r\n")
	if err := h.sendOurs(r.To, bytes.NewReader(b.Bytes()), int64(b.Len()), h.needsUTF8(r.To, head)); err != nil {
		if rerr := h.s.site.Duplicate.Remove(h.ctx, key); rerr != nil {
			h.s.log.Error("deliver.db cannot be written", "user", h.r.user, "error", rerr)
		}
		return false, err
	}
	h.mark(duplicate.Key{ID: id, To: h.sieveTo(), Date: h.m.date}, now)
	if r.Fcc != nil {
		if err := h.fileCopy(r.Fcc, b.Bytes()); err != nil {
			h.s.log.Warn("sieve fcc '" + r.Fcc.Name + "' failed: " + err.Error())
		}
	}
	return true, nil
}

// longSubject is the length from which the subject stands on a line of its
// own.
const longSubject = 69

// response writes a vacation message and returns its id.
func (h *scriptHost) response(b *bytes.Buffer, r *sieve.Response, now time.Time) string {
	id := h.head(b, "vacation", now)
	from := oneLine(r.From)
	if !strings.Contains(from, "<") {
		from = "<" + from + ">"
	}
	subject := r.Subject
	if i := strings.IndexFunc(subject, func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 {
		subject = subject[:i]
	}
	subject = message.EncodeHeader(subject)
	fold := ""
	if len(subject) > longSubject {
		fold = "\r\n"
	}
	fmt.Fprintf(b, "From: %s\r\nTo: <%s>\r\nSubject:%s %s\r\n", from, r.To, fold, subject)
	fmt.Fprintf(b, "In-Reply-To: %s\r\nAuto-Submitted: auto-replied (vacation)\r\nMIME-Version: 1.0\r\n", h.m.id)
	if !r.MIME {
		b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	}
	b.WriteString(r.Text + "\r\n")
	return id
}

// oneLine is text that cannot end a header field.
func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", " ").Replace(s) }

// fileCopy puts a copy of a response into a mailbox (RFC 8580) into which
// the script's owner may insert messages.
//
// Source: do_fcc in Cyrus imap/lmtp_sieve.c; its missing look at the access
// control list is CVE-2026-47082.
func (h *scriptHost) fileCopy(to *sieve.Mailbox, text []byte) error {
	e, err := h.Target(to, acl.Insert)
	if err != nil {
		return err
	}
	st, err := h.s.site.Store.Stage(e.Partition)
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write(toCRLF(text)); err != nil {
		return err
	}
	flags, keywords := scripts.Flags(to.Flags, h.s.site.List.Rights(h.Who, e), e.Name.Owner() == h.r.user)
	_, err = h.s.site.Store.Append(h.ctx, e.Ref(), []mailbox.AppendMessage{{Staged: st, Flags: flags, Keywords: keywords,
		InternalDate: time.Now().Add(time.Second)}}, mailbox.AppendOptions{SessionID: h.s.conn.SessionID(), Check: &quota.Usage{},
		Event: event.MessageNew, User: h.r.user})
	return err
}

// toCRLF makes all line ends CR LF.
func toCRLF(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
}

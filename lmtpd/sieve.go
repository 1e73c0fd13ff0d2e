package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/syslog"
)

// sieveVersion is what Cyrus calls its Sieve in header fields.
const sieveVersion = "CMU Sieve 3.0"

// failedFlag marks messages that were delivered although a script failed.
const failedFlag = "$SieveFailed"

// scriptHost is one run of a recipient's script: what the script asks of, and
// what does what it wants.
type scriptHost struct {
	*scripts.Owner
	s    *session
	ctx  context.Context
	m    *incoming
	r    *recipient
	err  error   // what the client is told in place of success
	edit *edited // the message with the header that it was last given
	ran  noted   // that the script has run
	only bool    // all that it wants is to store the message once
}

// runScript runs the recipient's script and does what it wants. ran is false
// if there is none; after an error of the script or of an action failed is
// set. In both cases the message has to be delivered as if there were none.
// err is the reply of a script that rejects.
//
// Source: run_sieve in Cyrus imap/lmtp_sieve.c.
func (s *session) runScript(ctx context.Context, m *incoming, r *recipient) (ran, failed bool, err error) {
	script, key, err := s.scriptOf(ctx, r)
	if err != nil {
		s.log.Error("sieve script cannot be loaded", "user", r.user, "error", err)
		return false, !errs.Is(err, errs.NotFound), nil
	}
	if script == nil {
		return false, false, nil
	}
	h := &scriptHost{Owner: s.owner(ctx, r), s: s, ctx: ctx, m: m, r: r}
	defer h.dropEdit()
	header, err := m.header()
	if err != nil {
		s.log.Error("sieve cannot read the message", "user", r.user, "error", err)
		return false, true, nil
	}
	msg := &sieve.Message{Header: header, Size: m.staged.Size(), From: s.mail.returnPath, To: r.address, Content: m.staged}
	if !strings.Contains(r.address, "@") {
		msg.To = r.recipient(s.site.Names.DefaultDomain, h.NS.Separator())
	}
	if s.mail.authUser != "" {
		msg.Auth = &s.mail.authUser
	}
	res := script.Run(ctx, msg, key, sieve.Env{Host: h, Options: scripts.Rules(s.conf)})
	h.ran.key = duplicate.Key{ID: m.id, To: h.sieveTo(), Date: m.date}
	h.only = m.id != "" && storesOnce(res)
	if res.Perform(h) != nil {
		return true, true, nil
	}
	if !h.ran.done {
		h.mark(h.ran.key, time.Now())
	}
	return true, false, h.err
}

// storesOnce reports whether a script wants nothing but one message stored.
// Then the mark that it has run needs no transaction of its own.
func storesOnce(res *sieve.Result) bool {
	if res.Err != nil || len(res.Notes) > 0 || len(res.Tracked) > 0 {
		return false
	}
	if len(res.Actions) == 0 {
		return res.ImplicitKeep()
	}
	kind := res.Actions[0].Kind
	return len(res.Actions) == 1 && !res.ImplicitKeep() && (kind == sieve.Keep || kind == sieve.FileInto)
}

// sender is for whom the MTA vouches.
func (s *session) sender() mboxlist.Actor {
	return mboxlist.Actor{Identity: acl.Identity{User: s.mail.authUser}, SessionID: s.conn.SessionID()}
}

// identity is a user with his groups.
func (s *session) identity(ctx context.Context, userID string) acl.Identity {
	u := s.server.auth.User(ctx, userID)
	return acl.Identity{User: userID, Groups: u.Groups}
}

// sieveTo is under which name deliver.db has what the script did.
func (h *scriptHost) sieveTo() string {
	return duplicate.SieveTo(h.r.recipient(h.s.site.Names.DefaultDomain, h.NS.Separator()))
}

// recipient is the address of the recipient with his domain
// (mbname_recipient in Cyrus imap/mboxname.c).
func (r *recipient) recipient(defaultDomain string, sep byte) string {
	p := r.parts
	if p.Domain == "" {
		p.Domain = defaultDomain
	}
	local := p.Localpart
	if len(p.Boxes) > 0 {
		local += "+" + strings.Join(p.Boxes, string(sep))
	}
	return local + "@" + p.Domain
}

// marked returns the time of a mark, false if there is none. An error counts
// as none, as in Cyrus: better twice than never.
func (h *scriptHost) marked(k duplicate.Key) (time.Time, bool) {
	mark, ok, err := h.s.site.Duplicate.Check(h.ctx, k)
	if err != nil {
		h.s.log.Error("deliver.db cannot be read", "user", h.r.user, "error", err)
	}
	return mark.Time, ok && err == nil
}

// mark remembers what was done.
func (h *scriptHost) mark(k duplicate.Key, t time.Time) {
	if k.ID == "" {
		return
	}
	if err := h.s.site.Duplicate.Mark(h.ctx, k, duplicate.Mark{Time: t}); err != nil {
		h.s.log.Error("deliver.db cannot be written", "user", h.r.user, "error", err)
	}
}

// audit writes a line of the audit log, if there is one; what follows the
// session and the message id is given.
func (h *scriptHost) audit(action, rest string) {
	if config.Auditlog.In(h.s.conf) {
		h.s.log.Log(h.ctx, syslog.LevelNotice, "auditlog: "+action+" sessionid=<"+h.s.conn.SessionID()+"> message-id="+h.m.id+rest)
	}
}

// Failed logs why a script or an action failed.
func (h *scriptHost) Failed(text string) {
	h.s.log.Info("sieve runtime error for " + h.r.user + " id " + h.m.id + ": " + text)
}

// Log is the action log.
func (h *scriptHost) Log(text string) {
	h.s.log.Info("sieve log: userid=" + h.r.user + " messageid=" + h.m.id + " text=" + text)
}

// sent counts the mails that scripts of this process have made.
var sent atomic.Uint64

// newMessageID makes the id of a mail of ours.
func (s *session) newMessageID(now time.Time) string {
	return fmt.Sprintf("<cmu-sieve-%d-%d-%d@%s>", os.Getpid(), now.Unix(), sent.Add(1)-1, s.conf.ServerName())
}

// maxHeader is the most octets of a header that is looked at.
const maxHeader = 16 << 20

var errHeader = errors.New("the header is too large")

// header is the header block of the message with the empty line.
func (m *incoming) header() ([]byte, error) {
	m.headerOnce.Do(func() {
		size := m.staged.Size()
		for n := int64(16 << 10); ; n *= 4 {
			b := make([]byte, min(n, size))
			if _, err := m.staged.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
				m.headerErr = err
				return
			}
			if i := strings.Index(string(b), "\r\n\r\n"); i >= 0 {
				m.headerBlock = b[:i+4]
				return
			}
			if n >= size {
				m.headerBlock = b
				return
			}
			if n > maxHeader {
				m.headerErr = errHeader
				return
			}
		}
	})
	return m.headerBlock, m.headerErr
}

// ended is an edited header block for this message: one without a body has
// no empty line after the header, before editing and after it.
func (m *incoming) ended(header []byte) []byte {
	if !bytes.HasSuffix(m.headerBlock, []byte("\r\n\r\n")) && bytes.HasSuffix(header, []byte("\r\n\r\n")) {
		return header[:len(header)-2]
	}
	return header
}

// body reads what follows the header block.
func (m *incoming) body() (io.Reader, int64) {
	from := int64(len(m.headerBlock))
	n := m.staged.Size() - from
	return io.NewSectionReader(m.staged, from, n), n
}

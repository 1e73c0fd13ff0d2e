package scripts

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
)

// Stored runs scripts on messages that are in a mailbox already: for IMAP
// events (RFC 6785) and to filter what was delivered before. The message
// itself never changes: what a script does to its header is forgotten, or with
// EditHeaders done to the copies.
type Stored struct {
	*Owner
	Mailbox *mboxlist.Entry
	// Items are what the test environment knows besides what Owner says.
	Items map[string]string
	// NoEnvelope is as in sieve.Env.
	NoEnvelope bool
	// EditHeaders gives copies, and what is redirected, the header that the
	// script has made (RFC 6785 section 3.7).
	EditHeaders bool
	// Options are what ihave finds.
	Options sieve.Options
	// Limits bound a run; the zero value has the defaults.
	Limits sieve.Limits
	// Trace is as in sieve.Env.
	Trace func(line string)
}

// A Plan is what a script wants done with one stored message. Nothing of it
// is done yet.
type Plan struct {
	UID uint32
	// Err is why the script failed; then the message stays as it is.
	Err    error
	Copies []Copy
	// Gone means that the message is not to stay where it is.
	Gone bool
	// Have is the flags of the message that the owner may change, Flags those
	// that it is to have if it stays.
	Have, Flags []string
	Redirects   []sieve.Action
	Notes       []sieve.Notification
	// Unfit is the actions that are nothing for a stored message: reject,
	// vacation, snooze. A script with one of them does nothing else.
	Unfit []sieve.Kind

	header []byte
	date   time.Time // when the message was received
}

// A Copy is a mailbox that gets a copy of a message.
type Copy struct {
	Into  sieve.Mailbox
	Name  mboxname.Name
	Flags []string
	// Header is another header for the copy; nil is that of the message.
	Header []byte
}

// Nothing reports whether the message stays as it is.
func (p *Plan) Nothing() bool {
	return p.Err != nil || len(p.Copies)+len(p.Redirects)+len(p.Notes) == 0 && !p.Gone && p.SameFlags(p.Flags)
}

// SameFlags reports whether the message has these flags already; order and
// case do not matter.
func (p *Plan) SameFlags(want []string) bool {
	return len(p.Have) == len(want) && !slices.ContainsFunc(p.Have, func(x string) bool {
		return !slices.ContainsFunc(want, func(y string) bool { return strings.EqualFold(x, y) })
	})
}

// Header is the header block of the message.
func (p *Plan) Header() []byte { return p.header }

// host is a Stored as the script sees it.
type storedHost struct{ *Stored }

// Environment is an item of RFC 5183.
func (h storedHost) Environment(item string) (string, bool) {
	if v, ok := h.Items[item]; ok {
		return v, true
	}
	return h.Owner.Environment(item)
}

// Resolve says where an action would file the message.
func (h storedHost) Resolve(a sieve.Action) (string, error) {
	if a.Kind == sieve.Keep {
		return string(h.Mailbox.Name), nil
	}
	n, err := h.FileIn(&a.Mailbox)
	return string(n), err
}

// Log is the action log.
func (h storedHost) Log(text string) {
	h.Stored.Log.Info("sieve log: userid=" + h.User + " mailbox=" + string(h.Mailbox.Name) + " text=" + text)
}

// Run has a script say what becomes of a message. The error is errs.NotFound
// if the message is gone.
func (s *Stored) Run(ctx context.Context, script *sieve.Script, key string, uid uint32) (*Plan, error) {
	f, p, err := s.read(ctx, uid)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	msg := &sieve.Message{Header: p.header, Size: info.Size(), From: returnPath(p.header), To: s.User, Content: f}
	res := script.Run(ctx, msg, key, sieve.Env{Host: storedHost{s}, Options: s.Options, Limits: s.Limits, Flags: p.Have,
		ItemVariables: true, NoEnvelope: s.NoEnvelope, Trace: s.Trace})
	p.fill(res, s.Mailbox.Name)
	if !s.EditHeaders {
		p.forgetHeaders()
	}
	return p, nil
}

// fill takes what a run wants.
func (p *Plan) fill(res *sieve.Result, here mboxname.Name) {
	p.Flags = p.Have
	if p.Err = res.Err; p.Err != nil {
		return
	}
	stays := res.ImplicitKeep()
	if stays {
		p.Flags = res.Flags
	}
	for _, a := range res.Actions {
		switch {
		case a.Kind == sieve.Keep, a.Kind == sieve.FileInto && a.Resolved == string(here):
			stays, p.Flags = true, a.Mailbox.Flags
		case a.Kind == sieve.FileInto:
			p.Copies = append(p.Copies, Copy{Into: a.Mailbox, Name: mboxname.Name(a.Resolved), Flags: a.Mailbox.Flags, Header: a.Header})
		case a.Kind == sieve.Redirect:
			p.Redirects = append(p.Redirects, a)
		case a.Kind != sieve.Discard:
			p.Unfit = append(p.Unfit, a.Kind)
		}
	}
	p.Gone, p.Notes = !stays, res.Notes
	if p.Unfit != nil {
		*p = Plan{UID: p.UID, Err: errors.New(p.Unfit[0].String() + " can not be used with a stored message"), Have: p.Have,
			Flags: p.Have, Unfit: p.Unfit, header: p.header}
	}
}

// forgetHeaders takes back what the script has done to the header.
func (p *Plan) forgetHeaders() {
	for i := range p.Copies {
		p.Copies[i].Header = nil
	}
	for i := range p.Redirects {
		p.Redirects[i].Header = nil
	}
}

// read opens a message and notes its header and flags.
func (s *Stored) read(ctx context.Context, uid uint32) (disk.File, *Plan, error) {
	m, err := s.Site.Store.Open(ctx, s.Mailbox.Ref(), mailbox.Read)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	r, ok, err := m.FindUID(uid, 0)
	if err != nil {
		return nil, nil, err
	}
	if !ok || !r.Live() {
		return nil, nil, errs.New(errs.NotFound, "scripts.Run", string(s.Mailbox.Name), nil)
	}
	f, err := m.OpenMessage(&r)
	if err != nil {
		return nil, nil, err
	}
	p := &Plan{UID: uid, Have: s.flags(m, &r), date: r.InternalDate.Time()}
	if p.header, err = header(f, int64(r.HeaderSize)); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, p, nil
}

// Open opens the text of a message, and tells its size in octets.
func (s *Stored) Open(ctx context.Context, uid uint32) (disk.File, int64, error) {
	f, _, err := s.read(ctx, uid)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Text is the text of a message with another header, nil for its own, and its
// size in octets.
func (s *Stored) Text(ctx context.Context, p *Plan, header []byte) (io.ReadCloser, int64, error) {
	f, size, err := s.Open(ctx, p.UID)
	if err != nil {
		return nil, 0, err
	}
	type text struct {
		io.Reader
		io.Closer
	}
	if header == nil {
		return text{io.NewSectionReader(f, 0, size), f}, size, nil
	}
	if !bytes.HasSuffix(header, []byte("\r\n\r\n")) {
		header = append(bytes.Clone(header), "\r\n"...)
	}
	body := min(int64(len(p.header)), size) // of a message without one the empty line is not in the file
	return text{io.MultiReader(bytes.NewReader(header), io.NewSectionReader(f, body, size-body)), f}, int64(len(header)) + size - body, nil
}

// maxHeader is the most octets of a header that is looked at.
const maxHeader = 16 << 20

// header is the header block of a message with the empty line.
func header(f io.ReaderAt, size int64) ([]byte, error) {
	if size > maxHeader {
		return nil, errs.New(errs.BadHeader, "scripts.header", "", nil)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	if !bytes.HasSuffix(b, []byte("\r\n\r\n")) && bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b, "\r\n"...)
	}
	return b, err
}

// returnPath is the envelope sender that delivery has left in the header.
func returnPath(header []byte) string {
	for line := range bytes.Lines(header) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(name, "return-path") {
			return strings.Trim(strings.TrimSpace(value), "<>")
		}
	}
	return ""
}

// flagNames are IMAP's names of the system flags, in one order.
var flagNames = []string{`\answered`, `\flagged`, `\deleted`, `\draft`, `\seen`}

// flags is the flags of a message as a script sees them. \Seen of readers
// who do not keep it in the index is left out: it stays what it is.
func (s *Stored) flags(m *mailbox.Mailbox, r *mailbox.Record) []string {
	own := m.OwnsSeen(s.Who.User)
	return slices.DeleteFunc(FlagNames(m, r), func(f string) bool { return f == `\seen` && !own })
}

// FlagNames is the flags that the index has of a message, as scripts write
// them: system flags in lower case. m is open.
func FlagNames(m *mailbox.Mailbox, r *mailbox.Record) (out []string) {
	for _, name := range flagNames {
		if r.Flags.Has(systemFlags[name]) {
			out = append(out, name)
		}
	}
	names := m.Flags()
	r.User.Each(func(n int) {
		if n < len(names) && names[n] != "" {
			out = append(out, names[n])
		}
	})
	return out
}

// How says what is done with a message that is to go.
type How struct {
	// Expunge removes it, in one step with its last copy; else it gets
	// \Deleted.
	Expunge bool
	// KeepUnfiled leaves a message alone that has no copy: discard does
	// nothing then.
	KeepUnfiled bool
}

// Do does what a plan wants in the store: first the copies, then flags or
// removal. After an error the message is where it was, though some copies may
// be there. Redirects and Notes are the caller's, before.
func (s *Stored) Do(ctx context.Context, p *Plan, how How) error {
	if p.Nothing() {
		return nil
	}
	rights := s.Site.List.Rights(s.Who, s.Mailbox)
	gone := p.Gone && (!how.KeepUnfiled || len(p.Copies)+len(p.Redirects) > 0)
	if gone && (!rights.Has(acl.DeleteMessage) || how.Expunge && !rights.Has(acl.Expunge)) {
		return errs.New(errs.Denied, "scripts.Do", string(s.Mailbox.Name), nil)
	}
	moved := false
	for i := range p.Copies {
		moved = gone && how.Expunge && i == len(p.Copies)-1 && p.Copies[i].Header == nil
		if err := s.copy(ctx, p, &p.Copies[i], moved); err != nil {
			return err
		}
	}
	switch {
	case moved:
		return nil
	case gone && how.Expunge:
		return s.change(ctx, s.Mailbox.Ref(), p.UID, func(m *mailbox.Mailbox, r *mailbox.Record) error {
			return m.Expunge(r, s.Who.SessionID)
		})
	case gone:
		want := append(slices.Clone(p.Flags), `\deleted`)
		return s.setFlags(ctx, s.Mailbox, p.UID, want)
	case p.Gone || p.SameFlags(p.Flags):
		return nil
	}
	return s.setFlags(ctx, s.Mailbox, p.UID, p.Flags)
}

// Check says whether Do would find the mailboxes for the copies; it changes
// nothing.
func (s *Stored) Check(p *Plan) error {
	for i := range p.Copies {
		if err := s.CheckTarget(&p.Copies[i].Into, acl.Insert); err != nil {
			return err
		}
	}
	return nil
}

// copy puts a copy of the message into a mailbox, or moves it there.
func (s *Stored) copy(ctx context.Context, p *Plan, c *Copy, move bool) error {
	to, err := s.Target(&c.Into, acl.Insert)
	if err != nil {
		return err
	}
	if to.UniqueID == s.Mailbox.UniqueID {
		return errs.New(errs.Exists, "scripts.Do", string(to.Name), nil) // a race with a rename
	}
	if c.Header != nil {
		return s.copyEdited(ctx, p, c, to)
	}
	_, pairs, err := s.Site.Store.Copy(ctx, s.Mailbox.Ref(), []uint32{p.UID}, to.Ref(),
		mailbox.CopyOptions{SessionID: s.Who.SessionID, Move: move, Flags: mailbox.SystemMask, Keywords: true})
	if err != nil {
		return err
	}
	if len(pairs) == 0 {
		return errs.New(errs.NotFound, "scripts.Do", string(s.Mailbox.Name), nil)
	}
	return s.setFlags(ctx, to, pairs[0].Copy, c.Flags)
}

// copyEdited puts a message with another header into a mailbox.
func (s *Stored) copyEdited(ctx context.Context, p *Plan, c *Copy, to *mboxlist.Entry) error {
	text, _, err := s.Text(ctx, p, c.Header)
	if err != nil {
		return err
	}
	defer text.Close()
	staged, err := s.Site.Store.Stage(to.Partition)
	if err != nil {
		return err
	}
	defer staged.Remove()
	if _, err := io.Copy(staged, text); err != nil {
		return errs.New(errs.IO, "scripts.Do", string(to.Name), err)
	}
	msg := mailbox.AppendMessage{Staged: staged, InternalDate: p.date}
	done, err := s.Site.Store.Append(ctx, to.Ref(), []mailbox.AppendMessage{msg},
		mailbox.AppendOptions{SessionID: s.Who.SessionID, Event: event.MessageAppend, User: s.Who.User})
	if err != nil {
		return err
	}
	return s.setFlags(ctx, to, done[0].UID, c.Flags)
}

// setFlags gives a message the flags that the owner may set there; others
// stay. It is no error if the message is gone.
func (s *Stored) setFlags(ctx context.Context, e *mboxlist.Entry, uid uint32, names []string) error {
	rights := s.Site.List.Rights(s.Who, e)
	return s.change(ctx, e.Ref(), uid, func(m *mailbox.Mailbox, r *mailbox.Record) error {
		own := m.OwnsSeen(s.Who.User)
		flags, keywords := Flags(names, rights, own)
		mask, _ := Flags(flagNames, rights, own)
		was := *r
		r.Flags = r.Flags&^mask | flags
		if rights.Has(acl.Write) {
			r.User = mailbox.UserFlags{}
			for _, k := range keywords {
				n, err := m.AddFlag(k, mailbox.ClientUserFlags)
				if err != nil {
					return err
				}
				r.User.Set(n)
			}
		}
		if r.Flags == was.Flags && r.User == was.User {
			return nil
		}
		return m.RewriteFrom(&was, r)
	})
}

// change changes one message, if it is there.
func (s *Stored) change(ctx context.Context, ref mailbox.Ref, uid uint32, fn func(*mailbox.Mailbox, *mailbox.Record) error) error {
	m, err := s.Site.Store.Open(ctx, ref, mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	r, ok, err := m.FindUID(uid, 0)
	if err != nil || !ok || !r.Live() {
		return err
	}
	if err := fn(m, &r); err != nil {
		return err
	}
	return m.Commit(ctx)
}

package main

import (
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// How Cyrus words what is wrong with a dump.
const (
	errDumpSyntax = refusal("Syntax error in parameters")
	errDumpFormat = refusal("Bad protocol")
)

// undump makes a mailbox what DUMP has sent of one. It is for admins. What
// comes is kept aside until all of it is there and has been looked at; then the
// mailbox is changed in one operation.
//
// Source: cmd_undump in Cyrus imap/imapd.c, undump_mailbox in imap/mbdump.c.
func (s *session) undump(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if !r.Space() {
		return "", r.Missing()
	}
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.undump", name, nil)
	}
	n, err := s.internal(name)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	e, err := s.site.List.Lookup(s.ctx, n)
	if errs.Is(err, errs.NotFound) {
		return "", s.tryCreate(n, err)
	}
	if err != nil {
		return "", err
	}
	in, err := s.site.Store.Receive(e.Partition)
	if err != nil {
		return "", err
	}
	u := &undumping{inbox: e.Name.IsInbox(), put: in.Put}
	if err := u.read(r); err != nil {
		in.Remove()
		return "", s.orDump(r, err)
	}
	r.SkipLine() // as Cyrus does
	if err := r.Err(); err != nil {
		in.Remove()
		return "", err
	}
	return "", s.undumpInto(e.Name, in, u.dumped)
}

// undumpInto changes the mailbox.
func (s *session) undumpInto(n mboxname.Name, in *mailbox.Incoming, d mboxlist.Dumped) error {
	err := s.site.List.Undump(s.ctx, s.who, n, in, d)
	if errs.Is(err, errs.BadArgument) {
		return refusal("[CANNOT] " + plain(err))
	}
	if err == nil && s.view != nil && s.view.Ref().Name == n {
		err = s.after(s.refresh(true, false))
	}
	return err
}

// orDump is err, or what has ended the connection.
func (s *session) orDump(r *imapwire.Reader, err error) error {
	if r.Err() != nil {
		return r.Err()
	}
	return err
}

// undumping is what has come of a dump besides its files, which are handed to
// put.
type undumping struct {
	inbox  bool // the mailbox is an INBOX: files of the user may come
	put    func(name string, r io.Reader, size int64) error
	dumped mboxlist.Dumped
}

// maxDumpedAnnotations bounds the octets of a mailbox's annotations, which are
// kept in memory.
const maxDumpedAnnotations = 64 << 20

// read reads the list:
//
//	dump       = "(" ("NIL" / limit) *(SP item) ")"
//	item       = file SP literal / "X-QUOTA" SP limits / annotation
//	limits     = "(" resource SP limit *(SP resource SP limit) ")"
//	annotation = "A-" [userid] entry SP "(" number SP value SP type ")"
func (u *undumping) read(r *imapwire.Reader) error {
	if !r.Accept('(') {
		return errDumpSyntax
	}
	limits := quota.NoLimits()
	if word := r.Word(); word != "NIL" {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return errDumpSyntax
		}
		limits[quota.Storage] = limitOf(n)
		u.dumped.Limits = &limits
	}
	if c, ok := r.Peek(); !ok || c != ' ' && c != ')' {
		return errDumpSyntax
	}
	size := 0
	for !r.Accept(')') {
		if !r.Space() {
			return errDumpFormat
		}
		name, err := r.AString()
		if err != nil || !r.Space() {
			return errDumpFormat
		}
		switch {
		case strings.HasPrefix(name, "A-"):
			err = u.annotation(r, name[2:])
			if err == nil {
				a := &u.dumped.Annotations[len(u.dumped.Annotations)-1]
				if size += len(name) + len(a.Value); size > maxDumpedAnnotations {
					err = errs.New(errs.TooBig, "imapd.undump", name, nil)
				}
			}
		case name == "X-QUOTA":
			u.dumped.Limits = &limits
			err = u.limits(r)
		default:
			err = u.file(r, name)
		}
		if err != nil {
			return err
		}
		r.Start(r.Command) // imapd.conf's maxargssize is for each item
	}
	return nil
}

// limitOf is a limit as it is sent: a negative number is none.
func limitOf(n int64) int64 {
	if n < 0 {
		return quota.Unlimited
	}
	return n
}

// annotation reads what follows the name of an annotation: when it was
// changed, which says nothing, its value, and its type, which says nothing.
func (u *undumping) annotation(r *imapwire.Reader, name string) error {
	slash := strings.IndexByte(name, '/')
	if slash < 0 || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r\n") || !r.Accept('(') {
		return errDumpFormat
	}
	r.Word()
	if !r.Space() {
		return errDumpFormat
	}
	value, err := r.AString()
	if err != nil || !r.Space() {
		return errDumpFormat
	}
	if _, err := r.AString(); err != nil || !r.Accept(')') {
		return errDumpFormat
	}
	row := annot.Row{Value: []byte(value)}
	row.User, row.Entry = name[:slash], name[slash:]
	u.dumped.Annotations = append(u.dumped.Annotations, row)
	return nil
}

// limits reads a list of resources with their limits. Those that are not known
// are left out, as in Cyrus.
func (u *undumping) limits(r *imapwire.Reader) error {
	if !r.Accept('(') {
		return errDumpFormat
	}
	for {
		name, err := r.AString()
		if err != nil || !r.Space() {
			return errDumpFormat
		}
		n, err := strconv.ParseInt(r.Word(), 10, 64)
		if err != nil || n > math.MaxInt32 {
			return errDumpFormat
		}
		for x := quota.Storage; x < quota.Resources; x++ {
			if strings.EqualFold(name, x.String()) {
				u.dumped.Limits[x] = limitOf(n)
			}
		}
		if r.Accept(')') {
			return nil
		}
		if !r.Space() {
			return errDumpFormat
		}
	}
}

// file reads a file, as a literal.
func (u *undumping) file(r *imapwire.Reader, name string) error {
	h, err := r.LiteralHead()
	if err != nil || h.Binary {
		return errDumpFormat
	}
	as, active, ok := mboxlist.DumpedFile(name, u.inbox)
	if !ok {
		return u.refuseFile(r, h)
	}
	lit, err := r.Literal(h)
	if err != nil {
		return err
	}
	if as != "" {
		err = u.put(as, lit, h.Size)
	}
	if _, derr := io.Copy(io.Discard, lit); derr != nil {
		return derr
	}
	if err == nil && active {
		u.dumped.Active = strings.TrimPrefix(as, "SIEVE-")
	}
	return err
}

// refuseFile takes a file that nobody wants, if the client sends it without
// asking: what follows it is skipped as the rest of the command.
func (u *undumping) refuseFile(r *imapwire.Reader, h imapwire.LiteralInfo) error {
	if !h.NoWait {
		return errDumpFormat
	}
	lit, err := r.Literal(h)
	if err == nil {
		_, err = io.Copy(io.Discard, lit)
	}
	if err == nil {
		err = errDumpFormat
	}
	return err
}

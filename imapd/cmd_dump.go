package main

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// dumpArgs is the arguments of DUMP.
type dumpArgs struct {
	mailbox string
	from    uint32 // messages with a lower UID are left out
}

// parseDump reads a mailbox and perhaps a UID.
func parseDump(r *imapwire.Reader) (a dumpArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	n, err := strconv.ParseUint(r.Word(), 10, 32)
	if err != nil {
		return a, orWrong(r, nil, imapwire.SyntaxError("Unexpected extra arguments to "+r.Command))
	}
	a.from = uint32(n)
	return a, nil
}

// dump sends the files of a mailbox as they are, its annotations, limits and,
// of an INBOX, those of the user: what UNDUMP takes. It is for admins. Header
// and index are those of one moment; a message that is removed from the disk
// while it is sent is left out.
//
// Source: cmd_dump in Cyrus imap/imapd.c, dump_mailbox in imap/mbdump.c.
func (s *session) dump(a dumpArgs) (string, error) {
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.dump", a.mailbox, nil)
	}
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	e, err := s.site.List.Lookup(s.ctx, n)
	if err != nil {
		return "", err
	}
	d := &dumping{s: s, e: e, from: a.from}
	defer d.close()
	if err := d.read(); err != nil {
		return "", err
	}
	s.w.Text(s.tag, " DUMP (")
	if err := d.send(); err != nil {
		s.w.Fail(err) // the reply cannot be completed
		return "", err
	}
	s.w.Line(")")
	return "", nil
}

// dumping is one run of DUMP.
type dumping struct {
	s    *session
	e    *mboxlist.Entry
	from uint32

	head, cache disk.File
	cacheSize   int64
	index       *mailbox.Staged // a copy
	messages    []dumped
	annotations []annot.Row
	limits      *quota.Root // of the root that the mailbox is, or nil
}

// dumped is a message file.
type dumped struct {
	uid  uint32
	path string
}

// close gives the files back.
func (d *dumping) close() {
	for _, f := range []disk.File{d.head, d.cache} {
		if f != nil {
			f.Close()
		}
	}
	if d.index != nil {
		d.index.Remove()
	}
}

// read takes what belongs together while the mailbox is locked: the client is
// waited for later.
func (d *dumping) read() error {
	st := d.s.site
	limits, err := st.Quota.Get(d.s.ctx, d.e.Name)
	if err == nil {
		d.limits = limits
	} else if !errs.Is(err, errs.QuotaNotFound) {
		return err
	}
	m, err := st.Store.Open(d.s.ctx, d.e.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	files := m.Files()
	if d.head, err = st.FS.Open(files.Header); err != nil {
		return disk.Error("imapd.dump", files.Header, err)
	}
	if d.cache, err = st.FS.Open(files.Cache); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("imapd.dump", files.Cache, err)
	}
	if d.cache != nil {
		fi, err := d.cache.Stat()
		if err != nil {
			return disk.Error("imapd.dump", files.Cache, err)
		}
		d.cacheSize = fi.Size()
	}
	if err := d.copyIndex(files.Index); err != nil {
		return err
	}
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Flags&mailbox.Unlinked == 0 && r.UID >= d.from {
			d.messages = append(d.messages, dumped{r.UID, m.MessagePath(r)})
		}
		return true
	})
	if err != nil {
		return err
	}
	d.annotations, err = m.BoxAnnotations(d.s.ctx)
	return err
}

// copyIndex copies the index, which changes in place.
func (d *dumping) copyIndex(path string) error {
	in, err := d.s.site.FS.Open(path)
	if err != nil {
		return disk.Error("imapd.dump", path, err)
	}
	defer in.Close()
	if d.index, err = d.s.site.Store.Stage(d.e.Partition); err != nil {
		return err
	}
	fi, err := in.Stat()
	if err == nil {
		_, err = io.Copy(d.index, io.NewSectionReader(in, 0, fi.Size()))
	}
	return disk.Error("imapd.dump", path, err)
}

// send sends all in Cyrus's order.
func (d *dumping) send() error {
	w := d.s.w
	if d.limits != nil {
		w.Text(strconv.FormatInt(d.limits.Limit[quota.Storage], 10))
	} else {
		w.Text("NIL")
	}
	if err := d.open("cyrus.header", d.head); err != nil {
		return err
	}
	if err := d.part("cyrus.index", d.index, d.index.Size()); err != nil {
		return err
	}
	if d.cache != nil {
		if err := d.part("cyrus.cache", d.cache, d.cacheSize); err != nil {
			return err
		}
	}
	for _, m := range d.messages {
		if err := d.file(strconv.FormatUint(uint64(m.uid), 10)+".", m.path); err != nil {
			return err
		}
	}
	for _, a := range d.annotations {
		d.name("A-" + a.User + a.Entry)
		b := imapwire.AppendLiteral(append(w.Buffer(), " (0 "...), string(a.Value))
		b = imapwire.AppendLiteral(append(b, ' '), "text/plain")
		w.SetBuffer(append(b, ')'))
	}
	if d.e.Name.IsInbox() {
		if err := d.user(); err != nil {
			return err
		}
	}
	d.quota()
	return w.Err()
}

// name sends the name of what follows.
func (d *dumping) name(name string) {
	d.s.w.SetBuffer(imapwire.AppendLiteral(append(d.s.w.Buffer(), ' '), name))
}

// part sends the first n octets of an open file.
func (d *dumping) part(name string, f io.ReaderAt, n int64) error {
	d.name(name)
	d.s.w.SetBuffer(imapwire.AppendLiteralHead(append(d.s.w.Buffer(), ' '), n))
	return d.s.w.Copy(io.NewSectionReader(f, 0, n), n)
}

// open sends an open file.
func (d *dumping) open(name string, f disk.File) error {
	fi, err := f.Stat()
	if err != nil {
		return disk.Error("imapd.dump", name, err)
	}
	return d.part(name, f, fi.Size())
}

// file sends a file if it is there.
func (d *dumping) file(name, path string) error {
	f, err := d.s.site.FS.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return disk.Error("imapd.dump", path, err)
	}
	defer f.Close()
	return d.open(name, f)
}

// user sends the files of the user whose INBOX it is.
func (d *dumping) user() error {
	l, ref := d.s.site.Layout, d.e.Ref()
	user := d.s.site.Names.UserID(d.e.Name.Owner())
	for _, x := range []struct {
		name string
		kind mboxname.UserFile
	}{{"SEEN", mboxname.SeenState}, {"SUBS", mboxname.Subscriptions}, {"MBOXKEY", mboxname.MboxKey}} {
		if err := d.file(x.name, l.UserFile(x.kind, user, ref.UniqueID, ref.Legacy)); err != nil {
			return err
		}
	}
	return d.scripts(l.UserSieveDir(user, ref.UniqueID, ref.Legacy))
}

// scripts sends the byte code of the user's scripts, and the text of those
// from before 3.6.
func (d *dumping) scripts(dir string) error {
	names, err := d.s.site.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return disk.Error("imapd.dump", dir, err)
	}
	active, err := d.s.site.FS.Readlink(dir + "/defaultbc")
	if err != nil {
		active = "" // none
	}
	for _, x := range names {
		name := x.Name()
		if x.IsDir() || name == "defaultbc" || !strings.HasSuffix(name, ".bc") && !strings.HasSuffix(name, ".script") {
			continue
		}
		prefix := "SIEVE-"
		if filepath.Base(active) == name {
			prefix = "SIEVED-"
		}
		if err := d.file(prefix+name, dir+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// quota sends the limits, if there are others than that of storage.
func (d *dumping) quota() {
	if d.limits == nil {
		return
	}
	var items []quota.Resource
	more := false
	for r := quota.Storage; r < quota.Resources; r++ {
		if d.limits.Limit[r] != quota.Unlimited {
			items = append(items, r)
			more = more || r != quota.Storage
		}
	}
	if !more {
		return
	}
	d.name("X-QUOTA")
	b := append(d.s.w.Buffer(), " ("...)
	for i, r := range items {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(imapwire.AppendLiteral(b, r.String()), ' ')
		b = strconv.AppendInt(b, d.limits.Limit[r], 10)
	}
	d.s.w.SetBuffer(append(b, ')'))
}

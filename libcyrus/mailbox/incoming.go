package mailbox

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// Incoming is a copy of a mailbox on its way, as UNDUMP receives it: files in
// a directory of their own below a partition's stage directory, which nobody
// believes before Check. It is used by one goroutine.
type Incoming struct {
	store *Store
	dir   string
	files map[string]arrived
}

// arrived is a file that has come as a whole.
type arrived struct {
	size int64
	guid GUID // SHA-1 of the contents
}

// The names of the files that make a mailbox, as in a dump.
const (
	dumpedHeader = "cyrus.header"
	dumpedIndex  = "cyrus.index"
)

// Receive makes an empty Incoming, for a mailbox on a partition.
func (s *Store) Receive(partition string) (*Incoming, error) {
	stage, err := s.o.Layout.StageDir(partition)
	if err != nil {
		return nil, err
	}
	dir := fmt.Sprintf("%s/%d-%d-%d", stage, os.Getpid(), time.Now().Unix(), stageCount.Add(1))
	if err := s.o.FS.MkdirAll(dir, dirMode); err != nil {
		return nil, disk.Error("mailbox.Receive", dir, err)
	}
	return &Incoming{store: s, dir: dir, files: map[string]arrived{}}, nil
}

// Received is the Incoming that lies in the directory with a name below a
// partition's stage directory, after Seal; fs.ErrNotExist if there is none.
func (s *Store) Received(partition, name string) (*Incoming, error) {
	stage, err := s.o.Layout.StageDir(partition)
	if err != nil {
		return nil, err
	}
	in := &Incoming{store: s, dir: stage + "/" + filepath.Base(name), files: map[string]arrived{}}
	entries, err := s.o.FS.ReadDir(in.dir)
	if err != nil {
		return nil, disk.Error("mailbox.Received", in.dir, err)
	}
	for _, e := range entries {
		in.files[e.Name()] = arrived{}
	}
	return in, nil
}

// Name is what Received finds it by.
func (in *Incoming) Name() string { return filepath.Base(in.dir) }

// Path is where the file with a name lies.
func (in *Incoming) Path(name string) string { return in.dir + "/" + name }

// Has reports whether there is a file of that name.
func (in *Incoming) Has(name string) bool {
	_, ok := in.files[name]
	return ok
}

// Names is the names of all files, in their order.
func (in *Incoming) Names() []string { return slices.Sorted(maps.Keys(in.files)) }

// Size is how many octets a file has that was put.
func (in *Incoming) Size(name string) int64 { return in.files[name].size }

// HasMailbox reports whether there is anything of the mailbox itself. Then
// there must be its header and its index.
func (in *Incoming) HasMailbox() bool {
	if in.Has(dumpedHeader) || in.Has(dumpedIndex) {
		return true
	}
	for name := range in.files {
		if _, ok := messageName(name); ok {
			return true
		}
	}
	return false
}

// messageName returns the UID of the file of a message: "12.".
func messageName(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".")
	if !ok || digits == "" || digits[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil
}

// MailboxFile reports whether a file of this name belongs to a mailbox, and
// whether it is needed: caches are made anew, and the others are of no use.
//
// Source: data_files in Cyrus imap/mbdump.c.
func MailboxFile(name string) (ok, needed bool) {
	switch name {
	case dumpedHeader, dumpedIndex:
		return true, true
	case "cyrus.cache", "cyrus.expunge", "cyrus.dav":
		return true, false
	}
	_, ok = messageName(name)
	return ok, ok
}

// Put writes a file of size octets from r. Errors of kind errs.BadArgument:
// the name (one that could lead elsewhere, or that has come before), or fewer
// octets. The caller decides which names mean something.
func (in *Incoming) Put(name string, r io.Reader, size int64) error {
	bad := func(text string) error {
		return errs.New(errs.BadArgument, "mailbox.Put", name, errors.New(text))
	}
	switch {
	case name == "" || len(name) > 255 || name[0] == '.' || strings.ContainsAny(name, "/\x00") || !utf8.ValidString(name):
		return bad("Invalid name of a file")
	case in.Has(name):
		return bad("A file comes twice")
	case size > math.MaxUint32:
		return errs.New(errs.TooBig, "mailbox.Put", name, nil)
	}
	f, err := in.store.o.FS.OpenFile(in.Path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return disk.Error("mailbox.Put", in.Path(name), err)
	}
	h := sha1.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, size))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return disk.Error("mailbox.Put", in.Path(name), err)
	}
	if n < size {
		return bad("A file ends too early")
	}
	in.files[name] = arrived{n, GUID(h.Sum(nil))}
	return nil
}

// Check looks at header, index and messages. What does not belong together is
// an error of kind errs.BadArgument, whose cause says what.
func (in *Incoming) Check() error {
	c, err := in.contents()
	if err != nil {
		return err
	}
	for i := range c.records {
		r := &c.records[i]
		name := strconv.FormatUint(uint64(r.UID), 10) + "."
		if f, ok := in.files[name]; ok && (f.guid != r.GUID || f.size != int64(r.Size)) {
			return in.bad(fmt.Sprintf("Message %d is not the one that the index knows", r.UID))
		}
	}
	return nil
}

// bad is the error of files that cannot be taken.
func (in *Incoming) bad(text string) error {
	return errs.New(errs.BadArgument, "mailbox.Check", in.dir, errors.New(text))
}

// Seal makes all that was put last. Then Received finds it.
func (in *Incoming) Seal() error {
	err := disk.SyncTree(in.store.o.FS, in.dir)
	if err == nil {
		err = in.store.o.FS.SyncDir(filepath.Dir(in.dir))
	}
	return disk.Error("mailbox.Seal", in.dir, err)
}

// Remove removes all files. What cannot be removed is logged.
func (in *Incoming) Remove() {
	if err := disk.RemoveTree(in.store.o.FS, in.dir); err != nil {
		in.store.o.Log.Warn("files in the stage directory are left", "directory", in.dir, "error", err)
	}
}

// incomingContents is what header and index of an Incoming say.
type incomingContents struct {
	flags   []string
	hdr     IndexHeader
	records []Record
}

// minIncoming is the lowest index version that is taken: those before have no
// checksums, and the owner's \Seen elsewhere.
const minIncoming = 12

// contents reads header and index, and believes nothing.
func (in *Incoming) contents() (*incomingContents, error) {
	fsys := in.store.o.FS
	head, err := in.read(dumpedHeader, maxIncomingHeader)
	if err != nil {
		return nil, err
	}
	h, err := decodeHeader(head)
	if err != nil {
		return nil, in.bad("cyrus.header: " + err.Error())
	}
	for _, f := range h.flags {
		if f != "" && !isKeyword(f) {
			return nil, in.bad("cyrus.header has a flag that is no keyword")
		}
	}
	f, err := fsys.Open(in.Path(dumpedIndex))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, in.bad("cyrus.index is missing")
	}
	if err != nil {
		return nil, disk.Error("mailbox.Check", in.Path(dumpedIndex), err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, disk.Error("mailbox.Check", in.Path(dumpedIndex), err)
	}
	c := &incomingContents{flags: h.flags}
	return c, in.readIndex(c, io.NewSectionReader(f, 0, fi.Size()))
}

// maxIncomingHeader is more than any cyrus.header has: 128 keywords and an
// access control list.
const maxIncomingHeader = 16 << 20

// read reads a small file.
func (in *Incoming) read(name string, limit int64) ([]byte, error) {
	f, err := in.store.o.FS.Open(in.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, in.bad(name + " is missing")
	}
	if err != nil {
		return nil, disk.Error("mailbox.Check", in.Path(name), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, disk.Error("mailbox.Check", in.Path(name), err)
	}
	if int64(len(b)) > limit {
		return nil, in.bad(name + " is too large")
	}
	return b, nil
}

// readIndex reads an index with records in the order of their UIDs.
func (in *Incoming) readIndex(c *incomingContents, f *io.SectionReader) error {
	var buf [maxHeader]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return disk.Error("mailbox.Check", in.Path(dumpedIndex), err)
	}
	h, err := decodeIndexHeader(buf[:n])
	switch {
	case err != nil:
		return in.bad("cyrus.index: " + err.Error())
	case h.Version < minIncoming:
		return in.bad(fmt.Sprintf("cyrus.index has version %d; it has to be %d or later", h.Version, minIncoming))
	case h.damagedCRC:
		return in.bad("cyrus.index has a wrong checksum")
	case h.Options&OptDeleted != 0 || h.UIDValidity == 0:
		return in.bad("cyrus.index is that of a mailbox that was deleted")
	}
	l := h.layout()
	if f.Size() < l.offset(1)+int64(h.NumRecords)*int64(l.record) {
		return in.bad("cyrus.index ends too early")
	}
	c.hdr = *h
	c.records = make([]Record, h.NumRecords)
	b := make([]byte, l.record)
	last := uint32(0)
	src := io.NewSectionReader(f, l.offset(1), int64(h.NumRecords)*int64(l.record))
	for i := range c.records {
		if _, err := io.ReadFull(src, b); err != nil {
			return disk.Error("mailbox.Check", in.Path(dumpedIndex), err)
		}
		r := &c.records[i]
		if !l.decode(r, b) {
			return in.bad(fmt.Sprintf("record %d of cyrus.index has a wrong checksum", i+1))
		}
		if r.UID <= last || r.UID > h.LastUID {
			return in.bad(fmt.Sprintf("record %d of cyrus.index has an impossible UID", i+1))
		}
		last = r.UID
	}
	return nil
}

// isKeyword reports whether a flag's name may be sent to clients: an atom
// (RFC 3501 section 9).
func isKeyword(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("(){%*\"\\", c) >= 0 {
			return false
		}
	}
	return s != ""
}

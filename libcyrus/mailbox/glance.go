package mailbox

import (
	"context"
	"encoding/binary"
	"io"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// Glance is what the files of a mailbox say of it without being locked,
// opened or changed: for looking at a store that nobody works with.
type Glance struct {
	ID        string // unique id in cyrus.header; "" if it has none
	OldHeader bool   // cyrus.header has the form of Cyrus 3.4 and before
	HeaderErr error  // why it cannot be read
	Version   uint32 // of cyrus.index, 0 if it cannot be read
	Records   uint32
	IndexErr  error

	// What cyrus.header says, if HeaderErr is nil.
	Name     mboxname.Name
	Type     string
	ACL      string
	Keywords []string // names of user flags
	// Head is the head of cyrus.index, nil if it is damaged.
	Head *IndexHeader
}

// Look reads the heads of a mailbox's files.
func Look(fsys disk.FS, layout *mboxname.Layout, ref Ref) Glance {
	var g Glance
	p, err := layoutPaths(layout, &ref)
	if err != nil {
		g.HeaderErr, g.IndexErr = err, err
		return g
	}
	g.readHeader(fsys, p.header)
	g.readIndex(fsys, p.index)
	return g
}

func (g *Glance) readHeader(fsys disk.FS, path string) {
	data, err := disk.ReadFile(fsys, path)
	if err != nil {
		g.HeaderErr = disk.Error("mailbox.Look", path, err)
		return
	}
	h, err := decodeHeader(data)
	if err != nil {
		g.HeaderErr = errs.New(errs.BadFormat, "mailbox.Look", path, err)
		return
	}
	g.ID, g.OldHeader = h.uniqueID, len(data) > len(headerMagic) && data[len(headerMagic)] != '%'
	g.Name, g.Type, g.ACL, g.Keywords = h.name, h.typ, h.acl, h.flags
}

func (g *Glance) readIndex(fsys disk.FS, path string) {
	f, err := fsys.Open(path)
	if err != nil {
		g.IndexErr = disk.Error("mailbox.Look", path, err)
		return
	}
	defer f.Close()
	var b [maxHeader]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		g.IndexErr = disk.Error("mailbox.Look", path, err)
		return
	}
	if h, err := decodeIndexHeader(b[:n]); err == nil && !h.damagedCRC {
		g.Head = h
	}
	version := binary.BigEndian.Uint32(b[8:])
	if layoutOf(version) == nil {
		g.IndexErr = errs.New(errs.BadFormat, "mailbox.Look", path, errBadIndex)
		return
	}
	g.Version, g.Records = version, binary.BigEndian.Uint32(b[20:])
}

// AssignID writes ref's unique id into cyrus.header. Nothing else changes:
// an index of an old version is not rewritten yet.
//
// Source: mailbox_make_uniqueid in Cyrus imap/mailbox.c.
func (s *Store) AssignID(ctx context.Context, ref Ref) error {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	m, err := s.open(ctx, ref, Write)
	if err != nil {
		return err
	}
	defer m.Close()
	m.changeHead().uniqueID = ref.UniqueID
	return m.Commit(ctx)
}

package mailbox

import (
	"bytes"
	"errors"
	"io"
	"io/fs"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/disk"
)

// linkKnown gives the file of another copy of a staged message, which the
// owner's conversations know, the name of a message: single instance. It
// reports whether that was possible. Then the staged file is not needed, and
// the item's sync is that of the file that was found.
//
// A crash after the link leaves what one after a link of the staged file leaves:
// a file above last_uid. Conversations may be ahead of an index, or behind
// damage, so the two files are compared. The owner's namespace lock keeps
// others from his files meanwhile.
//
// Source: findstage_cb in Cyrus imap/append.c.
func (b *batch) linkKnown(it *item, rec *Record) bool {
	m := b.m
	s := m.store
	if s.o.Conversations == nil || s.o.CopyFiles || s.o.Folder == nil || it.sync == nil || rec.Flags&Archived != 0 || !m.hasConversations() {
		return false
	}
	path := m.messagePath(rec)
	for _, from := range b.known(rec) {
		err := s.o.FS.Link(from, path)
		if errors.Is(err, fs.ErrExist) {
			if err = s.o.FS.Remove(path); err == nil {
				err = s.o.FS.Link(from, path)
			}
		}
		if err != nil {
			continue
		}
		if same, err := sameContents(s.o.FS, it.source, path); err == nil && same {
			it.sync = func() error { return syncContents(s.o.FS, path) }
			return true
		}
		s.o.Log.Error("conversations know another message under this UID", "mailbox", m.ref.Name, "file", from, "guid", rec.GUID)
		s.o.FS.Remove(path)
	}
	return false
}

// knownCopies is how many files of other copies are tried.
const knownCopies = 8

// known is the files of other copies of a message on the partition of m.
func (b *batch) known(rec *Record) (paths []string) {
	m := b.m
	s := m.store
	t, err := m.conversation()
	if err != nil {
		return nil // converse says it
	}
	copies, err := t.Copies(conversations.GUID(rec.GUID))
	if err != nil {
		return nil
	}
	_, byName := t.Folders()
	for _, c := range copies[:min(len(copies), knownCopies)] {
		ref, ok := s.o.Folder(t.Context(), c.Folder, byName)
		if !ok || ref.Partition != m.ref.Partition {
			continue
		}
		if p, err := layoutPaths(s.o.Layout, &ref); err == nil {
			paths = append(paths, uidPath(p.dir, c.UID))
		}
	}
	return paths
}

// sameContents compares two files.
func sameContents(fsys disk.FS, a, b string) (bool, error) {
	f, err := fsys.Open(a)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := fsys.Open(b)
	if err != nil {
		return false, err
	}
	defer g.Close()
	x, err := f.Stat()
	if err != nil {
		return false, err
	}
	y, err := g.Stat()
	if err != nil || x.Size() != y.Size() {
		return false, err
	}
	v, w := windows.Get().(*[windowSize]byte), windows.Get().(*[windowSize]byte)
	defer windows.Put(v)
	defer windows.Put(w)
	for off := int64(0); off < x.Size(); off += windowSize {
		n, err := f.ReadAt(v[:], off)
		if err != nil && err != io.EOF {
			return false, err
		}
		k, err := g.ReadAt(w[:], off)
		if err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(v[:n], w[:k]) {
			return false, nil
		}
	}
	return true, nil
}

// syncContents makes the contents of a file last.
func syncContents(fsys disk.FS, path string) error {
	f, err := fsys.Open(path)
	if err != nil {
		return disk.Error("mailbox.Append", path, err)
	}
	defer f.Close()
	return disk.Error("mailbox.Append", path, f.Sync())
}

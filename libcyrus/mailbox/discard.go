package mailbox

import (
	"context"
	"errors"
	"io/fs"

	"gocyrus/libcyrus/disk"
)

// Discard removes the files that an interrupted operation on the mailbox with
// ref's unique id has left where ref says. lives is where that mailbox is now,
// nil if it is nowhere: files there stay. So do those of any other mailbox, and
// those of which cyrus.header does not say whose they are.
func (s *Store) Discard(ctx context.Context, ref Ref, lives *Ref) error {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	b, err := s.box(&ref)
	if err != nil {
		return err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: Exclusive}
	defer m.Close()
	if lives != nil {
		p, err := layoutPaths(s.o.Layout, lives)
		if err != nil || p.dir == b.paths.dir {
			return err
		}
	}
	if err := m.lockAll(ctx, []string{s.o.Layout.NamespaceLock(ref.Name)}, []string{ref.lockName()}); err != nil {
		return err
	}
	its, err := m.isOf(ref.UniqueID)
	if err != nil {
		return disk.Error("mailbox.Discard", b.paths.header, err)
	}
	if !its {
		s.o.Log.Error("files that an interrupted operation may have left are not removed: they may be another's", "directory", b.paths.dir, "uniqueid", ref.UniqueID)
		return nil
	}
	m.removeFiles()
	return nil
}

// isOf reports whether the files here are those of the mailbox with a unique
// id: its directory has that name, or its header says so, or there are neither
// header nor messages.
func (m *Mailbox) isOf(id string) (bool, error) {
	data, err := disk.ReadFile(m.store.o.FS, m.box.paths.header)
	if err == nil {
		h, err := decodeHeader(data)
		if err == nil {
			return h.uniqueID == id, nil
		}
		return !m.ref.Legacy, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if !m.ref.Legacy {
		return true, nil
	}
	dirs, err := m.store.o.Layout.Dirs(m.ref.Partition, m.ref.Name, m.ref.UniqueID, true)
	return err == nil && !m.strange(dirs), err
}

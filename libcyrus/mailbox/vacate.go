package mailbox

import (
	"errors"
	"fmt"
	"io/fs"

	"gocyrus/libcyrus/disk"
)

// vacate makes the directories of a name that is not in the mailbox list free
// for a new mailbox. What was marked as deleted or incomplete is removed. If
// there are messages of anything else, the list may have lost a mailbox: then
// all its files go to a directory below, and the log says so. It is
// no mailbox for anybody, as its files have other names.
func (m *Mailbox) vacate() error {
	l, r, fsys := m.store.o.Layout, &m.ref, m.store.o.FS
	dirs, err := l.Dirs(r.Partition, r.Name, r.UniqueID, r.Legacy)
	if err != nil {
		return err
	}
	if !m.strange(dirs) {
		m.removeFiles()
		return nil
	}
	m.box.forget()
	for _, d := range dirs {
		// No mailbox has a dot in the name of its directory.
		aside := fmt.Sprintf("%s/lost.%d", d, now())
		entries, err := fsys.ReadDir(d)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = m.store.makeDir(aside)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || !isMailboxFile(e.Name()) {
				continue
			}
			if err := fsys.Rename(d+"/"+e.Name(), aside+"/was."+e.Name()); err != nil {
				return err
			}
		}
		if err := m.store.syncDirs(aside+"/x", d+"/x"); err != nil {
			return err
		}
		m.store.o.Log.Error("files of a mailbox that the mailbox list does not know are in the way, and set aside", "mailbox", r.Name, "directory", aside)
	}
	return nil
}

// strange reports whether there are messages in the directories that
// no deletion and no interrupted move explains.
func (m *Mailbox) strange(dirs []string) bool {
	fsys := m.store.o.FS
	data, err := disk.ReadFile(fsys, m.box.paths.index)
	if err == nil {
		h, err := decodeIndexHeader(data[:min(len(data), maxHeader)])
		if err == nil && !h.damagedCRC && h.Options&OptDeleted != 0 {
			return false
		}
	}
	for _, d := range dirs {
		entries, _ := fsys.ReadDir(d)
		for _, e := range entries {
			if !e.IsDir() && isMailboxFile(e.Name()) && e.Name()[0] != 'c' {
				return true
			}
		}
	}
	return false
}

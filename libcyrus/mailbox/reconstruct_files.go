package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// found is a message file.
type found struct {
	uid      uint32
	archived bool // it lies on the archive partition
	path     string
}

// uidOf reads the UID in the name of a message file.
func uidOf(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, false
	}
	return uint32(n), true
}

// findFiles lists the message files, and tells of what does not belong
// there.
//
// Source: find_files.
func (rc *reconstruction) findFiles() error {
	p := &rc.m.box.paths
	dirs := []string{p.dir}
	if p.archiveDir != p.dir {
		dirs = append(dirs, p.archiveDir)
	}
	for i, dir := range dirs {
		entries, err := rc.m.store.o.FS.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return disk.Error("mailbox.Reconstruct", dir, err)
		}
		for _, e := range entries {
			name := e.Name()
			if name[0] == '.' || strings.HasPrefix(name, "cyrus.") || e.IsDir() {
				continue
			}
			path := filepath.Join(dir, name)
			if uid, ok := uidOf(name); ok {
				rc.files = append(rc.files, found{uid, i == 1, path})
				continue
			}
			if err := rc.odd(path); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(rc.files, func(a, b found) int { return cmp.Compare(a.uid, b.uid) })
	return nil
}

// odd is for a file that is no message.
func (rc *reconstruction) odd(path string) error {
	if rc.o.IgnoreOdd {
		return nil
	}
	rc.say("%s odd file %s", rc.m.ref.Name, path)
	if !rc.o.RemoveOdd {
		rc.say("run reconstruct with -O to remove odd files")
		return nil
	}
	if rc.o.Look {
		return nil
	}
	return disk.Error("mailbox.Reconstruct", path, rc.m.store.o.FS.Remove(path))
}

const annotSnoozed = "/vendor/cmu/cyrus-imapd/snoozed"

// findAnnotations reads the annotations of all messages.
func (rc *reconstruction) findAnnotations() error {
	rc.annots, rc.snoozed = map[uint32][]Annotation{}, map[uint32]bool{}
	rc.m.changes.messages = rc.annots
	if rc.m.store.o.Annotations == nil {
		return nil
	}
	err := rc.m.store.o.Annotations.MessageEach(rc.ctx, rc.m.messages(), 0, func(a Annotation, _ uint64) error {
		a.Value = slices.Clone(a.Value)
		rc.annots[a.UID] = append(rc.annots[a.UID], a)
		if a.Entry == annotSnoozed && a.User == "" && len(a.Value) > 0 {
			rc.snoozed[a.UID] = true
		}
		return nil
	})
	if errs.Is(err, errs.BadFormat) {
		return rc.loseAnnotations(err)
	}
	return err
}

// loseAnnotations moves a file aside of which nothing can be read.
func (rc *reconstruction) loseAnnotations(err error) error {
	path := rc.m.box.paths.annotations
	aside := fmt.Sprintf("%s.DAMAGED.%d", path, now())
	rc.say("%s: failed to read annotations, moved to %s", rc.m.ref.Name, aside)
	rc.m.store.o.Log.Error("annotations of messages are lost", "mailbox", rc.m.ref.Name, "error", err)
	if rc.o.Look {
		return nil
	}
	return disk.Error("mailbox.Reconstruct", path, rc.m.store.o.FS.Rename(path, aside))
}

// staleAnnotations tells of annotations without a message. The annotations of
// all that have a record now are kept.
func (rc *reconstruction) staleAnnotations() error {
	have := map[uint32]bool{}
	for i := range rc.out {
		have[rc.out[i].UID] = true
	}
	for uid := range rc.annots {
		if !have[uid] {
			rc.stale = append(rc.stale, uid)
		}
	}
	slices.Sort(rc.stale)
	for _, uid := range rc.stale {
		rc.say("removing stale annotations for %d", uid)
	}
	return nil
}

// addFiles makes records for files that have none: under their UIDs where
// these have not been used yet, else under new ones.
//
// Source: mailbox_reconstruct_append.
func (rc *reconstruction) addFiles() error {
	m := rc.m
	for _, f := range rc.files {
		if f.uid <= m.hdr.LastUID {
			rc.again = append(rc.again, f)
		}
	}
	for _, f := range rc.files {
		if f.uid <= m.hdr.LastUID {
			continue
		}
		if err := rc.add(f, f.uid, "found - adding"); err != nil {
			return err
		}
	}
	for i := range rc.again {
		if err := rc.add(rc.again[i], m.hdr.LastUID+1, "rediscovered - appending"); err != nil {
			return err
		}
	}
	return nil
}

// add makes a record for a file.
func (rc *reconstruction) add(f found, uid uint32, text string) error {
	m := rc.m
	fi, err := m.store.o.FS.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
		rc.sayUID(f.uid, "not found")
		rc.remove = append(rc.remove, f.path)
		return nil
	}
	if err != nil {
		return disk.Error("mailbox.Reconstruct", f.path, err)
	}
	rc.sayUID(f.uid, text)
	if rc.o.Look {
		return nil
	}
	made, err := m.remakeFrom(f.path, uid)
	if err != nil {
		return err
	}
	r := made.Record
	m.touchSalvaged(&r)
	r.CreatedModseq, r.SaveDate = r.Modseq, r.LastUpdated
	if f.archived {
		r.Flags |= Archived
	}
	if rc.snoozed[uid] {
		r.Flags |= Snoozed
	}
	m.hdr.LastUID = max(m.hdr.LastUID, uid)
	m.hdr.LastAppend = now()
	rc.records, rc.caches = true, true
	m.count(&r, rc.annots[uid], 1)
	rc.out = append(rc.out, salvaged{Record: r, parse: true, from: f.path})
	return nil
}

// link gives files that have new UIDs their new names, which last. The old
// ones go when the index lasts.
func (rc *reconstruction) link() error {
	m := rc.m
	var names []string
	for i := range rc.out {
		s := &rc.out[i]
		to := m.messagePath(&s.Record)
		if s.from == "" || s.from == to {
			continue
		}
		m.store.o.FS.Remove(to)
		if err := m.store.linkOrCopy(s.from, to, &s.Record); err != nil {
			return disk.Error("mailbox.Reconstruct", to, err)
		}
		names = append(names, to)
		rc.remove = append(rc.remove, s.from)
	}
	return disk.Error("mailbox.Reconstruct", m.box.paths.dir, m.store.syncDirs(names...))
}

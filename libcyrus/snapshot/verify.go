package snapshot

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
)

// digest reads a file to its end.
func digest(f io.Reader) (size int64, sum string, err error) {
	h := sha1.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// Verify reads a snapshot and compares every file with what the manifest, or
// the index of its mailbox, says of it. Each difference is told to fault;
// without any the snapshot is whole. The error says why it cannot be read at
// all. Progress, which may be nil, is told how many mailboxes are done.
func Verify(ctx context.Context, fsys disk.FS, s Snapshot, fault func(error), progress func(done, total int)) (*Tail, error) {
	_, tail, err := ReadManifest(fsys, s.Path, nil, nil) // first whether it is complete
	if err != nil {
		return nil, err
	}
	v := &verifying{ctx: ctx, fs: fsys, root: s.Path, fault: fault}
	_, _, err = ReadManifest(fsys, s.Path, v.file, func(m *Mailbox) error {
		if err := v.mailbox(m); err != nil {
			return err
		}
		if v.done++; progress != nil {
			progress(v.done, tail.Mailboxes)
		}
		return nil
	})
	if v.done != tail.Mailboxes && err == nil {
		err = errs.New(errs.BadFormat, "snapshot.Verify", s.Path, fmt.Errorf("%d mailboxes, %d in the last line of the manifest", v.done, tail.Mailboxes))
	}
	return tail, err
}

type verifying struct {
	ctx   context.Context
	fs    disk.FS
	root  string
	fault func(error)
	done  int
}

// bad tells a difference.
func (v *verifying) bad(rel, format string, args ...any) {
	v.fault(errs.New(errs.BadFormat, "snapshot.Verify", filepath.Join(v.root, rel), fmt.Errorf(format, args...)))
}

// file compares a file that the manifest describes.
func (v *verifying) file(f *File) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	if f.Link != "" {
		target, err := v.fs.Readlink(filepath.Join(v.root, f.Path))
		if err != nil || target != f.Link {
			v.bad(f.Path, "the link leads to %q, not to %q: %v", target, f.Link, err)
		}
		return nil
	}
	v.compare(f.Path, f.Size, f.SHA1)
	return nil
}

// compare reads a file.
func (v *verifying) compare(rel string, size int64, sum string) {
	f, err := v.fs.Open(filepath.Join(v.root, rel))
	if errors.Is(err, fs.ErrNotExist) {
		v.bad(rel, "the file is missing")
		return
	}
	if err != nil {
		v.bad(rel, "%w", err)
		return
	}
	defer f.Close()
	n, got, err := digest(f)
	switch {
	case err != nil:
		v.bad(rel, "%w", err)
	case n != size:
		v.bad(rel, "the file has %d octets, not %d", n, size)
	case got != sum:
		v.bad(rel, "the SHA-1 of the file is %s, not %s", got, sum)
	}
}

// mailbox compares the metadata and each message of a mailbox.
func (v *verifying) mailbox(m *Mailbox) error {
	for i := range m.Files {
		if err := v.file(&m.Files[i]); err != nil {
			return err
		}
	}
	n, bytes := 0, int64(0)
	index := filepath.Join(v.root, m.Dir, indexName)
	_, err := mailbox.ReadIndex(v.fs, index, func(r *mailbox.Record) bool {
		if r.Flags&mailbox.Unlinked != 0 || slices.Contains(m.Missing, r.UID) {
			return true
		}
		n++
		bytes += int64(r.Size)
		dir := m.Dir
		if r.Flags&mailbox.Archived != 0 && m.Archive != "" {
			dir = m.Archive
		}
		v.compare(dir+"/"+strconv.FormatUint(uint64(r.UID), 10)+".", int64(r.Size), r.GUID.String())
		return v.ctx.Err() == nil
	})
	if err != nil {
		v.fault(err)
	} else if n != m.Messages || bytes != m.Bytes {
		v.bad(m.Dir, "%s has %d messages of %d octets, not %d of %d", m.Name, n, bytes, m.Messages, m.Bytes)
	}
	return v.ctx.Err()
}

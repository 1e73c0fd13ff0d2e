package main

import (
	"cmp"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/site"
)

// isMissing reports whether there is no such file.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// boxCheck compares the index of a mailbox with its message files.
//
// Source: mailbox_reconstruct in Cyrus imap/mailbox.c.
type boxCheck struct {
	site   *site.Site
	out    io.Writer // findings; one line each
	noStat bool      // sizes of files are not looked at
	digest bool      // contents are
}

// findings is what is wrong with a mailbox.
type findings struct {
	missing []uint32 // records without file
	found   []uint32 // files without record
	other   int      // what only was printed
}

func (f *findings) none() bool { return len(f.missing)+len(f.found)+f.other == 0 }

// finding is a line about one message.
type finding struct {
	uid  uint32
	text string
}

// run checks one mailbox and prints what is wrong; it changes nothing.
func (c *boxCheck) run(ctx context.Context, e *mboxlist.Entry) (*findings, error) {
	m, err := c.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	f := &findings{}
	files, err := c.files(e, f)
	if err != nil {
		return nil, err
	}
	var lines []finding
	var count mailbox.IndexHeader
	var failed error
	err = m.Each(1, func(r *mailbox.Record) bool {
		_, here := files[r.UID]
		delete(files, r.UID)
		if r.Live() {
			countRecord(&count, r)
		}
		if r.Flags.Has(mailbox.Unlinked) || c.noStat && here {
			return true
		}
		var text string
		text, failed = c.message(m, r)
		switch text {
		case "":
		case "not found":
			f.missing = append(f.missing, r.UID)
		default:
			f.other++
		}
		if text != "" {
			lines = append(lines, finding{r.UID, text})
		}
		return failed == nil
	})
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	h := m.Header()
	for uid := range files {
		f.found = append(f.found, uid)
		text := "found - adding"
		if uid <= h.LastUID {
			text = "rediscovered - appending"
		}
		lines = append(lines, finding{uid, text})
	}
	slices.Sort(f.found)
	slices.SortFunc(lines, func(a, b finding) int { return cmp.Compare(a.uid, b.uid) })
	for _, l := range lines {
		fmt.Fprintf(c.out, "%s uid %d %s\n", e.Name, l.uid, l.text)
	}
	c.counters(e.Name, &h, &count, f)
	return f, nil
}

// files lists the message files of a mailbox by UID, and prints what does
// not belong there.
func (c *boxCheck) files(e *mboxlist.Entry, f *findings) (map[uint32]bool, error) {
	dir, err := c.site.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
	if err != nil {
		return nil, err
	}
	entries, err := c.site.FS.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[uint32]bool{}
	odd := 0
	for _, entry := range entries {
		uid, ok := uidOfFile(entry.Name())
		switch {
		case entry.IsDir() || strings.HasPrefix(entry.Name(), "cyrus."):
		case ok:
			files[uid] = true
		default:
			fmt.Fprintf(c.out, "%s odd file %s\n", e.Name, filepath.Join(dir, entry.Name()))
			odd++
		}
	}
	f.other += odd
	return files, nil
}

// message compares one record with its file; "" means that all is well.
func (c *boxCheck) message(m *mailbox.Mailbox, r *mailbox.Record) (string, error) {
	file, err := m.OpenMessage(r)
	if isMissing(err) {
		return "not found", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	if c.noStat {
		return "", nil
	}
	fi, err := file.Stat()
	if err != nil {
		return "", err
	}
	if fi.Size() != int64(r.Size) {
		return "guid mismatch", nil
	}
	if !c.digest || r.GUID.IsZero() {
		return "", nil
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	if mailbox.GUID(sum.Sum(nil)) != r.GUID {
		return "guid mismatch", nil
	}
	return "", nil
}

// countRecord counts a message that clients see.
func countRecord(h *mailbox.IndexHeader, r *mailbox.Record) {
	h.Exists++
	h.QuotaUsed += uint64(r.Size)
	for flag, n := range map[mailbox.Flags]*uint32{mailbox.Answered: &h.Answered, mailbox.Flagged: &h.Flagged, mailbox.Deleted: &h.Deleted} {
		if r.Flags.Has(flag) {
			*n++
		}
	}
}

// counters prints which counters of the index are wrong.
func (c *boxCheck) counters(n mboxname.Name, is, want *mailbox.IndexHeader, f *findings) {
	if is.QuotaUsed != want.QuotaUsed {
		fmt.Fprintf(c.out, "%s updating quota_mailbox_used: %d => %d\n", n, is.QuotaUsed, want.QuotaUsed)
		f.other++
	}
	for _, x := range []struct {
		name     string
		is, want uint32
	}{
		{"answered", is.Answered, want.Answered}, {"flagged", is.Flagged, want.Flagged},
		{"deleted", is.Deleted, want.Deleted}, {"exists", is.Exists, want.Exists},
	} {
		if x.is != x.want {
			fmt.Fprintf(c.out, "%s: updating %s %d => %d\n", n, x.name, x.is, x.want)
			f.other++
		}
	}
}

// repair does something about what run has found: it expunges records without
// file, and appends files without record, which get new UIDs. First the index
// itself is repaired if it is damaged.
//
// A file is renamed, appended, and removed. A crash leaves it under its
// other name, as an odd file, beside the new message if it has come to that.
func (c *boxCheck) repair(ctx context.Context, e *mboxlist.Entry, f *findings) error {
	if err := c.site.Store.Check(ctx, e.Ref()); err != nil {
		return err
	}
	if err := c.expungeMissing(ctx, e, f.missing); err != nil {
		return err
	}
	dir, err := c.site.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
	if err != nil {
		return err
	}
	for _, uid := range f.found {
		name := filepath.Join(dir, strconv.FormatUint(uint64(uid), 10))
		if err := c.site.FS.Rename(name+".", name+".found"); err != nil {
			return disk.Error("reconstruct", name, err)
		}
		if err := c.appendFile(ctx, e, name+".found"); err != nil {
			return err
		}
		if err := c.site.FS.Remove(name + ".found"); err != nil {
			return disk.Error("reconstruct", name, err)
		}
	}
	return nil
}

// expungeMissing expunges messages whose files are still not there.
func (c *boxCheck) expungeMissing(ctx context.Context, e *mboxlist.Entry, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	m, err := c.site.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, uid := range uids {
		r, ok, err := m.FindUID(uid, 0)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if file, err := m.OpenMessage(&r); !isMissing(err) {
			if err == nil {
				file.Close()
			}
			continue
		}
		r.Flags |= mailbox.Expunged | mailbox.Unlinked
		if err := m.Rewrite(&r); err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}

// appendFile appends a message from a file; its time is the internal date.
func (c *boxCheck) appendFile(ctx context.Context, e *mboxlist.Entry, name string) error {
	f, err := c.site.FS.Open(name)
	if err != nil {
		return disk.Error("reconstruct", name, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return disk.Error("reconstruct", name, err)
	}
	st, err := c.site.Store.Stage(e.Partition)
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := io.Copy(st, f); err != nil {
		return disk.Error("reconstruct", name, err)
	}
	_, err = c.site.Store.Append(ctx, e.Ref(), []mailbox.AppendMessage{{Staged: st, InternalDate: fi.ModTime()}},
		mailbox.AppendOptions{Check: &quota.Usage{}})
	return err
}

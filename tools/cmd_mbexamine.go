package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/site"
)

const mbexamineUse = `usage: mbexamine [-C <alt_config>] [-s seqnum] mailbox...
       mbexamine [-C <alt_config>] [-u uid] mailbox...
       mbexamine [-C <alt_config>] -q mailbox...
       mbexamine [-C <alt_config>] -c mailbox...
`

// examination is one run of mbexamine.
type examination struct {
	*program
	site *site.Site
	w    *bufio.Writer
	uid  uint32 // only this message, or 0
	seq  int    // only the message with this sequence number, or 0
}

// mbexamine prints what index and cache of mailboxes hold.
//
// Source: Cyrus imap/mbexamine.c. Its -s finds the first message only.
func mbexamine(p *program) int { return p.end(p.mbexamine(context.Background())) }

func (p *program) mbexamine(ctx context.Context) error {
	opts, operands, err := p.options("C:u:s:qc", mbexamineUse, exUsage)
	if err != nil {
		return err
	}
	x := &examination{program: p, w: bufio.NewWriter(p.out)}
	defer x.w.Flush()
	conf, show := "", x.examine
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'u', 's':
			if x.uid != 0 || x.seq != 0 {
				return p.misused(mbexamineUse, exUsage)
			}
			n, err := strconv.ParseUint(o.Arg, 10, 31)
			if err != nil {
				return p.misused(mbexamineUse, exUsage)
			}
			if o.Letter == 'u' {
				x.uid = uint32(n)
			} else {
				x.seq = int(n)
			}
		case 'q':
			show = x.quota
		case 'c':
			show = x.compare
		}
	}
	if x.site, err = p.openSite(conf); err != nil {
		return err
	}
	defer x.site.Close()
	if len(operands) == 0 {
		operands = []string{"*"}
	}
	for _, pattern := range operands {
		err := eachMatch(ctx, x.site, []string{pattern}, func(external string, e *mboxlist.Entry) error {
			fmt.Fprintf(x.w, "Examining %s...", external)
			m, err := x.site.Store.Open(ctx, e.Ref(), mailbox.Read)
			if err != nil {
				p.log.Error(fmt.Sprintf("%s: %v", e.Name, err))
				return nil
			}
			defer m.Close()
			return show(m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachMatch calls fn for the mailboxes that match one of several patterns of
// external names, as an admin sees them, with their external names.
func eachMatch(ctx context.Context, s *site.Site, patterns []string, fn func(external string, e *mboxlist.Entry) error) error {
	ns := s.Namespace("", true)
	who := mboxlist.Actor{}
	who.Admin = true
	o := mboxlist.ListOptions{Services: true}
	for _, p := range patterns {
		o.Patterns = append(o.Patterns, ns.NewMatcher(p))
	}
	return s.List.Each(ctx, who, ns, o, func(l mboxlist.Listed) error {
		if l.Entry == nil || !l.Entry.Exists() {
			return nil
		}
		return fn(l.External, l.Entry)
	})
}

// ctime is a time as C prints it, with a newline.
func ctime(s mailbox.Stamp) string { return s.Time().In(time.Local).Format(time.ANSIC) + "\n" }

// dataDir is the directory of a mailbox's messages.
func (x *examination) dataDir(m *mailbox.Mailbox) (string, error) {
	ref := m.Ref()
	return x.site.Layout.MailboxDir(ref.Partition, ref.Name, ref.UniqueID, ref.Legacy)
}

// examine prints header, index and cache.
func (x *examination) examine(m *mailbox.Mailbox) error {
	dir, err := x.dataDir(m)
	if err != nil {
		return err
	}
	x.header(m, dir)
	fmt.Fprint(x.w, "\n Message Info:\n")
	var buf mailbox.CacheBuffer
	defer buf.Free()
	seq, found := 0, false
	err = m.Each(1, func(r *mailbox.Record) bool {
		if !r.Live() {
			return true
		}
		seq++
		if x.uid != 0 && r.UID != x.uid || x.seq != 0 && seq != x.seq {
			return true
		}
		found = true
		x.record(m.Header().Version, r)
		if c, err := m.Cache(r, &buf); err == nil {
			x.cache(&c)
		}
		return x.uid == 0 && x.seq == 0
	})
	if !found && (x.uid != 0 || x.seq != 0) {
		fmt.Fprintln(x.w, "Desired message not found")
	}
	return err
}

// header prints what cyrus.header and the head of cyrus.index say.
func (x *examination) header(m *mailbox.Mailbox, dir string) {
	w, h := x.w, m.Header()
	fmt.Fprintf(w, " Mailbox Header Info:\n  Path to mailbox: %s\n  Mailbox ACL: %s\n  Unique ID: %s\n  User Flags: ", dir, m.ACL(), m.UniqueID())
	flags := m.Flags()
	if n := slices.Index(flags, ""); n >= 0 {
		flags = flags[:n]
	}
	for _, f := range flags {
		fmt.Fprint(w, f, " ")
	}
	if len(flags) == 0 {
		fmt.Fprint(w, "[none]")
	}
	head, record := h.Sizes()
	fmt.Fprintf(w, "\n\n Index Header Info:\n  Generation Number: %d\n  Minor Version: %d\n", h.Generation, h.Version)
	fmt.Fprintf(w, "  Header Size: %d bytes  Record Size: %d bytes\n", head, record)
	fmt.Fprintf(w, "  Number of Messages: %d  Mailbox Size: %d bytes  Annotations Size: %d bytes\n", h.Exists, h.QuotaUsed, h.AnnotUsed)
	fmt.Fprintf(w, "  Last Append Date: (%d) %s", h.LastAppend, ctime(h.LastAppend))
	fmt.Fprintf(w, "  UIDValidity: %d  Last UID: %d\n", h.UIDValidity, h.LastUID)
	fmt.Fprintf(w, "  Deleted: %d  Answered: %d  Flagged: %d\n  Mailbox Options:", h.Deleted, h.Answered, h.Flagged)
	if h.Options == 0 {
		fmt.Fprint(w, " NONE")
	}
	for _, o := range []struct {
		option mailbox.IndexOptions
		name   string
	}{{mailbox.OptPOP3NewUIDL, "POP3_NEW_UIDL"}, {mailbox.OptSharedSeen, "IMAP_SHAREDSEEN"}, {mailbox.OptDuplicate, "IMAP_DUPDELIVER"}} {
		if h.Options&o.option != 0 {
			fmt.Fprint(w, " ", o.name)
		}
	}
	fmt.Fprintf(w, "\n  Last POP3 Login: (%d) %s", h.POP3LastLogin, ctime(h.POP3LastLogin))
	fmt.Fprintf(w, "  Highest Mod Sequence: %d\n", h.HighestModseq)
}

// The flags in the order in which they are printed.
var (
	internalFlagNames = []flagName{
		{mailbox.Expunged, "FLAG_INTERNAL_EXPUNGED"}, {mailbox.Unlinked, "FLAG_INTERNAL_UNLINKED"},
		{mailbox.Archived, "FLAG_INTERNAL_ARCHIVED"}, {mailbox.NeedsCleanup, "FLAG_INTERNAL_NEEDS_CLEANUP"},
		{mailbox.Snoozed, "FLAG_INTERNAL_SNOOZED"},
	}
	systemFlagNames = []flagName{
		{mailbox.Seen, "FLAG_SEEN"}, {mailbox.Draft, "FLAG_DRAFT"}, {mailbox.Deleted, "FLAG_DELETED"},
		{mailbox.Flagged, "FLAG_FLAGGED"}, {mailbox.Answered, "FLAG_ANSWERED"},
	}
)

type flagName struct {
	flag mailbox.Flags
	name string
}

// record prints an index record. The number in front is 1 for each, as
// Cyrus prints it, unless one message was asked for by its number.
func (x *examination) record(version uint32, r *mailbox.Record) {
	w := x.w
	fmt.Fprintf(w, "%06d> UID:%08d   INT_DATE:%d SENTDATE:%d SAVEDATE:%d SIZE:%-6d\n",
		max(x.seq, 1), r.UID, r.InternalDate, r.SentDate, r.SaveDate, r.Size)
	fmt.Fprintf(w, "      > HDRSIZE:%-6d LASTUPD :%d SYSFLAGS:%08X", r.HeaderSize, r.LastUpdated, uint32(r.Flags&mailbox.SystemMask))
	fmt.Fprintf(w, "      > CACHEVER:%-2d GUID:%s MODSEQ:%d", r.CacheVersion, r.GUID, r.Modseq)
	if version >= 13 {
		fmt.Fprintf(w, "  THRID: %x", r.CID)
	}
	fmt.Fprint(w, "\n      > INTERNALFLAGS:")
	for _, f := range internalFlagNames {
		if r.Flags.Has(f.flag) {
			fmt.Fprint(w, " ", f.name)
		}
	}
	fmt.Fprint(w, "      > SYSTEMFLAGS:")
	for _, f := range systemFlagNames {
		if r.Flags.Has(f.flag) {
			fmt.Fprint(w, " ", f.name)
		}
	}
	fmt.Fprint(w, "\n      > USERFLAGS:")
	for _, word := range slices.Backward(r.User[:]) {
		fmt.Fprintf(w, " %08X", word)
	}
	fmt.Fprintln(w)
}

var cacheItemNames = []struct {
	item message.Item
	name string
}{
	{message.ItemEnvelope, "Envel"}, {message.ItemBodyStructure, "BdyStr"}, {message.ItemBody, "Body"},
	{message.ItemHeaders, "CacHdr"}, {message.ItemFrom, "From"}, {message.ItemTo, "To"},
	{message.ItemCc, "Cc"}, {message.ItemBcc, "Bcc"}, {message.ItemSubject, "Subjct"},
}

func (x *examination) cache(c *message.Cache) {
	for _, i := range cacheItemNames {
		b := c.Item(i.item)
		fmt.Fprintf(x.w, " %s>{%d}%s\n", i.name, len(b), untilNUL(b))
	}
}

// untilNUL is b as C prints it.
func untilNUL(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{0})
	return b
}

// quota compares the sizes of files with those in the index.
func (x *examination) quota(m *mailbox.Mailbox) error {
	var total uint64
	wrong := uint32(0)
	err := m.Each(1, func(r *mailbox.Record) bool {
		if !r.Live() {
			return true
		}
		f, err := m.OpenMessage(r)
		if err != nil {
			x.log.Warn(fmt.Sprintf("Can not open message file %d. -- skipping", r.UID))
			return true
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil || fi.Size() != int64(r.Size) {
			wrong = r.UID
			return false
		}
		total += uint64(fi.Size())
		return true
	})
	switch {
	case wrong != 0:
		fmt.Fprintf(x.w, "  Message %d has INCORRECT size in index record\n", wrong)
	case total != m.Header().QuotaUsed:
		fmt.Fprintln(x.w, "  Mailbox has INCORRECT total quota usage")
	default:
		fmt.Fprintln(x.w, "  Mailbox has CORRECT total quota usage")
	}
	return err
}

// compare prints records and message files that are not the same.
func (x *examination) compare(m *mailbox.Mailbox) error {
	dir, err := x.dataDir(m)
	if err != nil {
		return err
	}
	uids, err := x.messageFiles(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(x.w, "\n Mailbox Header Info:\n  Path to mailbox: %s\n", dir)
	fmt.Fprintf(x.w, "\n%-56s\t%s\n", " Index Record Info:", "Message File Info:")
	var buf mailbox.CacheBuffer
	defer buf.Free()
	err = m.Each(1, func(r *mailbox.Record) bool {
		for len(uids) > 0 && uids[0] < r.UID {
			x.difference(m, nil, dir, uids[0], &buf)
			uids = uids[1:]
		}
		uid := uint32(0)
		if len(uids) > 0 && uids[0] == r.UID {
			uid, uids = uids[0], uids[1:]
		}
		x.difference(m, r, dir, uid, &buf)
		return true
	})
	for _, uid := range uids {
		x.difference(m, nil, dir, uid, &buf)
	}
	return err
}

// messageFiles is the UIDs of the message files in a directory, ascending.
func (x *examination) messageFiles(dir string) (uids []uint32, err error) {
	entries, err := x.site.FS.ReadDir(dir)
	for _, e := range entries {
		if uid, ok := uidOfFile(e.Name()); ok {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids, err
}

// uidOfFile is the UID of a message file by its name, "12.".
func uidOfFile(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".")
	uid, err := strconv.ParseUint(digits, 10, 32)
	return uint32(uid), ok && err == nil && uid > 0 && digits[0] != '0' && digits[0] != '+'
}

// column is what one side has of a message.
type column struct {
	uid                          uint32
	guid, size, date, from, subj string
	parsed                       bool
}

func recordColumn(m *mailbox.Mailbox, r *mailbox.Record, buf *mailbox.CacheBuffer) column {
	c := column{uid: r.UID, guid: r.GUID.String(), size: strconv.Itoa(int(r.Size)), date: rfc5322(r.SentDate), parsed: true}
	if cache, err := m.Cache(r, buf); err == nil {
		c.from, c.subj = cut50(cache.Item(message.ItemFrom)), cut50(cache.Item(message.ItemSubject))
	}
	return c
}

func rfc5322(s mailbox.Stamp) string {
	return s.Time().In(time.Local).Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

func cut50(b []byte) string { return string(b[:min(len(b), 50)]) }

// fileColumn parses a message file.
func (x *examination) fileColumn(dir string, uid uint32) column {
	c := column{uid: uid, guid: "Failed to parse file"}
	f, err := x.site.FS.Open(filepath.Join(dir, strconv.FormatUint(uint64(uid), 10)+"."))
	if err != nil {
		return c
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return c
	}
	msg, err := message.Parse(text, message.OptionsFrom(x.site.Config))
	if err != nil {
		return c
	}
	day, _ := msg.Times(time.Unix(0, 0))
	c = column{uid: uid, guid: fmt.Sprintf("%x", msg.GUID), size: strconv.Itoa(len(text)), date: rfc5322(mailbox.StampOf(day)), parsed: true}
	if cache, _, err := message.ParseCache(msg.CacheRecord(), message.CacheVersion); err == nil {
		c.from, c.subj = cut50(cache.Item(message.ItemFrom)), cut50(cache.Item(message.ItemSubject))
	}
	return c
}

// difference prints a record (nil: there is none) and a file (0: there is
// none) beside each other, unless they are the same message.
func (x *examination) difference(m *mailbox.Mailbox, r *mailbox.Record, dir string, uid uint32, buf *mailbox.CacheBuffer) {
	var left, right column
	if r != nil {
		left = recordColumn(m, r, buf)
	}
	if uid != 0 {
		right = x.fileColumn(dir, uid)
		if r != nil && right.guid == left.guid {
			return
		}
	}
	fmt.Fprintf(x.w, "  UID: %08d\n   GUID: %-50s", max(left.uid, right.uid), left.guid)
	if uid != 0 {
		fmt.Fprintf(x.w, "\t%-50s", right.guid)
	}
	fmt.Fprintln(x.w)
	for _, line := range []struct{ name, left, right string }{
		{"Size", left.size, right.size}, {"Date", left.date, right.date}, {"From", left.from, right.from}, {"Subj", left.subj, right.subj},
	} {
		fmt.Fprintf(x.w, "   %s: %s", line.name, padded(line.left))
		if right.parsed {
			fmt.Fprintf(x.w, "\t%s", padded(line.right))
		}
		fmt.Fprintln(x.w)
	}
	fmt.Fprintln(x.w)
}

// padded fills a column up to 50 octets, as C counts them.
func padded(s string) string { return s + strings.Repeat(" ", max(0, 50-len(s))) }

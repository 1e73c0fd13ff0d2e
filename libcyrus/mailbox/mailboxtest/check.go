// Package mailboxtest checks the files of a mailbox: every checksum, every
// counter, every message. It reads them by itself, not with package mailbox,
// so that an error in a codec does not hide itself.
package mailboxtest

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/dlist"
)

// Annotation is a message annotation that counts in a mailbox.
type Annotation struct {
	UID         uint32
	Entry, User string
	Value       string
}

// Mailbox says where the files of a mailbox of index version 14 to 17 lie.
type Mailbox struct {
	FS          disk.FS
	Dir         string
	Archive     string // "" = there is none
	Annotations []Annotation
	// OwnAnnotations is the octets that the mailbox's own annotations use.
	OwnAnnotations int
}

// Message is a record.
type Message struct {
	UID      uint32
	Flags    uint32
	Keywords []string
	Modseq   uint64
	Internal uint32
	Content  []byte
}

// Expunged reports whether clients do not see it.
func (m *Message) Expunged() bool { return m.Flags>>31 != 0 }

// Report is the result of Check.
type Report struct {
	Problems []string // what is wrong
	Messages []Message
	// Size and Annotations are octets, Exists messages, by the header.
	Size, Exists, Annotations int64
	LastUID, Generation       uint32
	HighestModseq             uint64
	QuotaRoot                 string
}

// Live returns the messages that are not expunged.
func (r *Report) Live() (out []Message) {
	for _, m := range r.Messages {
		if !m.Expunged() {
			out = append(out, m)
		}
	}
	return out
}

func (r *Report) problem(format string, a ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, a...))
}

var be = binary.BigEndian

// index is a cyrus.index; b is as long as the header says.
type index struct {
	b                []byte
	version          uint32
	start, size, num int
}

func (x *index) u32(off int) uint32 { return be.Uint32(x.b[off:]) }
func (x *index) record(i int) []byte {
	return x.b[x.start+i*x.size : x.start+(i+1)*x.size]
}

// Check reads the whole mailbox.
func (c Mailbox) Check() *Report {
	r := &Report{}
	head, err := disk.ReadFile(c.FS, c.Dir+"/cyrus.header")
	if err != nil {
		r.problem("%v", err)
		return r
	}
	names := r.header(head)
	x := r.index(c)
	if x == nil {
		return r
	}
	if got, want := crc32.ChecksumIEEE(head), x.u32(96); got != want {
		r.problem("CRC of cyrus.header is %x, the index has %x", got, want)
	}
	r.records(c, x, names)
	if len(r.Problems) == 0 && x.u32(60)>>23&1 != 0 {
		r.problem("the dirty mark is set")
	}
	return r
}

// header returns the user flags.
func (r *Report) header(b []byte) []string {
	i := bytes.Index(b, []byte("Andrew\n"))
	if i < 0 {
		r.problem("cyrus.header has no magic")
		return nil
	}
	n, _, err := dlist.ParsePrefix(b[i+7:])
	if err != nil {
		r.problem("cyrus.header: %v", err)
		return nil
	}
	r.QuotaRoot = n.Text("Q")
	var names []string
	if u := n.Get("U"); u != nil {
		for i := range u.Items {
			names = append(names, u.Items[i].String())
		}
	}
	return names
}

func (r *Report) index(c Mailbox) *index {
	b, err := disk.ReadFile(c.FS, c.Dir+"/cyrus.index")
	if err != nil || len(b) < 160 {
		r.problem("index of %d bytes: %v", len(b), err)
		return nil
	}
	x := &index{b: b, version: be.Uint32(b[8:]), start: 160, size: 112, num: int(be.Uint32(b[20:]))}
	if x.version == 14 || x.version == 15 {
		x.size = 104
	}
	if x.version < 14 || x.version > 17 || int(x.u32(12)) != x.start || int(x.u32(16)) != x.size {
		r.problem("index version %d with sizes %d, %d", x.version, x.u32(12), x.u32(16))
		return nil
	}
	if crc32.ChecksumIEEE(b[:156]) != x.u32(156) {
		r.problem("index header CRC")
	}
	if len(b) < x.start+x.num*x.size {
		r.problem("index of %d bytes for %d records", len(b), x.num)
		return nil
	}
	r.Generation, r.LastUID = x.u32(0), x.u32(28)
	r.Size, r.Exists = int64(be.Uint64(b[32:])), int64(x.u32(84))
	r.Annotations, r.HighestModseq = int64(x.u32(116)), be.Uint64(b[68:])
	return x
}

// records checks all records against files, cache and header.
func (r *Report) records(c Mailbox, x *index, names []string) {
	var exists, unseen, answered, flagged, deleted, basic, last, firstExpunged uint32
	var used, annotUsed int64
	annot := uint32(12345678)
	caches := map[string][]byte{}
	for i := range x.num {
		b := x.record(i)
		m := Message{UID: be.Uint32(b), Flags: be.Uint32(b[32:]), Modseq: be.Uint64(b[80:]), Internal: be.Uint32(b[4:])}
		if crc32.ChecksumIEEE(b[:x.size-4]) != be.Uint32(b[x.size-4:]) {
			r.problem("record %d (uid %d): CRC", i+1, m.UID)
		}
		if m.UID <= last || m.UID > r.LastUID {
			r.problem("record %d: uid %d after %d, last uid %d", i+1, m.UID, last, r.LastUID)
		}
		if m.Modseq > r.HighestModseq || m.Modseq == 0 {
			r.problem("uid %d: modseq %d, highest %d", m.UID, m.Modseq, r.HighestModseq)
		}
		last = m.UID
		for n := range 128 {
			if be.Uint32(b[36+n/32*4:])>>(n%32)&1 != 0 {
				if n >= len(names) || names[n] == "" {
					r.problem("uid %d: user flag %d has no name", m.UID, n)
					continue
				}
				m.Keywords = append(m.Keywords, names[n])
			}
		}
		r.files(c, x, b, &m, caches)
		r.Messages = append(r.Messages, m)
		if m.Expunged() {
			if t := be.Uint32(b[28:]); m.Flags>>30&1 == 0 && (firstExpunged == 0 || t < firstExpunged) {
				firstExpunged = t
			}
			continue
		}
		exists++
		used += int64(be.Uint32(b[12:]))
		answered += m.Flags & 1
		flagged += m.Flags >> 1 & 1
		deleted += m.Flags >> 2 & 1
		unseen += 1 - m.Flags>>4&1
		basic ^= basicCRC(b, &m)
		annot ^= r.annotCRC(c, x, b, m.UID, &annotUsed)
	}
	for _, n := range []struct {
		name string
		off  int
		want uint32
	}{
		{"exists", 84, exists}, {"deleted", 48, deleted}, {"answered", 52, answered}, {"flagged", 56, flagged},
		{"unseen", 124, unseen}, {"basic CRC", 100, basic}, {"annotation CRC", 120, annot}, {"size", 36, uint32(used)},
		{"annotation use", 116, uint32(annotUsed) + uint32(c.OwnAnnotations)},
	} {
		if got := x.u32(n.off); got != n.want {
			r.problem("%s is %d, counted %d", n.name, got, n.want)
		}
	}
	// Without expunged messages that wait it may be anything.
	if got := x.u32(88); firstExpunged != 0 && (got > firstExpunged || got == 0) {
		r.problem("first expunged is %d, found %d", got, firstExpunged)
	}
}

// files checks the message file and the cache record of a message.
func (r *Report) files(c Mailbox, x *index, b []byte, m *Message, caches map[string][]byte) {
	dir := c.Dir
	if m.Flags>>29&1 != 0 && c.Archive != "" {
		dir = c.Archive
	}
	content, err := disk.ReadFile(c.FS, dir+"/"+strconv.Itoa(int(m.UID))+".")
	if err != nil {
		if m.Flags>>30&1 == 0 { // else it waits to be dropped
			r.problem("uid %d: %v", m.UID, err)
		}
		return
	}
	m.Content = content
	if sum := sha1.Sum(content); !bytes.Equal(sum[:], b[60:80]) || len(content) != int(be.Uint32(b[12:])) {
		r.problem("uid %d: the file has %d bytes and GUID %x; the record says %d, %x", m.UID, len(content), sum, be.Uint32(b[12:]), b[60:80])
	}
	cache, ok := caches[dir]
	if !ok {
		if cache, err = disk.ReadFile(c.FS, dir+"/cyrus.cache"); err != nil || len(cache) < 4 {
			r.problem("cache of %d bytes: %v", len(cache), err)
			return
		}
		if g := be.Uint32(cache); g > r.Generation {
			r.problem("cache generation %d, index %d", g, r.Generation)
		}
		caches[dir] = cache
	}
	off := int(be.Uint32(b[24:]))
	end := off
	for range 10 {
		if end+4 > len(cache) {
			r.problem("uid %d: cache record at %d of %d ends early", m.UID, off, len(cache))
			return
		}
		end += 4 + int(be.Uint32(cache[end:])+3)&^3
	}
	if end > len(cache) || crc32.ChecksumIEEE(cache[off:end]) != be.Uint32(b[x.size-8:]) {
		r.problem("uid %d: cache CRC", m.UID)
	}
}

func basicCRC(b []byte, m *Message) uint32 {
	var flags uint32
	for bit, name := range []string{`\answered`, `\flagged`, `\deleted`, `\draft`, `\seen`} {
		if m.Flags>>bit&1 != 0 {
			flags ^= crc32.ChecksumIEEE([]byte(name))
		}
	}
	for _, k := range m.Keywords {
		flags ^= crc32.ChecksumIEEE([]byte(strings.ToLower(k)))
	}
	return crc32.ChecksumIEEE(fmt.Appendf(nil, "%d %d %d (%d) %d %x", m.UID, m.Modseq, be.Uint32(b[28:]), flags, m.Internal, b[60:80]))
}

func (r *Report) annotCRC(c Mailbox, x *index, b []byte, uid uint32, used *int64) (crc uint32) {
	add := func(entry, user, value string) {
		crc ^= crc32.ChecksumIEEE(fmt.Appendf(nil, "%d %s %s %s", uid, entry, user, value))
	}
	const own = "/vendor/cmu/cyrus-imapd/"
	if cid := be.Uint64(b[88:]); cid != 0 {
		add(own+"thrid", "", strconv.FormatUint(cid, 16))
	}
	if saved := be.Uint32(b[52:]); saved != 0 && x.version >= 15 {
		add(own+"savedate", "", strconv.Itoa(int(saved)))
	}
	if x.version >= 16 {
		if created := be.Uint64(b[96:]); created != 0 {
			add(own+"createdmodseq", "", strconv.FormatUint(created, 10))
		}
	}
	for _, a := range c.Annotations {
		if a.UID == uid {
			add(a.Entry, a.User, a.Value)
			*used += int64(len(a.Value))
		}
	}
	return crc
}

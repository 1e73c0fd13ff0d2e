package message

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sampleSpools are spools made by a real Cyrus 3.6.1.
var sampleSpools = []string{"sample-spool.tar.gz", "sample-legacy.tar.gz"}

// readTar returns the regular files of a .tar.gz.
func readTar(t testing.TB, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeLink {
			files[h.Name] = files[h.Linkname]
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = b
	}
}

// stored is a message of a sample spool with what Cyrus keeps of it.
type stored struct {
	name         string
	raw          []byte
	internal     time.Time
	sentdate     uint32
	gmtime       uint32 // 0 before index version 12: not kept there
	headerSize   uint32
	guid         GUID
	cacheVersion int
	cache        []byte // from the start of the record on
	crc          uint32 // of the record, 0 before index version 12
}

// sampleMessages reads the messages of a spool.
func sampleMessages(t testing.TB, tarball string) (out []stored) {
	files := readTar(t, "../../test/data/"+tarball)
	for name, index := range files {
		if path.Base(name) != "cyrus.index" {
			continue
		}
		dir := path.Dir(name)
		u32 := func(off uint32) uint32 { return binary.BigEndian.Uint32(index[off:]) }
		version, start, size := u32(8), u32(12), u32(16)
		for n := range u32(20) {
			o := start + n*size
			s := stored{
				name:       dir + "/" + strconv.Itoa(int(u32(o))),
				internal:   time.Unix(int64(u32(o+4)), 0),
				sentdate:   u32(o + 8),
				headerSize: u32(o + 16),
			}
			if version >= 12 {
				s.gmtime = u32(o + 20)
			}
			s.cacheVersion = int(u32(o+56) & 0xffff)
			copy(s.guid[:], index[o+60:])
			switch {
			case version >= 16:
				s.crc = u32(o + 104)
			case version >= 13:
				s.crc = u32(o + 96)
			case version == 12:
				s.crc = u32(o + 88)
			}
			at := dir
			if u32(o+32)&(1<<29) != 0 { // archived
				root, rest, _ := strings.Cut(dir, "/")
				_, rest, _ = strings.Cut(rest, "/")
				at = root + "/archive/" + rest
			}
			s.raw = files[at+"/"+strconv.Itoa(int(u32(o)))+"."]
			s.cache = files[at+"/cyrus.cache"][u32(o+24):]
			out = append(out, s)
		}
	}
	return out
}

// TestSampleSpools compares what we make of every message of the sample
// spools with what Cyrus has made of it.
func TestSampleSpools(t *testing.T) {
	for _, tarball := range sampleSpools {
		msgs := sampleMessages(t, tarball)
		if len(msgs) < 80 {
			t.Errorf("%s: only %d messages", tarball, len(msgs))
		}
		for _, s := range msgs {
			if s.raw == nil {
				t.Errorf("%s: no message file", s.name)
				continue
			}
			compareStored(t, s)
		}
	}
}

// compareStored checks a message with both ways to parse it.
func compareStored(t *testing.T, s stored) {
	t.Helper()
	m, err := Parse(s.raw, Options{Location: time.UTC})
	if err != nil {
		t.Errorf("%s: %v", s.name, err)
		return
	}
	rec := m.CacheRecord()
	want := s.cache[:min(len(rec), len(s.cache))]
	if !bytes.Equal(rec, want) {
		t.Errorf("%s: cache record differs", s.name)
		diffRecords(t, rec, s.cache, s.cacheVersion)
	} else if s.crc != 0 && crc32.ChecksumIEEE(rec) != s.crc {
		t.Errorf("%s: CRC differs", s.name)
	}
	sent, gm := m.Times(s.internal)
	if uint32(sent.Unix()) != s.sentdate || s.gmtime != 0 && uint32(gm.Unix()) != s.gmtime {
		t.Errorf("%s: sentdate %d, want %d; gmtime %d, want %d; Date: %q", s.name, sent.Unix(), s.sentdate,
			gm.Unix(), s.gmtime, m.root.env.date)
	}
	if uint32(m.HeaderSize) != s.headerSize || m.GUID != s.guid || m.Size != int64(len(s.raw)) {
		t.Errorf("%s: header size %d, want %d; GUID %x, want %x", s.name, m.HeaderSize, s.headerSize, m.GUID, s.guid)
	}
	m2, err := ParseReader(bytes.NewReader(s.raw), int64(len(s.raw)), Options{Location: time.UTC})
	if err != nil || !bytes.Equal(m2.CacheRecord(), rec) || m2.GUID != m.GUID {
		t.Errorf("%s: ParseReader differs from Parse: %v", s.name, err)
	}
}

var itemNames = [Items]string{"ENVELOPE", "BODYSTRUCTURE", "BODY", "SECTION", "HEADERS", "FROM", "TO", "CC", "BCC", "SUBJECT"}

// diffRecords shows the items that differ.
func diffRecords(t *testing.T, got, want []byte, version int) {
	t.Helper()
	g, _, err1 := ParseCache(got, CacheVersion)
	w, _, err2 := ParseCache(want, version)
	if err1 != nil || err2 != nil {
		t.Errorf("  %v, %v", err1, err2)
		return
	}
	for i := range Items {
		if bytes.Equal(g.Item(i), w.Item(i)) {
			continue
		}
		if i == ItemSection {
			gs, e1 := g.Sections()
			ws, e2 := w.Sections()
			if e1 != nil || e2 != nil {
				t.Errorf("  SECTION: %v, %v", e1, e2)
			} else {
				diffSections(t, gs, ws, "root")
			}
			continue
		}
		t.Errorf("  %s\n   got  %.600q\n   want %.600q", itemNames[i], g.Item(i), w.Item(i))
	}
}

// diffSections shows the parts that differ.
func diffSections(t *testing.T, got, want *Section, where string) {
	t.Helper()
	g, w := *got, *want
	g.Parts, w.Parts = nil, nil
	if !reflect.DeepEqual(g, w) || len(got.Parts) != len(want.Parts) {
		t.Errorf("  SECTION %s\n   got  %d: %+v\n   want %d: %+v", where, len(got.Parts), g, len(want.Parts), w)
	}
	for i := range min(len(got.Parts), len(want.Parts)) {
		diffSections(t, &got.Parts[i], &want.Parts[i], where+"."+strconv.Itoa(i))
	}
}

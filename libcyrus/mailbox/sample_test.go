package mailbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

// sample is one of the spools that a real Cyrus made.
type sample struct {
	root   string
	layout *mboxname.Layout
	store  *Store
	refs   map[string]Ref // by internal name
}

// openSample unpacks a sample and opens a Store on it.
func openSample(t testing.TB, name string) *sample {
	t.Helper()
	root := data.Unpack(t, name)
	s := &sample{root: root, refs: map[string]Ref{}, layout: &mboxname.Layout{
		ConfigDir:         root + "/conf",
		Partitions:        map[string]string{"default": root + "/spool", "second": root + "/spool2"},
		ArchivePartitions: map[string]string{"default": root + "/archive", "second": root + "/archive"},
		HashSpool:         true,
		FullHash:          name == data.Legacy,
		DeletedPrefix:     "DELETED",
	}}
	output := "tools-output/"
	if name == data.Legacy {
		output = "tools-output-legacy/"
	}
	var list map[string]struct {
		MbType, Partition, UniqueID string
	}
	if err := json.Unmarshal(data.Read(t, output+"ctl_mboxlist-d.txt"), &list); err != nil {
		t.Fatal(err)
	}
	for n, e := range list {
		if strings.ContainsAny(e.MbType[1:], "di") {
			continue
		}
		s.refs[n] = Ref{
			Name: mboxname.Name(n), UniqueID: e.UniqueID, Partition: e.Partition,
			Legacy: strings.Contains(e.MbType[1:], "l"), Type: e.MbType[:1],
		}
	}
	s.store = newStore(t, disk.OS(), s.layout, func(o *Options) {})
	return s
}

// newStore returns a Store that is closed when the test ends.
func newStore(t testing.TB, fsys disk.FS, l *mboxname.Layout, with func(*Options)) *Store {
	t.Helper()
	o := Options{FS: fsys, Layout: l, Log: slog.New(slog.DiscardHandler), Locks: lock.NewTable(fsys, nil)}
	with(&o)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		o.Locks.Close()
	})
	return s
}

func TestSamples(t *testing.T) {
	for _, name := range []string{data.ByID, data.Legacy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSample(t, name)
			if len(s.refs) < 30 {
				t.Fatalf("only %d mailboxes", len(s.refs))
			}
			for n, ref := range s.refs {
				m, err := s.store.Open(context.Background(), ref, Read)
				if err != nil {
					t.Errorf("%s: %v", n, err)
					continue
				}
				checkSample(t, s, m)
				m.Close()
			}
		})
	}
}

// checkSample compares counters, codecs and caches of a mailbox.
func checkSample(t *testing.T, s *sample, m *Mailbox) {
	h := m.Header()
	if got := m.head.encode(); checksum(got) != h.HeaderCRC && h.Version >= 12 && m.head.crc != h.HeaderCRC {
		t.Errorf("%s: header CRC %x, want %x", m.ref.Name, m.head.crc, h.HeaderCRC)
	}
	var live, sync uint32
	annots := uint32(annotCRCInit)
	var used uint64
	var buf CacheBuffer
	defer buf.Free()
	err := m.Each(1, func(r *Record) bool {
		if r.Live() {
			live++
			used += uint64(r.Size)
			sync ^= m.crcs.basic(r)
			annots ^= virtualCRC(r, h.Version)
		}
		b, err := m.storedCache(r, &buf)
		if err != nil {
			t.Errorf("%s uid %d: %v", m.ref.Name, r.UID, err)
		}
		if made, err := m.parsedCache(r); err != nil || string(made) != string(b) {
			t.Errorf("%s uid %d: the cache record is not what parsing gives (%v)", m.ref.Name, r.UID, err)
		}
		raw, _ := m.raw(r.Recno, 1)
		again := make([]byte, len(raw))
		h.layout().encode(again, r)
		if string(raw) != string(again) {
			t.Errorf("%s uid %d: record changes when written again\n%x\n%x", m.ref.Name, r.UID, raw, again)
		}
		return true
	})
	if err != nil {
		t.Errorf("%s: %v", m.ref.Name, err)
	}
	if live != h.Exists || used != h.QuotaUsed || h.layout().hasExists && sync != h.SyncCRC {
		t.Errorf("%s: counted %d, %d, %x; header says %d, %d, %x", m.ref.Name, live, used, sync, h.Exists, h.QuotaUsed, h.SyncCRC)
	}
	if h.layout().hasAnnot && h.AnnotUsed == 0 && annots != h.SyncCRCAnnot {
		t.Errorf("%s: annotation CRC %x, header %x", m.ref.Name, annots, h.SyncCRCAnnot)
	}
	var first [maxHeader]byte
	m.file.ReadAt(first[:], 0)
	if got := h.encode(); h.Version >= 14 && string(got) != string(first[:len(got)]) {
		t.Errorf("%s: index header changes when written again\n%x\n%x", m.ref.Name, first[:len(got)], got)
	}
}

// TestMbexamine compares records with what Cyrus's mbexamine prints.
func TestMbexamine(t *testing.T) {
	s := openSample(t, data.ByID)
	byID := map[string]Ref{}
	for _, r := range s.refs {
		byID[r.UniqueID] = r
	}
	blocks := regexp.MustCompile(`(?m)^Examining `).Split(string(data.Read(t, "tools-output/mbexamine-all.txt")), -1)
	id := regexp.MustCompile(`Unique ID: (\S+)`)
	rec := regexp.MustCompile(`UID:(\d+) +INT_DATE:(\d+) SENTDATE:(\d+) SAVEDATE:(\d+) +SIZE:(\d+) *\n +> HDRSIZE:(\d+) +LASTUPD :(\d+) SYSFLAGS:([0-9A-Fa-f]+) +> CACHEVER:(\d+) +GUID:([0-9a-f]+) MODSEQ:(\d+)`)
	head := regexp.MustCompile(`Generation Number: (\d+)\s+Minor Version: (\d+)`)
	records := 0
	for _, b := range blocks {
		f := id.FindStringSubmatch(b)
		if f == nil {
			continue
		}
		m, err := s.store.Open(context.Background(), byID[f[1]], Read)
		if err != nil {
			t.Error(err)
			continue
		}
		h := m.Header()
		if got, want := fmt.Sprint(h.Generation, h.Version), head.FindStringSubmatch(b); got != want[1]+" "+want[2] {
			t.Errorf("%s: %s, want %v", f[1], got, want)
		}
		for _, w := range rec.FindAllStringSubmatch(b, -1) {
			records++
			uid, _ := strconv.ParseUint(w[1], 10, 32)
			r, ok, err := m.FindUID(uint32(uid), 0)
			flags := fmt.Sprintf("%08X", uint32(r.Flags&SystemMask))
			got := fmt.Sprint(r.InternalDate, r.SentDate, r.SaveDate, r.Size, r.HeaderSize, r.LastUpdated, " ", flags[4:], " ", r.CacheVersion, r.GUID, r.Modseq)
			want := fmt.Sprintf("%s %s %s %s %s %s %s %s %s %s", w[2], w[3], w[4], w[5], w[6], w[7], strings.ToUpper(w[8])[4:], w[9], w[10], w[11])
			if norm(got) != norm(want) || !ok || err != nil {
				t.Errorf("%s uid %d: %s, want %s (%v)", f[1], uid, got, want, err)
			}
		}
		m.Close()
	}
	if records < 70 {
		t.Errorf("only %d records compared", records)
	}
}

func norm(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestSamplesAreSound looks at real mailboxes as after an unclean boot, and
// finds nothing to repair.
func TestSamplesAreSound(t *testing.T) {
	for _, name := range []string{data.ByID, data.Legacy} {
		s := openSample(t, name)
		e := &env{TB: t, fs: disk.OS(), l: s.layout, s: s.store}
		locks := lock.NewTable(e.fs, nil)
		db, err := cyrusdb.Open(e.fs, locks, "twoskip", s.root+"/conf/annotations.db", 0)
		if err != nil {
			t.Fatal(err)
		}
		e.annot = annot.New(annot.Options{DB: db, FS: e.fs, Locks: locks, Log: slog.New(slog.DiscardHandler), Kind: "twoskip"})
		e.s.o.Annotations = e.annot
		if boot := BootTime(); boot.IsZero() || boot.After(time.Now()) {
			t.Errorf("booted at %v", boot)
		}
		for n, ref := range s.refs {
			m := e.open(ref, Write)
			if ok, err := m.sound(ctx); !ok || err != nil {
				t.Errorf("%s: not sound (%v)", n, err)
			}
			m.Close()
		}
	}
}

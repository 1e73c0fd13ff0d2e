package mailbox

import (
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"gocyrus/libcyrus/disk"
)

// countFS counts the operations that go to the disk.
type countFS struct {
	disk.FS
	syncs, all *atomic.Int64
}

type countFile struct {
	disk.File
	fs *countFS
}

func newCountFS() *countFS { return &countFS{disk.OS(), new(atomic.Int64), new(atomic.Int64)} }

func (c *countFS) wrap(f disk.File, err error) (disk.File, error) {
	c.all.Add(1)
	if err != nil {
		return nil, err
	}
	return countFile{f, c}, nil
}

func (c *countFS) SyncDir(d string) error {
	c.syncs.Add(1)
	return c.FS.SyncDir(d)
}

func (c *countFS) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	return c.wrap(c.FS.OpenFile(name, flag, perm))
}
func (c *countFS) Open(name string) (disk.File, error) { return c.wrap(c.FS.Open(name)) }
func (c *countFS) Stat(name string) (fs.FileInfo, error) {
	c.all.Add(1)
	return c.FS.Stat(name)
}

func (f countFile) Sync() error {
	f.fs.syncs.Add(1)
	return f.File.Sync()
}

func (f countFile) Datasync() error {
	f.fs.syncs.Add(1)
	return f.File.Datasync()
}

func (f countFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.all.Add(1)
	return f.File.ReadAt(b, off)
}

func (f countFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.all.Add(1)
	return f.File.WriteAt(b, off)
}

func benchEnv(b *testing.B) (*env, *countFS) {
	c := newCountFS()
	e := newEnv(b, c, b.TempDir())
	e.create(inbox)
	return e, c
}

// BenchmarkAppend appends messages of 4 KiB, alone and by several at once.
func BenchmarkAppend(b *testing.B) {
	for _, par := range []int{1, 16} {
		b.Run(fmt.Sprintf("par%d", par), func(b *testing.B) {
			e, c := benchEnv(b)
			body := text(1) + strings.Repeat("0123456789abcdef\r\n", 220)
			c.syncs.Store(0)
			c.all.Store(0)
			b.SetParallelism((par + 1) / 2)
			run := func(next func() bool) {
				for next() {
					st := e.stage(body)
					_, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{})
					st.Remove()
					if err != nil {
						b.Error(err)
					}
				}
			}
			b.ResetTimer()
			if par == 1 {
				run(b.Loop)
			} else {
				b.RunParallel(func(pb *testing.PB) { run(pb.Next) })
			}
			b.ReportMetric(float64(c.syncs.Load())/float64(b.N), "syncs/op")
			b.ReportMetric(float64(c.all.Load())/float64(b.N), "fileops/op")
		})
	}
}

// TestAppendCost counts the syncs of one append: of the message, its directory,
// the cache and the index; with conversations also of the counters and, twice,
// of conversations.db. A real Cyrus 3.6.1 does 4 and 8 (strace of its imapd).
func TestAppendCost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		conversed  bool
		syncs, all int64
	}{{false, 4, 15}, {true, 7, 65}} {
		fs := &countFS{disk.NewMem(), new(atomic.Int64), new(atomic.Int64)}
		e := newEnv(t, fs, "/s")
		e.s.Close()
		e.conversed = c.conversed
		e = e.reopen(fs, func(*Options) {})
		e.create(inbox)
		e.mustAppend(inbox, 1)
		e.mustAppend(inbox, 2)
		st := e.stage(answer(3, 1))
		fs.syncs.Store(0)
		fs.all.Store(0)
		if _, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := fs.syncs.Load(); n != c.syncs {
			t.Errorf("conversations %v: %d syncs, not %d", c.conversed, n, c.syncs)
		}
		// Levels of records in conversations.db are random.
		if n := fs.all.Load(); n > c.all {
			t.Errorf("conversations %v: %d operations, more than %d", c.conversed, n, c.all)
		}
		st.Remove()
	}
}

// BenchmarkAppendConversed is BenchmarkAppend alone, with conversations:
// measured, 7 syncs and 49 operations for each message rather than 4 and 10,
// for the mark, the counters and conversations.db.
func BenchmarkAppendConversed(b *testing.B) {
	c := newCountFS()
	e := newEnv(b, c, b.TempDir())
	e.s.Close()
	e.conversed = true
	e = e.reopen(c, func(*Options) {})
	e.create(inbox)
	c.syncs.Store(0)
	c.all.Store(0)
	i := 0
	for b.Loop() {
		i++
		e.mustAppend(inbox, i)
	}
	b.ReportMetric(float64(c.syncs.Load())/float64(b.N), "syncs/op")
	b.ReportMetric(float64(c.all.Load())/float64(b.N), "fileops/op")
}

// BenchmarkStore changes a flag of one message.
func BenchmarkStore(b *testing.B) {
	e, c := benchEnv(b)
	e.mustAppend(inbox, 1, 2, 3)
	c.syncs.Store(0)
	c.all.Store(0)
	for b.Loop() {
		e.flip(inbox, 2, Seen)
	}
	b.ReportMetric(float64(c.syncs.Load())/float64(b.N), "syncs/op")
	b.ReportMetric(float64(c.all.Load())/float64(b.N), "fileops/op")
}

// BenchmarkOpen opens a mailbox for reading, as each command does.
func BenchmarkOpen(b *testing.B) {
	e, _ := benchEnv(b)
	e.mustAppend(inbox, 1, 2, 3)
	b.ReportAllocs()
	for b.Loop() {
		e.open(inbox, Read).Close()
	}
}

// manyRecords makes a mailbox of n records, all of one message.
func manyRecords(e *env, n int) {
	e.Helper()
	e.mustAppend(inbox, 1)
	m := e.open(inbox, Write)
	defer m.Close()
	r, err := m.Record(1)
	if err != nil {
		e.Fatal(err)
	}
	m.begin()
	for i := 2; i <= n; i++ {
		r.UID, r.Recno = uint32(i), uint32(i)
		m.hdr.NumRecords++
		m.hdr.LastUID++
		m.count(&r, nil, 1)
		m.changes.added = append(m.changes.added, addition{rec: r})
	}
	if err := m.Commit(ctx); err != nil {
		e.Fatal(err)
	}
}

// BenchmarkRead100k reads all records of a large mailbox in batches, each
// under its own locks.
func BenchmarkRead100k(b *testing.B) {
	e, _ := benchEnv(b)
	const n, batch = 100_000, 2000
	manyRecords(e, n)
	buf := make([]Record, 0, batch)
	b.ReportAllocs()
	for b.Loop() {
		for first := uint32(1); first <= n; first += batch {
			m := e.open(inbox, Read)
			rs, err := m.Records(buf, first, batch)
			m.Close()
			if err != nil || len(rs) != batch {
				b.Fatal(len(rs), err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

// BenchmarkCache10k reads cache records one after the other.
func BenchmarkCache10k(b *testing.B) {
	e, _ := benchEnv(b)
	const n = 10_000
	manyRecords(e, n)
	var buf CacheBuffer
	defer buf.Free()
	b.ReportAllocs()
	for b.Loop() {
		m := e.open(inbox, Read)
		err := m.Each(1, func(r *Record) bool {
			_, err := m.Cache(r, &buf)
			return err == nil
		})
		m.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind looks for UIDs here and there in a large mailbox.
func BenchmarkFind(b *testing.B) {
	e, _ := benchEnv(b)
	const n = 100_000
	manyRecords(e, n)
	uid := uint32(1)
	for b.Loop() {
		m := e.open(inbox, Read)
		if _, ok, err := m.FindUID(uid, 0); !ok || err != nil {
			b.Fatal(uid, err)
		}
		m.Close()
		uid = uid*7919%n + 1
	}
}

// BenchmarkStore10k changes a flag of 10,000 messages with one commit.
func BenchmarkStore10k(b *testing.B) {
	e, _ := benchEnv(b)
	const n = 10_000
	manyRecords(e, n)
	b.ReportAllocs()
	for b.Loop() {
		m := e.open(inbox, Write)
		for recno := uint32(1); recno <= n; recno++ {
			r, err := m.Record(recno)
			if err != nil {
				b.Fatal(err)
			}
			r.Flags ^= Seen
			if err := m.Rewrite(&r); err != nil {
				b.Fatal(err)
			}
		}
		if err := m.Commit(ctx); err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

package twoskip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// Repack writes the file anew without garbage, as Cyrus's checkpoint does.
func (d *DB) Repack(ctx context.Context) error {
	s, err := d.lockForWriting(ctx)
	if err != nil {
		return err
	}
	defer s.unlock()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return d.repack(s.h)
}

func (d *DB) repack(h *handle) error {
	v := &view{h: h, end: h.header.size}
	if err := v.consistent(); err != nil {
		return err
	}
	start := time.Now()
	if err := d.writeNew(h, v.each); err != nil {
		return err
	}
	var size int64
	if fi, err := d.fs.Stat(d.path); err == nil {
		size = fi.Size()
	}
	d.log.Info(fmt.Sprintf("twoskip: checkpointed %s (%s, %d => %d bytes) in %.3f seconds",
		h.path, several(h.header.records, "record"), h.header.size, size, time.Since(start).Seconds()))
	return nil
}

// several is a number of things as Cyrus's log lines have it.
func several(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// each calls fn for all records in order.
func (v *view) each(fn kv.ScanFunc) error {
	var r record
	err := v.head(dummyStart, &r)
	for err == nil {
		if err = v.live(r.pointer(0, v.end), &r); err != nil || r.offset == 0 {
			return err
		}
		var key, value []byte
		if key, value, err = v.tail(&r); err == nil {
			_, err = fn(key, value)
		}
	}
	return err
}

// layout is where the records of a new file go.
type layout struct {
	levels   []uint8
	starts   []uint64
	pointers []uint64 // of the dummy, then of each record: level many
	end      uint64
}

// add places a record.
func (l *layout) add(level int, keyLen, valueLen int) {
	r := record{level: level, keyLen: uint64(keyLen), valueLen: uint64(valueLen)}
	r.headLen = r.encodedHead()
	r.offset = l.end + 8*uint64(fillers(l.end, r.headLen))
	l.levels = append(l.levels, uint8(level))
	l.starts = append(l.starts, r.offset)
	l.end = r.end()
}

// connect fills in the pointers, from the end to the beginning.
func (l *layout) connect() {
	total := maxLevel
	for _, level := range l.levels {
		total += int(level)
	}
	l.pointers = make([]uint64, total)
	var next [maxLevel]uint64
	at := total
	for i := len(l.levels) - 1; i >= 0; i-- {
		level := int(l.levels[i])
		at -= level
		copy(l.pointers[at:], next[:level])
		for j := range level {
			next[j] = l.starts[i]
		}
	}
	copy(l.pointers, next[:])
}

// Write writes a database with the records that each gives, which it asks
// for twice, in the order of their octets, and renames it to path. A power
// cut leaves what was there before or the new file; when Write has returned
// nil, the new one.
func Write(fsys disk.FS, path string, each func(kv.ScanFunc) error) error {
	return write(fsys, path, 1, each)
}

// writeNew replaces the file of h.
func (d *DB) writeNew(h *handle, each func(kv.ScanFunc) error) error {
	return write(d.fs, d.path, h.header.generation+1, each)
}

func write(fsys disk.FS, path string, generation uint64, each func(kv.ScanFunc) error) error {
	l := layout{end: emptySize}
	err := each(func(key, value []byte) (bool, error) {
		l.add(randomLevel(), len(key), len(value))
		return true, nil
	})
	if err != nil {
		return err
	}
	l.connect()
	tmp := path + disk.NewSuffix
	f, err := fsys.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return disk.Error("twoskip.repack", tmp, err)
	}
	err = l.write(f, generation, each)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		fsys.Remove(tmp)
		return disk.Error("twoskip.repack", tmp, err)
	}
	return disk.Error("twoskip.repack", path, syncParent(fsys, path))
}

// errChanged means that the second pass gave other records than the first.
var errChanged = errors.New("records have changed while they were copied")

// write writes header, records and the commit.
func (l *layout) write(f disk.File, generation uint64, each func(kv.ScanFunc) error) error {
	w := bufio.NewWriterSize(f, 256<<10)
	commit := record{typ: typeCommit}
	commit.next[0] = emptySize
	tail := appendRecord(nil, l.end, &commit, nil, nil)
	now := header{generation: generation, records: uint64(len(l.levels)), repackSize: l.end, size: l.end + uint64(len(tail))}
	w.Write(now.encode())
	dummy := record{typ: typeDummy, level: maxLevel}
	copy(dummy.next[1:], l.pointers[:maxLevel])
	at := uint64(dummyStart)
	buf := appendRecord(nil, at, &dummy, nil, nil)
	i, pointers := 0, l.pointers[maxLevel:]
	err := each(func(key, value []byte) (bool, error) {
		w.Write(buf)
		at += uint64(len(buf))
		if i == len(l.levels) {
			return false, errChanged
		}
		r := record{typ: typeRecord, level: int(l.levels[i])}
		copy(r.next[1:], pointers[:r.level])
		pointers = pointers[r.level:]
		if buf = appendRecord(buf[:0], at, &r, key, value); r.offset != l.starts[i] {
			return false, errChanged
		}
		i++
		return true, nil
	})
	if err == nil && i != len(l.levels) {
		err = errChanged
	}
	if err != nil {
		return err
	}
	w.Write(buf)
	w.Write(tail)
	return w.Flush()
}

package mailbox

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
)

// spool holds the messages of a large copy between their source and their
// destination, which are not locked at the same time: in a file of the stage
// directory that has no name any more, so that it goes with the process. It
// takes some 200 octets of disk for each message besides its cache record.
type spool struct {
	file disk.File
	w    *bufio.Writer
	r    *bufio.Reader
	n    int // messages in it
	err  error
}

// newSpool makes an empty spool on a partition.
func (s *Store) newSpool(partition string) (*spool, error) {
	dir, err := s.o.Layout.StageDir(partition)
	if err != nil {
		return nil, err
	}
	path, f, err := s.createStage(dir)
	if err != nil {
		return nil, disk.Error("mailbox.Copy", dir, err)
	}
	if err := s.o.FS.Remove(path); err != nil {
		f.Close()
		return nil, disk.Error("mailbox.Copy", path, err)
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, windowSize)}, nil
}

func (p *spool) close() { p.file.Close() }

// add puts a message into the spool. An error is told by rewind.
func (p *spool) add(it *item, original *Record) {
	l := &layouts[Version]
	b := make([]byte, 4, 512)
	binary.BigEndian.PutUint32(b, original.Recno)
	b = append(b, make([]byte, l.record)...)
	l.encode(b[4:], &it.rec)
	b = appendText(b, it.source, it.messageID)
	b = appendText(b, string(it.cache))
	b = binary.AppendUvarint(b, uint64(len(it.keywords)))
	b = appendText(b, it.keywords...)
	b = binary.AppendUvarint(b, uint64(len(it.annots)))
	for i := range it.annots {
		a := &it.annots[i]
		b = appendText(b, a.Entry, a.User, string(a.Value))
	}
	if _, err := p.w.Write(b); err != nil && p.err == nil {
		p.err = err
	}
	p.n++
}

// appendText prints texts with their lengths.
func appendText(b []byte, texts ...string) []byte {
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

// rewind ends writing, or reads from the start again. It returns the error of
// writing, if there was one.
func (p *spool) rewind() error {
	if p.err == nil && p.w.Buffered() > 0 {
		p.err = p.w.Flush()
	}
	p.r = bufio.NewReaderSize(io.NewSectionReader(p.file, 0, 1<<62), windowSize)
	return disk.Error("mailbox.Copy", p.file.Name(), p.err)
}

// next returns up to n messages, and their originals: of these Recno, UID and
// GUID are right. None are left if it returns none.
func (p *spool) next(n int) (items []item, originals []Record, err error) {
	for range n {
		var it item
		recno, err := p.one(&it)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, disk.Error("mailbox.Copy", p.file.Name(), err)
		}
		items = append(items, it)
		originals = append(originals, Record{Recno: recno, UID: it.rec.UID, GUID: it.rec.GUID})
	}
	return items, originals, nil
}

// errSpool means that a spool does not hold what was written.
var errSpool = errors.New("damaged spool")

// one reads the next message. At the end of the spool the error is io.EOF.
func (p *spool) one(it *item) (recno uint32, err error) {
	l := &layouts[Version]
	b := make([]byte, 4+l.record)
	if _, err := io.ReadFull(p.r, b); err != nil {
		return 0, err
	}
	if !l.decode(&it.rec, b[4:]) {
		return 0, errSpool
	}
	r := textReader{r: p.r}
	it.source, it.messageID = string(r.text()), string(r.text())
	it.cache = r.text()
	for range r.number() {
		it.keywords = append(it.keywords, string(r.text()))
	}
	for range r.number() {
		a := Annotation{Key: annot.Key{Entry: string(r.text()), User: string(r.text())}}
		a.Value = r.text()
		it.annots = append(it.annots, a)
	}
	if r.err != nil {
		r.err = errSpool
	}
	return binary.BigEndian.Uint32(b), r.err
}

// textReader reads what appendText has printed. After an error everything is
// empty.
type textReader struct {
	r   *bufio.Reader
	err error
}

func (r *textReader) number() int {
	if r.err != nil {
		return 0
	}
	var n uint64
	if n, r.err = binary.ReadUvarint(r.r); n > maxCacheRecord {
		r.err = errSpool
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *textReader) text() []byte {
	b := make([]byte, r.number())
	if r.err == nil {
		_, r.err = io.ReadFull(r.r, b)
	}
	return b
}

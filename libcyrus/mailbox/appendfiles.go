package mailbox

import (
	"context"
	"errors"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/message"
)

// MessageFile is a message to be appended from a file that nobody changes.
type MessageFile struct {
	Path         string
	Flags        Flags
	Keywords     []string
	InternalDate Stamp
	GUID         GUID // what the file must hold, unless it is zero
	Annotations  []Annotation
}

// AppendFiles appends messages from files, which are linked where that is
// possible: all or none, as Append. A file whose contents are not those of
// its GUID is an error of kind errs.BadFormat.
func (s *Store) AppendFiles(ctx context.Context, ref Ref, files []MessageFile, o AppendOptions) ([]Appended, error) {
	items := make([]item, len(files))
	for i := range files {
		var err error
		if items[i], err = s.fileItem(&files[i]); err != nil {
			return nil, err
		}
	}
	return s.append(ctx, ref, items, o)
}

// fileItem reads a message's file.
func (s *Store) fileItem(f *MessageFile) (item, error) {
	in, err := s.o.FS.Open(f.Path)
	if err != nil {
		return item{}, disk.Error("mailbox.AppendFiles", f.Path, err)
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return item{}, disk.Error("mailbox.AppendFiles", f.Path, err)
	}
	msg, err := message.ParseReader(in, fi.Size(), s.o.Message)
	if err != nil {
		return item{}, disk.Error("mailbox.AppendFiles", f.Path, err)
	}
	if !f.GUID.IsZero() && GUID(msg.GUID) != f.GUID {
		return item{}, errs.New(errs.BadFormat, "mailbox.AppendFiles", f.Path, errors.New("the file is not the message that the index knows"))
	}
	cache := msg.CacheRecord()
	it := item{
		source: f.Path, cache: cache, keywords: f.Keywords, annots: append([]Annotation(nil), f.Annotations...), messageID: msg.MessageID(),
		rec: Record{Flags: f.Flags & SystemMask, CacheVersion: message.CacheVersion, CacheCRC: checksum(cache)},
	}
	fillRecord(&it.rec, msg, f.InternalDate.Time())
	return it, nil
}

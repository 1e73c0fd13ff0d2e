package metadata

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
)

// messagePath is the file of an entry that is one: motd or shutdown.
func (s *Store) messagePath(d *annot.Definition) string {
	return s.site.Layout.ConfigDir + "/msg/" + path.Base(d.Name)
}

// firstLine reads a file up to the end of its first line; nil if that is
// empty.
func firstLine(fsys disk.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, _, err := bufio.NewReaderSize(f, maxLine).ReadLine()
	if len(line) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(line), nil
}

// maxLine bounds the first line of such a file.
const maxLine = 64 << 10

// writeMessage writes such a file, for everybody to read.
func (s *Store) writeMessage(name string, text []byte) error {
	if err := disk.MkdirSync(s.site.FS, path.Dir(name), 0o755); err != nil {
		return ioError(name, err)
	}
	return ioError(name, disk.ReplaceSync(s.site.FS, name, text, 0o666))
}

func ioError(name string, err error) error { return disk.Error("metadata", name, err) }

// freespace is what is free on the partitions, in KiB.
//
// Source: annotation_get_freespace in Cyrus imap/annotate.c,
// partlist_local_find_freespace_most in imap/partlist.c.
func (s *Store) freespace(p annot.Place) []byte {
	var free, total uint64
	var most space
	devices := map[uint64]bool{} // a file system with several partitions counts once
	for _, name := range slices.Sorted(maps.Keys(s.site.Layout.Partitions)) {
		sp, ok := spaceOf(s.site.Layout.Partitions[name])
		if !ok {
			continue
		}
		if !devices[sp.device] {
			devices[sp.device] = true
			free, total = free+sp.free, total+sp.total
		}
		if most.total == 0 || float64(sp.free)*float64(most.total) > float64(most.free)*float64(sp.total) {
			most = sp
		}
	}
	switch p {
	case annot.FreespaceTotal:
		return fmt.Appendf(nil, "%d;%d", free, total)
	case annot.FreespaceMost:
		return fmt.Appendf(nil, "%d;%d", most.free, most.total)
	}
	return fmt.Appendf(nil, "%d", free)
}

// space is the room of a file system, in KiB.
type space struct{ device, free, total uint64 }

// spaceOf asks a file system; false if it cannot be asked.
func spaceOf(dir string) (sp space, ok bool) {
	var st unix.Statfs_t
	var fi unix.Stat_t
	if unix.Statfs(dir, &st) != nil || unix.Stat(dir, &fi) != nil || st.Blocks == 0 {
		return sp, false
	}
	block := uint64(st.Bsize)
	return space{fi.Dev, st.Bavail * block / 1024, st.Blocks * block / 1024}, true
}

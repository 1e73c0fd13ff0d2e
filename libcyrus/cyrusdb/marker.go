package cyrusdb

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"gocyrus/libcyrus/disk"
)

// marker is what lies at the place of a database of Cyrus's when the
// records are in pebble. Cyrus's own programs stop on such a file, because
// it is none of theirs, and do not change it.
type marker struct {
	dir   string // of pebble
	site  string // as pebble has it
	epoch uint64 // as pebble has it
}

const markerHead = "gocyrus marker 1\n"

func (m marker) encode() []byte {
	return fmt.Appendf(nil, markerHead+`directory %s
site %s
epoch %d
# The records of this database are in the directory named above, where
# cyrusdbd keeps them. This file says so, and keeps programs of Cyrus IMAP
# from taking the database for empty. To give the data back to Cyrus IMAP
# run "cyrus handback"; do not remove this file.
`, m.dir, m.site, m.epoch)
}

// decode returns false if b is no marker.
func (m *marker) decode(b []byte) bool {
	rest, ok := strings.CutPrefix(string(b), markerHead)
	if !ok {
		return false
	}
	for line := range strings.Lines(rest) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var err error
		switch key {
		case "directory":
			m.dir = value
		case "site":
			m.site = value
		case "epoch":
			m.epoch, err = strconv.ParseUint(value, 10, 64)
		}
		if err != nil {
			return false
		}
	}
	return m.site != ""
}

// found is what lies at the place of a database.
type found uint8

const (
	nothing  found = iota
	isMarker       // of ours
	isCyrus        // a database of Cyrus's, or at least a file
)

// look says what lies at path.
func look(fsys disk.FS, path string) (found, marker, error) {
	var m marker
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, m, nil
	}
	if err != nil {
		return nothing, m, disk.Error("cyrusdb", path, err)
	}
	defer f.Close()
	b := make([]byte, 4096) // more than a marker has
	n, err := f.ReadAt(b, 0)
	if n == 0 && err != nil {
		if fi, serr := f.Stat(); serr == nil && fi.Size() == 0 {
			return nothing, m, nil // no database of Cyrus's is ever empty: its contents are lost
		}
		return nothing, m, disk.Error("cyrusdb", path, err)
	}
	if m.decode(b[:n]) {
		return isMarker, m, nil
	}
	return isCyrus, m, nil
}

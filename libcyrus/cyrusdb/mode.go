package cyrusdb

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
)

// A site is in one of two modes, never in a mixture.
//
// Own: the four databases are in pebble, which cyrusdbd owns. At the place
// of each of Cyrus's files lies a marker with the name and epoch that pebble
// has too. What may be found instead, and what it means:
//
//	nothing anywhere, empty spool  a new site: cyrusdbd makes the markers
//	nothing, but records or mail   the list is lost: every program stops
//	a database of Cyrus's          it is true: ctl_cyrusdb -r converts it
//	markers, but not this pebble   one of the two is from a backup: stop
//
// Shared: all four are files of Cyrus's types; markers make programs stop.

// ModeError says that configuration and databases do not go together, and
// what to do. The program prints it and exits with config.ExitCode.
type ModeError = config.Error

func modeError(format string, args ...any) error {
	return &ModeError{Text: fmt.Sprintf(format, args...)}
}

// siteFile is one of the four databases.
type siteFile struct {
	name dbd.Name
	kind string // as configured
	path string // Cyrus's file
	// classic is the kind of file that Cyrus has by default.
	classic string
}

// siteFiles lists the four, the mailbox list last: it decides.
func siteFiles(c *config.Config) []siteFile {
	at := func(option config.Option[string], name string) string {
		if p := option.In(c); p != "" {
			return p
		}
		return filepath.Join(config.Configdirectory.In(c), name)
	}
	return []siteFile{
		{dbd.Annotations, config.AnnotationDb.In(c), at(config.AnnotationDbPath, "annotations.db"), "twoskip"},
		{dbd.Duplicates, config.DuplicateDb.In(c), at(config.DuplicateDbPath, "deliver.db"), "twoskip"},
		{dbd.UserDeny, config.UserdenyDb.In(c), at(config.UserdenyDbPath, "user_deny.db"), "flat"},
		{dbd.Mailboxes, config.MboxlistDb.In(c), at(config.MboxlistDbPath, "mailboxes.db"), "twoskip"},
	}
}

// OwnMode reports whether a site is configured for own mode. A mixture is a
// *ModeError.
func OwnMode(c *config.Config) (bool, error) {
	n := 0
	files := siteFiles(c)
	for _, f := range files {
		if f.kind == "pebble" {
			n++
		}
	}
	if n != 0 && n != len(files) {
		return false, modeError("mboxlist_db, annotation_db, duplicate_db and userdeny_db must all be pebble (the default), or none of them")
	}
	return n != 0, nil
}

// layout is what was found at the four places.
type layout struct {
	files   []siteFile
	found   []found
	markers []marker
}

// mailboxes is what was found for the mailbox list.
func (l *layout) mailboxes() found { return l.found[len(l.found)-1] }

// first returns the path of the first place where f was found, or "".
func (l *layout) first(f found) string {
	for i, is := range l.found {
		if is == f {
			return l.files[i].path
		}
	}
	return ""
}

// survey looks at the four places.
func survey(c *config.Config, fsys disk.FS) (*layout, error) {
	l := &layout{files: siteFiles(c)}
	for _, f := range l.files {
		is, m, err := look(fsys, f.path)
		if err != nil {
			return nil, err
		}
		l.found = append(l.found, is)
		l.markers = append(l.markers, m)
	}
	return l, nil
}

// CheckOwn checks what can be known of a site in own mode without opening
// pebble. The error is a *ModeError unless the disk failed.
func CheckOwn(c *config.Config, fsys disk.FS) error {
	_, err := checkOwn(c, fsys)
	return err
}

func checkOwn(c *config.Config, fsys disk.FS) (*layout, error) {
	own, err := OwnMode(c)
	if err != nil {
		return nil, err
	}
	if !own {
		return nil, modeError("the databases are files of Cyrus's types (mboxlist_db: %s): there is nothing for cyrusdbd to serve", config.MboxlistDb.In(c))
	}
	l, err := survey(c, fsys)
	if err != nil {
		return nil, err
	}
	dir := dbwire.PathsOf(config.Configdirectory.In(c)).Data
	if path := l.first(isMarker); path != "" {
		list, err := fsys.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, disk.Error("cyrusdb", dir, err)
		}
		if len(list) == 0 {
			return nil, modeError("%s says that the databases are in %s, but nothing is there: put it back from a backup, or make the mailbox list anew with reconstruct -m, which loses annotations of mailboxes", path, dir)
		}
	}
	if l.mailboxes() == nothing {
		return l, checkSpool(c, fsys, l.files[len(l.files)-1].path)
	}
	return l, nil
}

// checkSpool is called when there is no mailbox list at path.
func checkSpool(c *config.Config, fsys disk.FS, path string) error {
	for _, p := range c.OverflowPrefix("partition-") {
		file, err := anyFile(fsys, p.Value)
		if err != nil {
			return err
		}
		if file != "" {
			return modeError("there is no mailbox list (%s), but mail (%s): put the list back from a backup, import one with ctl_mboxlist -u, or make it anew from the mail with reconstruct -m", path, file)
		}
	}
	return nil
}

// anyFile returns some file below dir that is not about to be delivered, or "".
func anyFile(fsys disk.FS, dir string) (string, error) {
	list, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", disk.Error("cyrusdb", dir, err)
	}
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Name() == "stage.", e.Name() == "lost+found", strings.HasPrefix(e.Name(), ".nfs"):
		case e.Type().IsRegular():
			return path, nil
		case e.IsDir():
			if file, err := anyFile(fsys, path); file != "" || err != nil {
				return file, err
			}
		}
	}
	return "", nil
}

// Data is what pebble says of itself.
type Data struct {
	Site     string
	Epoch    uint64
	Empty    bool // there are no records
	SetEpoch func(uint64) error
}

// Agree is called by cyrusdbd before it serves: it compares its data with
// the markers, and makes those that a new site has not got yet. The epoch
// is stored before any marker has it.
func Agree(c *config.Config, fsys disk.FS, data Data) error {
	l, err := checkOwn(c, fsys)
	if err != nil {
		return err
	}
	if err := l.compare(data.Site, data.Epoch); err != nil {
		return err
	}
	dir := dbwire.PathsOf(config.Configdirectory.In(c)).Data
	switch path := l.files[len(l.files)-1].path; {
	case l.mailboxes() == isCyrus:
		return nil // to be converted
	case l.mailboxes() == nothing && !data.Empty:
		return modeError("%s is missing, but there are records in %s: put the marker back from a backup, run reconstruct -m to make it anew, or move that directory away if they are not wanted", path, dir)
	}
	if data.Epoch == 0 {
		if err := data.SetEpoch(1); err != nil {
			return err
		}
		data.Epoch = 1
	}
	m := marker{dir, data.Site, data.Epoch}
	for i, f := range l.files {
		if l.found[i] != nothing {
			continue
		}
		if err := m.write(fsys, f.path); err != nil {
			return err
		}
	}
	return nil
}

func (m marker) write(fsys disk.FS, path string) error {
	if err := disk.MkdirSync(fsys, filepath.Dir(path), 0o755); err != nil {
		return disk.Error("cyrusdb.marker", path, err)
	}
	return disk.Error("cyrusdb.marker", path, disk.ReplaceSync(fsys, path, m.encode(), 0o600))
}

// compare checks that all markers are those of these data.
func (l *layout) compare(site string, epoch uint64) error {
	for i, is := range l.found {
		if m := l.markers[i]; is == isMarker && (m.site != site || m.epoch != epoch) {
			return modeError("%s belongs to databases with the name %s and epoch %d, but those in place have %s and %d: one of the two is from a backup; if neither can be put right, reconstruct -m makes the mailbox list anew", l.files[i].path, m.site, m.epoch, site, epoch)
		}
	}
	return nil
}

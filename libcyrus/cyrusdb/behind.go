package cyrusdb

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// OpenBehind is Open for tools that are given a path by hand: where a marker
// lies it opens the database in pebble for which the marker stands, whatever
// kind says, else the file. The path of quotalegacy may end in "/quota". A marker of
// another site is a *ModeError.
func OpenBehind(c *config.Config, fsys disk.FS, locks *lock.Table, log *slog.Logger, kind, path string, flags Flags) (DB, error) {
	if kind == "quotalegacy" {
		return quotalegacy.Open(fsys, locks, quotalegacy.Layout{
			Base:     strings.TrimSuffix(filepath.Clean(path), "/quota"),
			FullHash: config.Fulldirhash.In(c),
			Domains:  config.Virtdomains.In(c) != "off",
		}), nil
	}
	what, _, err := look(fsys, path)
	switch {
	case err != nil:
		return nil, err
	case what != isMarker && kind == "pebble":
		return nil, errs.New(errs.BadFormat, "cyrusdb.OpenBehind", path, errors.New("no marker there"))
	case what != isMarker:
		return Open(fsys, locks, kind, path, flags)
	}
	own, err := OwnMode(c)
	if err != nil {
		return nil, err
	}
	for i, f := range siteFiles(c) {
		if !own || !samePath(f.path, path) {
			continue
		}
		dbs, err := OpenSite(c, fsys, locks, log)
		if err != nil {
			return nil, err
		}
		return &behind{[]DB{dbs.Annotations, dbs.Duplicates, dbs.UserDeny, dbs.Mailboxes}[i], dbs}, nil
	}
	return nil, modeError("%s stands for a database of another site, or of this one with another configuration", path)
}

func samePath(a, b string) bool {
	x, xerr := filepath.Abs(a)
	y, yerr := filepath.Abs(b)
	return errors.Join(xerr, yerr) == nil && x == y
}

// behind is a database of a site that closes the site's others with it.
type behind struct {
	DB
	dbs *SiteDBs
}

func (b *behind) Close() error { return b.dbs.Close() }

package cyrusdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// origSuffix is appended to the name of a converted file of Cyrus's.
const origSuffix = ".ORIG"

// maxBatch is about how many octets go into one transaction.
const maxBatch = 1 << 20

// Convert takes the databases of Cyrus's that lie where a site in own mode
// has markers into pebble, and puts markers in their place; the files are
// kept beside them. What pebble had before is copied aside. Keys and values
// stay as they are. No program of Cyrus's may be running. It returns the
// paths of what was converted, none if nothing is to be done.
//
// If it is interrupted it can be called again: a file stays true until its
// marker takes its place, the mailbox list last.
func Convert(ctx context.Context, c *config.Config, fsys disk.FS, locks *lock.Table, log *slog.Logger) ([]string, error) {
	l, err := checkOwn(c, fsys)
	if err != nil || l.first(isCyrus) == "" {
		return nil, err
	}
	client := Connect(c, log)
	defer client.Close()
	hello, err := client.Hello(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.compare(hello.Site, hello.Epoch); err != nil {
		return nil, err
	}
	if err := setAside(ctx, c, client, l); err != nil {
		return nil, err
	}
	var done []string
	for i, f := range l.files {
		if l.found[i] != isCyrus {
			continue
		}
		n, err := load(ctx, fsys, locks, f, client.DB(f.name))
		if err != nil {
			return done, fmt.Errorf("%s: %w", f.path, err)
		}
		log.Info("converted", "file", f.path, "records", n)
		done = append(done, f.path)
	}
	m := marker{dbwire.PathsOf(config.Configdirectory.In(c)).Data, hello.Site, hello.Epoch}
	if l.first(isMarker) == "" {
		m.epoch++
		if err := client.SetEpoch(ctx, m.epoch); err != nil {
			return done, err
		}
	}
	for i, f := range l.files {
		if l.found[i] == isMarker {
			continue
		}
		if l.found[i] == isCyrus {
			if err := keep(fsys, f.path, origSuffix); err != nil {
				return done, err
			}
		}
		if err := m.write(fsys, f.path); err != nil {
			return done, err
		}
	}
	return done, nil
}

// setAside copies pebble if there are records in it that will be replaced.
func setAside(ctx context.Context, c *config.Config, client *dbd.Client, l *layout) error {
	stale := false
	for i, f := range l.files {
		if l.found[i] != isCyrus {
			continue
		}
		err := client.DB(f.name).Scan(ctx, nil, func(_, _ []byte) (bool, error) {
			stale = true
			return false, nil
		})
		if err != nil {
			return err
		}
	}
	if !stale {
		return nil
	}
	dir := dbwire.PathsOf(config.Configdirectory.In(c)).Data
	return client.Checkpoint(ctx, fmt.Sprintf("%s.OLD.%d", dir, time.Now().UnixNano()))
}

// load replaces all records of db by those of a file, reads them again, and
// compares.
func load(ctx context.Context, fsys disk.FS, locks *lock.Table, f siteFile, db *dbd.DB) (int, error) {
	from, _, err := OpenAny(fsys, locks, f.path)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	if err := db.Clear(ctx); err != nil {
		return 0, err
	}
	want, err := copyAll(ctx, from, db)
	if err != nil {
		return 0, err
	}
	var have digest
	err = db.Scan(ctx, nil, func(key, value []byte) (bool, error) {
		have.add(key, value)
		return true, nil
	})
	if err == nil && have != want {
		err = fmt.Errorf("%d records were copied and %d are there, or they have changed", want.count, have.count)
	}
	return want.count, err
}

// digest is what a set of records comes to, in whatever order they come.
type digest struct {
	count int
	sum   [2]uint64 // of the beginnings of the hashes of all records
}

func (d *digest) add(key, value []byte) {
	b := make([]byte, 0, 256)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(key))), key...)
	h := sha256.Sum256(append(b, value...))
	d.count++
	d.sum[0] += binary.BigEndian.Uint64(h[:])
	d.sum[1] += binary.BigEndian.Uint64(h[8:])
}

// copyAll copies all records, and returns what they come to.
func copyAll(ctx context.Context, from, to DB) (digest, error) {
	var tx Tx
	var d digest
	size := 0
	err := from.Scan(ctx, nil, func(key, value []byte) (bool, error) {
		tx.Put(bytes.Clone(key), bytes.Clone(value))
		d.add(key, value)
		if size += len(key) + len(value); size < maxBatch {
			return true, nil
		}
		err := to.Commit(ctx, tx)
		tx, size = Tx{}, 0
		return true, err
	})
	if err == nil && len(tx.Set) > 0 {
		err = to.Commit(ctx, tx)
	}
	return d, err
}

// keep gives a file a second name, which no file has yet.
func keep(fsys disk.FS, path, suffix string) error {
	for i := 0; ; i++ {
		name := path + suffix
		if i > 0 {
			name = fmt.Sprintf("%s.%d", name, i)
		}
		err := fsys.Link(path, name)
		if errors.Is(err, fs.ErrExist) {
			same, serr := sameFile(fsys, path, name)
			if serr == nil && same {
				return nil // from an attempt that was interrupted
			}
			continue
		}
		return disk.Error("cyrusdb.Convert", name, err)
	}
}

func sameFile(fsys disk.FS, a, b string) (bool, error) {
	x, err := fsys.Stat(a)
	if err != nil {
		return false, err
	}
	y, err := fsys.Stat(b)
	return err == nil && disk.Inode(x) == disk.Inode(y), err
}

// Handback writes Cyrus's files from pebble and puts them in place of the
// markers, the mailbox list last. Then only a configuration for shared mode,
// or Cyrus itself, can use them. No other program of ours may be running.
// If it is interrupted it can be called again.
func Handback(ctx context.Context, c *config.Config, fsys disk.FS, log *slog.Logger) error {
	l, err := checkOwn(c, fsys)
	if err != nil {
		return err
	}
	client := Connect(c, log)
	defer client.Close()
	hello, err := client.Hello(ctx)
	if err != nil {
		return err
	}
	if err := l.compare(hello.Site, hello.Epoch); err != nil {
		return err
	}
	for i, f := range l.files {
		if l.found[i] != isMarker {
			continue
		}
		if err := writeClassic(ctx, fsys, f, client.DB(f.name)); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		log.Info("handed back", "file", f.path)
	}
	return nil
}

// writeClassic writes one file and renames it over the marker.
func writeClassic(ctx context.Context, fsys disk.FS, f siteFile, db DB) error {
	return WriteFile(ctx, fsys, f.classic, f.path, func(fn ScanFunc) error { return db.Scan(ctx, nil, fn) })
}

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/site"
)

// Open is a snapshot that is open for reading. Nothing in it is changed.
type Open struct {
	Snapshot
	Head *Head
	Site *site.Site

	tmp     string
	release func()
}

// Open opens a snapshot, which is not pruned until Close. tmp is a directory
// in which an own one for locks can be made.
func (d *Dir) Open(ctx context.Context, s Snapshot, tmp string, log *slog.Logger) (*Open, error) {
	release, err := d.Hold(ctx, s)
	if err != nil {
		return nil, err
	}
	o := &Open{Snapshot: s, release: release}
	if err = o.open(d.fs, tmp, log); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (o *Open) open(fsys disk.FS, tmp string, log *slog.Logger) (err error) {
	if o.Head, _, err = ReadManifest(fsys, o.Path, nil, nil); err != nil {
		return err
	}
	if o.tmp, err = os.MkdirTemp(tmp, "snapshot-"); err != nil {
		return err
	}
	c, err := config.Parse(o.Path, o.config(), "restore")
	if err != nil {
		return fmt.Errorf("%s: %w", o.Path, err)
	}
	o.Site, err = site.OpenCopy(disk.ReadOnly(fsys, o.tmp), c, log)
	return err
}

// config is the imapd.conf of the snapshot as a site in shared mode.
func (o *Open) config() string {
	var b strings.Builder
	set := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	set("configdirectory", filepath.Join(o.Path, "conf"))
	set("sievedir", filepath.Join(o.Path, "sieve"))
	set("mboxname_lockpath", filepath.Join(o.tmp, "lock"))
	for _, p := range o.Head.Partitions {
		set("partition-"+p, filepath.Join(o.Path, "spool", p))
	}
	for _, p := range o.Head.Archives {
		set("archivepartition-"+p, filepath.Join(o.Path, "archive", p))
	}
	for _, kind := range []string{"mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat"} {
		fmt.Fprintln(&b, kind)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Head.Options)) {
		if slices.ContainsFunc(kept, func(r *config.Row) bool { return r.Name == name }) {
			set(name, strings.ReplaceAll(o.Head.Options[name], "\n", " "))
		}
	}
	return b.String()
}

// Close closes the snapshot.
func (o *Open) Close() error {
	var err error
	if o.Site != nil {
		err = o.Site.Close()
	}
	if o.tmp != "" {
		err = errors.Join(err, os.RemoveAll(o.tmp))
	}
	o.release()
	return err
}

package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
)

// trees copies what is not in a mailbox and not in the four databases: the
// files of users and of quota roots, compiled scripts, and, to read, the
// configuration. Each file is as it was at one moment.
func (t *taking) trees(ctx context.Context) error {
	l := t.site.Layout
	conf := l.ConfigDir
	for _, x := range [][2]string{
		{conf + "/user", "conf/user"}, {conf + "/domain", "conf/domain"}, {l.QuotaRootDir(), "conf/quota"},
		{filepath.Join(filepath.Dir(filepath.Clean(l.QuotaRootDir())), "domain"), "conf/domain"},
		{conf + "/msg", "conf/msg"}, {l.SieveDir, "sieve"},
	} {
		if err := t.tree(ctx, x[0], x[1]); err != nil {
			return err
		}
	}
	entries, err := t.dir.fs.ReadDir(conf)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && (strings.HasPrefix(e.Name(), "shared.") || e.Name() == "accounts") {
			if err := t.file(ctx, filepath.Join(conf, e.Name()), "conf/"+e.Name()); err != nil {
				return err
			}
		}
	}
	return t.configuration(ctx)
}

// passing are the ends of names of files that are there for a moment only.
var passing = []string{disk.NewSuffix, ".lock", "-journal", "-wal", "-shm"}

// tree copies a directory with all below it. One that is not there is empty.
// What another name of it has copied already is left out.
func (t *taking) tree(ctx context.Context, path, rel string) error {
	entries, err := t.dir.fs.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := filepath.Join(path, e.Name()), rel+"/"+e.Name()
		if slices.ContainsFunc(passing, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			continue
		}
		switch {
		case e.IsDir():
			err = t.tree(ctx, from, to)
		case e.Type()&fs.ModeSymlink != 0:
			err = t.symlink(from, to)
		case e.Type().IsRegular():
			err = t.file(ctx, from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file copies one file, once.
func (t *taking) file(ctx context.Context, path, rel string) error {
	if t.files[rel] {
		return nil
	}
	t.files[rel] = true
	err := t.locked(ctx, path, rel, nil)
	if errors.Is(err, os.ErrPermission) {
		t.warn(err)
		return nil
	}
	return err
}

// symlink copies a symbolic link, such as the defaultbc of a user's scripts.
func (t *taking) symlink(path, rel string) error {
	target, err := t.dir.fs.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) || t.files[rel] {
		return nil
	}
	if err != nil {
		return err
	}
	t.files[rel] = true
	if err := t.copier.parent(rel); err != nil {
		return err
	}
	if err := t.dir.fs.Symlink(target, filepath.Join(t.copier.root, rel)); err != nil {
		return err
	}
	return t.out.line(&File{Path: rel, Link: target})
}

// configuration copies imapd.conf with what it includes, and cyrus.conf.
// Some of it the Cyrus user may not be able to read.
func (t *taking) configuration(ctx context.Context) error {
	c := t.site.Config
	files := []string{c.Path()}
	for i := 0; i < len(files); i++ {
		b, err := disk.ReadFile(t.dir.fs, files[i])
		if err != nil {
			continue // it is copied below, where the error counts
		}
		for line := range strings.Lines(string(b)) {
			if inc, ok := strings.CutPrefix(strings.TrimSpace(line), "@include:"); ok {
				if inc = strings.TrimSpace(inc); !slices.Contains(files, inc) {
					files = append(files, inc)
				}
			}
		}
	}
	beside := filepath.Join(filepath.Dir(c.Path()), filepath.Base(config.DefaultCyrusConf()))
	for _, f := range append(files, beside) {
		if err := t.file(ctx, f, "etc/"+filepath.Base(f)); err != nil {
			return err
		}
	}
	return nil
}

// described puts a file that is in the snapshot already into the manifest.
func (t *taking) described(rel string) error {
	f, err := t.dir.fs.Open(filepath.Join(t.copier.root, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, sum, err := digest(f)
	if err != nil {
		return err
	}
	return t.out.line(&File{Path: rel, Size: size, SHA1: sum})
}

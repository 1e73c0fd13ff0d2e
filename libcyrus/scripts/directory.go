package scripts

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// defaultLink names the byte code of the active script.
const defaultLink = "defaultbc"

// settle removes the messages that later ones have replaced, and makes byte
// code and link what the messages say; the link only if nobody else has set
// it.
func (u *User) settle(ctx context.Context) error {
	all, err := u.read(ctx)
	if err != nil {
		return err
	}
	var stale []uint32
	foreign := u.foreign(all)
	for i := range all {
		x := &all[i]
		stale = append(stale, x.stale...)
		if err := u.compile(x); err != nil {
			return err
		}
		if x.Active && !foreign {
			if err := u.link(x.Name + ".bc"); err != nil {
				return err
			}
		}
	}
	if stale == nil {
		return nil
	}
	return u.expunge(ctx, stale)
}

// compile writes the byte code of a script, unless it is there. A text that
// today's rules refuse keeps the byte code that it has.
func (u *User) compile(x *Script) error {
	code, err := u.Check(x.Text)
	if err != nil {
		return nil
	}
	name := path.Join(u.dir, x.Name+".bc")
	old, err := disk.ReadFile(u.site.FS, name)
	if err == nil && bytes.Equal(old, code.Code()) {
		return nil
	}
	return fault(name, disk.ReplaceSync(u.site.FS, name, code.Code(), 0o600))
}

// link makes a script's byte code the active one, in one step.
func (u *User) link(target string) error { return link(u.site.FS, u.dir, target) }

func link(fsys disk.FS, dir, target string) error {
	name := path.Join(dir, defaultLink)
	if now, err := fsys.Readlink(name); err == nil && now == target {
		return nil
	}
	fresh := name + disk.NewSuffix
	if err := fsys.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault(fresh, err)
	}
	if err := fsys.Symlink(target, fresh); err != nil {
		return fault(fresh, err)
	}
	if err := fsys.Rename(fresh, name); err != nil {
		return fault(name, err)
	}
	return fault(dir, fsys.SyncDir(dir))
}

// unlink makes no script the active one.
func (u *User) unlink() error { return u.removeFile(defaultLink) }

// remove removes the byte code of a script.
func (u *User) remove(name string) error { return u.removeFile(name + ".bc") }

func (u *User) removeFile(name string) error { return removeFile(u.site.FS, u.dir, name) }

// removeFile removes a file for good, if it is there.
func removeFile(fsys disk.FS, dir, name string) error {
	err := fsys.Remove(path.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	return fault(path.Join(dir, name), err)
}

func fault(name string, err error) error {
	if err == nil {
		return nil
	}
	return errs.New(errs.IO, "scripts", name, err)
}

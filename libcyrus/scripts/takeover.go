package scripts

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

// scriptSuffix is how the texts end that Cyrus before 3.6 keeps beside the
// byte code, and other tools write to this day.
const scriptSuffix = ".script"

// adopt stores the scripts of Cyrus before 3.6 as messages: the files
// NAME.script of a user who had no #sieve. A file goes when its message is
// there; one that is no script stays. The one that the link names is the
// active one. Others take what they have written since as it is: once there
// is #sieve, such files are theirs.
//
// After a crash in between the mailbox is there and some files are not yet
// taken over: see unfinished.
//
// Source: sieve_ensure_folder and migrate_cb in Cyrus imap/sieve_db.c.
func (u *User) adopt(ctx context.Context) error {
	names, err := u.files()
	if err != nil || len(names) == 0 {
		return err
	}
	all, err := u.read(ctx)
	if err != nil {
		return err
	}
	link, err := u.site.FS.Readlink(path.Join(u.dir, defaultLink))
	if err != nil {
		link = ""
	}
	for _, name := range names {
		file := path.Join(u.dir, name+scriptSuffix)
		text, err := disk.ReadFile(u.site.FS, file)
		if err != nil {
			return fault(file, err)
		}
		if _, err := u.Check(text); err != nil {
			u.site.Log.Warn("a Sieve script cannot be taken over", "user", u.id, "file", file, "error", err)
			continue
		}
		active := link == name+".bc"
		if have, err := find(all, name); err == nil && active && !have.Active {
			// The message outlived a power cut, its flag did not.
			if err := u.flag(ctx, all, have.uid); err != nil {
				return err
			}
		} else if err != nil {
			x := Script{Name: name, ID: mailbox.NewUniqueID(), Text: text, Active: active}
			if err := u.append(ctx, &x); err != nil {
				return err
			}
		}
		if err := u.site.FS.Remove(file); err != nil {
			return fault(file, err)
		}
	}
	return fault(u.dir, u.site.FS.SyncDir(u.dir))
}

// files is the names of the scripts that lie in the directory as files.
func (u *User) files() (names []string, err error) {
	entries, err := u.site.FS.ReadDir(u.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault(u.dir, err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), scriptSuffix); ok && ValidName(name) && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// adopting is the file that says that adopt is at work. It is made before the
// mailbox, and removed when all is done.
const adopting = "scripts.adopt"

// begin makes sure that adopt will be finished, if there is something for it.
func (u *User) begin() error {
	names, err := u.files()
	if err != nil || len(names) == 0 {
		return err
	}
	name := path.Join(u.dir, adopting)
	f, err := u.site.FS.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fault(name, err)
	}
	return fault(name, errors.Join(f.Close(), u.site.FS.SyncDir(u.dir)))
}

// finish does what adopt has still to do.
func (u *User) finish(ctx context.Context) error {
	if _, err := u.site.FS.Lstat(path.Join(u.dir, adopting)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fault(u.dir, err)
	}
	if err := u.adopt(ctx); err != nil {
		return err
	}
	return u.removeFile(adopting)
}

// Recover makes a user's byte code anew from the texts in #sieve, if his
// directory has lost the active one. It is no loss when somebody has taken
// the link away, or has pointed it to something of his own. done is false if
// nothing was to be done.
func Recover(ctx context.Context, s *site.Site, userID string) (done bool, err error) {
	inbox, legacy, err := s.List.HomeOf(ctx, userID)
	if err != nil {
		return false, err
	}
	p := mboxname.UserParts(userID)
	p.Boxes = []string{config.SieveFolder.In(s.Config)}
	e, err := s.List.Lookup(ctx, p.Name(""))
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	u := &User{site: s, id: userID, ref: e.Ref(), rules: Rules(s.Config), dir: s.Layout.UserSieveDir(userID, inbox, legacy)}
	all, err := u.read(ctx)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(all, func(x Script) bool { return x.Active })
	if i < 0 || !u.lost(&all[i]) {
		return false, nil
	}
	if err := disk.MkdirSync(s.FS, u.dir, 0o755); err != nil {
		return false, fault(u.dir, err)
	}
	return true, u.locked(ctx, func() error { return u.settle(ctx) })
}

// lost reports whether the byte code of a script is not there, or is none.
func (u *User) lost(x *Script) bool {
	code, err := disk.ReadFile(u.site.FS, path.Join(u.dir, x.Name+".bc"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || !u.ownLink(x.Name) {
		return false
	}
	_, err = sieve.Decode(code)
	return err != nil
}

// ownLink reports whether the link names this script.
func (u *User) ownLink(name string) bool {
	now, err := u.site.FS.Readlink(path.Join(u.dir, defaultLink))
	return err == nil && now == name+".bc"
}

// foreign reports whether somebody else has pointed the link to byte code of
// his own, which belongs to none of these scripts.
func (u *User) foreign(all []Script) bool {
	now, err := u.site.FS.Readlink(path.Join(u.dir, defaultLink))
	if err != nil {
		return false
	}
	if slices.ContainsFunc(all, func(x Script) bool {
		return x.Name+".bc" == now || slices.ContainsFunc(x.was, func(n string) bool { return n+".bc" == now })
	}) {
		return false
	}
	if !path.IsAbs(now) {
		now = path.Join(u.dir, now)
	}
	_, err = u.site.FS.Stat(now)
	return err == nil
}

// ForNewUsers has the list of a site give new users their first script. It is
// for the opener of a site, before anybody else uses it.
func ForNewUsers(s *site.Site) {
	if config.AutocreateSieveScript.In(s.Config) == "" {
		return
	}
	s.List.OnNewUser(func(ctx context.Context, userID string) error { return Autocreate(ctx, s, userID) })
}

// Autocreate gives a new user the script that autocreate_sieve_script names,
// and makes it active. One who has an active script keeps it.
//
// Source: autocreate_sieve in Cyrus imap/autocreate.c.
func Autocreate(ctx context.Context, s *site.Site, userID string) error {
	file := config.AutocreateSieveScript.In(s.Config)
	if file == "" || config.Sieveusehomedir.In(s.Config) {
		return nil
	}
	text, err := disk.ReadFile(s.FS, file)
	if err != nil {
		return fault(file, err)
	}
	u, err := Open(ctx, s, userID)
	if err != nil {
		return err
	}
	if _, err := s.FS.Lstat(path.Join(u.dir, defaultLink)); err == nil {
		return nil
	}
	code, err := u.Check(text)
	if err != nil {
		return errs.New(errs.BadFormat, "scripts.Autocreate", file, err)
	}
	if err := u.Put(ctx, path.Base(file), text); err != nil {
		return err
	}
	if err := u.Activate(ctx, path.Base(file)); err != nil {
		return err
	}
	return saveCompiled(s, code.Code())
}

// saveCompiled writes the byte code of the first script to where
// autocreate_sieve_script_compiled says, if it is wanted and not there.
func saveCompiled(s *site.Site, code []byte) error {
	name := config.AutocreateSieveScriptCompiled.In(s.Config)
	if name == "" || !config.AutocreateSieveScriptCompile.In(s.Config) {
		return nil
	}
	if old, err := disk.ReadFile(s.FS, name); err == nil && bytes.Equal(old, code) {
		return nil
	}
	return fault(name, disk.ReplaceSync(s.FS, name, code, 0o644))
}

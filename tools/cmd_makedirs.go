package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/osuser"
)

// exNoDir is what Debian's makedirs ends with if configdirectory is no
// directory.
const exNoDir = 2

// makedirs makes the directories that imapd.conf names, and gives them with
// all that is in them to the Cyrus user.
//
// Source: Debian's makedirs; tools/mkimap of Cyrus.
func makedirs(p *program) int { return p.end(p.makedirs()) }

func (p *program) makedirs() error {
	use := "usage: " + p.called + " [--cleansquat] [-C imapd.conf | imapd.conf]\n"
	conf, clean := "", false
	args := p.args[1:]
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--cleansquat":
			clean = true
		case arg == "-C" && len(args) > 0 && conf == "":
			conf, args = args[0], args[1:]
		case !strings.HasPrefix(arg, "-") && conf == "":
			conf = arg
		default:
			return p.misused(use, exUsage)
		}
	}
	c, err := config.Load(conf, p.args[0])
	if err != nil {
		return &exit{exConfig, err}
	}
	m := &dirMaker{uid: -1, gid: -1}
	if os.Geteuid() == 0 {
		u, _, err := osuser.Cyrus(c)
		if err != nil {
			return fatal(exConfig, "%v", err)
		}
		m.uid, m.gid = u.UID, u.GID
	}
	if fi, err := os.Stat(config.Configdirectory.In(c)); err != nil || !fi.IsDir() {
		fmt.Fprintf(p.out, "%s: %s is not an directory. Aborting...\n", p.called, config.Configdirectory.In(c))
		return &exit{exNoDir, nil}
	}
	return p.makeAll(c, m, clean)
}

// makeAll makes the directories of the state, of partitions, and for Sieve.
func (p *program) makeAll(c *config.Config, m *dirMaker, clean bool) error {
	l := mboxname.LayoutFrom(c)
	letters := hashLetters(config.Fulldirhash.In(c))
	fmt.Fprintf(p.out, "Creating/updating cyrus control directories in %s...\n", l.ConfigDir)
	m.dir(l.ConfigDir, 0o750)
	for _, name := range []string{"db", "proc", "socket", "log", "msg", "user", "quota", "lock"} {
		perm := fs.FileMode(0o700)
		if name == "socket" {
			perm = 0o750
		}
		m.dir(filepath.Join(l.ConfigDir, name), perm)
	}
	for _, name := range []string{"user", "quota", "lock"} {
		m.below(filepath.Join(l.ConfigDir, name), letters)
	}
	m.own(l.ConfigDir)
	for _, roots := range []map[string]string{l.Partitions, l.MetaPartitions, l.ArchivePartitions} {
		for _, name := range sortedKeys(roots) {
			fmt.Fprintf(p.out, "Creating/updating partition spool %s...\n", roots[name])
			m.dir(roots[name], 0o750)
			if config.Hashimapspool.In(c) {
				m.below(roots[name], letters)
			}
			m.below(roots[name], []string{"stage."})
			m.own(roots[name])
			if clean {
				m.removeSquat(roots[name])
			}
		}
	}
	if l.SieveDir != "" && !config.Sieveusehomedir.In(c) {
		m.dir(l.SieveDir, 0o755)
		for _, letter := range letters {
			m.dir(filepath.Join(l.SieveDir, letter), 0o755)
		}
		m.own(l.SieveDir)
	}
	if m.err != nil {
		return fatal(exOSErr, "%v", m.err)
	}
	return nil
}

// hashLetters is the directories by hash.
func hashLetters(full bool) []string {
	first, last := 'a', 'z'
	if full {
		first, last = 'A', 'W'
	}
	var all []string
	for r := first; r <= last; r++ {
		all = append(all, string(r))
	}
	return all
}

// dirMaker makes directories until one fails.
type dirMaker struct {
	uid, gid int // of the owner; -1 leaves that alone
	err      error
}

// dir makes a directory, and what is above it, unless it is there. It gets a
// mode also if it is.
func (m *dirMaker) dir(name string, perm fs.FileMode) {
	if name == "" {
		return
	}
	m.mkdir(name)
	if m.err == nil {
		m.err = os.Chmod(name, perm)
	}
}

// below makes directories in another one.
func (m *dirMaker) below(dir string, names []string) {
	for _, name := range names {
		if dir != "" {
			m.mkdir(filepath.Join(dir, name))
		}
	}
}

func (m *dirMaker) mkdir(name string) {
	const perm = 0o755
	if m.err != nil {
		return
	}
	if fi, err := os.Stat(name); err == nil && fi.IsDir() {
		return
	}
	if parent := filepath.Dir(name); parent != name {
		m.mkdir(parent)
	}
	if m.err != nil {
		return
	}
	err := os.Mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) {
		if fi, serr := os.Stat(name); serr == nil && fi.IsDir() {
			return // made meanwhile
		}
	}
	if err == nil {
		err = os.Chmod(name, perm) // whatever the umask says
	}
	m.err = err
}

// own gives a directory and all below it to the owner. What a symbolic link
// points to stays whose it is.
func (m *dirMaker) own(root string) {
	if m.err != nil || m.uid < 0 || root == "" {
		return
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	m.err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) == m.uid && int(st.Gid) == m.gid {
			return nil
		}
		return os.Lchown(path, m.uid, m.gid)
	})
}

// removeSquat removes the old search indexes below a directory.
func (m *dirMaker) removeSquat(root string) {
	if m.err != nil {
		return
	}
	m.err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "cyrus.squat" && d.Type().IsRegular() {
			err = os.Remove(path)
		}
		return err
	})
}

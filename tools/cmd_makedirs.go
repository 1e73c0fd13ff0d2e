package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
)

// exNoDir is what Debian's makedirs ends with if configdirectory is no
// directory.
const exNoDir = 2

// makedirs makes the directories that imapd.conf names, with the Cyrus user
// as their owner. Those that are there stay as they are.
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
		if m.uid, m.gid, err = cyrusIDs(c); err != nil {
			return fatal(exConfig, "%v", err)
		}
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
	fmt.Fprintf(p.out, "Creating/updating cyrus control directories in %s...\n", l.ConfigDir)
	for _, name := range []string{"db", "proc", "socket", "log", "msg", "user", "quota", "lock"} {
		perm := fs.FileMode(0o700)
		if name == "socket" {
			perm = 0o750
		}
		m.dir(filepath.Join(l.ConfigDir, name), perm)
	}
	for _, roots := range []map[string]string{l.Partitions, l.MetaPartitions, l.ArchivePartitions} {
		for _, name := range sortedKeys(roots) {
			fmt.Fprintf(p.out, "Creating/updating partition spool %s...\n", roots[name])
			m.dir(roots[name], 0o750)
			m.dir(filepath.Join(roots[name], "stage."), 0o700)
			if clean {
				m.removeSquat(roots[name])
			}
		}
	}
	if !config.Sieveusehomedir.In(c) {
		m.dir(l.SieveDir, 0o755)
	}
	if m.err != nil {
		return fatal(exOSErr, "%v", m.err)
	}
	return nil
}

// dirMaker makes directories until one fails.
type dirMaker struct {
	uid, gid int // of the owner; -1 leaves that alone
	err      error
}

// dir makes a directory, and what is above it, unless it is there.
func (m *dirMaker) dir(name string, perm fs.FileMode) {
	if m.err != nil || name == "" {
		return
	}
	if fi, err := os.Stat(name); err == nil && fi.IsDir() {
		return
	}
	if parent := filepath.Dir(name); parent != name {
		m.dir(parent, 0o755)
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
	if err == nil {
		err = os.Lchown(name, m.uid, m.gid)
	}
	m.err = err
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

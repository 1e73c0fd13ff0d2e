package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sieve"
)

// masssievec compiles every NAME.script below sievedir to NAME.bc, and makes
// the links that named the active script before byte code (default,
// default.bc) into defaultbc. Only scripts of Cyrus 3.4 and before lie there
// as files.
//
// Source: Cyrus tools/masssievec. Its first operand, the path of sievec, may
// be given and is not needed.
func masssievec(p *program) int { return p.end(p.masssievec()) }

func (p *program) masssievec() error {
	opts, operands, err := p.options("C:", "usage: masssievec [-C <altconfig>] [<path to sievec> [imapd.conf]]\n", exUsage)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		conf = o.Arg
	}
	if len(operands) > 1 {
		conf = operands[1]
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	if config.Sieveusehomedir.In(c) {
		return &exit{exFailure, errors.New("you are storing sieve scripts in user's home directories, this command cannot deal with that")}
	}
	top := config.Sievedir.In(c)
	fmt.Fprintf(p.out, "you are using %s as your sieve directory.\n", top)
	m := &massCompiler{p: p, opt: sieve.OptionsFrom(c)}
	if err := filepath.WalkDir(top, m.entry); err != nil {
		return &exit{exFailure, err}
	}
	if m.failed > 0 {
		return &exit{exFailure, fmt.Errorf("%d scripts could not be compiled", m.failed)}
	}
	return nil
}

// massCompiler compiles what it meets.
type massCompiler struct {
	p      *program
	opt    sieve.Options
	dir    string
	failed int
}

// entry is called for each file below sievedir.
func (m *massCompiler) entry(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	dir, name := filepath.Split(path)
	switch {
	case d.IsDir():
		return nil
	case d.Type()&fs.ModeSymlink != 0 && (name == "default" || name == "default.bc"):
		return m.link(path)
	case !d.Type().IsRegular() || !strings.HasSuffix(name, ".script"):
		return nil
	}
	if dir != m.dir {
		m.dir = dir
		fmt.Fprintf(m.p.out, "processing user %s\n", filepath.Base(dir))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s, err := sieve.Parse(text, m.opt)
	if err != nil {
		m.failed++
		fmt.Fprintf(m.p.err, "%s: %s\n", path, strings.TrimRight(strings.ReplaceAll(err.Error(), "\r\n", "; "), "; "))
		return nil
	}
	return replaceFile(strings.TrimSuffix(path, ".script")+".bc", s.Code())
}

// replaceFile writes a file so that it is never seen half written.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".NEW")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// link makes an old link to the active script into defaultbc.
func (m *massCompiler) link(path string) error {
	to, err := os.Readlink(path)
	if err != nil {
		return err
	}
	name, ok := strings.CutSuffix(to, ".script")
	if !ok {
		if name, ok = strings.CutSuffix(to, ".bc"); !ok || name == "default" {
			return nil
		}
	}
	if err := os.Symlink(name+".bc", filepath.Join(filepath.Dir(path), "defaultbc")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Remove(path)
}

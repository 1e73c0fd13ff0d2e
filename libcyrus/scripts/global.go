package scripts

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

// Global is the global scripts of a domain or of the site, which every user
// of it may include and shared mailboxes name. They are files: NAME.script is
// the text, NAME.bc the byte code. It may be used from many goroutines, while
// others change the same files.
//
// Source: actions.c of Cyrus 3.4's timsieved. 3.6 includes such scripts and
// has nothing to write them with.
type Global struct {
	site  *site.Site
	dir   string
	rules sieve.Options
}

// OpenGlobal returns the global scripts of a domain, of the site with "", and
// makes their directory.
func OpenGlobal(s *site.Site, domain string) (*Global, error) {
	g := &Global{site: s, dir: globalDir(s, domain), rules: Rules(s.Config)}
	if err := disk.MkdirSync(s.FS, g.dir, 0o755); err != nil {
		return nil, errs.New(errs.IO, "scripts.OpenGlobal", g.dir, err)
	}
	return g, nil
}

func (g *Global) locked(ctx context.Context, fn func() error) error {
	held, err := g.site.Locks.Name(ctx, path.Join(g.dir, "scripts.lock"), lock.Exclusive)
	if err != nil {
		return err
	}
	defer held.Release()
	return fn()
}

func (g *Global) file(name, suffix string) string { return path.Join(g.dir, name+suffix) }

// names is all scripts, sorted.
func (g *Global) names() (names []string, err error) {
	entries, err := g.site.FS.ReadDir(g.dir)
	if err != nil {
		return nil, fault(g.dir, err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), scriptSuffix); ok && ValidName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// active is the name that the link has, "" if there is none.
func (g *Global) active() string {
	to, err := g.site.FS.Readlink(path.Join(g.dir, defaultLink))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(to, ".bc")
}

// List returns all scripts by name, without their texts.
func (g *Global) List(context.Context) (all []Script, err error) {
	names, err := g.names()
	active := g.active()
	for _, n := range names {
		all = append(all, Script{Name: n, ID: n, Active: n == active})
	}
	return all, err
}

// Get returns a script: ErrNotFound, ErrName.
func (g *Global) Get(_ context.Context, name string) (*Script, error) {
	if !ValidName(name) {
		return nil, ErrName
	}
	text, err := disk.ReadFile(g.site.FS, g.file(name, scriptSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fault(g.file(name, scriptSuffix), err)
	}
	return &Script{Name: name, ID: name, Active: name == g.active(), Text: text}, nil
}

// HaveSpace reports whether a script of this name could be stored: ErrTooMany,
// ErrName.
func (g *Global) HaveSpace(_ context.Context, name string) error {
	if !ValidName(name) {
		return ErrName
	}
	names, err := g.names()
	if err != nil {
		return err
	}
	if !slices.Contains(names, name) && len(names) >= config.SieveMaxscripts.In(g.site.Config) {
		return ErrTooMany
	}
	return nil
}

// Put stores a script, in the place of one of the same name: ErrName,
// ErrTooMany, sieve.Errors. The byte code is there first: a text without it
// would be a script that cannot be included.
func (g *Global) Put(ctx context.Context, name string, text []byte) error {
	if err := g.HaveSpace(ctx, name); err != nil {
		return err
	}
	code, err := sieve.Parse(text, g.rules)
	if err != nil {
		return err
	}
	return g.locked(ctx, func() error { return g.write(name, text, code.Code()) })
}

func (g *Global) write(name string, text, code []byte) error {
	if err := disk.Replace(g.site.FS, g.file(name, ".bc"), code, 0o600); err != nil {
		return fault(g.file(name, ".bc"), err)
	}
	return fault(g.file(name, scriptSuffix), disk.ReplaceSync(g.site.FS, g.file(name, scriptSuffix), text, 0o600))
}

// Rename gives a script another name: ErrName, ErrNotFound, ErrExists. After
// a crash there may be both.
func (g *Global) Rename(ctx context.Context, from, to string) error {
	if !ValidName(to) {
		return ErrName
	}
	return g.locked(ctx, func() error {
		old, err := g.Get(ctx, from)
		if err != nil {
			return err
		}
		if _, err := g.Get(ctx, to); err == nil {
			return ErrExists
		}
		code, err := sieve.Parse(old.Text, g.rules)
		if err != nil {
			return err
		}
		if err := g.write(to, old.Text, code.Code()); err != nil {
			return err
		}
		if old.Active {
			if err := link(g.site.FS, g.dir, to+".bc"); err != nil {
				return err
			}
		}
		return g.remove(from)
	})
}

// Activate makes a script the active one, "" none: ErrName, ErrNotFound.
func (g *Global) Activate(ctx context.Context, name string) error {
	return g.locked(ctx, func() error {
		if name == "" {
			return removeFile(g.site.FS, g.dir, defaultLink)
		}
		if _, err := g.Get(ctx, name); err != nil {
			return err
		}
		return link(g.site.FS, g.dir, name+".bc")
	})
}

// Delete removes a script: ErrName, ErrNotFound, ErrActive.
func (g *Global) Delete(ctx context.Context, name string) error {
	return g.locked(ctx, func() error {
		x, err := g.Get(ctx, name)
		if err != nil {
			return err
		}
		if x.Active {
			return ErrActive
		}
		return g.remove(name)
	})
}

// remove removes the text first: byte code alone is nobody's script.
func (g *Global) remove(name string) error {
	if err := removeFile(g.site.FS, g.dir, name+scriptSuffix); err != nil {
		return err
	}
	return removeFile(g.site.FS, g.dir, name+".bc")
}

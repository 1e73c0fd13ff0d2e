package scripts

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/osuser"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

// mailboxAnnotation names the global script of a shared mailbox.
const mailboxAnnotation = "/vendor/cmu/cyrus-imapd/sieve"

// maxCode is the largest byte code that is read, in octets: far above what
// sieve_maxscriptsize lets in.
const maxCode = 64 << 20

// maxLoaded bounds the scripts that a Library keeps; beyond it all are read
// anew.
const maxLoaded = 10000

// A Library finds the compiled scripts of a site, and keeps what it has
// read. It may be used from many goroutines.
//
// Only byte code is read: who stores a script's text compiles it, and where
// text and byte code disagree it is the byte code that was made active. A
// user whose byte code is lost or damaged gets it anew from the text.
type Library struct {
	site  *site.Site
	mu    sync.Mutex
	known map[string]*loaded // by path
}

type loaded struct {
	inode  uint64
	mtime  time.Time
	size   int64
	script *sieve.Script
}

// NewLibrary returns the library of a site.
func NewLibrary(s *site.Site) *Library { return &Library{site: s} }

// load returns the script at a path; fs.ErrNotExist is in the error's chain
// if there is none.
func (l *Library) load(name string) (*sieve.Script, error) {
	f, err := l.site.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := loaded{inode: disk.Inode(info), mtime: info.ModTime(), size: info.Size()}
	l.mu.Lock()
	old := l.known[name]
	l.mu.Unlock()
	if old != nil && old.inode == now.inode && old.mtime.Equal(now.mtime) && old.size == now.size {
		return old.script, nil
	}
	code, err := io.ReadAll(io.LimitReader(f, maxCode))
	if err != nil {
		return nil, err
	}
	if now.script, err = sieve.Decode(code); err != nil {
		return nil, errs.New(errs.BadFormat, "scripts.load", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLoaded {
		l.known = map[string]*loaded{}
	}
	l.known[name] = &now
	return now.script, nil
}

// Active returns the script that a user's mail goes through, with the path by
// which it is known; nil if he has none.
//
// Source: sieve_find_script in Cyrus imap/lmtp_sieve.c.
func (l *Library) Active(ctx context.Context, userID string) (*sieve.Script, string, error) {
	dir, ok, err := l.dir(ctx, userID)
	if !ok || err != nil {
		return nil, "", err
	}
	if config.Sieveusehomedir.In(l.site.Config) {
		return l.optional(path.Join(dir, ".sieve"))
	}
	link := path.Join(dir, defaultLink)
	s, name, err := l.optional(l.resolve(link))
	if s != nil || err != nil && !errs.Is(err, errs.BadFormat) {
		return s, name, err
	}
	again, rerr := Recover(ctx, l.site, userID)
	if rerr != nil {
		return nil, "", errors.Join(err, rerr)
	}
	if !again {
		return nil, "", err
	}
	return l.optional(l.resolve(link))
}

// optional is load, nil for what does not exist.
func (l *Library) optional(name string) (*sieve.Script, string, error) {
	s, err := l.load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return s, name, err
}

// OfMailbox is Active for a shared mailbox: the global script that its
// annotation names.
func (l *Library) OfMailbox(ctx context.Context, e *mboxlist.Entry) (*sieve.Script, string, error) {
	v, ok, err := l.site.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID}, annot.Key{Entry: mailboxAnnotation})
	if !ok || err != nil || len(v) == 0 {
		return nil, "", err
	}
	s, name, err := l.Named(ctx, "", e.Name.Domain(), string(v), true)
	if errors.Is(err, sieve.ErrNoScript) {
		return nil, "", nil
	}
	return s, name, err
}

// Named returns a script by its name: one of the user's own, or a global one,
// of that domain or else of the site. sieve.ErrNoScript: there is none.
func (l *Library) Named(ctx context.Context, userID, domain, name string, global bool) (*sieve.Script, string, error) {
	at, err := l.path(ctx, userID, domain, name, global)
	if err != nil {
		return nil, "", err
	}
	s, err := l.load(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", errs.New(errs.NotFound, "scripts.Named", name, sieve.ErrNoScript)
	}
	return s, at, err
}

func (l *Library) path(ctx context.Context, userID, domain, name string, global bool) (string, error) {
	if name == "" || strings.Contains(name, "../") || strings.ContainsRune(name, 0) {
		return "", errs.New(errs.BadName, "scripts.Named", name, sieve.ErrNoScript)
	}
	file := name + ".bc"
	if !global {
		dir, ok, err := l.dir(ctx, userID)
		if err != nil {
			return "", err
		}
		if !ok {
			return "", errs.New(errs.NotFound, "scripts.Named", name, sieve.ErrNoScript)
		}
		if config.Sieveusehomedir.In(l.site.Config) {
			file = name
		}
		return path.Join(dir, file), nil
	}
	if domain != "" {
		own := path.Join(globalDir(l.site, domain), file)
		if _, err := l.site.FS.Stat(own); err == nil {
			return own, nil
		}
	}
	return path.Join(globalDir(l.site, ""), file), nil
}

// globalDir is where the global scripts of a domain are, of the site with "".
//
// Source: user_sieve_path in Cyrus imap/user.c.
func globalDir(s *site.Site, domain string) string {
	if domain == "" {
		return s.Layout.UserSieveDir("", "", false)
	}
	return path.Join(s.Layout.SieveDir, "domain", mboxname.DirHash(domain, s.Layout.FullHash), domain, "global")
}

// resolve is what a symbolic link in its directory points to, the path
// itself if it is none: a script is known by the path of its file.
func (l *Library) resolve(name string) string {
	target, err := l.site.FS.Readlink(name)
	if err != nil {
		return name
	}
	if path.IsAbs(target) {
		return path.Clean(target)
	}
	return path.Join(path.Dir(name), target)
}

// dir is where a user's scripts are; false if there is no such place.
func (l *Library) dir(ctx context.Context, userID string) (string, bool, error) {
	if config.Sieveusehomedir.In(l.site.Config) {
		local, _, _ := strings.Cut(userID, "@")
		u, err := osuser.Lookup(local)
		if errors.Is(err, osuser.ErrUnknown) {
			return "", false, nil
		}
		if err != nil {
			return "", false, errs.New(errs.IO, "scripts.dir", userID, err)
		}
		return u.Home, true, nil
	}
	id, legacy, err := l.site.List.HomeOf(ctx, userID)
	if err != nil {
		return "", false, err
	}
	return l.site.Layout.UserSieveDir(userID, id, legacy), true, nil
}

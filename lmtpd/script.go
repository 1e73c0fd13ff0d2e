package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/user"
	"path"
	"strings"
	"sync"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
)

// scriptAnnotation names the global script of a shared mailbox.
const scriptAnnotation = "/vendor/cmu/cyrus-imapd/sieve"

// maxCode is the largest byte code that is read, in octets: far above what
// sieve_maxscriptsize lets in.
const maxCode = 64 << 20

// scripts reads compiled scripts and keeps them. The zero value is empty.
//
// Only byte code is read: who stores a script's text compiles it, and where
// text and byte code disagree it is the byte code that was made active.
type scripts struct {
	mu    sync.Mutex
	known map[string]*cachedScript // by path
}

type cachedScript struct {
	inode  uint64
	mtime  time.Time
	size   int64
	script *sieve.Script
}

// maxScripts bounds the cache; beyond it all are read anew.
const maxScripts = 10000

// load returns the script at a path; fs.ErrNotExist is in the error's chain
// if there is none.
func (c *scripts) load(fsys disk.FS, name string) (*sieve.Script, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := cachedScript{inode: disk.Inode(info), mtime: info.ModTime(), size: info.Size()}
	c.mu.Lock()
	old := c.known[name]
	c.mu.Unlock()
	if old != nil && old.inode == now.inode && old.mtime.Equal(now.mtime) && old.size == now.size {
		return old.script, nil
	}
	code, err := io.ReadAll(io.LimitReader(f, maxCode))
	if err != nil {
		return nil, err
	}
	if now.script, err = sieve.Decode(code); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxScripts {
		c.known = map[string]*cachedScript{}
	}
	c.known[name] = &now
	return now.script, nil
}

// scriptOf returns the script that a recipient's mail goes through and its
// path, nil if there is none.
//
// Source: run_sieve and sieve_find_script in Cyrus imap/lmtp_sieve.c.
func (s *session) scriptOf(ctx context.Context, r *recipient) (*sieve.Script, string, error) {
	name, err := s.scriptPath(ctx, r)
	if name == "" || err != nil {
		return nil, "", err
	}
	script, err := s.scripts.load(s.site.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return script, name, err
}

// scriptPath is where the script of a recipient should be, "" if he can have
// none.
func (s *session) scriptPath(ctx context.Context, r *recipient) (string, error) {
	if r.user == "" {
		e, err := s.site.List.Lookup(ctx, r.name)
		if err != nil {
			return "", err
		}
		v, ok, err := s.site.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID}, annot.Key{Entry: scriptAnnotation})
		if !ok || err != nil || len(v) == 0 {
			return "", err
		}
		return s.namedScript(ctx, r, string(v), true)
	}
	dir, ok, err := s.scriptDir(ctx, r.user)
	if !ok || err != nil {
		return "", err
	}
	if config.Sieveusehomedir.In(s.conf) {
		return path.Join(dir, ".sieve"), nil
	}
	return s.resolveLink(path.Join(dir, "defaultbc")), nil
}

// resolveLink is what a symbolic link in its directory points to, the path
// itself if it is none: a script is known by the path of its file.
func (s *session) resolveLink(name string) string {
	target, err := s.site.FS.Readlink(name)
	if err != nil {
		return name
	}
	if path.IsAbs(target) {
		return path.Clean(target)
	}
	return path.Join(path.Dir(name), target)
}

// scriptDir is where a user's scripts are; false if there is no such place.
func (s *session) scriptDir(ctx context.Context, userID string) (string, bool, error) {
	if config.Sieveusehomedir.In(s.conf) {
		local, _, _ := strings.Cut(userID, "@")
		u, err := user.Lookup(local)
		var unknown user.UnknownUserError
		if errors.As(err, &unknown) {
			return "", false, nil
		}
		if err != nil {
			return "", false, errs.New(errs.IO, "lmtpd.scriptDir", userID, err)
		}
		return u.HomeDir, true, nil
	}
	id, legacy, err := s.site.List.HomeOf(ctx, userID)
	if err != nil {
		return "", false, err
	}
	return s.site.Layout.UserSieveDir(userID, id, legacy), true, nil
}

// namedScript is the path of a script by its name: one of the user's own, or
// a global one, of the recipient's domain or else of the site.
func (s *session) namedScript(ctx context.Context, r *recipient, name string, global bool) (string, error) {
	if name == "" || strings.Contains(name, "../") || strings.ContainsRune(name, 0) {
		return "", errs.New(errs.BadName, "lmtpd.namedScript", name, nil)
	}
	file := name + ".bc"
	if !global {
		dir, ok, err := s.scriptDir(ctx, r.user)
		if err != nil || !ok {
			return "", err
		}
		if config.Sieveusehomedir.In(s.conf) {
			file = name
		}
		return path.Join(dir, file), nil
	}
	l := s.site.Layout
	if domain := r.name.Domain(); domain != "" {
		own := path.Join(l.SieveDir, "domain", mboxname.DirHash(domain, l.FullHash), domain, "global", file)
		if _, err := s.site.FS.Stat(own); err == nil {
			return own, nil
		}
	}
	return path.Join(l.UserSieveDir("", "", false), file), nil
}

// Include finds a script for the command of that name.
func (h *scriptHost) Include(name string, global bool) (*sieve.Script, string, error) {
	at, err := h.s.namedScript(h.ctx, h.r, name, global)
	if err != nil || at == "" {
		return nil, "", fmt.Errorf("%w: %s", sieve.ErrNoScript, name)
	}
	script, err := h.s.scripts.load(h.s.site.FS, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%w: %s", sieve.ErrNoScript, name)
	}
	return script, at, err
}

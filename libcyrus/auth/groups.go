package auth

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Groups of the system come from the name service switch, which is a C
// library. Where it says that there are only files, the files are read
// here; else getent(1) is asked.

const (
	groupTTL   = 5 * time.Minute // how old an answer may be
	groupRetry = 5 * time.Second // when to ask again after no answer
	groupKeep  = 10_000          // at most so many users are remembered
	getentMax  = 5 * time.Second // how long getent may take
)

// groups answers who is in which group.
type groups struct {
	root string // "" in production: prefix of /etc for tests
	ask  func(ctx context.Context, args ...string) (string, error)

	mu    sync.Mutex // guards cache
	cache map[string]groupAnswer
}

type groupAnswer struct {
	names []string
	until time.Time
}

func newGroups() *groups {
	return &groups{ask: getent, cache: make(map[string]groupAnswer)}
}

// getent runs getent(1) and returns its output.
func getent(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, getentMax)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", args...).Output()
	return string(out), err
}

// of returns the names of the groups of user, which is a canonical id. A
// user that the system does not know has none, as has everybody when the
// system does not answer; an old answer is better than none then.
func (g *groups) of(ctx context.Context, user string) []string {
	now := time.Now()
	g.mu.Lock()
	a, ok := g.cache[user]
	g.mu.Unlock()
	if ok && now.Before(a.until) {
		return a.names
	}
	names, err := g.find(ctx, user)
	keep := groupTTL
	if err != nil {
		names, keep = a.names, groupRetry
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.cache) >= groupKeep {
		clear(g.cache)
	}
	g.cache[user] = groupAnswer{names, now.Add(keep)}
	return names
}

func (g *groups) find(ctx context.Context, user string) ([]string, error) {
	if g.onlyFiles() {
		return g.fromFiles(user)
	}
	return g.fromGetent(ctx, user)
}

// exists reports whether there is a group of this name.
func (g *groups) exists(ctx context.Context, name string) bool {
	if name == "" || strings.ContainsAny(name, ":\n\x00") || name[0] == '-' {
		return false
	}
	if g.onlyFiles() {
		found := false
		_ = g.eachLine("/etc/group", func(f []string) { found = found || f[0] == name })
		return found
	}
	out, err := g.ask(ctx, "group", name)
	return err == nil && out != ""
}

// onlyFiles reports whether the system's users and groups are all in
// /etc/passwd and /etc/group. The "systemd" service counts as files: it
// knows users of units, who have no mail.
func (g *groups) onlyFiles() bool {
	f, err := os.Open(g.root + "/etc/nsswitch.conf")
	if err != nil {
		return true // glibc's default, without the file, is "files"
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		key, services, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "passwd", "group", "initgroups":
			for _, s := range strings.Fields(services) {
				if s != "files" && s != "systemd" && s[0] != '[' {
					return false
				}
			}
		}
	}
	return true
}

// eachLine calls fn with the fields of each line of a colon-separated
// file, of which there are at least three.
func (g *groups) eachLine(file string, fn func(fields []string)) error {
	f, err := os.Open(g.root + file)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20) // a group's members are one line
	for sc.Scan() {
		if fields := strings.Split(sc.Text(), ":"); len(fields) >= 3 && fields[0] != "" {
			fn(fields)
		}
	}
	return sc.Err()
}

// fromFiles reads the groups that name the user, and his own.
func (g *groups) fromFiles(user string) (names []string, err error) {
	own := ""
	err = g.eachLine("/etc/passwd", func(f []string) {
		if f[0] == user && len(f) >= 4 {
			own = f[3]
		}
	})
	if err != nil {
		return nil, err
	}
	err = g.eachLine("/etc/group", func(f []string) {
		member := f[2] == own
		if len(f) >= 4 {
			member = member || slices.Contains(strings.Split(f[3], ","), user)
		}
		if member && !slices.Contains(names, f[0]) {
			names = append(names, f[0])
		}
	})
	return names, err
}

// fromGetent asks for the numbers of the user's groups and their names.
func (g *groups) fromGetent(ctx context.Context, user string) ([]string, error) {
	if user == "" || user[0] == '-' {
		return nil, nil // would be an option
	}
	out, err := g.ask(ctx, "initgroups", user)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(strings.TrimPrefix(out, user))
	if pw, err := g.ask(ctx, "passwd", user); err == nil {
		if f := strings.Split(pw, ":"); len(f) >= 4 && !slices.Contains(fields, f[3]) {
			fields = append(fields, f[3])
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	// getent fails if one of them has no name; the others are there.
	out, _ = g.ask(ctx, append([]string{"group"}, fields...)...)
	var names []string
	for line := range strings.Lines(out) {
		if name, _, ok := strings.Cut(line, ":"); ok && name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

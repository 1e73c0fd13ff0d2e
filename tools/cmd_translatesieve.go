package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

const translateUse = `usage: translatesieve [-v] [-n] [-u] [-a] [-f] [-C <altconfig>]
  -v  print each change
  -n  change nothing, print what would be changed
  -u  it was "unixhierarchysep: yes" before
  -a  it was "altnamespace: yes" before
  -f  go on after errors
`

// translatesieve writes the mailbox names of all Sieve scripts as they are
// after a change of unixhierarchysep or altnamespace: those of fileinto.
//
// Source: Debian's cyrus/upgrade/translatesieve.
func translatesieve(p *program) int {
	return p.end((&translation{program: p}).run(context.Background()))
}

// translation is one run of translatesieve.
type translation struct {
	*program
	names          nameChange
	look, verbose  bool
	force          bool
	top            string
	rules          sieve.Options
	untranslatable int
}

func (r *translation) run(ctx context.Context) error {
	conf, err := r.arguments()
	if err != nil {
		return err
	}
	c, err := r.configure(conf)
	if err != nil {
		return err
	}
	n := &r.names
	n.nowUnix, n.nowAlt = config.Unixhierarchysep.In(c), config.Altnamespace.In(c)
	n.users, n.shared = config.Userprefix.In(c), config.Sharedprefix.In(c)
	r.top, r.rules = config.Sievedir.In(c), scripts.Rules(c)
	fmt.Fprintf(r.out, "you are using %s as your sieve directory.\n", r.top)
	if n.nowUnix == n.wasUnix && n.nowAlt == n.wasAlt {
		return &exit{exFailure, errors.New("fatal error: There's been no change to Unix hierarchy separator or the alternate namespace")}
	}
	fmt.Fprintf(r.out, "translating sievedir %s... %s", r.top, n.separators())
	if n.wasAlt && !n.nowAlt { // "Shared Folders.x" and "x" would both be "x"
		return &exit{exFailure, errors.New("fatal error: this utility *cannot* convert from altnamespace to traditional!")}
	}
	if n.nowAlt != n.wasAlt {
		fmt.Fprintln(r.out, "converting name space from traditional to alternative.")
	} else {
		fmt.Fprintln(r.out, "not changing name space.")
	}
	if err := filepath.WalkDir(r.top, r.file); err != nil {
		return &exit{exFailure, err}
	}
	if err := r.stored(ctx, c); err != nil {
		return err
	}
	fmt.Fprintln(r.out, "done")
	if r.untranslatable > 0 {
		return &exit{exFailure, nil}
	}
	return nil
}

func (r *translation) arguments() (conf string, err error) {
	opts, operands, err := r.options("vnhuafC:", translateUse, exFailure)
	if err != nil {
		return "", err
	}
	switches := map[byte]*bool{'v': &r.verbose, 'n': &r.look, 'u': &r.names.wasUnix, 'a': &r.names.wasAlt, 'f': &r.force}
	for _, o := range opts {
		switch {
		case o.Letter == 'C':
			conf = o.Arg
		case switches[o.Letter] != nil:
			*switches[o.Letter] = true
		default:
			return "", r.misused(translateUse, exFailure)
		}
	}
	if len(operands) > 0 {
		return "", r.misused(translateUse, exFailure)
	}
	r.verbose = r.verbose || r.look
	return conf, nil
}

// failed notes an error; with -n and -f it is only printed.
func (r *translation) failed(err error) error {
	if r.force || r.look {
		fmt.Fprintf(r.out, "error: %v\n", err)
		r.untranslatable++
		return nil
	}
	return fmt.Errorf("fatal error: %w", err)
}

// file translates a script that is a file: text and byte code, if there is any.
func (r *translation) file(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return r.failed(err)
	}
	if !d.Type().IsRegular() || !strings.HasSuffix(path, ".script") {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r.failed(err)
	}
	fresh, changed := r.text(filepath.Base(path), string(text))
	if !changed || r.look {
		return nil
	}
	code, err := sieve.Parse([]byte(fresh), r.rules)
	if err != nil {
		return r.failed(fmt.Errorf("%s: %s", path, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\r\n", "; ")))
	}
	if err := replaceFile(path, []byte(fresh)); err != nil {
		return r.failed(err)
	}
	bc := strings.TrimSuffix(path, ".script") + ".bc"
	if _, err := os.Stat(bc); err != nil {
		return nil
	}
	if err := replaceFile(bc, code.Code()); err != nil {
		return r.failed(err)
	}
	return nil
}

// stored translates the scripts that are messages of #sieve.
func (r *translation) stored(ctx context.Context, c *config.Config) error {
	s, err := r.openStore(c)
	if err != nil {
		return err
	}
	defer s.Close()
	var users []string
	err = s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Kind() == mboxlist.Sieve && e.Name.Owner() != "" && !e.Name.IsDeleted(s.Layout.DeletedPrefix) {
			users = append(users, e.Name.Owner())
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := r.user(ctx, s, u); err != nil {
			if err := r.failed(fmt.Errorf("%s: %w", u, err)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *translation) user(ctx context.Context, s *site.Site, user string) error {
	u, err := scripts.Open(ctx, s, user)
	if err != nil {
		return err
	}
	all, err := u.List(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		fresh, changed := r.text(user+": "+x.Name, string(x.Text))
		if !changed || r.look {
			continue
		}
		if err := u.Put(ctx, x.Name, []byte(fresh)); err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
	}
	return nil
}

// fileintos finds fileinto with its tags and a quoted mailbox. Comments and
// texts that look like it are taken for it, as by Cyrus's tool.
var fileintos = regexp.MustCompile(`(?i)((?:^|[\s;{}])fileinto(?:\s+:[a-z]+(?:\s+(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]))??)*\s+")((?:[^"\\]|\\.)*)("\s*;)`)

// text translates a script line by line, and prints the lines that change.
func (r *translation) text(name, text string) (string, bool) {
	if r.verbose {
		fmt.Fprintf(r.out, "translating %s...\n", name)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		fresh := fileintos.ReplaceAllStringFunc(line, func(m string) string {
			g := fileintos.FindStringSubmatch(m)
			return g[1] + r.names.change(g[2]) + g[3]
		})
		if fresh != line && r.verbose {
			fmt.Fprintf(r.out, "< %s\n> %s\n", strings.TrimRight(line, "\r\n"), strings.TrimRight(fresh, "\r\n"))
		}
		b.WriteString(fresh)
	}
	return b.String(), b.String() != text
}

// nameChange is from which spelling of mailbox names to which.
type nameChange struct {
	wasUnix, wasAlt, nowUnix, nowAlt bool
	users, shared                    string // prefixes of the new one
}

func (n *nameChange) separators() string {
	switch {
	case n.nowUnix && !n.wasUnix:
		return "converting separator from '.' to '/'\n"
	case n.wasUnix && !n.nowUnix:
		return "converting separator from '/' to '.'\n"
	}
	return "not converting separator.\n"
}

// change is the new spelling of a name. INBOX is the same in all.
func (n *nameChange) change(name string) string {
	if strings.EqualFold(name, "INBOX") {
		return name
	}
	was, now := separator(n.wasUnix), separator(n.nowUnix)
	prefix := ""
	if n.nowAlt && !n.wasAlt {
		switch {
		case len(name) > 6 && strings.EqualFold(name[:6], "INBOX"+was):
			name = name[6:]
		case strings.HasPrefix(name, "user"+was):
			prefix, name = n.users+now, name[5:]
		default:
			prefix = n.shared + now
		}
	}
	switch { // a dot within a component is written as '^' where '.' separates
	case now == "/" && was == ".":
		name = strings.NewReplacer(".", "/", "^", ".").Replace(name)
	case now == "." && was == "/":
		name = strings.NewReplacer("/", ".", ".", "^").Replace(name)
	}
	return prefix + name
}

func separator(unix bool) string {
	if unix {
		return "/"
	}
	return "."
}

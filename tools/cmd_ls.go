package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const cyrLsUse = `usage: cyr_ls [-C <alt_config>] [-p] [-m] [-i] [-l] [-R] [-1] [mailbox name]

	-p	argument is a UNIX path, not mailbox
	-7	mailbox argument is in modified UTF7 rather than UTF8
	-m	list the contents of the metadata directory (if different from the data directory)
	-i	print ID of each mailbox
	-l	long listing format
	-R	list submailboxes recursively
	-1	list one file per line
`

// The table has four columns; one on a line with -1, -i and -l.
const (
	lsColumns = 4
	lsWidth   = 76 / lsColumns
)

// boxLister is one run of cyr_ls.
type boxLister struct {
	*program
	site *site.Site
	ns   *mboxname.Namespace
	w    *bufio.Writer
	now  time.Time

	conf                             string
	path, meta, ids, long, below, u7 bool
	columns                          int
}

// cyrLs lists the mailboxes directly below one, like files. It never
// prints colours.
//
// Source: Cyrus imap/cyr_ls.c.
func cyrLs(p *program) int {
	return p.end((&boxLister{program: p, now: time.Now(), columns: lsColumns}).run(context.Background()))
}

func (l *boxLister) run(ctx context.Context) error {
	opts, operands, err := l.options("17C:Rilmp", cyrLsUse, exMinusOne)
	if err != nil {
		return err
	}
	switches := map[byte]*bool{'7': &l.u7, 'R': &l.below, 'i': &l.ids, 'l': &l.long, 'm': &l.meta, 'p': &l.path}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			l.conf = o.Arg
		case '1':
			l.columns = 1
		default:
			*switches[o.Letter] = true
		}
	}
	if l.ids || l.long {
		l.columns = 1
	}
	if l.site, err = l.openSite(l.conf); err != nil {
		return err
	}
	defer l.site.Close()
	l.ns = l.site.Namespace("", true)
	l.w = bufio.NewWriter(l.out)
	defer l.w.Flush()
	name, ok := l.start(ctx, operands)
	if !ok {
		fmt.Fprintln(l.err, "Invalid mailbox name: '(null)'")
		return nil
	}
	return l.list(ctx, name)
}

// start returns the mailbox that the operand means: a name, or else a path;
// without one that of the working directory.
func (l *boxLister) start(ctx context.Context, operands []string) (mboxname.Name, bool) {
	path := "."
	if len(operands) > 0 {
		path = operands[0]
		if n, err := l.name(path); err == nil && !l.path {
			if _, err := l.site.List.Find(ctx, n); err == nil {
				return n, true
			}
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	n, err := (&mbpathRun{program: l.program, site: l.site}).fromPath(ctx, path)
	if err == nil {
		_, err = l.site.List.Find(ctx, n)
	}
	return n, err == nil
}

// name is the internal name of an operand.
func (l *boxLister) name(operand string) (mboxname.Name, error) {
	if !l.u7 {
		encoded, err := mboxname.EncodeUTF7(operand)
		if err != nil {
			return "", err
		}
		operand = encoded
	}
	return l.ns.Internal(operand)
}

// list prints what is below a mailbox, and with -R what is below that.
func (l *boxLister) list(ctx context.Context, n mboxname.Name) error {
	external := l.ns.ExternalOr(n)
	fmt.Fprintf(l.w, "\n%s:\n", external)
	e, err := l.site.List.Find(ctx, n)
	if err != nil || e.Has(mboxlist.Tombstone) || e.Has(mboxlist.Reserved) {
		return nil
	}
	if e.Has(mboxlist.Remote) {
		fmt.Fprintf(l.w, "Non-local mailbox: %s!%s\n", e.Server, e.Partition)
		return nil
	}
	prefixes := []string{""}
	if n.IsInbox() {
		prefixes = append(prefixes, "INBOX/")
	}
	var children []mboxname.Name
	count := 0
	for _, prefix := range prefixes {
		local, domain, at := strings.Cut(external, "@")
		pattern := local + string(l.ns.Separator()) + strings.ReplaceAll(prefix, "/", string(l.ns.Separator())) + "%"
		if at {
			pattern += "@" + domain
		}
		err := eachMatch(ctx, l.site, []string{pattern}, func(_ string, child *mboxlist.Entry) error {
			if count%l.columns == 0 {
				fmt.Fprintln(l.w)
			} else {
				fmt.Fprint(l.w, "    ")
			}
			count++
			children = append(children, child.Name)
			return l.entry(prefix, child)
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(l.w)
	if !l.below {
		return nil
	}
	for _, child := range children {
		if err := l.list(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

// shown is a name in UTF-8, or in modified UTF-7 with -7.
func (l *boxLister) shown(name string) string {
	if text, err := mboxname.DecodeUTF7(name); err == nil && !l.u7 {
		return text
	}
	return name
}

// entry prints one mailbox.
func (l *boxLister) entry(prefix string, e *mboxlist.Entry) error {
	if l.ids {
		fmt.Fprintf(l.w, "%-40s ", e.UniqueID)
	}
	if l.long {
		if err := l.details(e); err != nil {
			return err
		}
	}
	boxes := e.Name.Parts(l.site.Layout.DeletedPrefix).Boxes
	name := ""
	if len(boxes) > 0 {
		name = boxes[len(boxes)-1]
	}
	text := quoted(prefix + l.shown(name))
	fmt.Fprint(l.w, text)
	if l.columns > 1 {
		fmt.Fprint(l.w, strings.Repeat(" ", max(lsWidth-len(text), 0)))
	}
	return nil
}

// quoted is a name with quotes around it if the shell would need them, else
// with a blank in front.
func quoted(name string) string {
	const special = " !\"#$&'()*,;<>?[\\]^`{|}~"
	switch {
	case !strings.ContainsAny(name, special):
		return " " + name
	case !strings.Contains(name, "'"):
		return "'" + name + "'"
	case !strings.Contains(name, `"`):
		return `"` + name + `"`
	}
	return "'" + strings.ReplaceAll(name, "'", `\'`) + "'"
}

// details prints what "ls -l" says of a mailbox's directory; nothing is
// known of one that is not there.
func (l *boxLister) details(e *mboxlist.Entry) error {
	layout, legacy := l.site.Layout, e.Has(mboxlist.LegacyDirs)
	dir, err := layout.MailboxDir(e.Partition, e.Name, e.UniqueID, legacy)
	if l.meta && err == nil {
		dir, err = layout.MetaDir(mboxname.Header, e.Partition, e.Name, e.UniqueID, legacy)
	}
	if err != nil {
		return err
	}
	fi, err := os.Stat(dir)
	if err != nil {
		fmt.Fprintf(l.w, "%s ", err)
		return nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	changed := time.Unix(st.Ctim.Unix()).In(time.Local)
	date := changed.Format("Jan 02 ") + fmt.Sprintf("%2d", changed.Hour()) + changed.Format(":04")
	if l.now.Sub(changed) > 365*24*time.Hour {
		date = changed.Format("Jan 02  2006")
	}
	kind := "-"
	if fi.IsDir() {
		kind = "d"
	}
	fmt.Fprintf(l.w, "%s%s %d %-8s %-8s %10d %s ", kind, (fi.Mode() & fs.ModePerm).String()[1:], st.Nlink, userName(st.Uid), groupName(st.Gid), st.Size, date)
	return nil
}

// userName and groupName are the name of an id, or the id in digits.
func userName(id uint32) string {
	digits := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(digits); err == nil {
		return u.Username
	}
	return digits
}

func groupName(id uint32) string {
	digits := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(digits); err == nil {
		return g.Name
	}
	return digits
}

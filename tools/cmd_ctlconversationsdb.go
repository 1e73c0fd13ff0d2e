package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const conversationsUse = `usage: %s [options] [-u|-d|-z|-f] [-r] username

options are:
    -v             be more verbose
    -C altconfig   use altconfig instead of imapd.conf
    -u             undump the conversations database from stdin
    -d             dump the conversations database to stdout
    -z             zero the conversations DB (make all NULLs)
    -b             build conversations entries for any NULL records
    -R             recalculate all counts
    -A             audit conversations DB counts
    -F             check folder names
    -T dir         store temporary data for audit in dir

    -r             recursive mode: username is a prefix
`

// conversationsRun is one run of ctl_conversationsdb.
type conversationsRun struct {
	*program
	site    *site.Site
	out     *bufio.Writer
	mode    byte // the letter of the option, 0 is none
	verbose bool
}

// ctlConversationsdb looks at the conversations of users, counts them anew,
// gives messages their conversations or takes them away. As Cyrus's, it ends
// with 0 whatever it finds.
//
// Source: Cyrus imap/ctl_conversationsdb.c. -S and -T change nothing here: a
// recount never gives a message another conversation, and an audit counts
// in memory.
func ctlConversationsdb(p *program) int { return p.end(p.ctlConversationsdb()) }

func (p *program) ctlConversationsdb() error {
	use := fmt.Sprintf(conversationsUse, p.called)
	opts, users, err := p.options("durzSAbvRFC:T:", use, exUsage)
	if err != nil {
		return err
	}
	r := &conversationsRun{program: p}
	conf, all := "", false
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'v':
			r.verbose = true
		case 'r':
			all = true
		case 'S', 'T':
		default:
			if r.mode != 0 {
				return p.misused(use, exUsage)
			}
			r.mode = o.Letter
		}
	}
	if r.mode == 0 || len(users) != 1 && !(all && len(users) == 0) {
		return p.misused(use, exUsage)
	}
	if r.site, err = p.openSite(conf); err != nil {
		return err
	}
	defer r.site.Close()
	if r.site.Conversations == nil {
		return &exit{exConfig, errors.New("conversations are not kept: imapd.conf has no \"conversations: yes\"")}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	r.out = bufio.NewWriter(p.out)
	defer r.out.Flush()
	if all {
		if users, err = r.users(ctx); err != nil {
			return err
		}
	}
	for _, u := range users {
		if ctx.Err() != nil {
			return &exit{exTempFail, nil}
		}
		r.user(ctx, u)
	}
	return nil
}

// users is all users, in the order of the mailbox list.
func (r *conversationsRun) users(ctx context.Context) (users []string, err error) {
	err = r.site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && e.Name.IsInbox() && !slices.Contains(users, e.Name.Owner()) {
			users = append(users, e.Name.Owner())
		}
		return true, ctx.Err()
	})
	return users, err
}

// user does what is wanted for one user. Failures are printed, and the others
// are done nevertheless.
func (r *conversationsRun) user(ctx context.Context, user string) {
	var err error
	switch r.mode {
	case 'd':
		err = r.dump(ctx, user)
	case 'u':
		err = r.load(ctx, user)
	case 'F':
		err = r.checkFolders(ctx, user)
	case 'A':
		err = r.audit(ctx, user)
	case 'R':
		err = r.site.Store.CountConversations(ctx, user, r.sayMailbox)
	case 'b', 'z':
		err = r.site.Store.SetConversations(ctx, user, r.mode == 'b', func(ref mailbox.Ref, err error) {
			r.log.Error(err.Error())
			fmt.Fprintf(r.err, "Failed to open mailbox %s, skipping\n", ref.Name)
		})
	}
	if err != nil {
		r.out.Flush()
		r.log.Error(err.Error(), "user", user)
		fmt.Fprintf(r.err, "ctl_conversationsdb: %s: %v\n", user, err)
	}
}

// sayMailbox prints the mailbox that is counted now, with -v.
func (r *conversationsRun) sayMailbox(ref mailbox.Ref) {
	if r.verbose {
		fmt.Fprintln(r.out, ref.Name)
	}
}

// dump prints all records.
func (r *conversationsRun) dump(ctx context.Context, user string) error {
	path, err := r.site.Conversations.Path(ctx, user)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(r.err, "%s: No such file or directory\n", path)
		return nil
	}
	return r.site.Store.WithConversations(ctx, user, func(t *conversations.Txn) error {
		return t.Each(func(key string, value []byte) error {
			_, err := fmt.Fprintf(r.out, "%s\t%s\n", key, value)
			return err
		})
	})
}

// load puts records from standard input in the place of all that there are.
// They are lines of a key, a tab and a value, as dump prints them: a value
// that has a line end in it goes on as long as no line looks like a record.
func (r *conversationsRun) load(ctx context.Context, user string) error {
	return r.site.Store.WithConversations(ctx, user, func(t *conversations.Txn) error {
		if err := t.Truncate(); err != nil {
			return err
		}
		in := bufio.NewReader(r.in)
		var key, value []byte
		flush := func() {
			if key != nil {
				t.Put(key, bytes.TrimSuffix(value, []byte("\n")))
			}
		}
		for {
			line, err := in.ReadBytes('\n')
			if k, v, ok := bytes.Cut(line, []byte("\t")); ok && conversations.IsKey(string(k)) {
				flush()
				key, value = k, v
			} else {
				value = append(value, line...)
			}
			if err != nil {
				flush()
				return t.Commit(ctx)
			}
		}
	})
}

// checkFolders looks for folders that have two numbers.
func (r *conversationsRun) checkFolders(ctx context.Context, user string) error {
	t, err := r.site.Conversations.Look(ctx, user)
	if err != nil {
		return err
	}
	var folders []string
	if t != nil {
		defer t.Close()
		folders, _ = t.Folders()
	}
	folders = slices.DeleteFunc(slices.Clone(folders), func(f string) bool { return f == "-" })
	n := len(folders)
	slices.Sort(folders)
	word := "OK"
	if len(slices.Compact(folders)) != n {
		word = "DUPLICATE"
	}
	fmt.Fprintf(r.out, "%s %s\n", word, user)
	return nil
}

// audit compares the counts with those of the mailboxes.
func (r *conversationsRun) audit(ctx context.Context, user string) error {
	tell := func(format string, args ...any) {
		if r.verbose {
			fmt.Fprintf(r.out, format+"\n", args...)
		}
	}
	tell("User %s", user)
	tell("Pass 1: recalculate counts into temporary db")
	return r.site.Store.AuditConversations(ctx, user, r.sayMailbox, func(have, should *conversations.Txn) error {
		tell("Pass 2: find differences from recalculated to live dbs")
		var details strings.Builder
		n, err := have.Compare(should, &details)
		if err != nil {
			return err
		}
		if r.verbose {
			r.out.WriteString(details.String())
		}
		if n > 0 {
			fmt.Fprintf(r.out, "%s is BROKEN (%d differences)\n", user, n)
		} else {
			tell("%s is OK", user)
		}
		return nil
	})
}

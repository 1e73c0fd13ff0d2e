package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/restore"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/snapshot"
)

const restoreUse = `usage: cyrus restore [OPTIONS] DIR[/SNAPSHOT] user USER
       cyrus restore [OPTIONS] DIR[/SNAPSHOT] mailbox MAILBOX [UIDS ...]
       cyrus restore [OPTIONS] DIR[/SNAPSHOT] all
Options: [-C <alt_config>] [-n] [-v] [--at TIME] [--into NAME] [--ignore-quota]
of mailbox: [-r] [--message-id ID] [--guid HEX] [--since TIME] [--before TIME]
`

var restoreLong = []getopt.Long{
	{Name: "at", Arg: getopt.Required, Letter: 'a'}, {Name: "into", Arg: getopt.Required, Letter: 'i'},
	{Name: "ignore-quota", Letter: 'Q'}, {Name: "dry-run", Letter: 'n'}, {Name: "verbose", Letter: 'v'},
	{Name: "recursive", Letter: 'r'}, {Name: "all", Letter: 'A'},
	{Name: "message-id", Arg: getopt.Required, Letter: 'm'}, {Name: "guid", Arg: getopt.Required, Letter: 'g'},
	{Name: "since", Arg: getopt.Required, Letter: 's'}, {Name: "before", Arg: getopt.Required, Letter: 'b'},
}

// restoreRun is one run of restore.
type restoreRun struct {
	*program
	conf, path, into string
	what, name       string // user, mailbox or all; and which
	at               time.Time
	dry, verbose     bool
	deep, ignore     bool
	sel              restore.Select
	selects          bool // sel says something
}

// restoreCommand brings a user, a mailbox, messages or everything back from
// a snapshot.
func restoreCommand(p *program) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return p.end((&restoreRun{program: p}).run(ctx))
}

func (r *restoreRun) run(ctx context.Context) error {
	if err := r.arguments(time.Now()); err != nil {
		return err
	}
	s, err := r.openSite(r.conf)
	if err != nil {
		return err
	}
	defer s.Close()
	return snapshotExit(r.restore(ctx, s))
}

// arguments reads the command line.
func (r *restoreRun) arguments(now time.Time) error {
	args := append([]string{r.called}, r.args[1:]...)
	opts, operands, err := getopt.Parse(args, "C:nvr", restoreLong...)
	for i := 0; err == nil && i < len(opts); i++ {
		if err = r.option(opts[i], now); err != nil {
			err = fmt.Errorf("--%s %s: %w", opts[i].Long, opts[i].Arg, err)
		}
	}
	if err == nil && !r.operands(operands) {
		return r.misused(restoreUse, exUsage)
	}
	if err == nil && len(operands) > 3 {
		if r.sel.UIDs, err = seen.ParseUIDs(strings.Join(operands[3:], ",")); err != nil {
			err = fmt.Errorf("%s: %w", strings.Join(operands[3:], " "), err)
		}
		r.selects = true
	}
	if err != nil {
		fmt.Fprintln(r.err, err)
		return r.misused(restoreUse, exUsage)
	}
	return nil
}

// option takes one option.
func (r *restoreRun) option(o getopt.Opt, now time.Time) (err error) {
	switches := map[byte]*bool{'n': &r.dry, 'v': &r.verbose, 'r': &r.deep, 'Q': &r.ignore}
	times := map[byte]*time.Time{'a': &r.at, 's': &r.sel.Since, 'b': &r.sel.Before}
	switch o.Letter {
	case 'C':
		r.conf = o.Arg
	case 'i':
		r.into = o.Arg
	case 'A':
		r.what = "all"
	case 'm':
		r.sel.MessageIDs = append(r.sel.MessageIDs, o.Arg)
		r.selects = true
	case 'g':
		g, err := restore.ParseGUID(o.Arg)
		if err != nil {
			return errors.New("not the 40 hex digits of a SHA-1")
		}
		r.sel.GUIDs = append(r.sel.GUIDs, g)
		r.selects = true
	case 'a', 's', 'b':
		*times[o.Letter], err = parseTime(o.Arg, now)
		r.selects = r.selects || o.Letter != 'a'
	default:
		*switches[o.Letter] = true
	}
	return err
}

// operands reads where from and what; false if that cannot be.
func (r *restoreRun) operands(words []string) bool {
	if len(words) == 0 || words[0] == "" {
		return false
	}
	r.path = words[0]
	if r.what == "all" || len(words) == 2 && words[1] == "all" {
		r.what = "all"
		return len(words) < 3 && !r.selects && !r.deep && r.into == ""
	}
	if len(words) < 3 || words[2] == "" {
		return false
	}
	r.what, r.name = words[1], words[2]
	switch r.what {
	case "user":
		return len(words) == 3 && !r.selects && !r.deep
	case "mailbox":
		return !(r.deep && (r.selects || len(words) > 3))
	}
	return false
}

// timeForms are how a time may be written. Without a zone it is local.
var timeForms = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// parseTime reads a time, the name of a snapshot, or how long ago: 2h, 3d.
func parseTime(s string, now time.Time) (time.Time, error) {
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse("20060102T150405Z", s); err == nil {
		return t, nil
	}
	if d, err := config.ParseDuration(s, "s"); err == nil && d > 0 && strings.Trim(s, "0123456789") != "" {
		return now.Add(-d), nil
	}
	return time.Time{}, errors.New("not a time such as 2026-11-23 18:00, and not how long ago, such as 3h or 2d")
}

// restore does it.
func (r *restoreRun) restore(ctx context.Context, s *site.Site) error {
	from, later, err := r.open(ctx, s)
	if err != nil {
		return err
	}
	defer from.Close()
	if later != nil {
		defer later.Close()
	}
	o := restore.Options{
		Site: s, From: from, Later: later, At: r.at, DryRun: r.dry, IgnoreQuota: r.ignore,
		Warn: func(err error) {
			r.log.Warn(err.Error())
			fmt.Fprintf(r.err, "warning: %v\n", err)
		},
	}
	if r.verbose || r.dry {
		o.Say = func(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }
	} else {
		o.Progress = r.progress("mailboxes")
	}
	run := restore.New(o)
	err = r.which(ctx, s, run)
	if t := run.Totals(); err == nil || t.Made+t.Messages > 0 {
		r.summary(t, from, later)
	}
	if err == nil && run.Totals().Warnings > 0 {
		err = &exit{exDataErr, nil}
	}
	return err
}

// which calls what is to be done.
func (r *restoreRun) which(ctx context.Context, s *site.Site, run *restore.Run) error {
	if r.what == "all" {
		return run.All(ctx)
	}
	if r.what == "user" {
		return run.User(ctx, r.name, r.into)
	}
	ns := s.Namespace("", true)
	n, err := ns.Internal(r.name)
	if err != nil {
		return errs.New(errs.BadName, "restore", r.name, err)
	}
	var into mboxname.Name
	if r.into != "" {
		if into, err = ns.Internal(r.into); err != nil {
			return errs.New(errs.BadName, "restore", r.into, err)
		}
	}
	var sel *restore.Select
	if r.selects {
		sel = &r.sel
	}
	return run.Mailbox(ctx, n, into, r.deep, sel)
}

// summary tells what was done, also before an error.
func (r *restoreRun) summary(t restore.Totals, from, later *snapshot.Open) {
	text := "from " + from.Name
	if later != nil {
		text += " and " + later.Name
	}
	if r.dry {
		fmt.Fprintf(r.out, "%s: %d mailboxes would be made, %d messages restored, %d are there already\n", text, t.Made, t.Messages, t.There)
		return
	}
	r.notice("restore: %s %s %s: %d mailboxes made, %d messages restored, %d were there", r.what, r.name, text, t.Made, t.Messages, t.There)
	fmt.Fprintf(r.out, "%s: %d mailboxes made, %d messages restored, %d were there already\n", text, t.Made, t.Messages, t.There)
}

// open opens the snapshot that the command line means, and one that was made
// later than --at.
func (r *restoreRun) open(ctx context.Context, s *site.Site) (from, later *snapshot.Open, err error) {
	dir, one, err := snapshot.Find(disk.OS(), s.Locks, r.path)
	if err != nil {
		return nil, nil, err
	}
	var next *snapshot.Snapshot
	if one == nil {
		all, err := dir.List()
		if err != nil {
			return nil, nil, err
		}
		if len(all) == 0 {
			return nil, nil, errs.New(errs.NotFound, "restore", r.path, errors.New("there is no snapshot"))
		}
		one = &all[len(all)-1]
		if !r.at.IsZero() {
			if one, next = snapshot.At(all, r.at); one == nil {
				one, next = next, nil
			}
		}
	}
	if from, err = dir.Open(ctx, *one, os.TempDir(), r.log); err != nil {
		return nil, nil, err
	}
	if next != nil {
		if later, err = dir.Open(ctx, *next, os.TempDir(), r.log); err != nil {
			from.Close()
			return nil, nil, err
		}
	}
	return from, later, nil
}

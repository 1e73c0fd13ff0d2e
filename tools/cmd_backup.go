package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/snapshot"
)

const backupUse = `usage: cyrus backup [-C <alt_config>] [-q|-v] [--copy] [--keep NUMBER|AGE] DIR
       cyrus backup [-C <alt_config>] --list DIR
       cyrus backup [-C <alt_config>] --verify DIR[/SNAPSHOT]
`

// More exit codes (sysexits.h).
const (
	exNoInput   = 66
	exCantCreat = 73
)

var backupLong = []getopt.Long{
	{Name: "copy", Letter: 'c'}, {Name: "keep", Arg: getopt.Required, Letter: 'k'},
	{Name: "list", Letter: 'l'}, {Name: "verify", Letter: 'V'},
	{Name: "quiet", Letter: 'q'}, {Name: "verbose", Letter: 'v'},
}

// backupRun is one run of backup.
type backupRun struct {
	*program
	conf           string
	mode           byte // 0, l or V
	copy           bool
	quiet, verbose bool
	keep           snapshot.Keep
	path           string
}

// backup takes a copy of the site, while it works, as a snapshot in a
// directory; or tells which there are, or whether they are whole.
func backup(p *program) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return p.end((&backupRun{program: p}).run(ctx))
}

func (r *backupRun) run(ctx context.Context) error {
	if err := r.arguments(); err != nil {
		return err
	}
	c, err := r.configure(r.conf)
	if err != nil {
		return err
	}
	switch r.mode {
	case 'l':
		err = r.list()
	case 'V':
		err = r.verify(ctx)
	default:
		err = r.take(ctx, c)
	}
	return snapshotExit(err)
}

// arguments reads the command line.
func (r *backupRun) arguments() error {
	args := append([]string{r.called}, r.args[1:]...)
	opts, operands, err := getopt.Parse(args, "C:qv", backupLong...)
	if err != nil {
		fmt.Fprintln(r.err, err)
		return r.misused(backupUse, exUsage)
	}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'c':
			r.copy = true
		case 'q':
			r.quiet = true
		case 'v':
			r.verbose = true
		case 'k':
			if r.keep, err = parseKeep(o.Arg); err != nil {
				fmt.Fprintf(r.err, "--keep %s: %v\n", o.Arg, err)
				return r.misused(backupUse, exUsage)
			}
		default:
			if r.mode != 0 {
				return r.misused(backupUse, exUsage)
			}
			r.mode = o.Letter
		}
	}
	making := r.copy || r.keep != snapshot.Keep{}
	if len(operands) != 1 || operands[0] == "" || r.mode != 0 && making {
		return r.misused(backupUse, exUsage)
	}
	r.path = operands[0]
	return nil
}

// parseKeep reads how many snapshots are kept, or how old ones.
func parseKeep(s string) (k snapshot.Keep, err error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 {
			return k, errors.New("at least one is kept")
		}
		k.Count = n
		return k, nil
	}
	k.Age, err = config.ParseDuration(s, "d")
	if err == nil && k.Age <= 0 {
		err = errors.New("not a number of snapshots, and not a time such as 30d")
	}
	return k, err
}

// snapshotExit gives an error of a backup or restore its exit status. What
// is a temporary failure is left to end.
func snapshotExit(err error) error {
	if _, ok := errors.AsType[*exit](err); ok || err == nil {
		return err
	}
	status := exTempFail
	switch {
	case errors.Is(err, fs.ErrNotExist), errs.Is(err, errs.NotFound):
		status = exNoInput
	case errs.Is(err, errs.BadFormat):
		status = exDataErr
	case errs.Is(err, errs.DiskFull), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		status = exCantCreat
	case errs.Is(err, errs.BadArgument), errs.Is(err, errs.BadName):
		status = exUsage
	}
	return fatal(status, "%w", err)
}

// terse reports whether only what is wrong is told: nobody watches.
func (r *backupRun) terse() bool {
	f, ok := r.out.(*os.File)
	return r.quiet || !r.verbose && !(ok && isTerminal(f))
}

// take makes a snapshot, then removes those that are not kept.
func (r *backupRun) take(ctx context.Context, c *config.Config) error {
	s, err := r.openStore(c)
	if err != nil {
		return err
	}
	defer s.Close()
	dir := snapshot.NewDir(disk.OS(), s.Locks, r.path)
	o := snapshot.Options{Copy: r.copy, Warn: func(err error) {
		r.log.Warn(err.Error())
		fmt.Fprintf(r.err, "warning: %v\n", err)
	}}
	if !r.quiet {
		o.Progress = r.progress("mailboxes")
	}
	res, err := snapshot.Take(ctx, s, dir, o)
	if err != nil {
		return err
	}
	r.notice("backup: %s has %d mailboxes, %d messages, %d octets, %d octets copied", res.Path, res.Mailboxes, res.Messages, res.Bytes, res.Copied)
	if !r.terse() {
		fmt.Fprintf(r.out, "%s: %d mailboxes, %d messages of %s, %s copied\n", res.Path, res.Mailboxes, res.Messages, sizeText(res.Bytes), sizeText(res.Copied))
	}
	if err := r.prune(ctx, dir); err != nil {
		return err
	}
	if res.Warnings > 0 {
		return &exit{exDataErr, nil}
	}
	return nil
}

func (r *backupRun) prune(ctx context.Context, dir *snapshot.Dir) error {
	if r.keep == (snapshot.Keep{}) {
		return nil
	}
	removed, err := dir.Prune(ctx, r.keep, time.Now())
	for _, s := range removed {
		r.notice("backup: %s removed", s.Path)
		if !r.terse() {
			fmt.Fprintf(r.out, "%s: removed\n", s.Path)
		}
	}
	return err
}

// sizeText is a number of octets for people.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d octets", n)
	}
	v, units := float64(n)/unit, "KMGTPE"
	for v >= unit && len(units) > 1 {
		v, units = v/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", v, units[0])
}

// found is the snapshots that the command line means.
func (r *backupRun) found() (*snapshot.Dir, []snapshot.Snapshot, error) {
	dir, one, err := snapshot.Find(disk.OS(), lock.NewTable(disk.OS(), r.log), r.path)
	if err != nil {
		return nil, nil, err
	}
	if one != nil {
		return dir, []snapshot.Snapshot{*one}, nil
	}
	all, err := dir.List()
	return dir, all, err
}

// list prints the snapshots, the oldest first. One that cannot be read is
// among them, with why.
func (r *backupRun) list() error {
	_, all, err := r.found()
	if err != nil {
		return err
	}
	bad := false
	for _, s := range all {
		head, tail, err := snapshot.ReadManifest(disk.OS(), s.Path, nil, nil)
		if err != nil {
			bad = true
			fmt.Fprintf(r.out, "%s  damaged: %v\n", s.Name, err)
			continue
		}
		fmt.Fprintf(r.out, "%s  %s  %d mailboxes, %d messages of %s, took %s\n", s.Name,
			head.Began.Local().Format("2006-01-02 15:04:05"), tail.Mailboxes, tail.Messages, sizeText(tail.Bytes),
			tail.Ended.Sub(head.Began).Round(time.Millisecond))
	}
	if bad {
		return &exit{exDataErr, nil}
	}
	return nil
}

// verify reads snapshots, all of a directory or one.
func (r *backupRun) verify(ctx context.Context) error {
	dir, all, err := r.found()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fatal(exNoInput, "%s: there is no snapshot", r.path)
	}
	faults := 0
	for _, s := range all {
		n := faults
		release, err := dir.Hold(ctx, s)
		if err != nil {
			return err
		}
		tail, err := snapshot.Verify(ctx, disk.OS(), s, func(err error) {
			faults++
			fmt.Fprintln(r.err, err)
		}, r.progress(s.Name))
		release()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			faults++
			fmt.Fprintln(r.err, err)
			continue
		}
		if faults == n && !r.quiet {
			fmt.Fprintf(r.out, "%s: whole, %d mailboxes, %d messages\n", s.Path, tail.Mailboxes, tail.Messages)
		}
	}
	if faults > 0 {
		return fatal(exDataErr, "%s: %d faults", r.path, faults)
	}
	return nil
}

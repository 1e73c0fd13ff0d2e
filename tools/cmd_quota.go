package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/site"
)

const quotaUse = "usage: quota [-C <alt_config>] [-d <domain>] [-f] [-q] [-J] [-n] [-u] [mailbox-spec]...\n"

// quotaRun is one run of quota.
type quotaRun struct {
	*program
	site *site.Site
	ns   *mboxname.Namespace

	conf, domain                           string
	operands                               []string
	json, fix, onlyLook, quiet, user, sync bool

	roots []*countedRoot
}

// countedRoot is a quota root that is reported, and counted with -f.
type countedRoot struct {
	name  mboxname.Name
	count *quota.Recount
	boxes int  // mailboxes under it
	done  bool // counted
	gone  bool
}

// lost notes that a root was removed meanwhile, as a Cyrus does that deletes
// its user, if that is what err says.
func (c *countedRoot) lost(err error) bool {
	if errs.Is(err, errs.QuotaNotFound) {
		c.gone, c.done = true, true
	}
	return c.gone
}

func (r *quotaRun) forgetLost() {
	r.roots = slices.DeleteFunc(r.roots, func(c *countedRoot) bool { return c.gone })
}

// quotaCommand reports what is used of quota roots, and counts it anew.
// With -n nothing at all is changed.
//
// Source: Cyrus imap/quota.c.
func quotaCommand(p *program) int { return p.end((&quotaRun{program: p}).run(context.Background())) }

func (r *quotaRun) run(ctx context.Context) (err error) {
	if err := r.arguments(); err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	r.ns = r.site.Namespace("", true)
	if err := r.count(ctx); err != nil {
		return err
	}
	if r.fix && r.quiet {
		return nil
	}
	return r.report(ctx)
}

// arguments reads the command line.
func (r *quotaRun) arguments() error {
	opts, operands, err := r.options("C:JZd:fnqu", quotaUse, exUsage)
	if err != nil {
		return err
	}
	switches := map[byte]*bool{'J': &r.json, 'Z': &r.sync, 'f': &r.fix, 'n': &r.onlyLook, 'q': &r.quiet, 'u': &r.user}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'd':
			r.domain = o.Arg
		default:
			*switches[o.Letter] = true
		}
	}
	r.operands = operands
	return nil
}

// count finds the roots, and with -f counts them anew. Meanwhile no root
// comes or goes.
func (r *quotaRun) count(ctx context.Context) error {
	held, err := r.site.List.LockQuota(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	if err := r.find(ctx); err != nil || !r.fix {
		return err
	}
	for _, c := range r.roots {
		if c.count, err = r.site.Quota.Recount(ctx, c.name); c.lost(err) {
			continue
		}
		if err != nil {
			return err
		}
	}
	r.forgetLost()
	if err := r.countBoxes(ctx); err != nil {
		return err
	}
	r.roots = slices.DeleteFunc(r.roots, func(c *countedRoot) bool { return c.boxes == 0 && !r.onlyLook })
	return nil
}

// countBoxes counts all mailboxes under the roots, those of some roots again
// if mailboxes have appeared there meanwhile.
func (r *quotaRun) countBoxes(ctx context.Context) error {
	for tries, done := 1, false; !done; tries++ {
		before, err := r.boxes(ctx)
		if err == nil {
			err = r.eachBox(ctx, r.countBox)
		}
		if err != nil {
			return err
		}
		done = true
		for _, c := range r.roots {
			if c.done {
				continue
			}
			if r.site.List.CanCountStill(c.name) {
				c.done, err = r.site.List.CountStill(ctx, c.count, c.name, r.onlyLook, func(boxes int) error {
					c.boxes = boxes
					return r.finish(ctx, c)
				})
			} else {
				c.done, err = r.site.List.Settle(ctx, c.count, c.name, before, tries == mboxlist.CountTries,
					func() error { return r.finish(ctx, c) })
			}
			if err != nil && !c.lost(err) {
				return err
			}
			if !c.done {
				c.boxes, done = 0, tries == mboxlist.CountTries
			}
		}
	}
	r.forgetLost()
	for _, c := range r.roots {
		if !c.done {
			return &exit{exTempFail, fmt.Errorf("quota root '%s' cannot be counted: its mailboxes change all the time, or are damaged", c.name)}
		}
	}
	return nil
}

// boxes is all mailboxes that the operands choose.
func (r *quotaRun) boxes(ctx context.Context) (all []*mboxlist.Entry, err error) {
	err = r.eachPrefix(func(prefix, user string) error {
		some, err := r.boxesOf(ctx, prefix, user)
		all = append(all, some...)
		return err
	})
	return all, err
}

// boxesOf is the mailboxes that one operand chooses.
func (r *quotaRun) boxesOf(ctx context.Context, prefix, user string) (boxes []*mboxlist.Entry, err error) {
	err = r.site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		mine := strings.HasPrefix(string(e.Name), prefix) && (user == "" || e.Name.Owner() == user)
		if mine && e.Exists() && !e.Has(mboxlist.Remote) {
			boxes = append(boxes, e)
		}
		return true, nil
	})
	return boxes, err
}

// prefix is what the names that an operand means begin with.
func (r *quotaRun) prefix(operand string) (string, error) {
	if r.user {
		return string(r.site.Names.Inbox(operand)), nil
	}
	var n mboxname.Name
	if operand != "" && operand != "user" { // those are all, as in Cyrus
		var err error
		if n, err = r.ns.Internal(operand); err != nil {
			return "", err
		}
	}
	if r.domain != "" {
		return r.domain + "!" + string(n), nil
	}
	return string(n), nil
}

// find fills r.roots, in the order of the operands.
func (r *quotaRun) find(ctx context.Context) error {
	all, err := r.site.Quota.Below(ctx, "")
	if err != nil {
		return err
	}
	return r.eachPrefix(func(prefix, user string) error {
		for _, root := range all {
			if strings.HasPrefix(string(root.Name), prefix) && (user == "" || root.Name.Owner() == user) {
				r.roots = append(r.roots, &countedRoot{name: root.Name})
			}
		}
		return nil
	})
}

// eachPrefix calls fn for what the names of each operand begin with, and for
// its user with -u.
func (r *quotaRun) eachPrefix(fn func(prefix, user string) error) error {
	if len(r.operands) == 0 {
		if r.domain != "" {
			return fn(r.domain+"!", "")
		}
		return fn("", "")
	}
	for _, operand := range r.operands {
		prefix, err := r.prefix(operand)
		if err != nil {
			return &exit{exDataErr, fmt.Errorf("failed building quota list for '%s': %w", operand, err)}
		}
		user := ""
		if r.user {
			user = operand
		}
		if err := fn(prefix, user); err != nil {
			return err
		}
	}
	return nil
}

// eachBox calls fn for the mailboxes that the operands choose, each operand's
// in ascending order of the bytes of their names.
func (r *quotaRun) eachBox(ctx context.Context, fn func(ctx context.Context, e *mboxlist.Entry) error) error {
	return r.eachPrefix(func(prefix, user string) error {
		boxes, err := r.boxesOf(ctx, prefix, user)
		if err != nil {
			return err
		}
		slices.SortStableFunc(boxes, func(a, b *mboxlist.Entry) int { return strings.Compare(string(a.Name), string(b.Name)) })
		for _, e := range boxes {
			if err := r.wait(e.Name); err != nil {
				return err
			}
			err := fn(ctx, e)
			r.done(e.Name)
			if err != nil {
				return &exit{exTempFail, fmt.Errorf("failed opening header for mailbox '%s': %w", e.Name, err)}
			}
		}
		return nil
	})
}

// countBox gives a mailbox the right quota root, and counts it there.
func (r *quotaRun) countBox(ctx context.Context, e *mboxlist.Entry) error {
	root, err := r.site.Quota.FindRoot(ctx, e.Name)
	if err != nil {
		return err
	}
	if right, err := r.rightRoot(ctx, e, root); err != nil || right && r.site.List.CanCountStill(root) {
		return err // CountStill counts it
	}
	box, err := r.site.Store.Open(ctx, e.Ref(), mailbox.Write)
	if errs.Is(err, errs.NotFound) {
		if _, lerr := r.site.List.Lookup(ctx, e.Name); errs.Is(lerr, errs.NotFound) {
			return nil // deleted meanwhile
		}
	}
	if err != nil {
		return err
	}
	defer box.Close()
	if still, err := r.site.List.Still(ctx, e); err != nil || !still {
		return err // it has another name by now
	}
	was := box.QuotaRoot()
	moved := was != root
	if moved {
		fmt.Fprintf(r.err, "%s: quota root %s --> %s\n", e.Name, orNone(was), orNone(root))
	}
	h := box.Header()
	use := quota.Usage{
		quota.Storage: int64(h.QuotaUsed), quota.Message: int64(h.Exists),
		quota.AnnotStorage: int64(h.AnnotUsed), quota.NumFolders: 1,
	}
	if moved && !r.onlyLook {
		use = quota.Usage{} // Commit counts it, once it is known to be under this root
	}
	for _, c := range r.roots {
		if c.name == root && !c.done {
			c.boxes++
			if err := c.count.Add(ctx, e.Name, use); err != nil && !c.lost(err) {
				return err
			}
		}
	}
	if !moved || r.onlyLook {
		return nil
	}
	box.SetQuotaRoot(root)
	return box.Commit(ctx)
}

// rightRoot reports whether a mailbox has that quota root in its header.
func (r *quotaRun) rightRoot(ctx context.Context, e *mboxlist.Entry, root mboxname.Name) (bool, error) {
	box, err := r.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer box.Close()
	return box.QuotaRoot() == root, nil
}

func orNone(n mboxname.Name) string {
	if n == "" {
		return "(none)"
	}
	return string(n)
}

// finish ends the count of a root. One without any mailbox is removed.
func (r *quotaRun) finish(ctx context.Context, c *countedRoot) error {
	if c.boxes == 0 {
		fmt.Fprintf(r.err, "%s: removed\n", c.name)
		if r.onlyLook {
			_, _, err := c.count.Look(ctx)
			return err
		}
		return r.site.Quota.Delete(ctx, c.name)
	}
	end := c.count.End
	if r.onlyLook {
		end = c.count.Look
	}
	was, is, err := end(ctx)
	for res := range quota.Resource(quota.Resources) {
		if err == nil && was[res] != is[res] {
			fmt.Fprintf(r.err, "%s: %s usage was %d, now %d\n", c.name, res, was[res], is[res])
		}
	}
	return err
}

// report prints all roots, as they are now.
func (r *quotaRun) report(ctx context.Context) error {
	all := &orderedJSON{}
	if !r.json {
		fmt.Fprintln(r.out, "   Quota   % Used     Used             Resource Root")
	}
	for _, c := range r.roots {
		if r.fix && c.boxes == 0 {
			continue
		}
		root, err := r.site.Quota.Get(ctx, c.name)
		if c.lost(err) {
			continue
		}
		if err != nil {
			return err
		}
		name := r.ns.ExternalOr(root.Name)
		one := &orderedJSON{}
		for res := range quota.Resource(quota.Resources) {
			if r.json {
				one.put(res.String(), quotaJSON(root, res))
			} else {
				r.line(root, res, name)
			}
		}
		all.put(name, one)
	}
	if r.json {
		fmt.Fprintln(r.out, all.indented())
	}
	return nil
}

// quotaJSON is what is used of a resource, and the limit, in octets or pieces.
func quotaJSON(root *quota.Root, res quota.Resource) *orderedJSON {
	o := &orderedJSON{}
	o.put("used", root.Used[res])
	if root.Limit[res] > 0 {
		o.put("limit", root.Limit[res]*res.Unit())
	}
	return o
}

// line prints a line of the table.
func (r *quotaRun) line(root *quota.Root, res quota.Resource, name string) {
	used, limit := root.Used[res]/res.Unit(), root.Limit[res]
	switch {
	case limit > 0:
		fmt.Fprintf(r.out, " %7d %8d", limit, int64(float64(used)*100/float64(limit)))
	case limit == 0:
		fmt.Fprint(r.out, "       0         ")
	default:
		fmt.Fprint(r.out, "                 ")
	}
	fmt.Fprintf(r.out, " %8d %20s %s\n", used, res, name)
}

// wait and done serve -Z, which tests of quota use: before each mailbox wait
// until a file of its name appears in quota-sync, and remove it after.
func (r *quotaRun) wait(n mboxname.Name) error {
	if !r.sync {
		return nil
	}
	r.log.Error(fmt.Sprintf("quota -Z waiting for signal to do %s", n))
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(r.signal(n)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	r.log.Error("quota -Z timed out")
	return nil
}

func (r *quotaRun) done(n mboxname.Name) {
	if r.sync {
		r.log.Error(fmt.Sprintf("quota -Z done with %s", n))
		os.Remove(r.signal(n)) // it may not be there, after a timeout
	}
}

func (r *quotaRun) signal(n mboxname.Name) string {
	return filepath.Join(r.site.Layout.ConfigDir, "quota-sync", string(n))
}

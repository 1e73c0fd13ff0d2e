package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const mbpathUse = `usage: mbpath [-C <alt_config>] [-l] [-m] [-q] [-s] [-u|p] [-a|A|D|M|S|U] <mailbox name>...

	-j	print all values as a JSON object
	-a	print all values with prefixes
	-l	local only (exit with error for remote/nonexistent)
	-m	output the path to the metadata files (if different from the message files)
	-q	quietly drop any error messages
	-s	stop on error
	-7	mailbox arguments are in modified UTF7 rather than UTF8
	-u	arguments are user, not mailbox
	-p	arguments are UNIX path, not mailbox
	-A	partition archive directory
	-D	partition data directory (*default*)
	-M	partition metadata file directory (duplicate of -m)
	-S	sieve directory for the user
	-U	user files directory (seen, sub, etc)
`

// mbpathRun is one run of mbpath.
type mbpathRun struct {
	*program
	site      *site.Site
	ns        *mboxname.Namespace
	conf      string
	selector  byte // which path: A D M S U, or a for all
	operands  byte // what operands are: u, p, or 0 for mailboxes
	json      bool
	localOnly bool
	quiet     bool
	stop      bool
	utf7      bool
}

// mbpath prints where the files of mailboxes lie.
//
// Source: Cyrus imap/mbpath.c.
func mbpath(p *program) int { return p.end(p.mbpath()) }

func (p *program) mbpath() (err error) {
	r := &mbpathRun{program: p}
	operands, err := r.arguments()
	if err != nil {
		return err
	}
	if r.site, err = p.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	r.ns = r.site.Namespace("", true)
	// The exit status is that of the last operand, as in Cyrus.
	var last error
	for _, operand := range operands {
		last = r.print(context.Background(), operand)
		if last != nil && r.stop {
			return r.stopped(exitOf(last))
		}
	}
	if last != nil {
		return &exit{exitOf(last), nil}
	}
	return nil
}

// stopped is the end of a run at its first error.
func (r *mbpathRun) stopped(status int) error {
	if r.quiet {
		return fatal(status, "")
	}
	return fatal(status, "Error in processing mailbox. Stopping\n")
}

// exitOf is the exit status for an error of one operand.
func exitOf(err error) int {
	switch errs.KindOf(err) {
	case errs.NotFound, errs.BadName, errs.BadFormat:
		return exDataErr
	}
	return exSoftware
}

// arguments reads the command line.
func (r *mbpathRun) arguments() ([]string, error) {
	opts, operands, err := r.options("7AC:DMSUajlmpqsu", mbpathUse, exUsage)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		switch l := o.Letter; l {
		case 'C':
			r.conf = o.Arg
		case 'A', 'D', 'M', 'S', 'U', 'a', 'm':
			if r.selector != 0 {
				return nil, r.misused(mbpathUse+"\nERROR: Duplicate selectors given", exUsage)
			}
			r.selector = l
		case 'u', 'p':
			if r.operands != 0 {
				return nil, r.misused(mbpathUse+"\nERROR: Multiple modes given", exUsage)
			}
			r.operands = l
		default:
			*map[byte]*bool{'j': &r.json, 'l': &r.localOnly, 'q': &r.quiet, 's': &r.stop, '7': &r.utf7}[l] = true
		}
	}
	switch r.selector {
	case 0:
		r.selector = 'D'
	case 'm':
		r.selector = 'M'
	}
	return operands, nil
}

// print prints what is wanted of one operand.
func (r *mbpathRun) print(ctx context.Context, operand string) error {
	name, err := r.name(ctx, operand)
	if err == nil {
		var entry *mboxlist.Entry
		if entry, err = r.site.List.Find(ctx, name); err == nil && (entry.Has(mboxlist.Tombstone) || entry.Has(mboxlist.Reserved)) {
			err = errs.New(errs.NotFound, "mbpath", operand, nil)
		}
		if err == nil {
			return r.printEntry(ctx, entry)
		}
	}
	if k := errs.KindOf(err); !r.quiet && (k == errs.NotFound || k == errs.BadName) {
		fmt.Fprintf(r.err, "Invalid mailbox name: '%s'", operand)
		if external, ok := r.ns.External(name); ok && name != "" && r.operands == 'u' {
			fmt.Fprintf(r.err, " ('%s')\n", external)
		}
		fmt.Fprintln(r.err)
	}
	return err
}

// name returns the mailbox that an operand means.
func (r *mbpathRun) name(ctx context.Context, operand string) (mboxname.Name, error) {
	switch {
	case r.operands == 'u':
		return r.site.Names.Inbox(operand), nil
	case r.operands == 'p':
		return r.fromPath(ctx, operand)
	case !r.utf7:
		encoded, err := mboxname.EncodeUTF7(operand)
		if err != nil {
			return "", err
		}
		operand = encoded
	}
	return r.ns.Internal(operand)
}

// fromPath returns the mailbox whose directory path is.
func (r *mbpathRun) fromPath(ctx context.Context, path string) (mboxname.Name, error) {
	l := r.site.Layout
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for _, roots := range []map[string]string{l.Partitions, l.MetaPartitions, l.ArchivePartitions} {
		for _, root := range roots {
			rest, ok := strings.CutPrefix(path, filepath.Clean(root)+"/")
			if !ok {
				continue
			}
			if strings.HasPrefix(rest, "uuid/") {
				entry, err := r.site.List.LookupID(ctx, filepath.Base(rest))
				if err != nil {
					return "", err
				}
				return entry.Name, nil
			}
			return legacyName(rest, l.HashSpool), nil
		}
	}
	return "", errs.New(errs.NotFound, "mbpath", path, nil)
}

// legacyName returns the mailbox of a directory by name, relative to the
// partition's: domain/D/example.org/U/user/alice, without the letters unless
// hashed.
func legacyName(path string, hashed bool) mboxname.Name {
	words := strings.Split(path, "/")
	drop := 0
	if hashed {
		drop = 1
	}
	domain := ""
	if words[0] == "domain" && len(words) > 1+drop {
		domain = words[1+drop] + "!"
		words = words[2+drop:]
	}
	if len(words) < drop {
		return ""
	}
	return mboxname.Name(domain + strings.Join(words[drop:], "."))
}

func (r *mbpathRun) printEntry(ctx context.Context, e *mboxlist.Entry) error {
	if e.Has(mboxlist.Remote) {
		if !r.localOnly && !r.json {
			fmt.Fprintf(r.out, "%s!%s\n", e.Server, e.Partition)
		}
		return nil
	}
	p, err := r.paths(ctx, e)
	if err != nil {
		return err
	}
	switch {
	case r.json:
		return r.printJSON(e, p)
	case r.selector == 'a':
		for _, l := range "ADMSU" {
			fmt.Fprintf(r.out, "%s: %s\n", pathNames[byte(l)], p.dirs[byte(l)])
		}
	default:
		fmt.Fprintln(r.out, p.dirs[r.selector])
	}
	return nil
}

// pathNames is what -a calls each path, by its selector.
var pathNames = map[byte]string{'A': "Archive", 'D': "Data", 'M': "Meta", 'S': "Sieve", 'U': "User"}

// mailboxPaths is everything that mbpath can print of a mailbox.
type mailboxPaths struct {
	dirs  map[byte]string // by selector
	user  string          // the owner, or ""
	files map[string]string
}

func (r *mbpathRun) paths(ctx context.Context, e *mboxlist.Entry) (*mailboxPaths, error) {
	l, legacy := r.site.Layout, e.Has(mboxlist.LegacyDirs)
	p := &mailboxPaths{dirs: map[byte]string{}, user: e.Name.OwnerOf(l.DeletedPrefix)}
	var err error
	if p.dirs['D'], err = l.MailboxDir(e.Partition, e.Name, e.UniqueID, legacy); err != nil {
		return nil, err
	}
	if p.dirs['A'], err = l.ArchiveDir(e.Partition, e.Name, e.UniqueID, legacy); err != nil {
		return nil, err
	}
	if p.dirs['M'], err = l.MetaDir(mboxname.Header, e.Partition, e.Name, e.UniqueID, legacy); err != nil {
		return nil, err
	}
	if p.user == "" {
		p.dirs['S'], p.dirs['U'] = filepath.Join(l.SieveDir, "global"), l.ConfigDir
		return p, nil
	}
	inboxID, inboxLegacy := "", true
	if inbox, err := r.site.List.Lookup(ctx, r.site.Names.Inbox(p.user)); err == nil {
		inboxID, inboxLegacy = inbox.UniqueID, inbox.Has(mboxlist.LegacyDirs)
	}
	p.dirs['S'] = l.UserSieveDir(p.user, inboxID, inboxLegacy)
	p.dirs['U'] = filepath.Dir(l.UserFile(mboxname.Counters, p.user, inboxID, inboxLegacy))
	p.files = map[string]string{"sieve": p.dirs['S']}
	for key, f := range map[string]mboxname.UserFile{
		"conversations": mboxname.Conversations, "counters": mboxname.Counters, "dav": mboxname.UserDAV,
		"seen": mboxname.SeenState, "sub": mboxname.Subscriptions, "xapianactive": mboxname.XapianActive,
	} {
		p.files[key] = l.UserFile(f, p.user, inboxID, inboxLegacy)
	}
	if !inboxLegacy {
		p.files["xapianactive"] += ".db" // so Cyrus says; the file itself has no suffix
	}
	return p, nil
}

// printJSON prints everything as an object, with its keys in order.
func (r *mbpathRun) printJSON(e *mboxlist.Entry, p *mailboxPaths) error {
	parts := e.Name.Parts(r.site.Layout.DeletedPrefix)
	boxes := parts.Boxes
	if boxes == nil {
		boxes = []string{}
	}
	name := map[string]any{"intname": string(e.Name), "boxes": boxes}
	for key, v := range map[string]string{"domain": parts.Domain, "localpart": parts.Localpart, "userid": p.user} {
		if v != "" {
			name[key] = v
		}
	}
	if parts.WasDeleted {
		name["isdeleted"] = int64(parts.Deleted)
	}
	all := map[string]any{"archive": p.dirs['A'], "data": p.dirs['D'], "meta": p.dirs['M'], "mbname": name}
	if p.user != "" {
		all["user"], all["xapian"] = p.files, map[string]string{}
	}
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

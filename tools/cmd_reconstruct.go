package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const reconstructUse = `Usage: reconstruct [OPTIONS] [mailbox...]
A tool to reconstruct mailboxes.

-C <config-file>   use <config-file> instead of config from imapd.conf
-p <partition>     use this indicated partition for search
-d                 check mailboxes database and insert missing entries
-x                 do not import metadata, create new
-r                 recursively reconstruct
-f                 examine filesystem underneath the mailbox
-s                 don't stat underlying files
-q                 run quietly
-n                 do not make changes
-G                 force re-parsing (checks GUID correctness)
-I                 give the second of two mailboxes with one uniqueid a new one
-R                 perform UID upgrade operation on GUID mismatched files
-U                 use this if there are corrupt message files in spool
                   WARNING: this option deletes corrupted message files permanently
-o                 ignore odd files in mailbox disk directories
-O                 delete odd files (unlike -o)
-M                 prefer mailboxes.db over cyrus.header
-V <version>       Change the cyrus.index minor version to the version specified
-u                 give usernames instead of mailbox prefixes
-P                 give paths to cyrus.header files instead of mailbox prefixes
                   (this option ONLY repairs/creates mailboxes.db records)
-m                 make a lost or damaged mailboxes.db anew from the partitions

`

// reconstruction is one run of reconstruct.
type reconstruction struct {
	*program
	site *site.Site
	o    mailbox.ReconstructOptions

	conf, partition     string
	version             uint32 // -V; 0 = not given
	below, quiet, user  bool
	search, fresh       bool
	paths, list, insert bool
	newIDs              bool
	visited             map[mboxname.Name]bool
	keywords            map[string][]string // by owner
	clash               bool
}

// reconstruct compares mailboxes with their files and repairs them, and
// makes the mailbox list anew.
//
// Source: Cyrus imap/reconstruct.c.
func reconstruct(p *program) int {
	r := &reconstruction{program: p, visited: map[mboxname.Name]bool{}, keywords: map[string][]string{}}
	return p.end(r.run(context.Background()))
}

func (r *reconstruction) run(ctx context.Context) error {
	operands, err := r.arguments()
	if err != nil {
		return err
	}
	if r.list {
		if r.below || r.search || len(operands) > 0 {
			return r.misused(reconstructUse, exUsage)
		}
		return r.rebuildList(ctx)
	}
	if r.user && r.paths {
		return r.misused(reconstructUse, exUsage)
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	if r.insert {
		if err := r.insertMissing(ctx); err != nil {
			return err
		}
	}
	if r.partition != "" {
		if err := r.fromPartition(ctx, operands); err != nil {
			return err
		}
	}
	if len(operands) == 0 && (r.below || r.user) {
		return &exit{exUsage, errors.New("please specify a mailbox to recurse from")}
	}
	if err := r.each(ctx, operands); err != nil {
		return err
	}
	if r.clash {
		return &exit{exFailure, nil}
	}
	return nil
}

// arguments reads the command line.
func (r *reconstruction) arguments() ([]string, error) {
	opts, operands, err := r.options("C:kp:rmfsxdgGqRUMIoOnV:uP", reconstructUse, exUsage)
	if err != nil {
		return nil, err
	}
	switches := map[byte]*bool{
		'r': &r.below, 'q': &r.quiet, 'u': &r.user, 'f': &r.search, 'x': &r.fresh, 'P': &r.paths, 'm': &r.list, 'd': &r.insert, 'I': &r.newIDs,
		's': &r.o.NoStat, 'n': &r.o.Look, 'G': &r.o.Contents, 'R': &r.o.Renumber, 'U': &r.o.Unlink,
		'o': &r.o.IgnoreOdd, 'O': &r.o.RemoveOdd, 'M': &r.o.PreferList,
	}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'p':
			r.partition = o.Arg
		case 'V':
			if r.version = mailbox.Version; !strings.EqualFold(o.Arg, "max") {
				r.version = uint32(int32(leadingNumber(o.Arg))) // a negative one is no version
			}
		case 'g', 'k':
			fmt.Fprintf(r.err, "reconstruct: deprecated option -%c ignored\n", o.Letter)
		default:
			*switches[o.Letter] = true
		}
	}
	r.o.Say = func(line string) { fmt.Fprintln(r.out, line) }
	return operands, nil
}

// each does the mailboxes that operands choose, or all.
func (r *reconstruction) each(ctx context.Context, operands []string) error {
	if r.user {
		ns := r.site.Namespace("", true)
		for _, user := range operands {
			err := r.site.List.User(ctx, user, false, func(e *mboxlist.Entry) (bool, error) {
				return true, r.mailbox(ctx, ns.ExternalOr(e.Name), e)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if r.paths {
		for _, path := range operands {
			if err := r.fromPath(ctx, path); err != nil {
				return err
			}
		}
		return nil
	}
	patterns := operands
	if len(operands) == 0 {
		patterns = []string{"*"}
	}
	if r.below {
		for _, o := range operands {
			name, domain, at := strings.Cut(o, "@")
			o = name + "/*"
			if at {
				o += "@" + domain
			}
			patterns = append(patterns, o)
		}
	}
	return eachMatch(ctx, r.site, patterns, func(external string, e *mboxlist.Entry) error {
		return r.mailbox(ctx, external, e)
	})
}

// lockWait is how long a mailbox is waited for that somebody works with.
const lockWait = 60 * time.Second

// mailbox does one mailbox, once. What fails is printed, and the others are
// done nevertheless.
func (r *reconstruction) mailbox(ctx context.Context, external string, e *mboxlist.Entry) error {
	if r.visited[e.Name] || e.Has(mboxlist.Remote) {
		return nil
	}
	r.visited[e.Name] = true
	if !r.quiet && !r.o.Look && r.version == 0 {
		r.notice("reconstructing %s", e.Name)
	}
	waited, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if r.version != 0 {
		return r.setVersion(waited, external, e)
	}
	is, err := r.compare(waited, e)
	if err == nil {
		err = r.compareEntry(waited, e, is)
	}
	if errors.Is(err, errClash) {
		r.clash = true
		return nil
	}
	if err != nil {
		r.failed(e.Name, err, "Failed to reconstruct mailbox")
		return nil
	}
	if !r.quiet {
		fmt.Fprintln(r.out, external)
	}
	if r.search {
		return r.discover(ctx, e)
	}
	return nil
}

// compare is the part of mailbox that is about its files.
func (r *reconstruction) compare(ctx context.Context, e *mboxlist.Entry) (mailbox.Reconstructed, error) {
	root, err := r.site.Quota.FindRoot(ctx, e.Name)
	if err != nil || e.Name.IsDeleted(r.site.Names.DeletedPrefix) {
		root = ""
	}
	o := r.o
	o.ACL, o.UIDValidity = e.ACL.String(), e.UIDValidity
	o.CreatedModseq, o.FolderModseq, o.QuotaRoot = e.CreatedModseq, e.FolderModseq, root
	o.Keywords = func() []string { return r.keywordsOf(ctx, e.Name) }
	return r.site.Store.Reconstruct(ctx, e.Ref(), o)
}

// failed prints why a mailbox could not be done.
//
// Source: com_err in do_reconstruct.
func (r *reconstruction) failed(n mboxname.Name, err error, what string) {
	r.log.Error(fmt.Sprintf("%s: %v", n, err))
	fmt.Fprintf(r.err, "%s: %s: %v\n", n, what, err)
}

// keywordsOf is the names of user flags in all mailboxes of a mailbox's
// owner, or in all shared ones.
func (r *reconstruction) keywordsOf(ctx context.Context, n mboxname.Name) []string {
	owner := n.OwnerOf(r.site.Names.DeletedPrefix)
	if have, ok := r.keywords[owner]; ok {
		return have
	}
	all := []string{"$Forwarded", "$MDNSent", "NonJunk", "Junk", "$Junk", "$NotJunk", "$Phishing", "$Label1", "$Label2", "$Label3", "$Label4", "$Label5"}
	_ = r.site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && e.Name.OwnerOf(r.site.Names.DeletedPrefix) == owner {
			if g := mailbox.Look(r.site.FS, r.site.Layout, e.Ref()); g.HeaderErr == nil {
				all = append(all, g.Keywords...)
			}
		}
		return len(all) < 10000, nil
	})
	r.keywords[owner] = all
	return all
}

// setVersion is -V.
func (r *reconstruction) setVersion(ctx context.Context, external string, e *mboxlist.Entry) error {
	from, err := r.site.SetIndexVersion(ctx, e, r.version)
	if errors.Is(err, mailbox.ErrVersion) {
		if !r.quiet {
			fmt.Fprintln(r.out, external)
		}
		return fatal(exSoftware, "%v", mailbox.ErrVersion)
	}
	if err != nil && from == 0 {
		r.failed(e.Name, err, "Failed to open mailbox to set version")
		return nil
	}
	if !r.quiet {
		fmt.Fprintln(r.out, external)
	}
	switch {
	case err != nil:
		fmt.Fprintf(r.out, "FAILED TO REPACK %s with new version %v\n", external, err)
	case from != r.version:
		fmt.Fprintf(r.out, "Converted %s version %d to %d\n", external, from, r.version)
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const ctlMboxlistUse = `DUMP:
  ctl_mboxlist [-C <alt_config>] -d [-x] [-y] [-p partition] [-f filename]
UNDUMP:
  ctl_mboxlist [-C <alt_config>] -u [-f filename] [-L]    [< mboxlist.dump]
MUPDATE populate:
  ctl_mboxlist [-C <alt_config>] -m [-a] [-w] [-i] [-f filename]
VERIFY:
  ctl_mboxlist [-C <alt_config>] -v [-f filename]
`

// listRun is one run of ctl_mboxlist.
type listRun struct {
	*program
	site *site.Site
	list *mboxlist.List

	op                     byte // d, u, v, m
	conf, file, partition  string
	purge, between, legacy bool
	murder                 bool // -a or -w was given
}

// ctlMboxlist prints, loads and verifies the list of mailboxes.
//
// Source: Cyrus imap/ctl_mboxlist.c.
func ctlMboxlist(p *program) int { return p.end((&listRun{program: p}).run(context.Background())) }

func (r *listRun) run(ctx context.Context) (err error) {
	if err := r.arguments(); err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	if r.op == 'm' {
		return r.populate()
	}
	if err := r.openList(); err != nil {
		return err
	}
	if r.list != r.site.List {
		defer r.list.Close()
	}
	switch r.op {
	case 'd':
		return r.dump(ctx)
	case 'u':
		if r.legacy {
			return r.undumpLegacy(ctx)
		}
		return r.undump(ctx)
	}
	return r.verify(ctx)
}

// arguments reads the command line.
func (r *listRun) arguments() error {
	opts, _, err := r.options("C:Ladf:imp:uvwxy", ctlMboxlistUse, exFailure)
	if err != nil {
		return err
	}
	switches := map[byte]*bool{'L': &r.legacy, 'a': &r.murder, 'w': &r.murder, 'i': new(bool), 'x': &r.purge, 'y': &r.between}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'f':
			if r.file != "" {
				return r.misused(ctlMboxlistUse, exFailure)
			}
			r.file = o.Arg
		case 'p':
			r.partition = o.Arg
		case 'd', 'u', 'v', 'm':
			if r.op != 0 {
				return r.misused(ctlMboxlistUse, exFailure)
			}
			r.op = o.Letter
		default:
			*switches[o.Letter] = true
		}
	}
	dumping := r.partition != "" || r.purge || r.between
	if r.op == 0 || r.murder && r.op != 'm' || dumping && r.op != 'd' || r.legacy && r.op != 'u' {
		return r.misused(ctlMboxlistUse, exFailure)
	}
	return nil
}

// populate is -m. This version knows no mupdate server.
func (r *listRun) populate() error {
	if config.MupdateServer.In(r.site.Config) == "" {
		return fatal(exUnavailable, "couldn't get mupdate server name")
	}
	fmt.Fprintln(r.err, "couldn't connect to mupdate server")
	return &exit{exFailure, nil}
}

// openList opens the list that -f names, or the site's.
func (r *listRun) openList() error {
	r.list = r.site.List
	if r.file == "" {
		return nil
	}
	s := r.site
	kind := config.MboxlistDb.In(s.Config)
	if s.Server != nil {
		kind = "twoskip"
	}
	db, err := cyrusdb.OpenBehind(s.Config, s.FS, s.Locks, r.log, kind, r.file, cyrusdb.Create)
	if err != nil {
		r.log.Error(fmt.Sprintf("DBERROR: opening %s: %v", r.file, err))
		return fatal(exTempFail, "can't read mailboxes file")
	}
	r.list = mboxlist.New(mboxlist.Options{
		DB: db, FS: s.FS, Locks: s.Locks, Layout: s.Layout, Names: s.Names, Rights: s.Rights, Log: s.Log,
		Admins: strings.Fields(config.Admins.In(s.Config)), ReverseACLs: config.Reverseacls.In(s.Config),
		AuditLog: config.Auditlog.In(s.Config),
	})
	return nil
}

// dump prints the list as one JSON object, an entry on each line.
func (r *listRun) dump(ctx context.Context) error {
	out := bufio.NewWriter(r.out)
	defer out.Flush()
	fmt.Fprintln(out, "{")
	separator := ""
	err := r.list.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		named := !e.Has(mboxlist.Intermediate) && !e.Has(mboxlist.Reserved) || r.between
		if !named || r.partition != "" && e.Partition != r.partition {
			return true, nil
		}
		fmt.Fprintf(out, "%s%s: %s", separator, jsonLine(string(e.Name)), dumpEntry(e).line())
		separator = ",\n"
		if r.purge {
			return true, r.list.Unlist(ctx, e.Name)
		}
		return true, nil
	})
	fmt.Fprintln(out, "\n}")
	return err
}

func dumpEntry(e *mboxlist.Entry) *orderedJSON {
	o := &orderedJSON{}
	o.put("name", string(e.Name))
	o.put("mtime", strconv.FormatInt(e.Mtime, 10))
	o.put("uidvalidity", strconv.FormatUint(uint64(e.UIDValidity), 10))
	o.put("createdmodseq", strconv.FormatUint(e.CreatedModseq, 10))
	o.put("foldermodseq", strconv.FormatUint(e.FolderModseq, 10))
	o.put("mbtype", e.Type)
	if e.Partition != "" {
		o.put("partition", e.Partition)
	}
	if e.Server != "" {
		o.put("server", e.Server)
	}
	rights := &orderedJSON{}
	for _, a := range e.ACL {
		rights.put(a.ID, a.Rights)
	}
	o.put("acl", rights)
	if e.UniqueID != "" {
		o.put("uniqueid", e.UniqueID)
	}
	history := []*orderedJSON{}
	for i := range e.History {
		history = append(history, dumpPast(&e.History[i]))
	}
	o.put("name_history", history)
	return o
}

func dumpPast(p *mboxlist.Past) *orderedJSON {
	o := &orderedJSON{}
	o.put("name", string(p.Name))
	o.put("mtime", strconv.FormatInt(p.Mtime, 10))
	o.put("uidvalidity", strconv.FormatUint(uint64(p.UIDValidity), 10))
	o.put("createdmodseq", strconv.FormatUint(p.CreatedModseq, 10))
	o.put("foldermodseq", strconv.FormatUint(p.FolderModseq, 10))
	o.put("mbtype", p.Type)
	if p.Partition != "" {
		o.put("partition", p.Partition)
	}
	return o
}

// Limits on what is loaded, those of Cyrus.
const (
	maxNameLoaded = 490
	maxPartLoaded = 64
)

// undump loads what dump has printed. An entry that lacks what it needs is
// left out; that it stands there is all that Cyrus tells, so the exit
// status is 0.
func (r *listRun) undump(ctx context.Context) error {
	v, jerr := readJSON(r.in)
	if _, array := v.([]any); array && jerr == nil {
		return nil // Cyrus goes through its members by name, of which there are none
	}
	all, ok := v.(*orderedJSON)
	if jerr == nil && !ok {
		jerr = &jsonError{1, errors.New("'{' expected")}
	}
	if jerr != nil {
		fmt.Fprintf(r.err, "parse error at line %d: %v\n", jerr.line, jerr.err)
		return nil
	}
	for _, m := range all.members {
		o, ok := m.value.(*orderedJSON)
		if !ok {
			o = &orderedJSON{}
		}
		if len(m.key) >= maxNameLoaded {
			fmt.Fprintf(r.err, "mailbox name too long: %s\n", m.key)
			continue
		}
		e, complete := r.loaded(m.key, o)
		if !complete {
			continue
		}
		if err := r.list.Load(ctx, e); err != nil {
			fmt.Fprintf(r.err, "%s: %v\n", m.key, err)
		}
	}
	return nil
}

// loaded makes an entry of what a dump has under name. What is missing is
// printed; complete tells whether the entry can be used.
func (r *listRun) loaded(name string, o *orderedJSON) (e *mboxlist.Entry, complete bool) {
	e = &mboxlist.Entry{Name: mboxname.Name(name)}
	need := func(key string) string {
		s, ok := o.text(key)
		if !ok {
			fmt.Fprintf(r.err, "missing %s for %s\n", key, name)
		}
		return s
	}
	e.UIDValidity = uint32(number(need("uidvalidity")))
	e.CreatedModseq = number(need("createdmodseq"))
	e.FolderModseq = number(need("foldermodseq"))
	e.Type = need("mbtype")
	var ok bool
	if e.Partition, ok = o.text("partition"); !ok {
		fmt.Fprintf(r.err, "missing mbtype for %s\n", name) // so Cyrus says
		return e, false
	}
	if len(e.Partition) >= maxPartLoaded {
		fmt.Fprintf(r.err, "partition too long for %s\n", name)
		return e, false
	}
	e.Server, _ = o.text("server")
	if v, _ := o.get("acl"); v != nil {
		e.ACL = acl.List{}
		if rights, ok := v.(*orderedJSON); ok {
			for _, m := range rights.members {
				text, _ := m.value.(string)
				e.ACL = append(e.ACL, acl.Entry{ID: m.key, Rights: text})
			}
		}
	}
	if e.UniqueID, ok = o.text("uniqueid"); !ok {
		fmt.Fprintf(r.err, "missing uniqueid for %s\n", name)
		return e, false
	}
	v, _ := o.get("name_history")
	items, _ := v.([]any)
	for _, item := range items {
		if past, ok := item.(*orderedJSON); ok {
			e.History = append(e.History, loadedPast(past))
		}
	}
	return e, true
}

func loadedPast(o *orderedJSON) mboxlist.Past {
	text := func(key string) string { s, _ := o.text(key); return s }
	return mboxlist.Past{
		Name: mboxname.Name(text("name")), Type: text("mbtype"), Partition: text("partition"),
		UIDValidity: uint32(number(text("uidvalidity"))), Mtime: int64(number(text("mtime"))),
		CreatedModseq: number(text("createdmodseq")), FolderModseq: number(text("foldermodseq")),
	}
}

// number reads a decimal number; anything else is 0.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// undumpLegacy loads the text form of Cyrus 3.4 and before:
//
//	NAME TAB 0 [SERVER!]PARTITION ACL>UNIQUEID MTIME UIDVALIDITY FOLDERMODSEQ CREATEDMODSEQ
func (r *listRun) undumpLegacy(ctx context.Context) error {
	in := bufio.NewScanner(r.in)
	in.Buffer(nil, 1<<20)
	for line := 1; in.Scan(); line++ {
		e, err := legacyEntry(in.Text())
		if err == nil {
			err = r.list.Load(ctx, e)
		}
		if err != nil {
			fmt.Fprintf(r.err, "line %d: %v\n", line, err)
		}
	}
	return in.Err()
}

// legacyEntry reads one line of the text form.
func legacyEntry(line string) (*mboxlist.Entry, error) {
	name, rest, _ := strings.Cut(line, "\t")
	kind, rest, _ := strings.Cut(rest, " ")
	partition, rest, found := strings.Cut(strings.TrimLeft(rest, " "), " ")
	rights, rest, hasID := strings.Cut(rest, ">")
	words := strings.Fields(rest)
	switch {
	case !found || partition == "":
		return nil, errors.New("no partition found")
	case kind != "0":
		return nil, fmt.Errorf("type %s is not known", kind)
	case len(name) >= maxNameLoaded:
		return nil, errors.New("mailbox name too long")
	case len(partition) >= maxPartLoaded:
		return nil, errors.New("partition name too long")
	case !hasID || len(words) < 5:
		return nil, errors.New("unique id or numbers are missing")
	}
	e := &mboxlist.Entry{Name: mboxname.Name(name), Type: string(mboxlist.Email), Partition: partition, UniqueID: words[0]}
	if server, part, ok := strings.Cut(partition, "!"); ok {
		e.Server, e.Partition = server, part
	}
	e.ACL = acl.ParseList(strings.TrimLeft(rights, " "))
	e.UIDValidity = uint32(number(words[2]))
	e.FolderModseq, e.CreatedModseq = number(words[3]), number(words[4])
	return e, nil
}

// verify compares the list with the directories of all partitions. Unlike
// Cyrus 3.6.1's it finds directories by unique id, and does not look for
// those of names without a mailbox.
func (r *listRun) verify(ctx context.Context) error {
	known := map[string]bool{} // directories of mailboxes
	tick := r.ticker("ctl_mboxlist: entries", func() (n int, err error) {
		err = r.list.Scan(ctx, "", func(*mboxlist.Entry) (bool, error) { n++; return true, nil })
		return n, err
	})
	err := r.list.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		tick()
		if !e.Exists() || e.Has(mboxlist.Remote) || e.Partition == "" {
			return true, nil
		}
		dir, err := r.site.Layout.MetaDir(mboxname.Header, e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
		if err == nil {
			known[dir] = true
			_, err = r.site.FS.Stat(dir + "/" + mboxname.Header.FileName())
		}
		if err != nil {
			fmt.Fprintf(r.out, "'%s' has a DB entry but no directory on partition '%s'\n", e.Name, e.Partition)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return r.eachBoxDir(func(name, dir string) {
		if !known[dir] {
			fmt.Fprintf(r.out, "'%s' has a directory '%s' but no DB entry\n", name, dir)
		}
	})
}

// eachBoxDir calls fn for each directory with a cyrus.header on any
// partition, and the name or unique id that it stands for.
func (r *listRun) eachBoxDir(fn func(name, dir string)) error {
	l := r.site.Layout
	for _, partition := range sortedKeys(l.Partitions) {
		root, err := l.Root(partition)
		if err != nil {
			return err
		}
		if dir, err := l.MetaDir(mboxname.Header, partition, "x", "xx", false); err == nil {
			root = strings.TrimSuffix(dir, "/uuid/x/x/xx")
		}
		err = walkDirs(r.site.FS, root, func(dir string, entries []fs.DirEntry) {
			for _, e := range entries {
				if e.Name() == mboxname.Header.FileName() {
					fn(boxOfDir(strings.TrimPrefix(dir, root+"/"), l.HashSpool), dir)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// boxOfDir is the unique id or the internal name of a directory below a
// partition.
func boxOfDir(path string, hashed bool) string {
	if rest, ok := strings.CutPrefix(path, "uuid/"); ok {
		return rest[strings.LastIndexByte(rest, '/')+1:]
	}
	return string(legacyName(path, hashed))
}

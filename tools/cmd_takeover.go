package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const takeoverUse = `usage: cyrus takeover [-C <alt_config>] [-M <cyrus.conf>] [-p <pidfile>] --check

	--check	say what taking over this site would do, and change nothing

The take-over itself is done by ctl_cyrusdb -r.
`

// takeover says what ctl_cyrusdb -r will make of a site that Cyrus has left.
func takeover(p *program) int { return p.end(p.takeover()) }

func (p *program) takeover() error {
	check := slices.Index(p.args, "--check")
	if check < 1 {
		return p.misused(takeoverUse, exUsage)
	}
	p.args = slices.Delete(slices.Clone(p.args), check, check+1)
	opts, operands, err := p.options("C:M:p:", takeoverUse, exUsage)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return p.misused(takeoverUse, exUsage)
	}
	r := &takeoverCheck{program: p, fsys: disk.OS(), ctx: context.Background(), pidFile: config.DefaultPidFile(), bin: programDir()}
	conf := ""
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'M':
			r.masterConf = o.Arg
		case 'p':
			r.pidFile = o.Arg
		}
	}
	if r.c, err = p.configure(conf); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if r.problems > 0 {
		r.line("result", "the take-over will not work: %d problems", r.problems)
		return &exit{exDataErr, nil}
	}
	r.line("result", "the take-over will work")
	return nil
}

// takeoverCheck is one run of takeover --check.
type takeoverCheck struct {
	*program
	c        *config.Config
	fsys     disk.FS
	ctx      context.Context
	problems int

	masterConf string // cyrus.conf, "" the usual one
	pidFile    string // of master
	bin        string // directory of our programs
}

func (r *takeoverCheck) line(what, format string, a ...any) {
	fmt.Fprintf(r.out, "%-15s %s\n", what, fmt.Sprintf(format, a...))
}

// problem prints what stands against the take-over.
func (r *takeoverCheck) problem(format string, a ...any) {
	r.problems++
	r.line("PROBLEM", format, a...)
}

func (r *takeoverCheck) check() error {
	r.line("configuration", "%s", r.c.Path())
	if !r.mode() {
		return nil
	}
	locks := lock.NewTable(r.fsys, r.log)
	defer locks.Close()
	for _, db := range takeoverFiles(r.c) {
		r.database(locks, db)
	}
	if kind := config.QuotaDb.In(r.c); kind != "quotalegacy" {
		r.problem("quota_db: %s: quota roots are kept in one file each here; convert them with Cyrus's cvt_cyrusdb and set quota_db to quotalegacy", kind)
	}
	if r.problems == 0 {
		if err := r.mailboxes(); err != nil {
			return err
		}
	}
	r.surroundings()
	r.treated()
	return nil
}

// mode says into which mode the site goes, and whether its files allow it.
func (r *takeoverCheck) mode() bool {
	if err := r.c.CheckPartitions(); err != nil {
		r.problem("%v", err)
		return false
	}
	own, err := cyrusdb.OwnMode(r.c)
	if err == nil && own {
		r.line("mode", "own: the databases go to %s, Cyrus's files are kept with the suffix .ORIG", filepath.Join(config.Configdirectory.In(r.c), "db.pebble"))
		err = cyrusdb.CheckOwn(r.c, r.fsys)
	} else if err == nil {
		r.line("mode", "shared: the databases stay Cyrus's files")
	}
	if err != nil {
		r.problem("%s", strings.TrimPrefix(err.Error(), "fatal error: "))
	}
	return err == nil
}

// takeoverFile is one of the databases that a take-over looks at.
type takeoverFile struct{ name, path, kind string }

func takeoverFiles(c *config.Config) []takeoverFile {
	at := func(option config.Option[string], name string) string {
		if p := option.In(c); p != "" {
			return p
		}
		return filepath.Join(config.Configdirectory.In(c), name)
	}
	return []takeoverFile{
		{"mailboxes.db", at(config.MboxlistDbPath, "mailboxes.db"), config.MboxlistDb.In(c)},
		{"annotations.db", at(config.AnnotationDbPath, "annotations.db"), config.AnnotationDb.In(c)},
		{"deliver.db", at(config.DuplicateDbPath, "deliver.db"), config.DuplicateDb.In(c)},
		{"user_deny.db", at(config.UserdenyDbPath, "user_deny.db"), config.UserdenyDb.In(c)},
	}
}

// database says what kind of file a database is.
func (r *takeoverCheck) database(locks *lock.Table, f takeoverFile) {
	if marker, err := cyrusdb.IsMarker(r.fsys, f.path); err == nil && marker {
		r.line(f.name, "taken over already")
		return
	}
	db, kind, err := cyrusdb.OpenAny(r.fsys, locks, f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.line(f.name, "is not there")
		return
	case err != nil && f.name == "deliver.db":
		r.problem("%v: it only says which mails came lately; move it away", err)
		return
	case err != nil:
		r.problem("%v: convert it with the cvt_cyrusdb of the Cyrus that wrote it", err)
		return
	}
	db.Close()
	switch f.kind {
	case "pebble", kind:
		r.line(f.name, "%s", kind)
	case "twoskip", "skiplist":
		r.line(f.name, "%s, becomes twoskip", kind)
	case "flat":
		r.problem("%s is %s, but imapd.conf says flat", f.path, kind)
	default:
		r.problem("%s: databases of type %s are not in this version", f.name, f.kind)
	}
}

// mailboxes says what is to be done to the list and to each mailbox.
func (r *takeoverCheck) mailboxes() error {
	t, end, err := site.NewTakeOver(r.fsys, r.c, r.log)
	if err != nil {
		r.problem("%s", strings.TrimPrefix(err.Error(), "fatal error: "))
		return nil
	}
	defer end()
	t.All, t.Progress = true, r.progress("cyrus takeover: mailboxes")
	began := time.Now()
	p, err := t.Plan(r.ctx)
	if err != nil {
		return err
	}
	glances := p.Glances
	if p.List.Format == "" {
		return nil
	}
	if p.List.Old {
		if err := t.CountAnnotations(r.ctx, p); err != nil {
			return err
		}
		r.old(p)
	} else if glances, err = r.today(t, p); err != nil {
		return err
	}
	r.indexes(glances)
	// The take-over looks at fewer mailboxes, but every record is written and
	// read again, and each new id is two syncs.
	took := time.Since(began) + time.Duration(len(glances))*50*time.Microsecond + time.Duration(p.Made)*20*time.Millisecond
	r.line("time", "about %s", max(took, time.Second).Round(time.Second))
	return nil
}

// old describes a list from before 3.6.
func (r *takeoverCheck) old(p *mboxlist.Plan) {
	r.line("mailbox list", "of a Cyrus before 3.6: is converted, the original is kept as mailboxes.db.OLD")
	r.line("mailboxes", "%d, %d deleted ones, %d names without a mailbox, %d remote", p.Mailboxes, p.Deleted, p.Names, p.Remote)
	if p.FromHeader+p.Made > 0 {
		r.line("unique ids", "%d are taken from cyrus.header, %d are new, of which %d stand for double ones", p.FromHeader, p.Made, p.Doubled)
	}
	if p.Annots+p.LostAnnots > 0 {
		r.line("annotations", "%d get new keys, %d belong to mailboxes that are not in the list; the original is kept as annotations.db.OLD", p.Annots, p.LostAnnots)
	}
	for _, d := range p.List.Damaged {
		r.line("damaged entry", "%s", d)
	}
}

// today describes a list of 3.6.
func (r *takeoverCheck) today(t *mboxlist.TakeOver, p *mboxlist.Plan) ([]mailbox.Glance, error) {
	db, _, err := cyrusdb.OpenAny(t.FS, t.Locks, t.Path)
	if err != nil {
		return nil, err
	}
	o := t.Options
	o.DB = db
	list := mboxlist.New(o)
	defer list.Close()
	var glances []mailbox.Glance
	deleted, names, remote := 0, 0, 0
	err = list.Scan(r.ctx, "", func(e *mboxlist.Entry) (bool, error) {
		switch {
		case !e.Exists():
			names++
			return true, nil
		case e.Has(mboxlist.Remote):
			remote++
			return true, nil
		case e.Name.IsDeleted(t.Names.DeletedPrefix):
			deleted++
		}
		glances = append(glances, mailbox.Look(t.FS, t.Layout, e.Ref()))
		return true, nil
	})
	r.line("mailbox list", "of Cyrus 3.6")
	r.line("mailboxes", "%d, %d deleted ones, %d names without a mailbox, %d remote", len(glances)-deleted, deleted, names, remote)
	return glances, err
}

// indexes counts the versions of the files of mailboxes.
func (r *takeoverCheck) indexes(glances []mailbox.Glance) {
	versions := map[uint32]int{}
	old, without, bad := 0, 0, 0
	var records uint64
	for _, g := range glances {
		switch {
		case g.IndexErr != nil:
			bad++
		default:
			versions[g.Version]++
			records += uint64(g.Records)
		}
		if g.HeaderErr != nil {
			without++
		} else if g.OldHeader {
			old++
		}
	}
	var words []string
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		word := fmt.Sprintf("%d of version %d", versions[v], v)
		if v < mailbox.OldestKept {
			word += " (rewritten when opened)"
		}
		words = append(words, word)
	}
	if len(words) > 0 {
		r.line("index files", "%s; %d messages", strings.Join(words, ", "), records)
	}
	if old > 0 {
		r.line("cyrus.header", "%d of the form before 3.6: read as they are", old)
	}
	switch {
	case bad == len(glances) && bad > 0:
		r.problem("no mailbox has an index that can be read: are partition-NAME, hashimapspool and fulldirhash what they were?")
	case bad+without > 0:
		r.line("warning", "%d mailboxes have no index that can be read, %d no cyrus.header: they need reconstruct", bad, without)
	}
}

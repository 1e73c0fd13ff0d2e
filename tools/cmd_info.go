package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/version"
)

const infoUse = `cyr_info [-C <altconfig>] [-M <cyrus.conf>] [-n servicename] [-s oldversion] command

If you give a service name (-n), it will show config as if you
were running that service, i.e. imap

If you give an old version (-s), it will highlight config
options that are new or whose behaviour has changed since that
version.

Where command is one of:

  * conf          - listing of non-default config values
  * conf-all      - listing of all config values
  * conf-default  - listing of all default config values
  * conf-lint     - unknown config keys
  * proc          - listing of all open processes
  * version       - Cyrus version

`

// info shows the configuration as programs see it, the sessions, or the
// version.
//
// Source: Cyrus imap/cyr_info.c.
func info(p *program) int { return p.end(p.info()) }

// infoRun is one run of cyr_info.
type infoRun struct {
	*program
	c         *config.Config
	cyrusConf string
	since     int // versionNumber of -s; 0: mark nothing
}

func (p *program) info() error {
	opts, operands, err := p.options("C:M:n:s:", infoUse, exMinusOne)
	if err != nil {
		return err
	}
	r := &infoRun{program: p}
	var conf string
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'M':
			r.cyrusConf = o.Arg
		case 'n':
			p.args[0] = o.Arg
		case 's':
			n, ok := versionNumber(strings.TrimLeft(strings.TrimPrefix(o.Arg, version.Package), "- "))
			if !ok {
				return p.misused(infoUse, exMinusOne)
			}
			r.since = n
		}
	}
	if len(operands) == 0 {
		return p.misused(infoUse, exMinusOne)
	}
	if r.c, err = p.configure(conf); err != nil {
		return err
	}
	return r.show(operands[0])
}

func (r *infoRun) show(what string) error {
	switch what {
	case "conf":
		r.options(true)
	case "conf-all":
		r.options(false)
	case "conf-default":
		for _, o := range config.Options() {
			r.print(o, o.Default)
		}
	case "conf-lint":
		_, err := r.lint()
		return err
	case "conf-strict": // not Cyrus's
		return r.strict()
	case "proc":
		return r.sessions()
	case "version":
		fmt.Fprintln(r.out, version.Line())
	default:
		return r.misused(infoUse, exMinusOne)
	}
	return nil
}

// options prints options as "name: value", all or only those that are not
// as by default, and then everything else that the file has.
func (r *infoRun) options(changed bool) {
	for _, o := range config.Options() {
		text := r.c.Text(o)
		if !changed || text != r.c.DefaultText(o) {
			r.print(o, text)
		}
	}
	for _, kv := range r.c.OverflowPrefix("") {
		fmt.Fprintf(r.out, "%s: %s\n", kv.Key, kv.Value)
	}
}

// print prints one option. Cyrus has a blank behind the colon unless the
// value is an empty set.
func (r *infoRun) print(o *config.Row, text string) {
	if text != "" || o.Kind() != config.Bitfield {
		text = " " + text
	}
	fmt.Fprintf(r.out, "%s%s:%s\n", r.mark(o), o.Name, text)
}

// mark returns "(3.6.0) " for an option that is new since -s.
func (r *infoRun) mark(o *config.Row) string {
	n, ok := versionNumber(o.Since)
	if r.since == 0 || ok && n <= r.since {
		return ""
	}
	return "(" + o.Since + ") "
}

// versionNumber turns "3.6.1-anything" into a number that grows with it.
func versionNumber(s string) (int, bool) {
	s, _, _ = strings.Cut(s, "-")
	parts := strings.SplitN(s, ".", 4)
	n := 0
	for i := range 3 {
		n <<= 8
		if i >= len(parts) {
			continue
		}
		v, err := strconv.ParseUint(parts[i], 10, 8)
		if err != nil {
			return 0, false
		}
		n += int(v)
	}
	return n, true
}

// lint prints the keys of imapd.conf that nothing explains, as Cyrus does,
// and on standard error everything that loading the files found odd. It
// returns how many there are.
func (r *infoRun) lint() (found int, err error) {
	m, warnings, err := config.LoadCyrusConf(r.cyrusConf)
	if err != nil {
		return 0, &exit{exConfig, err}
	}
	var services []string
	for _, e := range m.Services {
		services = append(services, e.Name)
	}
	unknown, odd := r.c.Unexplained(services), append(r.c.Warnings(), warnings...)
	for _, kv := range unknown {
		fmt.Fprintf(r.out, "%s: %s\n", kv.Key, kv.Value)
	}
	for _, w := range odd {
		fmt.Fprintln(r.err, w)
	}
	return len(unknown) + len(odd), nil
}

// strict is lint for deploy scripts: it also looks for the directories, files
// and programs that the configuration names, and says by the exit status
// whether all is well. It changes nothing, and master may run.
func (r *infoRun) strict() error {
	found, err := r.lint()
	if err != nil {
		return err
	}
	t := &takeoverCheck{program: r.program, c: r.c, fsys: disk.OS(), ctx: context.Background(), masterConf: r.cyrusConf, bin: programDir()}
	if err := r.c.CheckPartitions(); err != nil {
		t.problem("%s", strings.TrimPrefix(err.Error(), "fatal error: "))
	}
	l := mboxname.LayoutFrom(r.c)
	dirs := append([]string{l.ConfigDir}, sortedValues(l.Partitions)...)
	for _, dir := range slices.Concat(dirs, sortedValues(l.MetaPartitions), sortedValues(l.ArchivePartitions)) {
		if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
			t.problem("%s is not a directory that can be used: %v", dir, err)
		}
	}
	for _, option := range []config.Option[string]{config.TlsServerCert, config.TlsServerKey} {
		path := option.In(r.c)
		if path == "" || path == "disabled" {
			continue
		}
		if f, err := os.Open(path); err != nil {
			t.problem("%s: %v", option.Row().Name, err)
		} else {
			f.Close()
		}
	}
	t.cyrusConf(false)
	if found += t.problems; found > 0 {
		return &exit{exConfig, fmt.Errorf("%d findings", found)}
	}
	return nil
}

// sessions prints the table of sessions.
func (r *infoRun) sessions() error {
	entries, err := proc.Read(proc.Dir(r.c))
	for _, e := range entries {
		words := []string{strconv.Itoa(e.Number), e.Service, e.Client}
		for _, w := range []string{e.User, e.Mailbox, e.Command} {
			if w != "" {
				words = append(words, w)
			}
		}
		fmt.Fprintln(r.out, strings.Join(words, " "))
	}
	return err
}

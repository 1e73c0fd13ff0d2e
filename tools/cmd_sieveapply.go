package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

const sieveApplyUse = `usage: cyrus sieve-apply [-C <altconfig>] [-n|--dry-run] [-q] [-v] [-f <file>|-s <name>]
                          [--discard keep|delete|<mailbox>] <user> [<mailbox>]...
`

var sieveApplyLong = []getopt.Long{{Name: "dry-run", Letter: 'n'}, {Name: "discard", Arg: getopt.Required, Letter: 'd'}}

// sieveApply runs a script on the messages that a user's mailboxes have.
func sieveApply(p *program) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return p.end((&sieveApplyRun{program: p, discard: "keep"}).run(ctx))
}

// sieveApplyRun is one run of sieve-apply.
type sieveApplyRun struct {
	*program
	conf, file, name    string
	dry, quiet, verbose bool
	discard             string // keep, delete or a mailbox

	site   *site.Site
	owner  *scripts.Owner
	script *sieve.Script
	key    string
	count  struct{ all, moved, copied, flagged, discarded, failed int }
}

func (r *sieveApplyRun) run(ctx context.Context) error {
	operands, err := r.arguments()
	if err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	if err := r.open(ctx, operands[0]); err != nil {
		return err
	}
	boxes := operands[1:]
	if len(boxes) == 0 {
		boxes = []string{"INBOX"}
	}
	for _, box := range boxes {
		if err := r.mailbox(ctx, box); err != nil {
			return &exit{exFailure, fmt.Errorf("%s: %w", box, err)}
		}
	}
	r.summary()
	if r.count.failed > 0 {
		return &exit{exFailure, nil}
	}
	return nil
}

func (r *sieveApplyRun) arguments() ([]string, error) {
	opts, operands, err := getopt.Parse(append([]string{r.called}, r.args[1:]...), "C:nqvf:s:", sieveApplyLong...)
	if err != nil {
		fmt.Fprintln(r.err, err)
		return nil, r.misused(sieveApplyUse, exUsage)
	}
	texts := map[byte]*string{'C': &r.conf, 'f': &r.file, 's': &r.name, 'd': &r.discard}
	switches := map[byte]*bool{'n': &r.dry, 'q': &r.quiet, 'v': &r.verbose}
	for _, o := range opts {
		if to := texts[o.Letter]; to != nil {
			*to = o.Arg
			continue
		}
		*switches[o.Letter] = true
	}
	if len(operands) == 0 || r.file != "" && r.name != "" || r.discard == "" {
		return nil, r.misused(sieveApplyUse, exUsage)
	}
	return operands, nil
}

// open finds the user and the script.
func (r *sieveApplyRun) open(ctx context.Context, user string) error {
	user = r.site.Names.UserID(user)
	r.owner = &scripts.Owner{Ctx: ctx, Site: r.site, Library: scripts.NewLibrary(r.site), User: user,
		Domain: mboxname.UserParts(user).Domain, NS: r.site.Namespace(user, false), Log: r.log}
	r.owner.Who.Identity = acl.Identity{User: user}
	if _, err := r.site.List.Lookup(ctx, mboxname.Inbox(user)); err != nil {
		return &exit{exNoUser, fmt.Errorf("%s: %w", user, err)}
	}
	var err error
	switch {
	case r.file != "":
		var text []byte
		if text, err = os.ReadFile(r.file); err == nil {
			r.key = r.file
			r.script, err = sieve.Parse(text, scripts.Rules(r.site.Config))
		}
	case r.name != "":
		r.script, r.key, err = r.owner.Library.Named(ctx, user, r.owner.Domain, r.name, false)
	default:
		r.script, r.key, err = r.owner.Library.Active(ctx, user)
		if err == nil && r.script == nil {
			err = errors.New(user + " has no active script")
		}
	}
	if err != nil {
		return &exit{exDataErr, err}
	}
	return nil
}

// mailbox runs the script on all messages that are in a mailbox now.
func (r *sieveApplyRun) mailbox(ctx context.Context, box string) error {
	n, err := r.owner.NS.Internal(box)
	if err != nil {
		return err
	}
	e, err := r.site.List.Need(ctx, r.owner.Who, n, acl.Read)
	if err != nil {
		return err
	}
	uids, err := r.messages(ctx, e)
	if err != nil {
		return err
	}
	s := &scripts.Stored{Owner: r.owner, Mailbox: e, Options: scripts.Rules(r.site.Config),
		Items: map[string]string{"location": "MS", "phase": "post", "name": "Cyrus sieve-apply"}}
	if r.verbose {
		s.Trace = func(line string) { fmt.Fprintf(r.out, "  %s\n", strings.ReplaceAll(line, "\n", "\n  ")) }
	}
	for _, uid := range uids {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.Run(ctx, r.script, r.key, uid)
		if errs.Is(err, errs.NotFound) {
			continue // gone meanwhile
		}
		if err != nil {
			return err
		}
		r.message(ctx, s, box, p)
	}
	return nil
}

// messages is the UIDs of a mailbox.
func (r *sieveApplyRun) messages(ctx context.Context, e *mboxlist.Entry) ([]uint32, error) {
	m, err := r.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Live()
}

// message says what is to be done with one message, and does it. Mail is
// never sent: who would be answered, or sent a copy, was it long ago.
func (r *sieveApplyRun) message(ctx context.Context, s *scripts.Stored, box string, p *scripts.Plan) {
	r.count.all++
	before := r.count
	what := r.words(p)
	if p.Err == nil && r.dry {
		p.Err = s.Check(p)
	}
	if p.Err == nil && !r.dry {
		how := scripts.How{Expunge: len(p.Copies) > 0, KeepUnfiled: r.discard != "delete"}
		p.Redirects, p.Notes = nil, nil
		if err := s.Do(ctx, p, how); err != nil {
			p.Err = err
		}
	}
	if p.Err != nil {
		r.count = before
		r.count.failed++
		fmt.Fprintf(r.err, "%s %d: stays: %v\n", box, p.UID, p.Err)
		return
	}
	if what != "" && !r.quiet {
		fmt.Fprintf(r.out, "%s %d: %s\n", box, p.UID, what)
	}
}

// words counts and words a plan, after discard has been made what it is to be.
func (r *sieveApplyRun) words(p *scripts.Plan) string {
	if p.Err != nil {
		return ""
	}
	var out []string
	for _, a := range p.Redirects {
		out = append(out, "not redirected to "+a.Address)
	}
	if len(p.Notes) > 0 {
		out = append(out, "not notified")
	}
	discarded := p.Gone && len(p.Copies)+len(p.Redirects) == 0
	if discarded && r.discard != "keep" && r.discard != "delete" {
		p.Copies = []scripts.Copy{{Into: sieve.Mailbox{Name: r.discard}, Flags: p.Flags}}
	}
	p.Gone = p.Gone && (discarded || len(p.Copies) > 0)
	verb := "copy"
	switch {
	case discarded:
		r.count.discarded++
		verb = "discard: move"
	case p.Gone:
		r.count.moved++
		verb = "move"
	case len(p.Copies) > 0:
		r.count.copied++
	}
	for _, c := range p.Copies {
		name := c.Into.Name
		if ext, ok := r.owner.NS.External(c.Name); ok && c.Name != "" {
			name = ext
		}
		with := ""
		if !p.SameFlags(c.Flags) {
			with = flagsText(c.Flags)
		}
		out = append(out, verb+" to "+name+with)
	}
	switch {
	case discarded && r.discard == "keep":
		out = append(out, "discard: stays")
	case discarded && r.discard == "delete":
		out = append(out, `discard: gets \Deleted`)
	case !p.Gone && !p.SameFlags(p.Flags):
		r.count.flagged++
		out = append(out, "flags ("+strings.Join(p.Flags, " ")+")")
	}
	return strings.Join(out, ", ")
}

func (r *sieveApplyRun) summary() {
	if r.quiet {
		return
	}
	c, would := &r.count, ""
	if r.dry {
		would = "; nothing was changed"
	}
	fmt.Fprintf(r.out, "%d messages: %d moved, %d copied, %d flagged, %d discarded, %d failed%s\n",
		c.all, c.moved, c.copied, c.flagged, c.discarded, c.failed, would)
}

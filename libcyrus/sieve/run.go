package sieve

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/message"
)

// Limits keep a script from costing too much; Cyrus has none of them. A
// script that exceeds one ends with an error. The zero value has the
// defaults.
type Limits struct {
	Time     time.Duration // 0 = 30 s
	Includes int           // include commands that are run; 0 = 100
	Actions  int           // actions and notifications at once; 0 = 200
	// Redirects is how many mails one message may become; 0 = 50.
	Redirects int
}

func (l *Limits) setDefaults() {
	if l.Time == 0 {
		l.Time = 30 * time.Second
	}
	if l.Includes == 0 {
		l.Includes = 100
	}
	if l.Actions == 0 {
		l.Actions = 200
	}
	if l.Redirects == 0 {
		l.Redirects = 50
	}
}

// Env is what a script is run in.
type Env struct {
	Host    Host
	Options Options // what ihave finds
	Limits  Limits
	// Now is the time for currentdate and :bytimeabsolute; zero = time.Now.
	Now time.Time
	// Flags are those that the message has already: what the internal
	// variable of imap4flags begins with.
	Flags []string
	// ItemVariables lets the test environment set match variables, as RFC 5229
	// section 3.2 wants and scripts on IMAP events use (RFC 6785 has an example);
	// in Cyrus it does not set them.
	ItemVariables bool
	// NoEnvelope makes the test envelope an error: IMAP events have none (RFC
	// 6785 section 4.6).
	NoEnvelope bool
	// Trace is told of each test and command that is run, if it is not nil.
	Trace func(line string)
}

// Run runs a script on a message. It changes nothing itself; key is the
// script's own for Host.Include. What goes wrong is in the Result; ctx ends
// the script like a limit.
//
// Source: sieve_eval_bc in Cyrus sieve/bc_eval.c.
func (s *Script) Run(ctx context.Context, m *Message, key string, env Env) *Result {
	env.Limits.setDefaults()
	if env.Host == nil {
		env.Host = NoHost{}
	}
	if env.Now.IsZero() {
		env.Now = time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, env.Limits.Time)
	defer cancel()
	r := &run{ctx: ctx, msg: m, env: env, host: env.Host, fields: parseFields(m.Header), res: &Result{},
		vars: variables{byName: map[string][]string{"": canonFlags(env.Flags)}}, running: map[string]bool{}, loaded: map[string]bool{key: true},
		regexes: map[string]*pattern{}}
	stopped, err := r.script(s, key, false)
	res := r.res
	if err != nil {
		res.Err = err
		res.Actions, res.Tracked = nil, nil
	}
	res.Flags = r.vars.get("")
	res.Header = r.fields.block()
	if res.stopped = stopped; !stopped && len(res.Actions) > 0 {
		res.keepIn, _ = r.host.Resolve(Action{Kind: Keep})
	}
	res.Notes = slices.DeleteFunc(res.Notes, func(n Notification) bool { return !n.active })
	for i := range res.Notes {
		res.Notes[i].Message = r.noteText(res.Notes[i].Message)
	}
	return res
}

// run is one run of a script with those it includes.
type run struct {
	ctx    context.Context
	msg    *Message
	env    Env
	host   Host
	fields *fields
	parsed *message.Message
	vars   variables
	res    *Result

	current   *Script
	running   map[string]bool // scripts being run, by key
	loaded    map[string]bool // scripts met
	includes  int
	redirects int
	regexes   map[string]*pattern
}

// Errors of scripts, in Cyrus's words where it has some.
var (
	errRecursive = errors.New("Recursive Include")
	errTest      = errors.New("Invalid test")
	errRun       = errors.New("Run error")
	errActions   = errors.New("Too many actions")
	errIncludes  = errors.New("Too many includes")
	errRedirects = errors.New("Too many redirects")
	errEnvelope  = errors.New("Envelope can not be tested of a stored message")
)

// script runs one script. stop tells that the whole is to stop. Return ends
// an included script only.
func (r *run) script(s *Script, key string, included bool) (stop bool, err error) {
	if r.running[key] {
		return true, errRecursive
	}
	r.running[key] = true
	defer func(outer *Script) { r.running[key] = false; r.current = outer }(r.current)
	r.current = s
	for i := 0; i < len(s.program); {
		c := &s.program[i]
		i++
		if r.ctx.Err() != nil {
			return true, fmt.Errorf("Script took too long: %w", r.ctx.Err())
		}
		switch c.op {
		case opStop:
			return true, nil
		case opReturn:
			return !included, nil
		case opJump:
			i = s.find(c.jump, i)
		case opIf:
			ok, err := r.test(c.test)
			if err != nil {
				return true, err
			}
			i = s.find(c.jump, i)
			if ok && i < len(s.program) {
				i++ // over the jump for false
			}
		case opInclude:
			if stop, err := r.include(c); stop || err != nil {
				return true, err
			}
		default:
			r.trace("%s", commandText(c))
			if err := r.command(c); err != nil {
				return true, err
			}
		}
		if len(r.res.Actions)+len(r.res.Notes) > r.env.Limits.Actions {
			return true, errActions
		}
	}
	return false, nil
}

// find is the index of the command at a word, from index from on.
func (s *Script) find(word, from int) int {
	n, _ := slices.BinarySearchFunc(s.program[from:], word, func(c command, w int) int { return c.at - w })
	return from + n
}

func (r *run) trace(format string, args ...any) {
	if r.env.Trace != nil {
		r.env.Trace(fmt.Sprintf(format, args...))
	}
}

// expand replaces variables if the script has the extension.
func (r *run) expand(s string) (string, error) {
	if r.current.requires&requiresVariables == 0 {
		return s, nil
	}
	return r.vars.expand(s)
}

// expander expands many strings and keeps the first error.
type expander struct {
	r   *run
	err error
}

func (e *expander) text(s string) string {
	out, err := e.r.expand(s)
	if err != nil && e.err == nil {
		e.err = err
	}
	return out
}

func (e *expander) optional(s optional) optional {
	if s == nil {
		return nil
	}
	return text(e.text(*s))
}

// flags expands a list of flags behind those in onto; nil if both are empty
// lists (unwrap_flaglist in Cyrus).
func (e *expander) flags(list, onto []string) []string {
	if len(list) == 0 {
		return onto
	}
	out := slices.Clone(onto)
	for _, f := range list {
		if f = e.text(f); f != "" {
			out = append(out, f)
		}
	}
	if out = canonFlags(out); out == nil {
		out = []string{}
	}
	return out
}

// actionFlags are the flags that keep and fileinto set: their own, else those
// of the internal variable.
func (e *expander) actionFlags(list []string) []string {
	if f := e.flags(list, nil); f != nil {
		return f
	}
	return slices.Clone(e.r.vars.get(""))
}

// include is the command of RFC 6609 section 3.2.
func (r *run) include(c *command) (stop bool, err error) {
	name, err := r.expand(c.script)
	if err != nil {
		return true, err
	}
	r.trace("%s", commandText(c))
	if r.includes++; r.includes > r.env.Limits.Includes {
		return true, errIncludes
	}
	s, key, err := r.host.Include(name, c.bits&incLocation == vGlobal)
	switch {
	case err == nil && c.bits&incOnce != 0 && r.loaded[key]:
		return false, nil
	case err == nil:
		r.loaded[key] = true
		return r.script(s, key, true)
	case c.bits&incOptional != 0:
		return false, nil
	case errors.Is(err, ErrNoScript):
		return true, errors.New("Include can not load script")
	}
	return true, fmt.Errorf("Include can not load script: %w", err)
}

// command runs one command that is neither control nor include.
func (r *run) command(c *command) error {
	e := &expander{r: r}
	switch c.op {
	case opNull:
		return nil
	case opKeep, opKeepCopy, opKeepOld:
		a := Action{Kind: Keep, CancelKeep: true, Header: r.fields.block()}
		a.Mailbox.Flags = e.actionFlags(c.flags)
		return r.file(e, a, "Keep can not be used with Reject")
	case opDiscard:
		r.res.add(Action{Kind: Discard, CancelKeep: true})
	case opReject, opEreject:
		a := Action{Kind: Reject, CancelKeep: true, Reason: e.text(c.text)}
		if c.op == opEreject {
			a.Kind = Ereject
		}
		return r.action(e, a, "[e]Reject can not be used with any other action")
	case opFileinto, opFileintoOld, opFileintoCopy, opFileintoFlags, opFileintoCreate, opFileintoSpecialUse:
		return r.fileinto(e, c)
	case opRedirect, opRedirectOld, opRedirectCopy, opRedirectList:
		return r.redirect(e, c)
	case opMark, opUnmark, opAddflag, opAddflagOld, opSetflag, opSetflagOld, opRemoveflag, opRemoveflagOld:
		return r.flagAction(e, c)
	case opNotify, opEnotify:
		return r.notify(e, c)
	case opDenotify:
		return r.denotify(c)
	case opVacation, opVacationOld, opVacationSeconds, opVacationFcc, opVacationSpecialUse:
		return r.vacation(e, c)
	case opSet:
		value, err := r.vars.expand(c.value)
		if err == nil {
			r.vars.set(c.variable, []string{modify(value, c.bits)})
		}
		return err
	case opAddheader:
		return r.addheader(e, c)
	case opDeleteheader:
		return r.deleteheader(e, c)
	case opLog:
		r.host.Log(e.text(c.text))
	case opSnooze, opSnoozeOld, opSnoozeTzid:
		return r.snooze(e, c)
	case opProcessIMIP:
		return r.imip(c)
	case opError:
		return errors.New(c.text)
	}
	return e.err
}

// action adds an action; clash is the error if it may not be added.
func (r *run) action(e *expander, a Action, clash string) error {
	if e.err != nil {
		return e.err
	}
	if !r.res.add(a) {
		return errors.New(clash)
	}
	return nil
}

// file adds keep or fileinto after asking where it leads.
func (r *run) file(e *expander, a Action, clash string) error {
	if e.err != nil {
		return e.err
	}
	to, err := r.host.Resolve(a)
	if err != nil {
		to = a.Mailbox.Name // fails when it is performed, after those before it
	}
	a.Resolved = to
	return r.action(e, a, clash)
}

func (r *run) fileinto(e *expander, c *command) error {
	a := Action{Kind: FileInto, CancelKeep: c.copy == 0, Header: r.fields.block()}
	a.Mailbox = Mailbox{Name: e.text(c.folder), ID: e.optional(c.mailboxID), SpecialUse: e.optional(c.specialUse),
		Create: c.create != 0, Flags: e.actionFlags(c.flags)}
	return r.file(e, a, "Fileinto can not be used with Reject")
}

func (r *run) redirect(e *expander, c *command) error {
	a := Action{Kind: Redirect, CancelKeep: c.copy == 0, Header: r.fields.block(), Address: e.text(c.address),
		List: c.list != 0, DSNNotify: e.optional(c.dsnNotify), DSNRet: e.optional(c.dsnRet)}
	when, mode := e.optional(c.bytime), e.optional(c.bymode)
	if when != nil {
		var seconds int64
		if rel, ok := strings.CutPrefix(*when, "+"); ok {
			seconds, _ = strconv.ParseInt(rel, 10, 64)
		} else {
			t, ok := parseISO8601(*when)
			if !ok {
				return errors.New("Redirect bytimeabsolute value is invalid")
			}
			seconds = t.Unix() - r.env.Now.Unix()
		}
		if seconds > 999999999 || seconds < -999999999 { // RFC 2852 section 3
			return errors.New("Redirect bytime value too large")
		}
		letter, trace := "N", "" // the default of RFC 6009 section 3
		if mode != nil && *mode != "" {
			letter = strings.Map(upperRune, (*mode)[:1])
		}
		if c.bytrace != 0 {
			trace = "T"
		}
		a.DeliverBy = fmt.Sprintf("%+d;%s%s", seconds, letter, trace)
	}
	if r.redirects++; r.redirects > r.env.Limits.Redirects {
		return errRedirects
	}
	return r.action(e, a, "Redirect can not be used with Reject")
}

// flagAction changes a variable of flags (RFC 5232 section 3).
func (r *run) flagAction(e *expander, c *command) error {
	now := r.vars.get(c.variable)
	switch c.op {
	case opMark:
		now = addFlag(slices.Clone(now), `\flagged`)
	case opUnmark:
		now = slices.DeleteFunc(slices.Clone(now), func(f string) bool { return equalFold(f, `\flagged`) })
	case opAddflag, opAddflagOld:
		now = e.flags(c.flags, now)
	case opSetflag, opSetflagOld:
		now = e.flags(c.flags, nil)
	default:
		if !r.vars.has(c.variable) {
			return e.err
		}
		gone := e.flags(c.flags, nil)
		now = slices.DeleteFunc(slices.Clone(now), func(f string) bool { return slices.Contains(gone, f) })
	}
	r.vars.set(c.variable, now)
	return e.err
}

func (r *run) addheader(e *expander, c *command) error {
	name, value := e.text(c.name), e.text(c.value)
	if !isFieldName(name) {
		return errors.New("Invalid header field name in Addheader")
	}
	if e.err == nil {
		r.fields.add(name, message.EncodeHeader(value), c.index < 0)
	}
	return e.err
}

// deleteheader removes fields, all of a name or those whose values match.
func (r *run) deleteheader(e *expander, c *command) error {
	match := r.matcherOf(&c.match)
	if match == nil {
		return errRun
	}
	name := e.text(c.name)
	if e.err != nil || equalFold(name, "Received") || equalFold(name, "Auto-Submitted") {
		return e.err
	}
	if len(c.values) == 0 {
		r.fields.remove(name, c.index)
		return nil
	}
	values := r.fields.all(name)
	first, end := 0, len(values)
	if c.index != 0 {
		first = c.index - 1
		if c.index < 0 {
			first = c.index + len(values)
		}
		if first < 0 || first >= len(values) {
			return nil
		}
		end = first + 1
	}
	for i := end - 1; i >= first; i-- { // from the end, so that numbers stay
		v := message.DecodeHeader([]byte(values[i]))
		if c.match.kind == vCount {
			v = strconv.Itoa(end - first)
		}
		ok, err := r.anyKey(match, v, c.values, false)
		if err != nil {
			return err
		}
		if ok {
			r.fields.remove(name, i+1)
		}
	}
	return nil
}

func (r *run) snooze(e *expander, c *command) error {
	a := Action{Kind: Snooze, CancelKeep: true, Header: r.fields.block(), Days: c.days, Times: c.times,
		Zone: e.optional(c.tzid), AddFlags: e.flags(c.addFlags, nil), RemoveFlags: e.flags(c.removeFlags, nil)}
	a.Mailbox = Mailbox{ID: e.optional(c.mailboxID), SpecialUse: e.optional(c.specialUse), Create: c.create != 0,
		Flags: slices.Clone(r.vars.get(""))}
	if m := e.optional(c.mailbox); m != nil {
		a.Mailbox.Name = *m
	}
	return r.action(e, a, "Snooze can not be used with Reject")
}

func (r *run) imip(c *command) error {
	outcome, fault, err := r.host.ProcessIMIP(IMIP{InvitesOnly: c.bits&imipInvitesOnly != 0,
		UpdatesOnly: c.bits&imipUpdatesOnly != 0, DeleteCanceled: c.bits&imipDeleteCanceled != 0, CalendarID: c.calendarID})
	if c.outcome != nil {
		r.vars.set(*c.outcome, []string{outcome})
	}
	if c.errstr != nil {
		r.vars.set(*c.errstr, []string{fault})
	}
	return err
}

// hash is the mark by which a vacation response is known.
func hash(parts ...string) [md5.Size]byte { return md5.Sum([]byte(strings.Join(parts, ""))) }

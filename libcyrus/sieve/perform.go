package sieve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/libcyrus/errs"
)

// A Performer does what a script wants done.
type Performer interface {
	// Do performs an action other than Vacation; Keep also for the implicit
	// keep.
	Do(a Action) error
	// Respond sends a vacation response, unless one of its Hash went out
	// less than its Seconds ago; then sent is false.
	Respond(r Response) (sent bool, err error)
	// Notify sends a notification. Its text ends with what was done.
	Notify(n Notification) error
	// Track remembers an id for the test duplicate.
	Track(t Tracked)
	// Failed is told why a script or an action failed, for the log.
	Failed(text string)
}

// maxReport is the length at which the report of actions is cut.
const maxReport = 4096

// Perform does what r wants, in Cyrus's order: the actions up to the first that
// fails, with an implicit keep as the last of them; notifications; the implicit
// keep of a script that has stopped before its end. An error means that the
// message is to be delivered as if there were no script, though some of it
// may have been done.
//
// Source: do_action_list and do_sieve_error in Cyrus sieve/script.c.
func (r *Result) Perform(p Performer) error {
	report := ""
	note := func(format string, args ...any) {
		report += fmt.Sprintf(format, args...)
		report = report[:min(len(report), maxReport-1)]
	}
	err := r.Err
	failed := ""
	if err != nil {
		failed = err.Error()
		note("script execution failed: %s\n", failed)
	} else {
		note("Action(s) taken:\n")
	}
	keep := Action{Kind: Keep, CancelKeep: true, Header: r.Header, Resolved: r.keepIn}
	keep.Mailbox.Flags = r.Flags
	all := Result{Actions: slices.Clone(r.Actions)}
	if r.ImplicitKeep() && !r.stopped {
		all.add(keep)
	}
	for _, a := range all.Actions {
		var done string
		if done, err = perform(p, a); err != nil {
			failed = fmt.Sprintf("%s%s: %s", a.Kind, a.item(), err)
			note("%s action failed: %s\n", a.Kind, words(err))
			break
		}
		note("%s", done)
	}
	for _, n := range r.Notes {
		n.Message += "\n\n" + report
		if nerr := p.Notify(n); nerr != nil && err == nil {
			err, failed = nerr, fmt.Sprintf("Notify: %s", nerr)
		}
	}
	if err == nil && r.ImplicitKeep() && r.stopped {
		if _, err = perform(p, keep); err != nil {
			failed = fmt.Sprintf("Keep: %s", err)
		}
	}
	if err != nil {
		p.Failed(failed)
		return err
	}
	for _, t := range r.Tracked {
		p.Track(t)
	}
	return nil
}

// words is what the report says of an error: in Cyrus's words, without our names.
func words(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Kind.String()
	}
	return err.Error()
}

// item is what an action was about, for the log.
func (a *Action) item() string {
	s := map[Kind]string{Reject: a.Reason, Ereject: a.Reason, FileInto: a.Mailbox.Name, Redirect: a.Address}[a.Kind]
	if s == "" {
		return ""
	}
	return " (" + strings.NewReplacer("\r", " ", "\n", " ").Replace(s) + ")"
}

// errBadFlag is Cyrus's IMAP_INVALID_IDENTIFIER.
var errBadFlag = errors.New("Invalid identifier")

// perform does one action and says so. A message cannot have what is no flag; the
// internal variable has such where set "" gave it a value.
func perform(p Performer, a Action) (done string, err error) {
	if slices.ContainsFunc(a.Mailbox.Flags, func(f string) bool { return !IsFlag(f) }) {
		return "", errBadFlag
	}
	if a.Kind == Vacation {
		sent, err := p.Respond(*a.Response)
		if !sent {
			return "Vacation reply suppressed\n", err
		}
		return "Sent vacation reply\n", err
	}
	done = map[Kind]string{
		Reject: "Rejected with: " + a.Reason + "\n", Ereject: "eRejected with: " + a.Reason + "\n",
		FileInto: "Filed into: " + a.Mailbox.Name + "\n", Snooze: "Snoozed\n", Keep: "Kept\n",
		Redirect: "Redirected to " + a.Address + "\n", Discard: "Discarded\n",
	}[a.Kind]
	return done, p.Do(a)
}

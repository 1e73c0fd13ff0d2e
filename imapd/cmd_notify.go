package main

import (
	"strings"

	"gocyrus/libcyrus/imapwire"
)

// notifyEvent is a set of events (RFC 5465 section 5).
type notifyEvent uint8

const (
	eventNew notifyEvent = 1 << iota
	eventExpunge
	eventFlags
	eventName
	eventSubscription
	eventMetadata
	eventServerMetadata
	eventAnnotations

	messageEvents = eventNew | eventExpunge | eventFlags | eventAnnotations
)

// notifyEvents is the events by name, as BADEVENT lists them.
var notifyEvents = []struct {
	name  string
	event notifyEvent
}{
	{"MessageNew", eventNew},
	{"MessageExpunge", eventExpunge},
	{"FlagChange", eventFlags},
	{"AnnotationChange", eventAnnotations},
	{"MailboxName", eventName},
	{"SubscriptionChange", eventSubscription},
	{"MailboxMetadataChange", eventMetadata},
	{"ServerMetadataChange", eventServerMetadata},
}

// notifyFilter says which mailboxes a group is about (RFC 5465 section 6).
type notifyFilter uint8

const (
	filterSelected notifyFilter = iota
	filterDelayed
	filterPersonal // INBOXES is the same: mail may be delivered to any
	filterSubscribed
	filterSubtree
	filterMailboxes
)

var notifyFilters = map[string]notifyFilter{
	"selected":         filterSelected,
	"selected-delayed": filterDelayed,
	"inboxes":          filterPersonal,
	"personal":         filterPersonal,
	"subscribed":       filterSubscribed,
	"subtree":          filterSubtree,
	"mailboxes":        filterMailboxes,
}

// notifyGroup is events of some mailboxes.
type notifyGroup struct {
	filter notifyFilter
	names  []string // of SUBTREE and MAILBOXES, as the client writes them
	events notifyEvent
	fetch  *imapwire.Fetch // what is sent of each new message, nil is nothing
}

// notifyArgs is the arguments of NOTIFY.
type notifyArgs struct {
	none   bool
	status bool
	groups []notifyGroup
}

// Bounds of one NOTIFY.
const (
	maxNotifyGroups = 100
	maxNotifyNames  = 1000
)

// parseNotify reads the arguments of NOTIFY (RFC 5465 section 8).
func parseNotify(r *imapwire.Reader) (a notifyArgs, err error) {
	if !r.Space() {
		return a, r.Missing()
	}
	switch word := strings.ToUpper(r.Word()); word {
	case "NONE":
		a.none = true
		return a, nil
	case "SET":
	default:
		return a, orWrong(r, nil, imapwire.SyntaxError("Invalid Notify argument "+word))
	}
	if !r.Space() {
		return a, r.Missing()
	}
	if c, _ := r.Peek(); c != '(' {
		word := strings.ToUpper(r.Word())
		if word != "STATUS" {
			return a, orWrong(r, nil, imapwire.SyntaxError("Invalid Notify argument "+word))
		}
		if a.status = true; !r.Space() {
			return a, r.Missing()
		}
	}
	selected := false
	for {
		g, err := parseNotifyGroup(r)
		if err != nil {
			return a, err
		}
		if g.filter <= filterDelayed {
			if selected {
				return a, imapwire.SyntaxError("Notify takes only one of SELECTED and SELECTED-DELAYED")
			}
			selected = true
		}
		if a.groups = append(a.groups, g); len(a.groups) > maxNotifyGroups {
			return a, refusal("[NOTIFICATIONOVERFLOW] Too many event groups")
		}
		if !r.Space() {
			return a, nil
		}
	}
}

// parseNotifyGroup reads one group of events in parentheses.
func parseNotifyGroup(r *imapwire.Reader) (g notifyGroup, err error) {
	if !r.Accept('(') {
		return g, orWrong(r, nil, "Missing open parenthesis of an event group in Notify")
	}
	word := r.Word()
	var ok bool
	if g.filter, ok = notifyFilters[strings.ToLower(word)]; !ok {
		return g, orWrong(r, nil, imapwire.SyntaxError("Invalid mailbox specifier in Notify: "+strings.ToUpper(word)))
	}
	if g.filter >= filterSubtree {
		if g.names, err = parseNotifyNames(r); err != nil {
			return g, err
		}
	}
	if !r.Space() {
		return g, r.Missing()
	}
	if err := parseNotifyEvents(r, &g); err != nil {
		return g, err
	}
	if !r.Accept(')') {
		return g, orWrong(r, nil, "Missing close parenthesis of an event group in Notify")
	}
	return g, g.check()
}

// parseNotifyNames reads a blank and one or several names of mailboxes.
func parseNotifyNames(r *imapwire.Reader) (names []string, err error) {
	if !r.Space() {
		return nil, r.Missing()
	}
	if !r.Accept('(') {
		name, err := r.AString()
		return []string{name}, missing(r, err)
	}
	for {
		name, err := r.AString()
		if err != nil {
			return nil, missing(r, err)
		}
		if names = append(names, name); len(names) > maxNotifyNames {
			return nil, refusal("[NOTIFICATIONOVERFLOW] Too many mailboxes")
		}
		if r.Accept(')') {
			return names, nil
		}
		if !r.Space() {
			return nil, orWrong(r, nil, "Missing close parenthesis of mailboxes in Notify")
		}
	}
}

// parseNotifyEvents reads NONE or events in parentheses.
func parseNotifyEvents(r *imapwire.Reader, g *notifyGroup) error {
	if !r.Accept('(') {
		if word := r.Word(); !strings.EqualFold(word, "NONE") {
			return orWrong(r, nil, imapwire.SyntaxError("Invalid events in Notify: "+strings.ToUpper(word)))
		}
		return nil
	}
	for {
		event, err := parseNotifyEvent(r)
		if err != nil {
			return err
		}
		g.events |= event
		space := r.Space()
		if c, _ := r.Peek(); space && event == eventNew && c == '(' {
			if g.filter > filterDelayed {
				return orWrong(r, nil, "Notify sends items of new messages in the selected mailbox only")
			}
			command := r.Command
			f, err := r.Fetch()
			if r.Command = command; err != nil {
				return err
			}
			f.Items &^= imapwire.FetchSetSeen
			g.fetch = &f
			space = r.Space()
		}
		if space {
			continue
		}
		if !r.Accept(')') {
			return orWrong(r, nil, "Missing close parenthesis of events in Notify")
		}
		return nil
	}
}

// parseNotifyEvent reads the name of an event. Which ones there are is the
// answer to an unknown one.
func parseNotifyEvent(r *imapwire.Reader) (notifyEvent, error) {
	word := r.Word()
	names := make([]string, len(notifyEvents))
	for i, e := range notifyEvents {
		if strings.EqualFold(e.name, word) {
			return e.event, nil
		}
		names[i] = e.name
	}
	if !imapwire.IsAtom(word) {
		return 0, orWrong(r, nil, "Invalid event in Notify")
	}
	if r.Err() != nil {
		return 0, r.Err()
	}
	return 0, refusal("[BADEVENT (" + strings.Join(names, " ") + ")] Unsupported event " + word)
}

// check refuses combinations that RFC 5465 sections 5 and 6.1 exclude.
func (g *notifyGroup) check() error {
	const both = eventNew | eventExpunge
	switch some := g.events & both; {
	case some != 0 && some != both:
		return imapwire.SyntaxError("Notify wants MessageNew and MessageExpunge together")
	case g.events&eventFlags != 0 && some == 0:
		return imapwire.SyntaxError("Notify wants MessageNew and MessageExpunge with FlagChange")
	case g.events&eventAnnotations != 0 && some == 0:
		return imapwire.SyntaxError("Notify wants MessageNew and MessageExpunge with AnnotationChange")
	case g.filter <= filterDelayed && g.events&^messageEvents != 0:
		return imapwire.SyntaxError("Notify takes only message events for the selected mailbox")
	}
	return nil
}

// notify sets of what the client is told when it happens, also while no
// command runs (RFC 5465 section 3.1).
func (s *session) notify(a notifyArgs) (string, error) {
	n := newNotifier(a.groups)
	if !a.none {
		if err := s.follows(n, a.status); err != nil {
			n.stop()
			return "", err
		}
	}
	if s.notifier != nil {
		s.notifier.stop()
	}
	s.notifier = n
	if a.none {
		return "", nil
	}
	if s.view != nil && n.wantsAnnotations() {
		if err := s.tellMessageAnnotations(n); err != nil {
			return "", err
		}
	}
	return "", s.refresh(true, s.client.Rev2)
}

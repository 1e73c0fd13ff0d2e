package event

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
)

// Notifier sends the events of one process. A nil one is off: it wants
// nothing, and sending to it does nothing. It may be used by several
// goroutines.
type Notifier struct {
	log       *slog.Logger
	queue     *notify.Queue
	method    string
	service   string // as master calls it
	server    string
	pid       int
	enabled   Type
	extra     map[string]bool // event_extra_params
	noFlags   []string        // event_exclude_flags
	noUses    []string        // event_exclude_specialuse
	inboxOnly bool            // no events of other mailboxes
	names     *mboxname.Namespace
	mode      string // event_content_inclusion_mode
	size      int64  // event_content_size; 0 = no limit
	clients   clients

	// Uses tells the special uses of a mailbox. It may be nil, and must be set
	// before anything is sent.
	Uses func(ctx context.Context, n mboxname.Name, uniqueID string) ([]string, error)
	// Conversations tells about those of a mailbox; likewise. It is asked only
	// for members that event_extra_params names.
	Conversations func(ctx context.Context, n mboxname.Name, uniqueID string) (*Conversations, error)
}

// ofConversations is the members that are told where the site has
// conversations.
var ofConversations = []string{
	"vnd.fastmail.convExists", "vnd.fastmail.convUnseen", "vnd.fastmail.cid", "vnd.fastmail.counters", "vnd.fastmail.jmapStates",
	"vnd.cmu.emailid", "vnd.cmu.threadid",
}

// New returns the notifier of a process, and nil if the site wants no events
// (event_notifier is not set, or no group is).
//
// Source: mboxevent_init in Cyrus imap/mboxevent.c.
func New(c *config.Config, log *slog.Logger) *Notifier {
	method := config.EventNotifier.In(c)
	if method == "" {
		return nil
	}
	rules := mboxname.RulesFrom(c)
	rules.AltNamespace = false
	n := &Notifier{
		log: log, method: method, service: c.Ident(), server: c.ServerName(), pid: os.Getpid(),
		extra:   map[string]bool{},
		noFlags: strings.Fields(config.EventExcludeFlags.In(c)),
		names:   mboxname.NewNamespace(rules, "", true),
		mode:    config.EventContentInclusionMode.In(c),
		size:    int64(max(0, config.EventContentSize.In(c))),
	}
	for _, use := range strings.Fields(config.EventExcludeSpecialuse.In(c)) {
		if strings.EqualFold(use, "ALL") {
			n.inboxOnly = true
		}
		n.noUses = append(n.noUses, use)
	}
	for _, g := range config.EventGroups.In(c).Names() {
		n.enabled |= groups[g]
	}
	for _, p := range config.EventExtraParams.In(c).Names() {
		n.extra[p] = true
	}
	if n.enabled == 0 {
		return nil
	}
	n.queue = notify.NewQueue(notify.NewSender(c), log)
	return n
}

// Close sends what is waiting, as far as that is quickly done. Nothing may be
// sent afterwards.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.queue.Close()
}

// Queue is where the notifier puts what it sends: for others of this process
// that notify, so that all stays in its order. nil if the notifier is off.
func (n *Notifier) Queue() *notify.Queue {
	if n == nil {
		return nil
	}
	return n.queue
}

// Wants reports whether events of any of these types are sent.
func (n *Notifier) Wants(t Type) bool { return n != nil && n.enabled&t != 0 }

// WantsExtra reports whether events of a type are sent that have, besides, any
// of these members of event_extra_params.
func (n *Notifier) WantsExtra(t Type, members ...string) bool {
	return n.Wants(t) && slices.ContainsFunc(members, func(m string) bool { return n.extra[m] })
}

// ContentRange says which octets of a message of that size, and with a header
// of that size, an event is to carry: none if end is not above start.
//
// Source: mboxevent_extract_content in Cyrus imap/mboxevent.c.
func (n *Notifier) ContentRange(size, header int64) (start, end int64) {
	if !n.WantsExtra(arrivals, "messageContent") {
		return 0, 0
	}
	cut := func(length int64) int64 {
		if n.size > 0 {
			return min(length, n.size)
		}
		return length
	}
	header = min(header, size)
	switch n.mode {
	case "message":
		end = cut(size)
	case "header":
		end = cut(header)
	case "body":
		start, end = header, header+cut(size-header)
	case "headerbody":
		end = header + cut(size-header)
	default: // "standard": the whole message or nothing
		if n.size == 0 || size <= n.size {
			end = size
		}
	}
	if end-start > notify.MaxSize {
		return 0, 0 // it has no room in a notification
	}
	return start, end
}

// Excluded reports whether changes of a flag make no event.
func (n *Notifier) Excluded(flag string) bool {
	return slices.ContainsFunc(n.noFlags, func(f string) bool { return strings.EqualFold(f, flag) })
}

// Send hands an event over; nobody waits for what becomes of it. The caller
// may not change it any more.
func (n *Notifier) Send(e *Event) {
	if e == nil || !n.Wants(e.Type) {
		return
	}
	e.stamp()
	n.queue.Post(func(send func(*notify.Message) error) { n.pass(e, send) })
}

// pass sends an event, from the goroutine of the queue.
func (n *Notifier) pass(e *Event, send func(*notify.Message) error) {
	if n.excludes(e) {
		return
	}
	if box := e.Mailbox; box != nil && n.Conversations != nil && n.WantsExtra(e.Type&(messages|flags|mailboxes), ofConversations...) {
		var err error
		if e.Conv, err = n.Conversations(context.Background(), box.Name, box.UniqueID); err != nil {
			n.log.Error("event: conversations cannot be read", "mailbox", string(box.Name), "error", err)
		}
	}
	for t := range n.split(e) {
		err := n.one(e, t, true, send)
		if errors.Is(err, notify.ErrTooLarge) {
			err = n.one(e, t, false, send)
		}
		if err != nil {
			n.queue.Lost(err)
		}
	}
}

// one sends one line.
func (n *Notifier) one(e *Event, t Type, content bool, send func(*notify.Message) error) error {
	return send(&notify.Message{Method: n.method, Class: "EVENT", Text: string(n.line(e, t, content))})
}

// excludes reports whether the mailbox of an event makes none. When it is made
// it has no special use yet.
//
// Source: mboxevent_enabled_for_mailbox in Cyrus imap/mboxevent.c.
func (n *Notifier) excludes(e *Event) bool {
	box := e.Mailbox
	if box == nil || e.Type&(messages|flags|mailboxes) == 0 {
		return false
	}
	if n.inboxOnly && !box.Name.IsInbox() {
		return true
	}
	if len(n.noUses) == 0 || n.Uses == nil || e.Type == MailboxCreate {
		return false
	}
	uses, err := n.Uses(context.Background(), box.Name, box.UniqueID)
	if err != nil {
		n.log.Error("event: special uses cannot be read", "mailbox", string(box.Name), "error", err)
	}
	return slices.ContainsFunc(uses, func(u string) bool { return slices.Contains(n.noUses, u) })
}

// split yields the types that an event is sent as. RFC 5423 section 4.2 has
// two of their own for two flags; e.Flags is what is left of them then.
func (n *Notifier) split(e *Event) func(yield func(Type) bool) {
	return func(yield func(Type) bool) {
		if e.Type&(FlagsSet|FlagsClear) == 0 {
			yield(e.Type)
			return
		}
		rest := slices.Clone(e.Flags)
		if e.Type == FlagsSet {
			for _, s := range []struct {
				flag string
				t    Type
			}{{`\Deleted`, MessageTrash}, {`\Seen`, MessageRead}} {
				if i := slices.Index(rest, s.flag); i >= 0 {
					rest = slices.Delete(rest, i, i+1)
					if !yield(s.t) {
						return
					}
				}
			}
		}
		if e.Flags = rest; len(rest) > 0 {
			yield(e.Type)
		}
	}
}

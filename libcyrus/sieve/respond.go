package sieve

import (
	"errors"
	"strconv"
	"strings"

	"gocyrus/libcyrus/message"
)

// listFields are fields that only mailing lists write (RFC 2919, 2369).
var listFields = []string{"list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive"}

// toFields are where the recipient must stand to get a response.
var toFields = []string{"to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"}

// vacation adds a response if the message may have one.
func (r *run) vacation(e *expander, c *command) error {
	addresses := make([]string, len(c.addresses))
	for i, a := range c.addresses {
		addresses[i] = e.text(a)
	}
	to, me, ok := r.respondTo(addresses)
	r.trace("  respond: %v", ok)
	if !ok || e.err != nil {
		return e.err
	}
	v := Response{To: to, From: me, Text: e.text(c.text), MIME: c.mime > 0, Seconds: c.seconds}
	if c.op == opVacationOld {
		v.Seconds *= daySeconds // days then
	}
	if s := e.optional(c.subject); s != nil {
		v.Subject = *s
	} else if s := r.fields.all("subject"); len(s) > 0 {
		v.Subject = "Auto: " + message.DecodeHeader([]byte(s[0]))
	} else {
		v.Subject = "Automated reply"
	}
	if f := e.optional(c.from); f != nil {
		v.From = *f
	}
	if h := e.optional(c.handle); h != nil {
		v.Hash = hash(v.To, *h)
	} else {
		v.Hash = hash(v.To, v.From, v.Text)
	}
	if f := e.optional(c.fcc); f != nil {
		v.Fcc = &Mailbox{Name: *f, ID: e.optional(c.mailboxID), SpecialUse: e.optional(c.specialUse),
			Create: c.create != 0, Flags: e.flags(c.flags, nil)}
	}
	return r.action(e, Action{Kind: Vacation, Response: &v}, "Vacation can not be used with Reject or Vacation")
}

// respondTo says whom a response goes to, and by which address the message
// came to the user; false if there should be none.
//
// Source: shouldRespond in Cyrus sieve/bc_eval.c; RFC 5230 section 4.5 and 4.6.
func (r *run) respondTo(addresses []string) (to, me string, ok bool) {
	for _, f := range listFields {
		if len(r.fields.all(f)) > 0 {
			return "", "", false
		}
	}
	for _, f := range []string{"x-ignorevacation", "auto-submitted"} {
		if v := r.fields.all(f); len(v) > 0 && !equalFold(strings.TrimLeft(v[0], " \t\r\n\v\f"), "no") {
			return "", "", false
		}
	}
	if v := r.fields.all("precedence"); len(v) > 0 {
		switch asciiLower(strings.TrimLeft(v[0], " \t\r\n\v\f")) {
		case "junk", "bulk", "list":
			return "", "", false
		}
	}
	mine, okMine := canonicalAddress(r.msg.To)
	to, ok = canonicalAddress(r.msg.From)
	if !ok || !okMine || to == mine || isSystemAddress(to) {
		return "", "", false
	}
	for _, a := range addresses {
		if a == to {
			return "", "", false
		}
	}
	for _, f := range toFields {
		for _, v := range r.fields.all(f) {
			if me, ok := namedIn(v, mine, addresses); ok {
				return to, me, true
			}
		}
	}
	return "", "", false
}

// namedIn looks for one of the user's addresses in an address field.
func namedIn(field, mine string, addresses []string) (string, bool) {
	for _, a := range message.ParseAddresses([]byte(field)) {
		addr := addressPart(a, vAll)
		if equalFold(addr, mine) {
			return mine, true
		}
		for _, alt := range addresses {
			if c, ok := canonicalAddress(alt); ok && equalFold(addr, c) {
				return alt, true
			}
		}
	}
	return "", false
}

// isSystemAddress reports whether an address is nobody's.
func isSystemAddress(a string) bool {
	l := asciiLower(a)
	return strings.HasPrefix(l, "mailer-daemon") || strings.HasPrefix(l, "listserv") || strings.HasPrefix(l, "majordomo") ||
		strings.Contains(a, "-request@") || strings.HasPrefix(a, "owner-")
}

var priorityNames = map[int]string{vLow: "low", vNormal: "normal", vHigh: "high", vAny: "any"}

func (r *run) notify(e *expander, c *command) error {
	priority := priorityNames[c.priority]
	if priority == "" {
		return errRun
	}
	n := Notification{ID: c.id, From: c.from, Options: c.options, Priority: priority, Message: e.text(c.text), active: true}
	if c.method != nil {
		n.Method = *c.method
	}
	// notifyd knows the method "mailto", with the address as its first option.
	if at := len("mailto:"); c.op == opEnotify && len(n.Method) >= at && equalFold(n.Method[:at], "mailto:") {
		n.Method, n.Options = "mailto", append([]string{n.Method[at:]}, n.Options...)
	}
	if e.err == nil {
		r.res.Notes = append(r.res.Notes, n)
	}
	return e.err
}

// denotify takes back notifications (draft-martin-sieve-notify-01 section 3.2).
func (r *run) denotify(c *command) error {
	priority := priorityNames[c.priority]
	var match matcher
	if c.pattern != nil {
		if match = r.matcherOf(&c.match); match == nil {
			return errRun
		}
	}
	for i := range r.res.Notes {
		n := &r.res.Notes[i]
		if priority != "any" && n.Priority != priority {
			continue
		}
		if match != nil {
			if n.ID == nil {
				continue
			}
			ok, _, err := match(*n.ID, *c.pattern)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		n.active = false
	}
	return nil
}

// noteText replaces $from$, $env-from$, $subject$ and $text$ or $text[N]$ in
// the text of a notification.
//
// Source: build_notify_message in Cyrus sieve/script.c.
func (r *run) noteText(s string) string {
	var b strings.Builder
	header := func(name string) {
		if v := r.fields.all(name); len(v) > 0 {
			b.WriteString(message.DecodeHeader([]byte(v[0])))
		}
	}
	for s != "" {
		low := asciiLower(s[:min(len(s), 10)])
		switch {
		case strings.HasPrefix(low, "$from$"):
			header("from")
			s = s[len("$from$"):]
		case low == "$env-from$":
			b.WriteString(r.msg.From)
			s = s[len("$env-from$"):]
		case strings.HasPrefix(low, "$subject$"):
			header("subject")
			s = s[len("$subject$"):]
		case strings.HasPrefix(low, "$text[") || strings.HasPrefix(low, "$text$"):
			n, rest := textLimit(s[len("$text"):])
			s = rest
			if parts, err := r.texts([]string{"text"}); err == nil && len(parts) > 0 {
				t := parts[0]
				if n > 0 && n < len(t) {
					t = t[:n]
				}
				b.WriteString(t)
			}
		default:
			n := strings.IndexByte(s[1:], '$') + 1
			if n == 0 {
				n = len(s)
			}
			b.WriteString(s[:n])
			s = s[n:]
		}
	}
	return b.String()
}

// textLimit reads "[N]$" or "$"; N = 0 is no limit.
func textLimit(s string) (n int, rest string) {
	inner, after, ok := strings.Cut(strings.TrimPrefix(s, "["), "]$")
	if !strings.HasPrefix(s, "[") || !ok {
		return 0, s[1:]
	}
	n, err := strconv.Atoi(inner)
	if errors.Is(err, strconv.ErrSyntax) {
		n = 0
	}
	return n, after
}

package conversations

import (
	"cmp"
	"slices"
	"strings"

	"gocyrus/libcyrus/message"
)

// updateSender counts a message of somebody; delta is 1 for the first copy of
// it, -1 for the last, and 0 changes only what is known of him. The order of
// messages must not matter, so of two spellings a rule prefers one.
//
// Source: conversation_update_sender in Cyrus imap/conversations.c.
func (c *conversation) updateSender(from sender, last uint32, delta int) {
	if from.mailbox == nil || from.domain == nil {
		return
	}
	s := sender{}
	if i := slices.IndexFunc(c.senders, func(x sender) bool { return x.compare(&from) == 0 }); i >= 0 {
		s = c.senders[i]
		c.senders = slices.Delete(c.senders, i, i+1)
	}
	if delta <= 0 && uint32(-delta) >= s.exists {
		return
	}
	apply(&s.exists, delta)
	if s.name == nil || preferName(s.name, from.name) > 0 {
		s.name = from.name
	}
	prefer(&s.route, from.route)
	prefer(&s.mailbox, from.mailbox)
	prefer(&s.domain, from.domain)
	s.last = max(s.last, last)
	i := slices.IndexFunc(c.senders, func(x sender) bool {
		return x.last < s.last || x.last == s.last && x.compare(&from) > 0
	})
	if i < 0 {
		i = len(c.senders)
	}
	c.senders = slices.Insert(c.senders, i, s)
}

// compare orders senders by their addresses, of which case does not matter.
func (s *sender) compare(o *sender) int {
	if d := compareFold(*s.domain, *o.domain); d != 0 {
		return d
	}
	return compareFold(*s.mailbox, *o.mailbox)
}

func compareFold(a, b string) int { return strings.Compare(lower(a), lower(b)) }

// prefer keeps the lesser of two strings, which tends to have capital letters.
func prefer(have **string, s *string) {
	if *have == nil || strings.Compare(**have, str(s)) > 0 {
		*have = s
	}
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// preferName is less than 0 if a is the better name, and more if b is: one with
// letters beyond ASCII, the longer, the lesser.
func preferName(a, b *string) int {
	x, y := message.DecodeHeader([]byte(str(a))), message.DecodeHeader([]byte(str(b)))
	if d := beyondASCII(y) - beyondASCII(x); d != 0 {
		return d
	}
	if d := cmp.Compare(len(y), len(x)); d != 0 {
		return d
	}
	if d := strings.Compare(x, y); d != 0 {
		return d
	}
	return strings.Compare(str(a), str(b))
}

func beyondASCII(s string) int {
	if strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) >= 0 {
		return 1
	}
	return 0
}

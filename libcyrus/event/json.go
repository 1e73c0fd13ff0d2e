package event

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxname"
)

// object is a JSON object that is being written, member by member.
type object struct{ b []byte }

func (o *object) key(name string) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(appendString(o.b, name), ':')
}

// text adds a string. One that is not UTF-8 cannot be told and is left out, as
// Cyrus's JSON library does it.
func (o *object) text(name, value string) {
	if utf8.ValidString(value) {
		o.key(name)
		o.b = appendString(o.b, value)
	}
}

func (o *object) number(name string, n int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, n, 10)
}

func (o *object) raw(name string, json []byte) {
	o.key(name)
	o.b = append(o.b, json...)
}

func (o *object) list(name string, values []string) {
	o.key(name)
	o.b = append(o.b, '[')
	first := true
	for _, v := range values {
		if !utf8.ValidString(v) {
			continue
		}
		if !first {
			o.b = append(o.b, ',')
		}
		first = false
		o.b = appendString(o.b, v)
	}
	o.b = append(o.b, ']')
}

func (o *object) end() []byte { return append(o.b, '}') }

// escapes is the characters that a JSON string spells in two.
var escapes = map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// appendString appends a JSON string, in which only what must be is escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		c := s[i]
		if e, ok := escapes[c]; ok {
			b = append(b, '\\', e)
		} else if c < ' ' {
			b = fmt.Appendf(b, `\u%04X`, c)
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// line is an event as one line of JSON, of type t, which is e.Type or one that
// a FlagsSet is split into. Members stand in Cyrus's order. A value that should
// be told and is not known is left out.
func (n *Notifier) line(e *Event, t Type, content bool) []byte {
	o := &object{}
	o.text("event", names[t])
	if n.extra["timestamp"] {
		o.text("timestamp", e.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if n.extra["service"] {
		o.text("service", n.service)
	}
	n.peers(o, e)
	if e.Old != nil {
		o.text("oldMailboxID", n.url(e.Old, 0))
	}
	if t&(MessageCopy|MessageMove) != 0 {
		o.text("vnd.cmu.oldUidset", uidSet(e.UIDs, true))
	}
	if e.Mailbox != nil && e.Mailbox.UniqueID != "" && !e.NoID {
		o.text("mailboxID", e.Mailbox.UniqueID)
	}
	o.text("uri", n.uri(e, t))
	n.numbers(o, e, t)
	n.messages(o, e, t)
	if len(e.Flags) > 0 && (t&(FlagsSet|FlagsClear) != 0 || t&arrivals != 0 && n.extra["flagNames"]) {
		o.text("flagNames", strings.Join(e.Flags, " "))
	}
	o.number("pid", int64(n.pid))
	if t == AclChange {
		o.text("aclSubject", e.Subject)
		if !e.NoRights {
			o.text("aclRights", e.Rights)
		}
	}
	o.text("user", e.User)
	n.rest(o, e, t, content)
	return o.end()
}

// peers adds the ends of the connection.
func (n *Notifier) peers(o *object, e *Event) {
	if e.Server != nil {
		o.text("serverDomain", e.Server.IP.String())
		o.number("serverPort", int64(e.Server.Port))
	}
	if e.Client != nil && n.extra["clientAddress"] {
		o.text("clientIP", e.Client.IP.String())
		o.number("clientPort", int64(e.Client.Port))
	}
}

// numbers adds modseq, quota, and what the mailbox counts.
func (n *Notifier) numbers(o *object, e *Event, t Type) {
	ofMessages := t&(messages|flags) != 0
	// Cyrus notes a modseq as long as there is one UID before: so that of the
	// second of two.
	if c := len(e.UIDs); ofMessages && n.extra["modseq"] && (c == 1 || c == 2) {
		o.number("modseq", int64(e.UIDs[c-1].Modseq))
	}
	if q := e.Quota; q != nil {
		if q.Storage && q.DiskQuota >= 0 {
			o.number("diskQuota", q.DiskQuota)
		}
		if q.Storage && (t != QuotaChange || n.extra["diskUsed"]) {
			o.number("diskUsed", q.DiskUsed)
		}
		if q.Messages {
			o.number("maxMessages", q.MaxMessages)
			o.number("messages", q.MessagesThere)
		}
	}
	if !ofMessages || e.Mailbox == nil {
		return
	}
	for _, m := range []struct {
		extra string
		value uint32
	}{{"messages", e.Mailbox.Exists}, {"vnd.cmu.unseenMessages", e.Mailbox.Unseen}, {"uidnext", e.Mailbox.UIDNext}} {
		if n.extra[m.extra] {
			o.number(m.extra, int64(m.value))
		}
	}
}

// messages adds which messages an event is about.
func (n *Notifier) messages(o *object, e *Event, t Type) {
	if len(e.UIDs) == 0 {
		return
	}
	if t&arrivals == 0 {
		o.text("uidset", uidSet(e.UIDs, false))
	}
	if !n.extra["vnd.cmu.midset"] {
		return
	}
	var ids []string
	for i := range e.UIDs {
		id := e.UIDs[i].ID
		if id == "" {
			id = "NIL"
		}
		if !slices.ContainsFunc(ids, func(x string) bool { return strings.EqualFold(x, id) }) {
			ids = append(ids, id)
		}
	}
	o.list("vnd.cmu.midset", ids)
}

// rest adds what stands behind the user.
func (n *Notifier) rest(o *object, e *Event, t Type, content bool) {
	var m *Message
	if t&arrivals != 0 && len(e.UIDs) > 0 {
		m = &e.UIDs[0]
	}
	if m != nil && n.extra["messageSize"] {
		o.number("messageSize", int64(m.Size))
	}
	box := e.Mailbox
	if t&(access|subscriptions) != 0 {
		box = nil
	}
	if box != nil {
		o.text("vnd.cmu.mbtype", box.Type)
	}
	o.text("serverFQDN", n.server)
	if box != nil {
		o.text("vnd.cmu.mailboxACL", box.ACL)
	}
	if m != nil && n.extra["vnd.cmu.envelope"] {
		o.text("vnd.cmu.envelope", m.Envelope)
	}
	if n.extra["vnd.cmu.sessionId"] {
		o.text("vnd.cmu.sessionId", e.Session)
	}
	if m != nil && n.extra["bodyStructure"] {
		o.text("bodyStructure", m.BodyStructure)
	}
	if n.extra["vnd.fastmail.clientId"] {
		o.text("vnd.fastmail.clientId", n.clients.of(e.Session))
	}
	if n.extra["vnd.fastmail.sessionId"] {
		o.text("vnd.fastmail.sessionId", e.Session)
	}
	if e.Conv != nil {
		n.conversations(o, e.Conv, m)
	}
	if m != nil && content && m.Content != "" {
		o.text("messageContent", m.Content)
	}
}

// uidSet is UIDs, or those of the originals, as an IMAP sequence set.
func uidSet(all []Message, old bool) string {
	var set imapwire.SeqSet
	for i := range all {
		uid := all[i].UID
		if old {
			uid = all[i].OldUID
		}
		set = set.Add(uid)
	}
	return set.String()
}

// uri is the URL (RFC 5092) that an event is about.
func (n *Notifier) uri(e *Event, t Type) string {
	switch {
	case e.Quota != nil:
		return n.url(&Mailbox{Name: e.Quota.Root}, 0)
	case e.Mailbox == nil:
		return "imap://" + n.server
	case t&arrivals != 0 && len(e.UIDs) > 0:
		return n.url(e.Mailbox, e.UIDs[0].UID)
	}
	return n.url(e.Mailbox, 0)
}

// url is the URL of a mailbox as an admin sees it, or of a message in it.
func (n *Notifier) url(m *Mailbox, uid uint32) string {
	b := append([]byte("imap://"), n.server...)
	name := n.names.ExternalOr(m.Name)
	if text, err := mboxname.DecodeUTF7(name); err == nil {
		name = text
	}
	b = appendEscaped(append(b, '/'), name)
	if m.UIDValidity != 0 {
		b = fmt.Appendf(b, ";UIDVALIDITY=%d", m.UIDValidity)
	}
	if uid != 0 {
		b = fmt.Appendf(b, "/;UID=%d", uid)
	}
	return string(b)
}

// appendEscaped appends the part of a URL that names a mailbox, in UTF-8.
//
// Source: MailboxToURL in Cyrus lib/imapurl.c.
func appendEscaped(b []byte, name string) []byte {
	const unsafe = " \"#%&+:;<=>?@[\\]^`{|}"
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(unsafe, c) >= 0 {
			b = fmt.Appendf(b, "%%%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// jmapStates is which counter each member of jmapStates is.
var jmapStates = []struct {
	name    string
	counter int
}{
	{"Mailbox", 5}, {"Email", 1}, {"EmailSubmission", 11}, {"Calendar", 6}, {"CalendarEvent", 2}, {"Contact", 3},
	{"ContactGroup", 3}, {"Note", 4}, {"SieveScript", 31}, {"Quota", 9}, {"Racl", 10},
}

// What is told of the counters file of Cyrus 3.6: its version, and the first of
// its modseqs.
const (
	countersVersion = 9
	countersTold    = 11
)

// conversations adds the members whose names begin with vnd.fastmail, and the
// ids of JMAP.
func (n *Notifier) conversations(o *object, c *Conversations, m *Message) {
	if n.extra["vnd.fastmail.convExists"] {
		o.number("vnd.fastmail.convExists", int64(c.Exists))
	}
	if n.extra["vnd.fastmail.convUnseen"] {
		o.number("vnd.fastmail.convUnseen", int64(c.Unseen))
	}
	cid := "NIL"
	if m != nil && m.CID != 0 {
		cid = fmt.Sprintf("%016x", m.CID)
	}
	if m != nil && n.extra["vnd.fastmail.cid"] {
		o.text("vnd.fastmail.cid", cid)
	}
	if n.extra["vnd.fastmail.counters"] && len(c.Counters) > 0 {
		text := strconv.Itoa(countersVersion)
		for _, v := range c.Counters[:countersTold] {
			text += " " + strconv.FormatUint(v, 10)
		}
		o.text("vnd.fastmail.counters", text+" "+strconv.FormatUint(uint64(c.UIDValidity), 10))
	}
	if m != nil && n.extra["vnd.cmu.emailid"] {
		o.text("vnd.cmu.emailid", fmt.Sprintf("M%x", m.GUID[:12]))
	}
	if m != nil && n.extra["vnd.cmu.threadid"] {
		if cid != "NIL" {
			cid = "T" + cid
		}
		o.text("vnd.cmu.threadid", cid)
	}
	if n.extra["vnd.fastmail.jmapStates"] && len(c.Counters) > 0 {
		states := &object{}
		for _, s := range jmapStates {
			states.text(s.name, strconv.FormatUint(c.Counters[s.counter], 10))
		}
		o.raw("vnd.fastmail.jmapStates", states.end())
	}
}

// stamp gives an event its time.
func (e *Event) stamp() {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
}

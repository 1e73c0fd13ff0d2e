package model

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// msg is a message as a client knows it.
type msg struct {
	uid    uint32 // 0: not known yet
	flags  string
	known  bool // flags
	modseq uint64
}

// memory is what a client keeps of a mailbox that it has left.
type memory struct {
	validity, modseq string
	msgs             []msg
}

// A level is which extensions a client has turned on.
type level int

const (
	plain level = iota
	condstore
	qresync
)

// session is a client with its view of a mailbox.
type session struct {
	*wire
	name  string
	level level
	rand  *rand.Rand
	boxes [2]*box

	box      *box // selected, or nil
	msgs     []msg
	validity string
	modseq   string // HIGHESTMODSEQ that the client may resync from
	kept     map[*box]memory
	tokens   int

	// of the running command:
	still   bool     // no message may go
	found   []uint32 // SEARCH
	copyUID string   // untagged COPYUID
	earlier []uint32 // VANISHED (EARLIER)
	resync  bool     // SELECT QRESYNC: FETCH is of messages not in msgs
	resent  []fetched
	shifted bool // messages went away behind the answer to SELECT
	exists  int
}

// do runs a command and returns the tagged reply's text. A refusal is no
// error, a server that fails is.
func (s *session) do(command string) (string, error) {
	tag, err := s.send(command)
	if err != nil {
		return "", err
	}
	s.found, s.copyUID = nil, ""
	text, err := s.replies(tag, s.untagged)
	return s.judge(command, text, err)
}

// judge looks at a tagged reply.
func (s *session) judge(command, text string, err error) (string, error) {
	if err == nil && (strings.HasPrefix(text, "BAD") || strings.Contains(text, "SERVERBUG") || strings.Contains(text, "UNAVAILABLE") || strings.Contains(text, "INUSE")) {
		err = fmt.Errorf("%q is answered %q; the dialog before:\n%s", command, text, strings.Join(s.log, "\n"))
	}
	if err != nil {
		return text, fmt.Errorf("%s: %w", s.name, err)
	}
	return text, nil
}

// quietly is do for a command during which no message may go.
func (s *session) quietly(command string) (string, error) {
	s.still = true
	defer func() { s.still = false }()
	return s.do(command)
}

var number = regexp.MustCompile(`^(\d+) (EXISTS|EXPUNGE)$`)

// untagged takes an untagged reply.
func (s *session) untagged(line string) error {
	if m := number.FindStringSubmatch(line); m != nil {
		n, _ := strconv.Atoi(m[1])
		if m[2] == "EXISTS" {
			return s.grows(n)
		}
		return s.expunged(n)
	}
	if f, ok := parseFetch(line); ok {
		return s.fetch(&f)
	}
	switch {
	case strings.HasPrefix(line, "VANISHED (EARLIER) "):
		gone, err := uids(line[len("VANISHED (EARLIER) "):])
		s.earlier = append(s.earlier, gone...)
		return err
	case strings.HasPrefix(line, "VANISHED "):
		gone, err := uids(line[len("VANISHED "):])
		if err != nil {
			return err
		}
		return s.vanished(gone)
	case strings.HasPrefix(line, "SEARCH"):
		for _, w := range strings.Fields(line)[1:] {
			n, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				break // (MODSEQ …)
			}
			s.found = append(s.found, uint32(n))
		}
	case strings.HasPrefix(line, "OK [COPYUID "):
		s.copyUID = line[3:]
	case strings.HasPrefix(line, "OK [UIDVALIDITY "):
		s.validity = code(line, "UIDVALIDITY")
	case strings.HasPrefix(line, "OK [HIGHESTMODSEQ "):
		s.modseq = code(line, "HIGHESTMODSEQ")
	}
	return nil
}

// code is the argument of a response code.
func code(line, name string) string {
	_, rest, ok := strings.Cut(line, "["+name+" ")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "]")
	return rest
}

func (s *session) grows(n int) error {
	s.exists = n
	if s.resync {
		return nil
	}
	if n < len(s.msgs) {
		return fmt.Errorf("EXISTS went from %d to %d", len(s.msgs), n)
	}
	for len(s.msgs) < n {
		s.msgs = append(s.msgs, msg{})
	}
	return nil
}

func (s *session) expunged(n int) error {
	switch {
	case s.level == qresync:
		return fmt.Errorf("EXPUNGE for a client with QRESYNC")
	case s.still:
		return fmt.Errorf("EXPUNGE where no message may go")
	case n < 1 || n > len(s.msgs):
		return fmt.Errorf("EXPUNGE %d of %d messages", n, len(s.msgs))
	}
	if uid := s.msgs[n-1].uid; uid != 0 {
		s.box.leaves(uid, s.name)
	}
	s.msgs = slices.Delete(s.msgs, n-1, n)
	return nil
}

func (s *session) vanished(gone []uint32) error {
	switch {
	case s.level != qresync:
		return fmt.Errorf("VANISHED for a client without QRESYNC")
	case s.still:
		return fmt.Errorf("VANISHED where no message may go")
	}
	if s.resync { // that came after the answer to SELECT
		s.earlier, s.exists, s.shifted = append(s.earlier, gone...), s.exists-len(gone), true
		for _, uid := range gone {
			s.box.leaves(uid, s.name)
		}
		return nil
	}
	for _, uid := range gone {
		i := slices.IndexFunc(s.msgs, func(m msg) bool { return m.uid == uid })
		if i < 0 { // one of those not known yet
			i = slices.IndexFunc(s.msgs, func(m msg) bool { return m.uid == 0 })
		}
		if i < 0 {
			return fmt.Errorf("VANISHED names UID %d, which is not in the mailbox", uid)
		}
		s.box.leaves(uid, s.name)
		s.msgs = slices.Delete(s.msgs, i, i+1)
	}
	return nil
}

func (s *session) fetch(f *fetched) error {
	if s.resync {
		s.resent = append(s.resent, *f)
		return s.box.told(f)
	}
	if f.seq < 1 || f.seq > len(s.msgs) {
		return fmt.Errorf("FETCH of %d of %d messages", f.seq, len(s.msgs))
	}
	m := &s.msgs[f.seq-1]
	if f.uid != 0 {
		if m.uid != 0 && m.uid != f.uid {
			return fmt.Errorf("message %d has the UID %d and had %d", f.seq, f.uid, m.uid)
		}
		m.uid = f.uid
		for i := range s.msgs {
			if o := s.msgs[i].uid; o != 0 && (i < f.seq-1 && o >= f.uid || i > f.seq-1 && o <= f.uid) {
				return fmt.Errorf("messages %d and %d have the UIDs %d and %d", i+1, f.seq, o, f.uid)
			}
		}
	}
	if f.modseq != 0 {
		if f.modseq < m.modseq {
			return fmt.Errorf("the modseq of UID %d went from %d to %d", m.uid, m.modseq, f.modseq)
		}
		m.modseq = f.modseq
	}
	if f.has {
		m.flags, m.known = f.flags, true
	}
	f.uid = m.uid
	return s.box.told(f)
}

// items is what is asked of messages.
func (s *session) items() string {
	if s.level == plain {
		return "(UID FLAGS)"
	}
	return "(UID FLAGS MODSEQ)"
}

// learn asks for UIDs and flags that the client does not know.
func (s *session) learn() error {
	var seqs []uint32
	for i := range s.msgs {
		if s.msgs[i].uid == 0 || !s.msgs[i].known {
			seqs = append(seqs, uint32(i+1))
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	_, err := s.quietly("FETCH " + set(seqs) + " " + s.items())
	return err
}

// open selects a mailbox, with QRESYNC if the client can and knows it.
func (s *session) open(b *box) error {
	know, ok := s.kept[b]
	s.box, s.msgs, s.resent, s.earlier, s.shifted, s.validity, s.modseq = b, nil, nil, nil, false, "", ""
	command, listed := "SELECT "+b.name, false
	if s.level == qresync && ok {
		s.resync = true
		command += " (QRESYNC (" + know.validity + " " + know.modseq
		if listed = len(know.msgs) > 0 && s.rand.IntN(2) == 0; listed {
			command += " " + set(uidsOf(know.msgs))
		}
		command += "))"
	}
	text, err := s.do(command)
	resync := s.resync
	s.resync = false
	if err != nil {
		return err
	}
	if !strings.HasPrefix(text, "OK") {
		return fmt.Errorf("%s: %q is answered %q", s.name, command, text)
	}
	if resync && know.validity == s.validity {
		if err := s.merge(know.msgs, listed); err != nil {
			return fmt.Errorf("%s: %w; the dialog before:\n%s", s.name, err, strings.Join(s.log, "\n"))
		}
	}
	return s.learn()
}

// merge makes the view of what was known and what the server has said of the
// time since; listed says that the client has named the messages that it knows
// (RFC 7162 section 3.2.5).
func (s *session) merge(know []msg, listed bool) error {
	merged := slices.DeleteFunc(slices.Clone(know), func(m msg) bool { return slices.Contains(s.earlier, m.uid) })
	var later []fetched // of messages that the client has not named
	for _, f := range s.resent {
		if f.uid == 0 || !f.has {
			return fmt.Errorf("SELECT QRESYNC: a FETCH without UID or FLAGS")
		}
		i, there := slices.BinarySearchFunc(merged, f.uid, func(m msg, uid uint32) int { return int(m.uid) - int(uid) })
		n := msg{f.uid, f.flags, true, f.modseq}
		switch {
		case there:
			merged[i] = n
		case listed:
			later = append(later, f)
		default:
			merged = slices.Insert(merged, i, n)
		}
	}
	for listed && len(merged) < s.exists { // of new messages nothing is told then
		merged = append(merged, msg{})
	}
	for _, f := range later { // but that they have changed since
		if f.seq <= len(merged) && merged[f.seq-1].uid == 0 {
			merged[f.seq-1] = msg{f.uid, f.flags, true, f.modseq}
		}
	}
	if len(merged) != s.exists {
		return fmt.Errorf("SELECT QRESYNC leaves the client with %d messages, there are %d", len(merged), s.exists)
	}
	for _, f := range s.resent {
		if !s.shifted && merged[f.seq-1].uid != f.uid {
			return fmt.Errorf("SELECT QRESYNC: message %d has UID %d, told was %d", f.seq, merged[f.seq-1].uid, f.uid)
		}
	}
	s.msgs = merged
	return nil
}

// leave leaves the mailbox and keeps what is known of it.
func (s *session) leave(command string) error {
	b, keep := s.box, true
	if command == "CLOSE" {
		b.did(op{kind: expunge})
	}
	for _, m := range s.msgs {
		keep = keep && m.uid != 0 && m.known
	}
	if keep {
		s.kept[b] = memory{s.validity, s.modseq, s.msgs}
	} else {
		delete(s.kept, b)
	}
	_, err := s.do(command)
	s.box, s.msgs = nil, nil
	return err
}

// uidsOf is the UIDs of messages that are known.
func uidsOf(msgs []msg) (all []uint32) {
	for _, m := range msgs {
		if m.uid != 0 {
			all = append(all, m.uid)
		}
	}
	return all
}

package main

import (
	"fmt"
	"strconv"
	"strings"

	"gocyrus/libcyrus/config"
)

// stat says how many messages there are and how many octets (RFC 1939
// section 5).
func (s *session) stat(string) error {
	n, octets := 0, uint64(0)
	for i := range s.drop.msgs {
		if m := &s.drop.msgs[i]; !m.deleted {
			n++
			octets += uint64(m.size)
		}
	}
	s.w.Linef("+OK %d %d", n, octets)
	return nil
}

// list says how large messages are (RFC 1939 section 5).
func (s *session) list(arg string) error {
	return s.listing(arg, "scan listing follows", func(m *dropped) string { return strconv.FormatUint(uint64(m.size), 10) })
}

// uidl names messages so that the names last (RFC 1939 section 7).
func (s *session) uidl(arg string) error {
	return s.listing(arg, "unique-id listing follows", s.uniqueID)
}

// listing answers with what about says of one message or of all.
func (s *session) listing(arg, head string, about func(*dropped) string) error {
	if arg != "" {
		n, err := number(arg)
		if err != nil {
			return err
		}
		m, err := s.drop.message(n)
		if err != nil {
			return err
		}
		s.w.Linef("+OK %d %s", n, about(m))
		return nil
	}
	s.w.Line("+OK " + head)
	for i := range s.drop.msgs {
		if m := &s.drop.msgs[i]; !m.deleted {
			s.w.Line(strconv.Itoa(i+1) + " " + about(m))
		}
	}
	s.w.Line(".")
	return nil
}

// uniqueID is the lasting name of a message. Mailboxes from before Cyrus 2.3
// have the UID alone.
func (s *session) uniqueID(m *dropped) string {
	if !s.drop.newUIDL {
		return strconv.FormatUint(uint64(m.uid), 10)
	}
	switch config.UidlFormat.In(s.conf) {
	case "uidonly":
		return strconv.FormatUint(uint64(m.uid), 10)
	case "dovecot":
		return fmt.Sprintf("%08x%08x", m.uid, s.drop.uidValidity)
	case "courier":
		return fmt.Sprintf("%d-%d", s.drop.uidValidity, m.uid)
	}
	return fmt.Sprintf("%d.%d", s.drop.uidValidity, m.uid)
}

// number reads an argument that is one message number.
func number(arg string) (uint32, error) {
	n, rest, ok := leadingNumber(arg)
	switch {
	case !ok:
		return 0, errNotANum
	case rest != "":
		return 0, errExtra
	}
	return n, nil
}

// leadingNumber reads the digits that s starts with; ok is false if there are
// none or the number has more than 32 bits.
func leadingNumber(s string) (n uint32, rest string, ok bool) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	v, err := strconv.ParseUint(s[:end], 10, 32)
	return uint32(v), s[end:], err == nil
}

// twoNumbers reads the arguments of TOP.
func twoNumbers(arg string) (msg, lines uint32, err error) {
	msg, rest, ok := leadingNumber(arg)
	if !ok || rest == "" {
		return 0, 0, errMissing
	}
	lines, rest, ok = leadingNumber(strings.TrimLeft(rest, blanks))
	switch {
	case !ok:
		return 0, 0, refusal("Invalid number of lines")
	case rest != "":
		return 0, 0, errExtra
	}
	return msg, lines, nil
}

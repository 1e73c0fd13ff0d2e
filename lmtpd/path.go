package main

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"gocyrus/libcyrus/config"
)

// scanPath reads the path at the start of s: <route:local@domain>, <> or a
// local part alone. It returns how long it is with its angle brackets, 0 if
// there is none. octets says where octets above 127 may be.
//
// Source: parseaddr in Cyrus imap/lmtpengine.c; RFC 5321 section 4.1.2, RFC
// 6531 section 3.3.
func scanPath(s string, octets charset) int {
	p := pathScanner{s: s, octets: octets}
	if !p.skip('<') || !p.route() || !p.localPart() {
		return 0
	}
	if p.skip('@') && !p.domain() {
		return 0
	}
	if !p.skip('>') || p.i < len(s) && s[p.i] != ' ' {
		return 0
	}
	return p.i
}

// A charset is where in a path octets above 127 may be.
type charset uint8

const (
	ascii    charset = iota // nowhere
	anyLocal                // in the local part, as with lmtp_strict_rfc2821 off
	anywhere                // in local part and domain: a path in UTF-8
)

type pathScanner struct {
	s      string
	i      int
	octets charset
}

func (p *pathScanner) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *pathScanner) skip(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.i++
	return true
}

// route skips "@a,@b:".
func (p *pathScanner) route() bool {
	for p.skip('@') {
		if !p.domain() {
			return false
		}
		if !p.skip(',') && !p.skip(':') {
			return false
		}
	}
	return true
}

func (p *pathScanner) domain() bool {
	if p.skip('[') {
		for isAlnum(p.peek()) || p.peek() == '.' || p.peek() == ':' {
			p.i++
		}
		return p.skip(']')
	}
	for isAlnum(p.peek()) || p.peek() == '.' || p.peek() == '-' || p.peek() >= 0x80 && p.octets == anywhere {
		p.i++
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *pathScanner) localPart() bool {
	if p.skip('"') {
		for p.peek() != '"' {
			p.skip('\\')
			if p.i == len(p.s) {
				return false
			}
			p.i++
		}
		p.i++
		return true
	}
	for p.i < len(p.s) && p.s[p.i] != '@' && p.s[p.i] != '>' {
		c := p.s[p.i]
		if c == '\\' {
			if p.i++; p.i == len(p.s) {
				return false
			}
		} else if c <= ' ' || c == 0x7f || c >= 0x80 && p.octets == ascii || strings.IndexByte(`<>()[]\,;:"`, c) >= 0 {
			return false
		}
		p.i++
	}
	return true
}

// cutPath splits the argument of MAIL or RCPT into path (with its angle
// brackets) and parameters; keyword is "FROM:" or "TO:". inUTF8 says whether a
// path in UTF-8 is good, given its parameters (RFC 6531).
func (s *session) cutPath(args, keyword string, inUTF8 func(params string) bool) (path, params string, ok bool) {
	if len(args) < len(keyword) || !strings.EqualFold(args[:len(keyword)], keyword) {
		return "", "", false
	}
	args = args[len(keyword):]
	n := scanPath(args, s.octets())
	if n == 0 && utf8.ValidString(args) {
		if n = scanPath(args, anywhere); n > 0 && !inUTF8(args[n:]) {
			n = 0
		}
	}
	return args[:n], args[n:], n > 0
}

// octets is where octets above 127 may be without SMTPUTF8:
// lmtp_strict_rfc2821 says so.
func (s *session) octets() charset {
	if config.LmtpStrictRfc2821.In(s.conf) {
		return ascii
	}
	return anyLocal
}

// An address is a recipient's path taken apart.
type address struct {
	user   string // local part before "+"; "" addresses a shared mailbox
	detail string // after the "+"
	plus   bool   // there was one
	domain string // "" without one
}

// splitAddress takes a path apart, route and quotes removed. fold makes all
// but the detail lower case.
//
// Source: process_recipient in Cyrus imap/lmtpengine.c.
func splitAddress(path string, fold bool) address {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "<"), ">")
	if strings.HasPrefix(path, "@") {
		_, path, _ = strings.Cut(path, ":")
	}
	var a address
	var local []byte
	quoted := false
	i := 0
	for ; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '"':
			quoted = !quoted
			continue
		case c == '\\' && i+1 < len(path):
			i++
			c = path[i]
		case c == '+' && !a.plus && !quoted:
			a.plus = true
			a.user = string(local)
			local = nil
			continue
		case c == '@' && !quoted:
			a.domain = path[i+1:]
			i = len(path)
			continue
		}
		local = append(local, c)
	}
	if a.plus {
		a.detail = string(local)
	} else {
		a.user = string(local)
	}
	if fold {
		a.user, a.domain = lower(a.user), lower(a.domain)
	}
	return a
}

// lower makes ASCII letters lower case and leaves other octets as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// decodeXtext reads a parameter's value (RFC 3461 section 4); "<>" is "". ok
// is false if it is no xtext.
func decodeXtext(s string) (text string, ok bool) {
	if s == "<>" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c, i = byte(n), i+2
		} else if c < '!' || c > '~' || c == '=' {
			return "", false
		}
		b.WriteByte(c)
	}
	return strings.Trim(b.String(), "<>"), true
}

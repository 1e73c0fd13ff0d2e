package sieve

import "strings"

// isAddress reports whether s is one address, with or without a phrase: the
// grammar of Cyrus sieve/addr.y.
func isAddress(s string) bool {
	a := addressReader{in: s}
	a.next()
	words := 0
	for a.word() {
		words++
		switch {
		case words == 1 && (a.tok == '.' || a.tok == '@'):
			return a.localPartRest() && a.tok == 0
		case a.tok == '<':
			a.next()
			return a.word() && a.localPartRest() && a.accept('>') && a.tok == 0
		}
	}
	return false
}

// addressReader cuts an address into tokens: an octet, or an atom, or the
// text between quotes or brackets.
type addressReader struct {
	in     string
	at     int
	tok    int
	within byte // what ends the text we are in: '"' or ']'
}

const (
	addressAtom = 256 + iota
	addressText
)

func (a *addressReader) rest() string { return a.in[a.at:] }

func (a *addressReader) next() {
	a.tok = 0
	for a.at < len(a.in) {
		c := a.in[a.at]
		switch {
		case a.within != 0:
			a.inside(c)
			return
		case c == '(':
			if !a.comment() {
				return
			}
			continue
		case c == ')':
			a.at = len(a.in)
			return
		case strings.IndexByte(" \t\r\n", c) >= 0:
			a.at++
			continue
		case c == '"':
			a.within = '"'
		case c == '[':
			a.within = ']'
		case strings.IndexByte("<>@,;:\\.]", c) < 0:
			n := strings.IndexAny(a.rest(), "()<>@,;:\\\".[] \n\r")
			if n < 0 {
				n = len(a.rest())
			}
			a.at += n
			a.tok = addressAtom
			return
		}
		a.at++
		a.tok = int(c)
		return
	}
}

// inside reads the next token between quotes or brackets.
func (a *addressReader) inside(c byte) {
	stop := "\n\r\""
	if a.within == ']' {
		stop = "\n\r[]"
	}
	n := 0
	for n < len(a.rest()) && strings.IndexByte(stop, a.rest()[n]) < 0 {
		if a.rest()[n] == '\\' {
			if n+1 == len(a.rest()) || a.rest()[n+1] == '\n' {
				break
			}
			n++
		}
		n++
	}
	switch {
	case n > 0:
		a.at += n
		a.tok = addressText
	case c == a.within:
		a.at++
		a.within = 0
		a.tok = int(c)
	default:
		a.at++ // flex passes what no rule is for
		a.next()
	}
}

// comment passes a comment; false if it does not end.
func (a *addressReader) comment() bool {
	depth := 0
	for ; a.at < len(a.in); a.at++ {
		switch a.in[a.at] {
		case '\\':
			a.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				a.at++
				return true
			}
		}
	}
	a.at = len(a.in)
	return false
}

func (a *addressReader) accept(tok int) bool {
	if a.tok != tok {
		return false
	}
	a.next()
	return true
}

func (a *addressReader) word() bool {
	if a.accept(addressAtom) {
		return true
	}
	return a.accept('"') && a.accept(addressText) && a.accept('"')
}

// localPartRest reads what follows the first word of an address.
func (a *addressReader) localPartRest() bool {
	for a.tok == '.' {
		a.next()
		if !a.word() {
			return false
		}
	}
	if !a.accept('@') {
		return false
	}
	for {
		if !a.accept(addressAtom) && !(a.accept('[') && a.accept(addressText) && a.accept(']')) {
			return false
		}
		if a.tok != '.' {
			return true
		}
		a.next()
	}
}

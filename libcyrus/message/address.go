package message

// Address is one entry of an address field. Octet strings are nil where
// ENVELOPE has NIL. A group starts with an entry without Host whose Mailbox
// is its name, and ends with one that has neither.
type Address struct {
	Name, Route, Mailbox, Host []byte
}

// unspecifiedDomain stands for a missing domain.
var unspecifiedDomain = []byte("unspecified-domain")

// ParseAddresses reads an address list (RFC 5322 section 3.4), as leniently
// as Cyrus does. Source: Cyrus lib/parseaddr.c.
func ParseAddresses(text []byte) []Address {
	a := addressParser{in: text}
	tok := byte(' ')
	for tok != 0 && len(a.out) < maxAddresses {
		specials := ",@<:"
		if a.group {
			specials = ",@<;"
		}
		var phrase []byte
		phrase, tok = a.phrase(specials)
		switch tok {
		case ',', 0, ';':
			if len(phrase) > 0 {
				a.add(nil, nil, phrase, []byte{})
			}
			if tok == ';' {
				a.endGroup()
			}
		case ':':
			a.out = append(a.out, Address{Mailbox: phrase})
			a.group = true
		case '@':
			var host, comment []byte
			host, comment, tok = a.domain(true)
			a.add(comment, nil, phrase, host)
			if tok == ';' {
				a.endGroup()
			}
		case '<':
			tok = a.angle(phrase)
		}
	}
	if a.group {
		a.endGroup()
	}
	return a.out
}

// addressParser reads one list. Each of its methods that reads returns the
// character that stopped it, 0 at the end.
type addressParser struct {
	in    []byte
	i     int
	group bool
	out   []Address
}

func (a *addressParser) add(name, route, mailbox, host []byte) {
	if len(name) == 0 {
		name = nil
	}
	if len(route) == 0 {
		route = nil
	}
	if len(host) == 0 {
		host = unspecifiedDomain
	}
	if a.out == nil {
		a.out = make([]Address, 0, 2)
	}
	a.out = append(a.out, Address{name, route, mailbox, host})
}

func (a *addressParser) endGroup() {
	a.out = append(a.out, Address{})
	a.group = false
}

// next returns the next character and moves on; 0 at the end.
func (a *addressParser) next() byte {
	if a.i >= len(a.in) {
		a.i++
		return 0
	}
	a.i++
	return a.in[a.i-1]
}

// peek is the character n places on, 0 behind the end.
func (a *addressParser) peek(n int) byte {
	if a.i+n < len(a.in) {
		return a.in[a.i+n]
	}
	return 0
}

// space skips white space and comments.
func (a *addressParser) space() {
	for {
		c := a.peek(0)
		switch {
		case c == '(':
			a.i++
			a.comment()
		case isSpace(c):
			a.i++
		default:
			return
		}
	}
}

// comment skips the rest of a comment whose '(' has been read.
func (a *addressParser) comment() {
	for level := 1; level > 0; {
		switch c := a.peek(0); c {
		case 0:
			return
		case '\\':
			a.i++
			if a.peek(0) != 0 {
				a.i++
			}
			continue
		case '(':
			level++
		case ')':
			level--
		}
		a.i++
	}
}

// angle reads what follows '<', for an address with that display name.
func (a *addressParser) angle(phrase []byte) byte {
	var route, mailbox, host []byte
	mailbox, tok := a.phrase("@>")
	if tok != '@' {
		a.add(phrase, nil, mailbox, []byte{})
		return tok
	}
	if len(mailbox) == 0 {
		a.i-- // the '@' begins a source route
		route, tok = a.route()
		if tok != ':' {
			a.add(phrase, route, []byte{}, []byte{})
			return a.skipTo(tok, '>')
		}
		mailbox, tok = a.phrase("@>")
		if tok != '@' {
			a.add(phrase, route, mailbox, []byte{})
			return tok
		}
	}
	host, _, tok = a.domain(false)
	a.add(phrase, route, mailbox, host)
	return a.skipTo(tok, '>')
}

// skipTo reads on until tok is want or the end.
func (a *addressParser) skipTo(tok, want byte) byte {
	for tok != 0 && tok != want {
		tok = a.next()
	}
	return tok
}

// phrase reads words up to one of specials: quoted strings without their
// quotes, white space and comments as one blank. An unbalanced quote gives
// an empty phrase and the end.
func (a *addressParser) phrase(specials string) ([]byte, byte) {
	a.space()
	if v, c, ok := a.simplePhrase(specials); ok {
		return v, c
	}
	var out []byte
	for {
		c := a.next()
		switch {
		case c == '"':
			var ok bool
			if out, ok = a.quoted(out); !ok {
				return []byte{}, 0
			}
		case isSpace(c) || c == '(':
			a.i--
			a.space()
			out = append(out, ' ')
		case c == 0 || indexByte(specials, c):
			if n := len(out); n > 0 && out[n-1] == ' ' {
				out = out[:n-1]
			}
			if out == nil {
				out = []byte{}
			}
			return out, c
		default:
			out = append(out, c)
		}
	}
}

// simplePhrase reads a phrase that can be used as it stands in the text.
func (a *addressParser) simplePhrase(specials string) ([]byte, byte, bool) {
	for j := a.i; ; j++ {
		var c byte
		if j < len(a.in) {
			c = a.in[j]
		}
		switch {
		case c == 0 || indexByte(specials, c):
			end := j
			if end > a.i && a.in[end-1] == ' ' {
				end--
			}
			v := a.in[min(a.i, len(a.in)):min(end, len(a.in)):min(end, len(a.in))]
			a.i = j + 1
			return v, c, true
		case c == ' ':
			if j+1 < len(a.in) && (isSpace(a.in[j+1]) || a.in[j+1] == '(') {
				return nil, 0, false
			}
		case c == '"' || c == '(' || isSpace(c):
			return nil, 0, false
		}
	}
}

// quoted appends a quoted string, whose opening quote has been read. Folds
// are undone, other line ends become blanks, control characters vanish.
func (a *addressParser) quoted(out []byte) ([]byte, bool) {
	for {
		c := a.next()
		if c == '\\' && a.peek(0) == '\r' && a.peek(1) == '\n' {
			c = a.next()
		}
		switch {
		case c == 0:
			return out, false
		case c == '\r' && a.peek(0) == '\n':
			a.i++
			if n := a.peek(0); n != ' ' && n != '\t' {
				return out, false
			}
			continue
		case c == '\r' || c == '\n':
			c = ' '
		case (c < ' ' || c == 0x7f) && c != '\t':
			continue
		case c == '"':
			return out, true
		case c == '\\':
			if c = a.next(); c == 0 {
				return out, false
			}
		}
		out = append(out, c)
	}
}

// domain reads a domain, and if it may the last comment behind it.
func (a *addressParser) domain(mayComment bool) (host, comment []byte, tok byte) {
	a.space()
	out := make([]byte, 0, 24)
	for {
		c := a.next()
		switch {
		case isDomainByte(c):
			out = append(out, c)
			comment = nil
		case c == '.':
			if n := len(out); n > 0 && out[n-1] != '.' {
				out = append(out, c)
			}
			comment = nil
		case c == '(' && mayComment:
			comment = a.commentText()
		case c == '(':
			a.i--
			a.space()
		case c == '@': // no domain, but what is meant?
			out = append(out, c)
			comment = nil
		case !isSpace(c):
			if n := len(out); n > 0 && out[n-1] == '.' {
				out = out[:n-1]
			}
			return out, comment, c
		}
	}
}

func isDomainByte(c byte) bool {
	return isAlnum(c) || c == '-' || c == '[' || c == ']' || c == ':'
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// commentText reads the rest of a comment and returns its text.
func (a *addressParser) commentText() []byte {
	out := make([]byte, 0, 24)
	for level := 1; ; {
		c := a.peek(0)
		if c == 0 {
			return out
		}
		a.i++
		switch c {
		case '(':
			level++
		case ')':
			level--
		case '\\':
			if c = a.peek(0); c == 0 {
				return out
			}
			a.i++
		}
		if level == 0 {
			return out
		}
		out = append(out, c)
	}
}

// route reads a source route.
func (a *addressParser) route() ([]byte, byte) {
	a.space()
	out := make([]byte, 0, 24)
	for {
		c := a.next()
		n := len(out)
		switch {
		case isAlnum(c) || c == '-' || c == '[' || c == ']' || c == ',' || c == '@':
			out = append(out, c)
		case c == '.':
			if n > 0 && out[n-1] != '.' {
				out = append(out, c)
			}
		case isSpace(c) || c == '(':
			a.i--
			a.space()
		default:
			for n > 0 && (out[n-1] == '.' || out[n-1] == ',' || out[n-1] == '@') {
				n--
			}
			return out[:n], c
		}
	}
}

func indexByte(s string, c byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return true
		}
	}
	return false
}

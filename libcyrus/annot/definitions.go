package annot

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"gocyrus/libcyrus/acl"
)

// Limits of a file of definitions, as in Cyrus: longer lines are cut into
// pieces, further errors are not told.
const (
	maxDefinition       = 1023
	maxDefinitionErrors = 63
)

// A DefinitionError is something wrong in a file of definitions. The line is
// left out, the others count.
type DefinitionError struct {
	Line   int
	Column int // octets up to what is wrong
	Text   string
	Near   string // "" is not told
}

// Error is the text that Cyrus logs behind the file's name.
func (e *DefinitionError) Error() string {
	s := fmt.Sprintf("%d:%d:error: %s", e.Line, e.Column, e.Text)
	if e.Near != "" {
		s += ", at or near '" + e.Near + "'"
	}
	return s
}

// Parse reads annotation_definitions, and adds what it defines. Each line is
//
//	name, scope, type, proxy type, attributes, rights
//
// as annotations.conf(5) of Cyrus says. What is wrong with single lines is
// returned in wrong; err is of reading.
//
// Source: init_annotation_definitions in Cyrus imap/annotate.c.
func (d *Definitions) Parse(r io.Reader, rights acl.Rules) (wrong []*DefinitionError, err error) {
	in := bufio.NewReaderSize(r, maxDefinition+1)
	warned := false
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			line, err = line[:maxDefinition], in.UnreadByte()
		}
		if len(line) == 0 {
			if err == io.EOF {
				err = nil
			}
			return wrong, err
		}
		if err != nil && err != io.EOF {
			return wrong, err
		}
		if i := bytes.IndexByte(line, 0); i >= 0 {
			line = line[:i]
		}
		text := strings.Trim(string(line), blanks)
		if text == "" || text[0] == '#' {
			continue
		}
		p := definitionParser{line: n, text: string(line), rights: rights, warned: warned}
		if l, def, ok := p.definition(); ok {
			d.more[l] = append(d.more[l], def)
		}
		warned = p.warned
		wrong = append(wrong, p.errs...)
		wrong = wrong[:min(len(wrong), maxDefinitionErrors)]
	}
}

const blanks = " \t\n\v\f\r"

// definitionParser reads one line.
type definitionParser struct {
	line   int
	text   string
	pos    int // of what is not read yet
	start  int // of the current field
	near   string
	done   bool
	rights acl.Rules
	warned bool // of old attributes; once is enough
	errs   []*DefinitionError
}

// fail notes an error.
func (p *definitionParser) fail(text string) bool {
	p.errs = append(p.errs, &DefinitionError{p.line, p.start, text, p.near})
	p.near = ""
	return false
}

// next takes what stands before the next comma.
func (p *definitionParser) next() (string, bool) {
	if p.done {
		return "", false
	}
	rest := p.text[p.pos:]
	field, _, more := strings.Cut(rest, ",")
	p.start = p.pos + len(field) - len(strings.TrimLeft(field, blanks))
	p.pos += len(field) + 1
	p.done = !more
	return strings.Trim(field, blanks), true
}

// token takes a field made of letters, digits, and the octets of extra.
func (p *definitionParser) token(extra string) (string, bool) {
	f, ok := p.next()
	if !ok {
		p.start = 0
		return "", p.fail("invalid annotation attributes")
	}
	for i := range len(f) {
		if c := f[i]; !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') && strings.IndexByte(extra, c) < 0 {
			p.near = f[i:]
			return "", p.fail("invalid character")
		}
	}
	p.near = f
	return f, true
}

// words takes a field of several words and returns the sum of their values.
func (p *definitionParser) words(table map[string]Attrs, wrong string) (sum Attrs, ok bool) {
	f, ok := p.token(".-_/ ")
	if !ok {
		return 0, p.fail(wrong) // a second time, as in Cyrus
	}
	for _, w := range strings.Fields(f) {
		p.near = w
		v, ok := table[strings.ToLower(w)]
		if !ok {
			return 0, p.fail(wrong)
		}
		sum |= v
	}
	return sum, true
}

var (
	levelNames = map[string]Level{"server": OfServer, "mailbox": OfMailbox, "message": OfMessage}
	typeNames  = map[string]Type{"content-type": String, "string": String, "boolean": Boolean, "uint": Uint, "int": Int}
	proxyNames = map[string]Attrs{"proxy": proxyOnly, "backend": backend, "proxy_and_backend": proxyOnly | backend}
	// definedAttrs has also names of old drafts, which mean nothing.
	definedAttrs = map[string]Attrs{
		"value": both, "value.shared": ValueShared, "value.priv": ValuePriv,
		"size": SizeShared | SizePriv, "size.shared": SizeShared, "size.priv": SizePriv,
		"modifiedsince": oldAttr, "modifiedsince.shared": oldAttr, "modifiedsince.priv": oldAttr,
		"content-type": oldAttr, "content-type.shared": oldAttr, "content-type.priv": oldAttr,
	}
)

const (
	proxyOnly Attrs = 1 << iota
	backend
	oldAttr Attrs = 1 << 7
)

// definition reads the line.
func (p *definitionParser) definition() (l Level, d Definition, ok bool) {
	if d.Name, ok = p.token(".-_/:"); !ok {
		return l, d, false
	}
	if strings.HasPrefix(d.Name, Vendor) {
		return l, d, p.fail("annotation under " + Vendor)
	}
	scope, ok := p.token(".-_/")
	if !ok {
		return l, d, false
	}
	if l, ok = levelNames[strings.ToLower(scope)]; !ok {
		return l, d, p.fail("invalid annotation scope")
	}
	if l == OfMessage && strings.HasPrefix(d.Name, "/flags/") {
		p.near = d.Name
		return l, d, p.fail("message entry under /flags/")
	}
	typ, ok := p.token("")
	if !ok {
		return l, d, false
	}
	if d.Type, ok = typeNames[strings.ToLower(typ)]; !ok {
		return l, d, p.fail("invalid annotation type")
	}
	proxy, ok := p.words(proxyNames, "invalid annotation proxy type")
	if !ok {
		return l, d, false
	}
	attrs, ok := p.words(definedAttrs, "invalid annotation attributes")
	if !ok {
		return l, d, false
	}
	d.Attrs = attrs & both
	if attrs&oldAttr != 0 && !p.warned {
		p.warned = true
		p.fail("deprecated attribute names such as content-type or modified-since (ignoring)")
	}
	right, ok := p.token("")
	if !ok {
		return l, d, false
	}
	d.Rights, _ = p.rights.Parse(right)
	if _, more := p.next(); more {
		return l, d, p.fail("junk at end of line")
	}
	d.proxy = proxy == proxyOnly
	return l, d, true
}

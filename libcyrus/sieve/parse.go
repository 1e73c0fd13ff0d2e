package sieve

import (
	"fmt"
)

// A node is one command of a parsed script.
type node struct {
	op   int
	args []any // as encode takes them

	// Of opIf only.
	test     *testNode
	then, or []*node
	hasOr    bool
}

// A testNode is one test of a parsed script.
type testNode struct {
	op      int
	args    []any
	tests   []*testNode // of not, anyof, allof
	ignored int         // see parser.ignore
}

// optional is a string of C: nil is the null pointer, which the byte code
// tells from the empty string.
type optional = *string

// parser reads a script. Its methods that read return false after a fault
// of syntax; the caller goes back to where the next command or test could
// have begun.
//
// It finds the same faults in the same order as the parser that bison makes
// of Cyrus's sieve.y: after a fault of syntax it passes tokens until it can
// go on, and does not complain again before three tokens were good.
type parser struct {
	lex      lexer
	controls map[token]reader
	actions  map[token]reader
	tests    map[token]testReader
	opt      *Options
	errs     Errors
	support  capability // what require turned on

	// ignore counts the tests ihave for something unknown that we are
	// inside of. While it is not 0 faults do not count (RFC 5463 section 4).
	ignore int

	ahead   token
	hasNext bool
	// mute is the number of tokens that must be good until the next fault
	// is told (bison's yyerrstatus).
	mute    int
	depth   int
	aborted bool
}

// maxDepth bounds how deep blocks and tests may be nested. Bison's stack of
// 10,000 entries ends a script at about the same depth, with the same words.
const maxDepth = 2500

// deeper counts a level; leave has to follow. False: there are too many.
func (p *parser) deeper() bool {
	if p.depth++; p.depth > maxDepth && !p.aborted {
		p.ignore = 0
		p.fault("memory exhausted")
		p.aborted = true
	}
	return !p.aborted
}

func (p *parser) leave() { p.depth-- }

// muteTokens is bison's number of tokens.
const muteTokens = 3

func newParser(text []byte, o *Options) *parser {
	p := &parser{opt: o, support: capBase, controls: controlReaders(), actions: actionReaders(), tests: testReaders()}
	p.lex = lexer{text: text, line: 1, report: p.fault}
	return p
}

// fault records a fault where the lexer stands.
func (p *parser) fault(text string) {
	if p.ignore == 0 {
		p.errs = append(p.errs, Error{p.lex.line, text})
	}
}

func (p *parser) faultf(format string, args ...any) { p.fault(fmt.Sprintf(format, args...)) }

// has reports whether a capability was required.
func (p *parser) has(c capability) bool { return p.support&c != 0 }

// need records a fault if a capability was not required.
func (p *parser) need(c capability) bool {
	if c == 0 || p.has(c) {
		return true
	}
	p.faultf("%s extension MUST be enabled with \"require\" command", requireName(c))
	return false
}

func (p *parser) duplicateTag(tag string) { p.faultf("duplicate %s tag", tag) }

func (p *parser) multipleTags(what string) { p.faultf("multiple %s tags", what) }

func (p *parser) missingTag(tag string) { p.faultf("%s tag is required", tag) }

func (p *parser) unexpectedTag(tag string) { p.faultf("unexpected %s tag", tag) }

func (p *parser) conflictingTags(a, b string) { p.faultf("tag %s MUST NOT be used with tag %s", a, b) }

// peek is the next token.
func (p *parser) peek() token {
	if !p.hasNext {
		p.ahead, p.hasNext = p.lex.next(), true
	}
	return p.ahead
}

// take passes the next token.
func (p *parser) take() token {
	t := p.peek()
	p.hasNext = false
	if p.mute > 0 {
		p.mute--
	}
	return t
}

// expect passes the next token if it is t; otherwise it is a fault.
func (p *parser) expect(t token) bool {
	if p.peek() != t {
		return p.syntaxFault()
	}
	p.take()
	return true
}

// syntaxFault is called where the next token does not fit. It returns false.
// If the token before this was wrong as well it is passed; at the end of the
// script the parser gives up.
func (p *parser) syntaxFault() bool {
	switch p.mute {
	case 0:
		p.peek()
		p.fault("syntax error")
	case muteTokens:
		if p.peek() == tEOF {
			p.aborted = true
		}
		p.hasNext = false
	}
	p.mute = muteTokens
	return false
}

// script reads a whole script.
func (p *parser) script() []*node {
	for p.peek() == tRequire {
		p.take()
		list, ok := p.stringList()
		if !ok || !p.expect(';') {
			return nil // there is nowhere to go on
		}
		p.require(list)
	}
	list, ok := p.commands(tEOF)
	if !ok {
		return nil
	}
	return list
}

// require is the command of RFC 5228 section 3.2.
func (p *parser) require(names []string) {
	text, sep := `Unsupported feature(s) in "require"`, ":"
	good := true
	for _, n := range names {
		c := p.opt.active(n)
		p.support |= c
		if c == 0 {
			text += fmt.Sprintf("%s \"%s\"", sep, n)
			good, sep = false, ","
		}
	}
	if !good {
		p.fault(text)
	} else if p.has(capIhave) {
		p.support |= capAll &^ capNoIhave
	}
	p.lex.encodedChar = p.has(capEncodedChar)
}

// commands reads commands up to and without the token end. False: the
// parser gave up.
func (p *parser) commands(end token) ([]*node, bool) {
	var list []*node
	for {
		var n *node
		ok := false
		switch t := p.peek(); {
		case t == end:
			return list, true
		case t == '}' && len(list) > 0: // behind the last brace nothing is read
			p.syntaxFault()
			p.aborted = true
		case t == tIf:
			p.take()
			n, ok = p.ifCommand()
		case p.controls[t] != nil:
			p.take()
			n, ok = p.controls[t](p)
		case p.actions[t] != nil:
			p.take()
			if n, ok = p.actions[t](p); ok {
				ok = p.expect(';')
			}
		default:
			p.syntaxFault()
		}
		if p.aborted {
			return nil, false
		}
		if !ok {
			if n = p.wrongCommand(); n == nil {
				return nil, false
			}
		}
		list = append(list, n)
	}
}

// wrongCommand passes what is left of a command that could not be read. In
// its place the script gets an error (RFC 5463 section 5), which is of use
// if faults do not count. It is nil if the parser gave up.
func (p *parser) wrongCommand() *node {
	for p.peek() != ';' {
		p.syntaxFault()
		if p.aborted {
			return nil
		}
	}
	p.take()
	p.support |= capIhave
	return &node{op: opError, args: []any{fmt.Sprintf("unsupported extension: line %d", p.lex.line)}}
}

// ifCommand reads what follows if or elsif.
func (p *parser) ifCommand() (*node, bool) {
	defer p.leave()
	if !p.deeper() {
		return nil, false
	}
	t := p.test()
	for {
		if p.aborted {
			return nil, false
		}
		n := &node{op: opIf, test: t}
		ok := false
		n.then, ok = p.block()
		if ok {
			switch p.peek() {
			case tElsif:
				p.take()
				n.hasOr = true
				or, ok2 := p.ifCommand()
				if !ok2 {
					return nil, false
				}
				n.or = []*node{or}
			case tElse:
				p.take()
				n.hasOr = true
				n.or, ok = p.block()
			}
		}
		if ok {
			if n.test.ignored > 0 {
				p.ignore--
			}
			return n, true
		}
		if p.aborted {
			return nil, false
		}
		t = p.newTest(testFalse) // the test is where the parser goes on
	}
}

// block reads commands in braces.
func (p *parser) block() ([]*node, bool) {
	if !p.expect('{') {
		return nil, false
	}
	list, ok := p.commands('}')
	if !ok {
		return nil, false
	}
	p.take()
	return list, true
}

// newCommand records a fault if an action's extension is missing.
func (p *parser) newCommand(c capability) { p.need(c) }

func (p *parser) newTest(op int) *testNode {
	p.need(testNeeds[op])
	return &testNode{op: op}
}

// testNeeds is the extension of each test.
var testNeeds = map[int]capability{
	testHasflag: capFlags, testString: capVariables, testEnvelope: capEnvelope, testEnvironment: capEnvironment,
	testBody: capBody, testDate: capDate, testCurrentdate: capDate, testNotifyCapability: capEnotify,
	testValidNotify: capEnotify, testIhave: capIhave, testMailboxExists: capMailbox, testMetadata: capMboxMeta,
	testMetadataExists: capMboxMeta, testServerMetadata: capServerMeta, testServerMetadataExists: capServerMeta,
	testValidExtlist: capExtlists, testDuplicate: capDuplicate, testSpecialUseExists: capSpecialUse,
	testMailboxIDExists: capMailboxID, testJMAPQuery: capJMAPQuery,
}

// rawString reads a string.
func (p *parser) rawString() (string, bool) {
	if p.peek() != tString {
		return "", p.syntaxFault()
	}
	s := p.lex.str
	p.take()
	return s, true
}

// string reads a string and looks at its references to match variables.
func (p *parser) string() (string, bool) {
	s, ok := p.rawString()
	if ok {
		p.checkMatchVariables(s)
	}
	return s, ok
}

// stringList reads a string or a list of strings.
func (p *parser) stringList() ([]string, bool) {
	if p.peek() != '[' {
		s, ok := p.string()
		return []string{s}, ok
	}
	return list(p, p.string)
}

// list reads entries in brackets.
func list[T any](p *parser, entry func() (T, bool)) ([]T, bool) {
	p.take()
	var out []T
	for {
		e, ok := entry()
		if !ok {
			return nil, false
		}
		out = append(out, e)
		if p.peek() != ',' {
			break
		}
		p.take()
	}
	return out, p.expect(']')
}

func (p *parser) number() (int, bool) {
	if p.peek() != tNumber {
		return 0, p.syntaxFault()
	}
	n := p.lex.num
	p.take()
	return n, true
}

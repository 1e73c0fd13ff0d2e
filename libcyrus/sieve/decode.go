package sieve

import (
	"encoding/binary"
	"fmt"

	"gocyrus/libcyrus/errs"
)

// A command is one instruction of byte code. Which fields are set depends
// on op.
type command struct {
	op int
	at int // word at which it starts

	folderTags        // fcc has the folder of vacation
	folder     string // fileinto
	hasFlags   bool   // the form of keep and fileinto has a list of flags
	copy       int
	text       string // of reject, error, log; message of vacation and notify
	address    string // redirect
	list       int
	bytime     optional
	bymode     optional
	bytrace    int
	dsnNotify  optional
	dsnRet     optional

	variable string // set, flag actions
	value    string
	bits     int // modifiers of set; of include, processimip and old snooze

	index  int // editheader
	match  match
	name   string
	values []string

	addresses             []string // vacation
	subject, from, handle optional
	seconds, mime         int

	method, id optional // notify
	options    []string
	priority   int
	pattern    optional // denotify

	script                      string // include
	mailbox, tzid               optional
	addFlags, removeFlags       []string
	days                        int
	times                       []int
	calendarID, outcome, errstr optional

	test *test // if
	jump int   // jump: where to; if: word behind the test
}

// A test is one test of byte code.
type test struct {
	op    int
	tests []*test // of not, anyof, allof

	match  match
	part   int // address part, transform, date part, kind of id
	names  []string
	keys   []string
	over   bool
	number int
	zone   int
	offset optional
	name   optional // header, mailbox
	item   string
	handle string
	last   int
}

// badCode is the error of byte code that cannot be read.
func badCode(at int, what string) error {
	return &errs.Error{Kind: errs.BadFormat, Op: "sieve.Decode", Name: fmt.Sprintf("word %d", at), Err: fmt.Errorf("%s", what)}
}

// decoder reads byte code. The first error stays.
type decoder struct {
	code    []byte
	at      int // word
	version int
	depth   int
	err     error
}

// maxTestDepth bounds how deep tests may be nested in byte code. What Parse
// reads in 32 KiB (sieve_maxscriptsize) is less deep.
const maxTestDepth = 3000

// Decode reads byte code of the versions 3 to 31, as Cyrus 3.6.1 does. The
// error is of kind errs.BadFormat. The script refers to code.
//
// Source: Cyrus sieve/bc_parse.c.
func Decode(code []byte) (*Script, error) {
	if len(code) < len(codeMagic)+2*wordSize || string(code[:len(codeMagic)]) != codeMagic {
		return nil, badCode(0, "Not a bytecode file")
	}
	d := &decoder{code: code, at: len(codeMagic) / wordSize}
	s := &Script{code: code, version: d.int()}
	d.version = s.version
	if s.version < codeMinVersion || s.version > codeVersion {
		return nil, badCode(d.at, "Incorrect Bytecode Version, please recompile (use sievec)")
	}
	if s.version >= 0x11 {
		s.requires = uint32(d.int())
	}
	words := len(code) / wordSize
	for d.err == nil && d.at < words {
		s.program = append(s.program, d.command())
	}
	s.end = d.at
	if d.err == nil {
		d.checkJumps(s)
	}
	if d.err != nil {
		return nil, d.err
	}
	return s, nil
}

// checkJumps looks that every jump leads forward to a command or the end,
// so that each script ends.
func (d *decoder) checkJumps(s *Script) {
	starts := map[int]bool{s.end: true}
	for _, c := range s.program {
		starts[c.at] = true
	}
	for _, c := range s.program {
		switch {
		case c.op == opJump && (c.jump <= c.at || !starts[c.jump]):
			d.fail("jump to no command")
		case c.op == opIf && (c.jump <= c.at || !starts[c.jump]):
			d.fail("test ends at no command")
		}
	}
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = badCode(d.at, what)
	}
}

func (d *decoder) int() int {
	if d.err != nil || (d.at+1)*wordSize > len(d.code) {
		d.fail("it ends early")
		return 0
	}
	v := int32(binary.BigEndian.Uint32(d.code[d.at*wordSize:]))
	d.at++
	return int(v)
}

// peek is the word n behind the next.
func (d *decoder) peek(n int) int {
	at := (d.at + n) * wordSize
	if at+wordSize > len(d.code) {
		return -1
	}
	return int(int32(binary.BigEndian.Uint32(d.code[at:])))
}

func (d *decoder) optional() optional {
	n := d.int()
	if n == -1 || d.err != nil {
		return nil
	}
	at := d.at * wordSize
	if n < 0 || n >= len(d.code)-at {
		d.fail("string beyond the end")
		return nil
	}
	s := string(d.code[at : at+n])
	d.at += n/wordSize + 1
	return &s
}

func (d *decoder) string() string {
	if s := d.optional(); s != nil {
		return *s
	}
	return ""
}

// count reads the length of a list, whose entries have at least a word.
func (d *decoder) count() int {
	n := d.int()
	d.int() // where it ends
	if n < 0 || n > len(d.code)/wordSize-d.at {
		d.fail("list beyond the end")
		return 0
	}
	return n
}

func (d *decoder) list() []string {
	out := make([]string, d.count())
	for i := range out {
		out[i] = d.string()
	}
	return out
}

func (d *decoder) ints() []int {
	out := make([]int, d.count())
	for i := range out {
		out[i] = d.int()
	}
	return out
}

func (d *decoder) match(m *match) {
	m.kind, m.relation, m.collation = d.int(), d.int(), d.int()
}

// command reads one command.
func (d *decoder) command() command {
	c := command{at: d.at}
	c.op = d.int()
	if c.op < 0 || c.op >= opEnd || d.err != nil {
		d.fail("Invalid sieve bytecode")
		return c
	}
	if read := commandArgs[c.op]; read != nil {
		read(d, &c)
	}
	return c
}

// commandArgs reads the arguments of those commands that have some.
var commandArgs = map[int]func(*decoder, *command){
	opReject: (*decoder).textArg, opEreject: (*decoder).textArg, opError: (*decoder).textArg, opLog: (*decoder).textArg,
	opFileintoOld:    func(d *decoder, c *command) { c.folder = d.string() },
	opFileintoCopy:   func(d *decoder, c *command) { c.copy, c.folder = d.int(), d.string() },
	opFileintoFlags:  (*decoder).fileintoFlags,
	opFileintoCreate: func(d *decoder, c *command) { c.create = d.int(); d.fileintoFlags(c) },
	opFileintoSpecialUse: func(d *decoder, c *command) {
		c.specialUse, c.create = d.optional(), d.int()
		d.fileintoFlags(c)
	},
	opFileinto: func(d *decoder, c *command) {
		c.mailboxID, c.specialUse, c.create = d.optional(), d.optional(), d.int()
		d.fileintoFlags(c)
	},
	opRedirectOld:  func(d *decoder, c *command) { c.address = d.string() },
	opRedirectCopy: func(d *decoder, c *command) { c.copy, c.address = d.int(), d.string() },
	opRedirectList: func(d *decoder, c *command) { c.list, c.copy, c.address = d.int(), d.int(), d.string() },
	opRedirect: func(d *decoder, c *command) {
		c.bytime, c.bymode, c.bytrace = d.optional(), d.optional(), d.int()
		c.dsnNotify, c.dsnRet, c.list, c.copy, c.address = d.optional(), d.optional(), d.int(), d.int(), d.string()
	},
	opKeepCopy:      func(d *decoder, c *command) { c.flags, c.hasFlags = d.list(), true; d.int() },
	opKeep:          func(d *decoder, c *command) { c.flags, c.hasFlags = d.list(), true },
	opIf:            (*decoder).ifCommand,
	opJump:          func(d *decoder, c *command) { c.jump = d.int() },
	opAddflagOld:    func(d *decoder, c *command) { c.flags = d.list() },
	opSetflagOld:    func(d *decoder, c *command) { c.flags = d.list() },
	opRemoveflagOld: func(d *decoder, c *command) { c.flags = d.list() },
	opAddflag:       (*decoder).flagAction,
	opSetflag:       (*decoder).flagAction,
	opRemoveflag:    (*decoder).flagAction,
	opNotify: func(d *decoder, c *command) {
		c.method, c.id = d.optional(), d.optional()
		d.notify(c)
	},
	opEnotify: func(d *decoder, c *command) {
		c.method, c.from = d.optional(), d.optional()
		d.notify(c)
	},
	opDenotify: func(d *decoder, c *command) {
		c.priority, c.match.kind, c.match.relation, c.pattern = d.int(), d.int(), d.int(), d.optional()
		c.match.collation = vCasemap
	},
	opVacationOld: (*decoder).vacation, opVacationSeconds: (*decoder).vacation, opVacation: (*decoder).vacation,
	opVacationFcc: (*decoder).vacation, opVacationSpecialUse: (*decoder).vacation,
	opInclude: func(d *decoder, c *command) { c.bits, c.script = d.int(), d.string() },
	opSet:     func(d *decoder, c *command) { c.bits, c.variable, c.value = d.int(), d.string(), d.string() },
	opAddheader: func(d *decoder, c *command) {
		c.index, c.name, c.value = d.int(), d.string(), d.string()
	},
	opDeleteheader: func(d *decoder, c *command) {
		c.index = d.int()
		d.match(&c.match)
		c.name, c.values = d.string(), d.list()
	},
	opSnoozeOld: (*decoder).snooze, opSnoozeTzid: (*decoder).snooze, opSnooze: (*decoder).snooze,
	opProcessIMIP: func(d *decoder, c *command) {
		c.bits, c.calendarID, c.outcome, c.errstr = d.int(), d.optional(), d.optional(), d.optional()
	},
}

func (d *decoder) textArg(c *command) { c.text = d.string() }

func (d *decoder) fileintoFlags(c *command) {
	c.flags, c.hasFlags = d.list(), true
	c.copy, c.folder = d.int(), d.string()
}

func (d *decoder) flagAction(c *command) { c.variable, c.flags = d.string(), d.list() }

func (d *decoder) notify(c *command) {
	c.options, c.priority, c.text = d.list(), d.int(), d.string()
}

func (d *decoder) vacation(c *command) {
	c.addresses, c.subject, c.text = d.list(), d.optional(), d.string()
	c.seconds, c.mime = d.int(), d.int()
	if c.op != opVacationOld || d.version >= 5 {
		c.from, c.handle = d.optional(), d.optional()
	}
	if c.op == opVacationOld || c.op == opVacationSeconds {
		return
	}
	if c.fcc = d.optional(); c.fcc == nil {
		return
	}
	c.create, c.flags = d.int(), d.list()
	if c.op != opVacationFcc {
		c.specialUse = d.optional()
	}
	if c.op == opVacation {
		c.mailboxID = d.optional()
	}
}

func (d *decoder) snooze(c *command) {
	if c.op == opSnooze {
		c.mailbox, c.mailboxID, c.specialUse, c.create = d.optional(), d.optional(), d.optional(), d.int()
		c.addFlags, c.removeFlags = d.list(), d.list()
		c.days, c.tzid, c.times = d.int(), d.optional(), d.ints()
		return
	}
	if c.op == opSnoozeTzid {
		c.tzid = d.optional()
	}
	c.mailbox, c.addFlags, c.removeFlags, c.days, c.times = d.optional(), d.list(), d.list(), d.int(), d.ints()
	if c.days&snoozeIsMailbox != 0 {
		c.mailboxID, c.mailbox = c.mailbox, nil
	}
	c.days &= snoozeDays
}

func (d *decoder) ifCommand(c *command) {
	c.jump = d.int()
	c.test = d.test()
}

// test reads one test with those in it.
func (d *decoder) test() *test {
	t := &test{op: d.int()}
	if d.depth++; d.depth > maxTestDepth {
		d.fail("tests nested too deep")
	}
	defer func() { d.depth-- }()
	if t.op < 0 || t.op >= testEnd || d.err != nil {
		d.fail("Invalid sieve bytecode")
		return t
	}
	switch t.op {
	case testFalse, testTrue:
	case testNot:
		t.tests = []*test{d.test()}
	case testAnyof, testAllof:
		for n := d.count(); n > 0 && d.err == nil; n-- {
			t.tests = append(t.tests, d.test())
		}
	case testExists, testValidExtlist, testIhave, testValidNotify:
		t.names = d.list()
	case testMailboxExists, testMailboxIDExists, testServerMetadataExists:
		t.keys = d.list()
	case testSize:
		t.over, t.number = d.int() == vOver, d.int()
	case testMetadataExists, testSpecialUseExists:
		t.name, t.keys = d.optional(), d.list()
	case testJMAPQuery:
		t.item = d.string()
	case testDuplicate:
		t.part, t.item, t.handle, t.number, t.last = d.int(), d.string(), d.string(), d.int(), d.int()
	case testDate, testCurrentdate, testDateOld, testCurrentdateOld:
		d.dateTest(t)
	default:
		d.matchTest(t)
	}
	return t
}

// matchTest reads a test that starts with how to match.
func (d *decoder) matchTest(t *test) {
	// Version 7 came with and without :index (Cyrus bc_test_parse).
	if d.version == 7 && (t.op == testHeaderOld || t.op == testAddressOld) && d.peek(1) >= vIs && d.peek(1) <= vValue {
		t.op += testAddress - testAddressOld
		if t.op == testHeaderOld+testAddress-testAddressOld {
			t.op = testHeader
		}
	}
	if t.op == testHeader || t.op == testAddress {
		t.match.index = d.int()
	}
	d.match(&t.match)
	switch t.op {
	case testAddress, testAddressOld, testEnvelope:
		t.part, t.names, t.keys = d.int(), d.list(), d.list()
	case testHeader, testHeaderOld, testHasflag, testString:
		t.names, t.keys = d.list(), d.list()
	case testBody:
		t.part = d.int()
		d.int() // an offset that is not used
		t.names, t.keys = d.list(), d.list()
	case testMetadata, testNotifyCapability:
		t.name, t.item, t.keys = d.optional(), d.string(), d.list()
	case testServerMetadata, testEnvironment:
		t.item, t.keys = d.string(), d.list()
	}
}

// dateTest reads date and currentdate.
func (d *decoder) dateTest(t *test) {
	old := t.op == testDateOld || t.op == testCurrentdateOld
	date := t.op == testDate || t.op == testDateOld
	if date {
		t.match.index = d.int()
	}
	t.zone = d.int()
	if t.zone == vTimezone {
		if old {
			n := d.int()
			t.offset = text(fmt.Sprintf("%+03d%02d", n/60, abs(n%60)))
		} else {
			t.offset = d.optional()
		}
	}
	d.match(&t.match)
	t.part = d.int()
	if date {
		t.name = d.optional()
	}
	t.keys = d.list()
}

func abs(n int) int { return max(n, -n) }

package sieve

import (
	"fmt"
	"strings"
)

// Dump shows the byte code command by command, as sieved does.
//
// Source: dump2 in Cyrus sieve/sieved.c.
func (s *Script) Dump() string {
	d := &dumper{version: s.version}
	d.put("Bytecode version: %d\n", s.version)
	if s.version >= 0x11 {
		d.put("Require:")
		if s.requires&requiresVariables != 0 {
			d.put(" Variables")
		}
		d.put("\n")
	}
	d.put("\n")
	for i := range s.program {
		d.put("%04d: ", s.program[i].at)
		d.command(&s.program[i])
		d.put("\n")
	}
	d.put("full len is: %d\n", s.end)
	return d.b.String()
}

type dumper struct {
	b       strings.Builder
	version int
}

func (d *dumper) put(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

func (d *dumper) str(label, s string) { d.put("%s({%d}%s)", label, len(s), s) }

func (d *dumper) opt(label string, s optional) {
	if s == nil {
		d.put("%s({-1}[nil])", label)
	} else {
		d.str(label, *s)
	}
}

// list writes a list, five entries to a line.
func (d *dumper) list(label string, l []string) {
	d.put("%s{%d} [", label, len(l))
	for i, s := range l {
		if i%5 == 0 {
			d.put("\n\t\t")
		}
		d.str(" ", s)
	}
	d.put("\n\t]")
}

var dumpMatches = map[int]string{vIs: "Is", vContains: "Contains", vMatches: "Matches", vRegex: "Regex", vList: "List",
	vCount: "Count", vValue: "Value"}

var dumpRelations = map[int]string{vGT: " >", vGE: " >=", vLT: " <", vLE: " <=", vNE: " !=", vEQ: " =="}

var dumpCollations = map[int]string{vOctet: " (octet)", vCasemap: " (ascii-casemap)", vNumeric: " (ascii-numeric)"}

func (d *dumper) match(m *match, collation bool) {
	d.put(" COMPARATOR [ %s", dumpMatches[m.kind])
	if m.kind == vCount || m.kind == vValue {
		d.put("%s", dumpRelations[m.relation])
	}
	if collation {
		d.put("%s", dumpCollations[m.collation])
	}
	d.put(" ]")
}

func (d *dumper) index(i int) {
	if i != 0 {
		last := ""
		if i < 0 {
			last = "[LAST]"
		}
		d.put(" INDEX(%d %s)", abs(i), last)
	}
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// command writes one command.
func (d *dumper) command(c *command) {
	switch c.op {
	case opKeep, opKeepOld, opKeepCopy:
		d.put("KEEP")
		if c.op != opKeepOld {
			d.list(" FLAGS", c.flags)
		}
	case opReject:
		d.str("REJECT ", c.text)
	case opEreject:
		d.str("EREJECT ", c.text)
	case opError:
		d.str("ERROR ", c.text)
	case opLog:
		d.put("LOG TEXT(%s)", c.text)
	case opFileinto, opFileintoOld, opFileintoCopy, opFileintoFlags, opFileintoCreate, opFileintoSpecialUse:
		d.fileinto(c)
	case opRedirect, opRedirectOld, opRedirectCopy, opRedirectList:
		d.redirect(c)
	case opIf:
		d.put("IF (ends at %d) ", c.jump)
		d.test(c.test)
	case opJump:
		d.put("JUMP %d", c.jump)
	case opAddflag, opAddflagOld, opSetflag, opSetflagOld, opRemoveflag, opRemoveflagOld:
		d.put("%s", strings.ToUpper(flagNames[c.op]))
		if c.op >= opAddflag {
			d.str(" VARIABLE", c.variable)
		}
		d.list(" FLAGS", c.flags)
	case opDenotify:
		d.put("DENOTIFY PRIORITY(%d)", c.priority)
		if c.pattern != nil {
			d.match(&c.match, false)
			d.str("\n\tPATTERN", *c.pattern)
		}
	case opNotify, opEnotify:
		d.notify(c)
	case opVacation, opVacationOld, opVacationSeconds, opVacationFcc, opVacationSpecialUse:
		d.vacation(c)
	case opInclude:
		where := "Global"
		if c.bits&incLocation == vPersonal {
			where = "Personal"
		}
		d.put("INCLUDE LOCATION(%s) ONCE(%d) OPTIONAL(%d)", where, bit(c.bits&incOnce != 0), bit(c.bits&incOptional != 0))
		d.str("\n\tSCRIPT", c.script)
	case opSet:
		d.put("SET LOWER(%d) UPPER(%d) LOWERFIRST(%d) UPPERFIRST(%d)", c.bits&modLower, c.bits&modUpper, c.bits&modLowerFirst, c.bits&modUpperFirst)
		d.put("\n\tQUOTEWILDCARD(%d) QUOTEREGEX(%d) ENCODEURL(%d) LENGTH(%d)", c.bits&modQuoteWildcard, c.bits&modQuoteRegex, c.bits&modEncodeURL, c.bits&modLength)
		d.str("\n\tVARIABLE", c.variable)
		d.str(" VALUE", c.value)
	case opAddheader:
		d.put("ADDHEADER INDEX(%d)", c.index)
		d.str(" NAME", c.name)
		d.str(" VALUE", c.value)
	case opDeleteheader:
		d.put("DELETEHEADER INDEX(%d)", c.index)
		d.match(&c.match, true)
		d.str("\n\tNAME", c.name)
		d.list(" VALUES", c.values)
	case opSnooze, opSnoozeOld, opSnoozeTzid:
		d.snooze(c)
	case opProcessIMIP:
		d.put("PROCESSIMIP INVITESONLY(%d) UPDATESONLY(%d) DELETECANCELED(%d)", bit(c.bits&imipInvitesOnly != 0),
			bit(c.bits&imipUpdatesOnly != 0), bit(c.bits&imipDeleteCanceled != 0))
		d.opt(" CALENDARID", c.calendarID)
		d.opt(" OUTCOME", c.outcome)
		d.opt(" ERRSTR", c.errstr)
	default:
		d.put("%s", map[int]string{opStop: "STOP", opDiscard: "DISCARD", opMark: "MARK", opUnmark: "UNMARK", opNull: "NULL", opReturn: "RETURN"}[c.op])
	}
}

func (d *dumper) fileinto(c *command) {
	d.put("FILEINTO")
	if c.op != opFileintoOld {
		d.put(" COPY(%d)", c.copy)
	}
	if c.hasFlags {
		d.list(" FLAGS", c.flags)
	}
	if c.op >= opFileintoCreate {
		d.put("\n\tCREATE(%d)", c.create)
	}
	if c.op >= opFileintoSpecialUse {
		d.opt(" SPECIALUSE", c.specialUse)
	}
	if c.op == opFileinto {
		d.opt(" MAILBOXID", c.mailboxID)
	}
	d.str(" FOLDER", c.folder)
}

func (d *dumper) redirect(c *command) {
	d.put("REDIRECT")
	if c.op != opRedirectOld {
		d.put(" COPY(%d)", c.copy)
	}
	if c.op >= opRedirectList {
		d.put("LIST(%d)", c.list)
	}
	if c.op == opRedirect {
		d.opt(" BYTIME", c.bytime)
		d.opt(" BYMODE", c.bymode)
		d.put(" BYTRACE(%d)", c.bytrace)
		d.opt("\n\tDSN-NOTIFY", c.dsnNotify)
		d.opt(" DSN-RET", c.dsnRet)
	}
	d.str(" ADDRESS", c.address)
}

func (d *dumper) notify(c *command) {
	if c.op == opEnotify {
		d.put("E")
	}
	d.put("NOTIFY ")
	d.opt(" METHOD", c.method)
	if c.op == opEnotify {
		d.put(" IMPORTANCE(%d)", c.priority)
		d.opt(" FROM", c.from)
	} else {
		d.put(" PRIORITY(%d)", c.priority)
		d.opt(" ID", c.id)
	}
	d.list(" OPTIONS", c.options)
	d.str("\n\tMESSAGE", c.text)
}

func (d *dumper) vacation(c *command) {
	d.put("VACATION")
	d.list(" ADDR", c.addresses)
	d.opt("\n\tSUBJ", c.subject)
	d.str("\n\tMESG", c.text)
	seconds := c.seconds
	if c.op == opVacationOld {
		seconds *= daySeconds
	}
	d.put("\n\tSECONDS(%d) MIME(%d)", seconds, c.mime)
	if d.version < 5 {
		return
	}
	d.opt(" FROM", c.from)
	d.opt(" HANDLE", c.handle)
	if c.op < opVacationFcc {
		return
	}
	d.opt("\n\tFCC", c.fcc)
	if c.fcc == nil {
		return
	}
	d.put(" CREATE(%d)", c.create)
	d.list(" FLAGS", c.flags)
	if c.op >= opVacationSpecialUse {
		d.opt("\n\tSPECIALUSE", c.specialUse)
	}
	if c.op == opVacation {
		d.opt(" MAILBOXID", c.mailboxID)
	}
}

func (d *dumper) snooze(c *command) {
	d.put("SNOOZE")
	if c.op == opSnooze {
		d.opt(" MAILBOX", c.mailbox)
		d.opt(" MAILBOXID", c.mailboxID)
		d.opt(" SPECIALUSE", c.specialUse)
		d.put(" CREATE(%d)", c.create)
	} else if c.op == opSnoozeTzid {
		if c.mailboxID != nil {
			d.opt(" MAILBOXID", c.mailboxID)
		} else {
			d.opt(" MAILBOX", c.mailbox)
		}
	}
	if c.op >= opSnoozeTzid {
		d.opt(" TZID", c.tzid)
	}
	d.list("\n\tADDFLAGS", c.addFlags)
	d.list("\n\tREMOVEFLAGS", c.removeFlags)
	d.put("\n\tWEEKDAYS [")
	sep := ""
	for i := range 7 {
		if c.days&(1<<i) != 0 {
			d.put("%s %d", sep, i)
			sep = ","
		}
	}
	d.put(" ]\n\tTIMES{%d} [", len(c.times))
	for i, t := range timesText(c.times) {
		if i%5 == 0 {
			d.put("\n\t\t")
		}
		d.put(" %s", t)
	}
	d.put("\n\t]")
}

// dumpTests are the words of tests.
var dumpTests = map[int]string{
	testFalse: "FALSE", testTrue: "TRUE", testExists: "EXISTS", testAddress: "ADDRESS", testAddressOld: "ADDRESS",
	testEnvelope: "ENVELOPE", testHeader: "HEADER", testHeaderOld: "HEADER", testBody: "BODY", testDate: "DATE",
	testDateOld: "DATE", testCurrentdate: "CURRENTDATE", testCurrentdateOld: "CURRENTDATE", testHasflag: "HASFLAG",
	testMailboxExists: "MAILBOXEXISTS", testMailboxIDExists: "MAILBOXIDEXISTS", testMetadata: "METADATA",
	testMetadataExists: "METAEXISTS", testServerMetadata: "SERVERMETADATA", testServerMetadataExists: "SERVERMETADATAEXISTS",
	testString: "STRING", testValidExtlist: "VALIDEXTLIST", testValidNotify: "VALIDNOTIFYMETHOD",
	testNotifyCapability: "NOTIFYMETHODCAPABILITY", testDuplicate: "DUPLICATE", testIhave: "IHAVE",
	testSpecialUseExists: "SPECIALUSEEXISTS", testEnvironment: "ENVIRONMENT", testJMAPQuery: "JMAPQUERY", testSize: "SIZE",
}

// test writes one test and a line end.
func (d *dumper) test(t *test) {
	switch t.op {
	case testNot:
		d.put("NOT ")
		d.test(t.tests[0])
		return
	case testAnyof, testAllof:
		d.put("%s({%d}\n\t", map[int]string{testAnyof: "ANYOF", testAllof: "ALLOF"}[t.op], len(t.tests))
		for _, x := range t.tests {
			d.test(x)
			d.put("\t")
		}
		d.put(")\n")
		return
	}
	d.put("%s", dumpTests[t.op])
	d.testArgs(t)
	d.put("\n")
}

func (d *dumper) testArgs(t *test) {
	part := strings.TrimPrefix(partNames[t.part], ":")
	switch t.op {
	case testExists, testValidExtlist, testValidNotify, testIhave:
		d.list("", t.names)
	case testMailboxExists, testMailboxIDExists, testServerMetadataExists:
		d.list("", t.keys)
	case testSize:
		d.put(" %s %d", map[bool]string{true: "over", false: "under"}[t.over], t.number)
	case testAddress, testAddressOld, testEnvelope:
		if t.part == vAll {
			part = "all"
		}
		d.put(" ADDRPART(%s)", part)
		d.index(t.match.index)
		d.match(&t.match, true)
		d.list("\n\tHEADERS", t.names)
		d.list(" PATTERNS", t.keys)
	case testHeader, testHeaderOld:
		d.index(t.match.index)
		d.match(&t.match, true)
		d.list("\n\tHEADERS", t.names)
		d.list(" PATTERNS", t.keys)
	case testHasflag, testString:
		d.match(&t.match, true)
		d.list("\n\tVARIABLES", t.names)
		d.list(" PATTERNS", t.keys)
	case testBody:
		d.match(&t.match, true)
		d.put("\n\tTRANSFORM(%s) OFFSET(0)", part)
		d.list(" CONTENT-TYPES", t.names)
		d.list(" PATTERNS", t.keys)
	case testDate, testDateOld, testCurrentdate, testCurrentdateOld:
		d.date(t)
	case testMetadata, testNotifyCapability:
		labels := [2]string{"\n\tMAILBOX", " ANNOTATION"}
		keys := " PATTERNS"
		if t.op == testNotifyCapability {
			labels, keys = [2]string{"\n\tURI", " CAPABILITY"}, " KEYS"
		}
		d.match(&t.match, true)
		d.opt(labels[0], t.name)
		d.str(labels[1], t.item)
		d.list(keys, t.keys)
	case testMetadataExists:
		d.opt("MAILBOX", t.name)
		d.list(" ANNOTATIONS", t.keys)
	case testSpecialUseExists:
		d.opt("MAILBOX", t.name)
		d.list(" FLAGS", t.keys)
	case testServerMetadata:
		d.match(&t.match, true)
		d.str("\n\tANNOTATION", t.item)
		d.list(" PATTERNS", t.keys)
	case testEnvironment:
		d.match(&t.match, true)
		d.str("\n\tITEM", t.item)
		d.list(" KEYS", t.keys)
	case testDuplicate:
		d.str(map[bool]string{true: " UNIQUEID", false: " HDRNAME"}[t.part == vUniqueID], t.item)
		d.str(" HANDLE", t.handle)
		d.put("\n\tSECONDS(%d) LAST(%d)", t.number, t.last)
	case testJMAPQuery:
		d.str(" ", t.item)
	}
}

func (d *dumper) date(t *test) {
	current := t.op == testCurrentdate || t.op == testCurrentdateOld
	if !current {
		d.index(t.match.index)
	}
	if t.zone == vTimezone {
		d.opt("ZONE", t.offset)
	} else {
		d.put(" ZONE(ORIGINAL)")
	}
	d.match(&t.match, true)
	for name, v := range dateParts {
		if v == t.part {
			d.put("\n\tDATEPART(%s)", name)
		}
	}
	if !current {
		d.opt(" HEADER", t.name)
	}
	d.list(" KEYS", t.keys)
}

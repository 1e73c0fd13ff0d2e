package sieve

// The numbers of Cyrus's byte code, version 31 (Cyrus sieve/bytecode.h).
// Numbers only get added; ops whose names end in Old, or in the version that
// brought their successor, are only read.
const (
	codeMagic      = "CyrSBytecode"
	codeVersion    = 0x1f
	codeMinVersion = 3 // older code has no ends of test lists
	wordSize       = 4

	requiresVariables = 1 // bit of the word behind the version
)

// Actions and control commands.
const (
	opStop = iota
	opKeepOld
	opDiscard
	opReject
	opFileintoOld
	opRedirectOld
	opIf
	opMark
	opUnmark
	opAddflagOld
	opSetflagOld
	opRemoveflagOld
	opNotify
	opDenotify
	opVacationOld
	opNull
	opJump
	opInclude
	opReturn
	opFileintoCopy
	opRedirectCopy
	opVacationSeconds
	opKeepCopy
	opFileintoFlags
	opFileintoCreate
	opSet
	opAddflag
	opSetflag
	opRemoveflag
	opAddheader
	opDeleteheader
	opEreject
	opRedirectList
	opEnotify
	opError
	opKeep
	opVacationFcc
	opVacationSpecialUse
	opFileintoSpecialUse
	opRedirect
	opFileinto
	opLog
	opSnoozeOld
	opSnoozeTzid
	opSnooze
	opVacation
	opProcessIMIP
	opEnd // the first that is none
)

// Tests.
const (
	testFalse = iota
	testTrue
	testNot
	testExists
	testSize
	testAnyof
	testAllof
	testAddressOld
	testEnvelope
	testHeaderOld
	testBody
	testDateOld
	testCurrentdateOld
	testAddress
	testHeader
	testHasflag
	testMailboxExists
	testMetadata
	testMetadataExists
	testServerMetadata
	testServerMetadataExists
	testString
	testValidExtlist
	testDuplicate
	testIhave
	testSpecialUseExists
	testEnvironment
	testValidNotify
	testNotifyCapability
	testMailboxIDExists
	testJMAPQuery
	testDate
	testCurrentdate
	testEnd
)

// Values of arguments: each kind has its own range.
const (
	vOver  = 0
	vUnder = 1

	vGT = 4
	vGE = 5
	vLT = 6
	vLE = 7
	vEQ = 8
	vNE = 9

	vLow    = 12
	vNormal = 13
	vHigh   = 14
	vAny    = 15

	vAll       = 20
	vLocalpart = 21
	vDomain    = 22
	vUser      = 23
	vDetail    = 24

	vCasemap = 29
	vOctet   = 30
	vNumeric = 31

	vIs       = 36
	vContains = 37
	vMatches  = 38
	vRegex    = 39
	vCount    = 40
	vValue    = 41
	vList     = 42

	vRaw     = 46
	vText    = 47
	vContent = 48

	vPersonal = 54
	vGlobal   = 55

	vTimezone     = 60
	vOriginalzone = 61

	vYear    = 64
	vMonth   = 65
	vDay     = 66
	vDate    = 67
	vJulian  = 68
	vHour    = 69
	vMinute  = 70
	vSecond  = 71
	vTime    = 72
	vISO8601 = 73
	vStd11   = 74
	vZone    = 75
	vWeekday = 76
)

// Bits.
const (
	modLower = 1 << iota
	modUpper
	modLowerFirst
	modUpperFirst
	modQuoteWildcard
	modEncodeURL
	modLength
	modQuoteRegex

	modCase  = modLower | modUpper
	modFirst = modLowerFirst | modUpperFirst
	modQuote = modQuoteWildcard | modQuoteRegex

	incLocation = 0x3f
	incOnce     = 0x40
	incOptional = 0x80

	imipUpdatesOnly    = 1
	imipDeleteCanceled = 2
	imipInvitesOnly    = 4

	snoozeDays      = 0x7f
	snoozeIsMailbox = 0x80 // the folder is a mailbox id
)

// What duplicate looks at.
const (
	vHeaderID = 81
	vUniqueID = 82
)

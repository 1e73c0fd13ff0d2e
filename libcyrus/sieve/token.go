package sieve

// token is what the lexer hands out: an octet that means nothing in itself
// has its own value, words and tags are above 255.
type token int

// The tokens that are no single octet.
const (
	tEOF    token = 0
	tNumber token = 256 + iota
	tString
	tInvalid // what fits nowhere

	tIf
	tElsif
	tElse
	tRequire
	tStop
	tDiscard
	tKeep
	tFileinto
	tRedirect
	tAnyof
	tAllof
	tExists
	tNot
	tFalse
	tTrue
	tSize
	tHeader
	tAddress
	tEnvelope
	tComparator
	tOver
	tUnder
	tAll
	tLocalpart
	tDomain
	tIs
	tContains
	tMatches
	tOctet
	tCasemap
	tNumeric
	tRegex
	tQuoteRegex
	tCopy
	tBody
	tRaw
	tText
	tContent
	tEnvironment
	tStringTest
	tSet
	tLower
	tUpper
	tLowerFirst
	tUpperFirst
	tQuoteWildcard
	tLength
	tVacation
	tDays
	tSubject
	tFrom
	tAddresses
	tMime
	tHandle
	tSeconds
	tCount
	tValue
	tGT
	tGE
	tLT
	tLE
	tEQ
	tNE
	tFlags
	tHasflag
	tSetflag
	tAddflag
	tRemoveflag
	tMark
	tUnmark
	tUser
	tDetail
	tDate
	tCurrentdate
	tOriginalzone
	tZone
	tIndex
	tLast
	tAddheader
	tDeleteheader
	tReject
	tEreject
	tMethod
	tOptions
	tMessage
	tImportance
	tValidNotify
	tNotifyCapability
	tNotify
	tEncodeURL
	tDenotify
	tID
	tLow
	tNormal
	tHigh
	tIhave
	tError
	tMailboxExists
	tCreate
	tMetadata
	tMetadataExists
	tServerMetadata
	tServerMetadataExists
	tByTimeRelative
	tByTimeAbsolute
	tByMode
	tByTrace
	tDSNRet
	tValidExtlist
	tList
	tInclude
	tOptional
	tOnce
	tReturn
	tPersonal
	tGlobal
	tDuplicate
	tUniqueID
	tSpecialUseExists
	tSpecialUse
	tFcc
	tMailboxID
	tMailboxIDExists
	tLog
	tJMAPQuery
	tSnooze
	tMailboxTag
	tAddflags
	tRemoveflags
	tWeekdays
	tTzid
	tProcessIMIP
	tOutcome
	tInvitesOnly
	tUpdatesOnly
	tDeleteCanceled
	tCalendarID
	tErrstr
	tHeaderTag
	tNotifyTag
)

// keywords is every word and tag. They are known in lower case only, and
// need no space around them: flex takes the longest that fits.
var keywords = map[string]token{
	"if": tIf, "elsif": tElsif, "else": tElse, "require": tRequire, "stop": tStop, "discard": tDiscard,
	"keep": tKeep, "fileinto": tFileinto, "redirect": tRedirect, "anyof": tAnyof, "allof": tAllof,
	"exists": tExists, "not": tNot, "false": tFalse, "true": tTrue, "size": tSize, "header": tHeader,
	"address": tAddress, "envelope": tEnvelope, ":comparator": tComparator, ":over": tOver, ":under": tUnder,
	":all": tAll, ":localpart": tLocalpart, ":domain": tDomain, ":is": tIs, ":contains": tContains,
	":matches": tMatches, ":regex": tRegex, ":quoteregex": tQuoteRegex, ":copy": tCopy, "body": tBody,
	":raw": tRaw, ":text": tText, ":content": tContent, "environment": tEnvironment, "string": tStringTest,
	"set": tSet, ":lower": tLower, ":upper": tUpper, ":lowerfirst": tLowerFirst, ":upperfirst": tUpperFirst,
	":quotewildcard": tQuoteWildcard, ":length": tLength, "vacation": tVacation, ":days": tDays,
	":subject": tSubject, ":from": tFrom, ":addresses": tAddresses, ":mime": tMime, ":handle": tHandle,
	":seconds": tSeconds, ":count": tCount, ":value": tValue, ":flags": tFlags, "hasflag": tHasflag,
	"setflag": tSetflag, "addflag": tAddflag, "removeflag": tRemoveflag, "mark": tMark, "unmark": tUnmark,
	":user": tUser, ":detail": tDetail, "date": tDate, "currentdate": tCurrentdate,
	":originalzone": tOriginalzone, ":zone": tZone, ":index": tIndex, ":last": tLast, "addheader": tAddheader,
	"deleteheader": tDeleteheader, "reject": tReject, "ereject": tEreject, ":method": tMethod,
	":options": tOptions, ":message": tMessage, ":importance": tImportance, "valid_notify_method": tValidNotify,
	"notify_method_capability": tNotifyCapability, "notify": tNotify, ":encodeurl": tEncodeURL,
	"denotify": tDenotify, ":id": tID, ":low": tLow, ":normal": tNormal, ":high": tHigh, "ihave": tIhave,
	"error": tError, "mailboxexists": tMailboxExists, ":create": tCreate, "metadata": tMetadata,
	"metadataexists": tMetadataExists, "servermetadata": tServerMetadata,
	"servermetadataexists": tServerMetadataExists, ":bytimerelative": tByTimeRelative,
	":bytimeabsolute": tByTimeAbsolute, ":bymode": tByMode, ":bytrace": tByTrace, ":ret": tDSNRet,
	"valid_ext_list": tValidExtlist, ":list": tList, "include": tInclude, ":optional": tOptional, ":once": tOnce,
	"return": tReturn, ":personal": tPersonal, ":global": tGlobal, "duplicate": tDuplicate,
	":uniqueid": tUniqueID, "specialuse_exists": tSpecialUseExists, ":specialuse": tSpecialUse, ":fcc": tFcc,
	":mailboxid": tMailboxID, "mailboxidexists": tMailboxIDExists, "log": tLog, "jmapquery": tJMAPQuery,
	"snooze": tSnooze, ":mailbox": tMailboxTag, ":addflags": tAddflags, ":removeflags": tRemoveflags,
	":weekdays": tWeekdays, ":tzid": tTzid, "processimip": tProcessIMIP, ":outcome": tOutcome,
	":invitesonly": tInvitesOnly, ":updatesonly": tUpdatesOnly, ":deletecanceled": tDeleteCanceled,
	":calendarid": tCalendarID, ":errstr": tErrstr, ":header": tHeaderTag, ":notify": tNotifyTag,
}

// longestKeyword is the length of "notify_method_capability".
const longestKeyword = 24

// comparators, relations and importances are what may stand between quotes
// behind :comparator, :count and :value, and :importance. There only white
// space may come before.
var (
	comparators = map[string]token{"i;octet": tOctet, "i;ascii-casemap": tCasemap, "i;ascii-numeric": tNumeric}
	relations   = map[string]token{"gt": tGT, "ge": tGE, "lt": tLT, "le": tLE, "eq": tEQ, "ne": tNE}
	importances = map[string]token{"1": tHigh, "2": tNormal, "3": tLow}
)

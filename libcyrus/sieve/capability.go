package sieve

import (
	"slices"
	"strings"
)

// capability is a set of extensions. The bits stand in the order in which
// sieved -s lists them in a require (Cyrus sieve/script.h).
type capability uint64

const (
	capBase capability = 1 << iota
	capNumeric
	capEncodedChar
	capEnvelope
	capFileinto
	capRegex
	capCopy
	capBody
	capEnvironment
	capVariables
	capVacation
	capRelational
	capFlags
	capSubaddress
	capDate
	capIndex
	capEditHeader
	capEreject
	capReject
	capEnotify
	capNotify
	capIhave
	capMailbox
	capMboxMeta
	capServerMeta
	capRedirectDeliverBy
	capRedirectDSN
	capVacationSeconds
	capExtlists
	capInclude
	capDuplicate
	capSpecialUse
	capFcc
	capMailboxID
	capLog
	capJMAPQuery
	capSnooze
	capIMIP
	capIMAPSieve
	capEnd // one beyond the last

	capAll = capEnd - 1
	// capNoIhave are the extensions that change how a script is read, so
	// that a script cannot ask for them with ihave (RFC 5463 section 4).
	capNoIhave = capEncodedChar | capVariables
)

// An extension is one name that require and ihave know.
type extension struct {
	name   string
	cap    capability
	option string // the word of sieve_extensions that turns it on; "" = always on
}

// extensions is every name, those of one capability in the order of
// preference.
//
// Source: sieve_capabilities and extension_isactive in Cyrus sieve/interp.c.
// What is listed there but not built (spamtest, mime, …) is refused by
// require as any unknown name is.
var extensions = []extension{
	{"comparator-i;octet", capBase, ""},
	{"comparator-i;ascii-casemap", capBase, ""},
	{"comparator-i;ascii-numeric", capNumeric, ""},
	{"encoded-character", capEncodedChar, ""},
	{"envelope", capEnvelope, "envelope"},
	{"fileinto", capFileinto, "fileinto"},
	{"regex", capRegex, "regex"},
	{"copy", capCopy, "copy"},
	{"body", capBody, "body"},
	{"environment", capEnvironment, "environment"},
	{"variables", capVariables, "variables"},
	{"vacation", capVacation, "vacation"},
	{"relational", capRelational, "relational"},
	{"imap4flags", capFlags, "imap4flags"},
	{"imapflags", capFlags, "imap4flags"},
	{"subaddress", capSubaddress, "subaddress"},
	{"date", capDate, "date"},
	{"index", capIndex, "index"},
	{"editheader", capEditHeader, "editheader"},
	{"ereject", capEreject, "reject"},
	{"reject", capReject, "reject"},
	{"enotify", capEnotify, "notify"},
	{"notify", capNotify, "notify"},
	{"ihave", capIhave, "ihave"},
	{"mailbox", capMailbox, "mailbox"},
	{"mboxmetadata", capMboxMeta, "mboxmetadata"},
	{"servermetadata", capServerMeta, "servermetadata"},
	{"redirect-deliverby", capRedirectDeliverBy, "redirect-deliverby"},
	{"redirect-dsn", capRedirectDSN, "redirect-dsn"},
	{"vacation-seconds", capVacationSeconds, "vacation-seconds"},
	{"extlists", capExtlists, "extlists"},
	{"include", capInclude, "include"},
	{"duplicate", capDuplicate, "duplicate"},
	{"special-use", capSpecialUse, "special-use"},
	{"fcc", capFcc, "fcc"},
	{"mailboxid", capMailboxID, "mailboxid"},
	{"vnd.cyrus.log", capLog, "vnd.cyrus.log"},
	{"x-cyrus-log", capLog, "vnd.cyrus.log"},
	{"vnd.cyrus.jmapquery", capJMAPQuery, "vnd.cyrus.jmapquery"},
	{"x-cyrus-jmapquery", capJMAPQuery, "vnd.cyrus.jmapquery"},
	{"snooze", capSnooze, "snooze"},
	{"vnd.cyrus.snooze", capSnooze, "snooze"},
	{"x-cyrus-snooze", capSnooze, "snooze"},
	{"vnd.cyrus.imip", capIMIP, "vnd.cyrus.imip"},
	{"imapsieve", capIMAPSieve, ""},
}

// lookupCapability returns what a name stands for; 0 if it is not known.
func lookupCapability(name string) capability {
	for _, e := range extensions {
		if e.name == name {
			return e.cap
		}
	}
	return 0
}

// capabilityName is the name of a single capability.
func capabilityName(c capability) string {
	for _, e := range extensions {
		if e.cap == c {
			return e.name
		}
	}
	return ""
}

// requireName is the name of a capability in the fault that it was not
// required.
func requireName(c capability) string {
	if c == capSnooze {
		return "vnd.cyrus.snooze"
	}
	return capabilityName(c)
}

// active returns the capabilities that require NAME turns on; 0 if the
// options do not allow it.
func (o *Options) active(name string) capability {
	i := slices.IndexFunc(extensions, func(e extension) bool { return e.name == name })
	if i < 0 {
		return 0
	}
	e := extensions[i]
	switch {
	case e.option != "" && o.Extensions != nil && !slices.Contains(o.Extensions, e.option),
		e.cap == capExtlists && !o.AddressBooks,
		e.cap == capIMAPSieve && !o.IMAPSieve,
		e.cap&o.hostLacks() != 0:
		return 0
	case e.cap == capVacationSeconds:
		return capVacationSeconds | capVacation // RFC 6131 section 2
	}
	return e.cap
}

func (o *Options) hostLacks() (c capability) {
	if o.NoSnooze {
		c |= capSnooze
	}
	if o.NoIMIP {
		c |= capIMIP
	}
	if o.NoJMAPQuery {
		c |= capJMAPQuery
	}
	return c
}

// Capabilities is the list that ManageSieve shows after SIEVE, in Cyrus's
// order. vnd.cyrus.log is left out, though scripts may use it, and extlists
// is in even without address books: both as in sieve_listextensions of
// Cyrus sieve/interp.c.
func (o *Options) Capabilities() string {
	on := func(word string) bool { return o.Extensions == nil || slices.Contains(o.Extensions, word) }
	out := []string{"encoded-character", "comparator-i;ascii-numeric"}
	add := func(word string, names ...string) {
		if on(word) {
			out = append(out, names...)
		}
	}
	add("fileinto", "fileinto")
	add("reject", "reject", "ereject")
	if on("vacation-seconds") {
		out = append(out, "vacation", "vacation-seconds")
	} else {
		add("vacation", "vacation")
	}
	add("notify", "notify", "enotify")
	add("include", "include")
	add("editheader", "editheader")
	if !o.NoSnooze {
		add("snooze", "vnd.cyrus.snooze")
	}
	if !o.NoIMIP {
		add("vnd.cyrus.imip", "vnd.cyrus.imip")
	}
	for _, word := range []string{"envelope", "environment", "body", "imap4flags", "date", "ihave", "mailbox",
		"mboxmetadata", "servermetadata", "duplicate"} {
		add(word, word)
	}
	if !o.NoJMAPQuery {
		add("vnd.cyrus.jmapquery", "vnd.cyrus.jmapquery")
	}
	for _, word := range []string{"relational", "regex", "extlists", "subaddress", "copy", "index", "variables",
		"redirect-deliverby", "redirect-dsn", "special-use", "fcc", "mailboxid"} {
		add(word, word)
	}
	if o.IMAPSieve {
		out = append(out, "imapsieve")
	}
	return strings.Join(out, " ")
}

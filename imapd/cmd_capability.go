package main

import (
	"strconv"
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/version"
)

// capabilitySet says how much a list of capabilities tells.
type capabilitySet uint8

const (
	preAuth capabilitySet = iota // the greeting
	full                         // the command and the answer to a log-in
)

// capability tells what the server can do (RFC 3501 section 6.1.1).
func (s *session) capability(nothing) (string, error) {
	s.w.Line("* CAPABILITY ", s.capabilities(full))
	return "", nil
}

// basic is told in any case.
var basic = []string{"IMAP4rev1", "LITERAL+", "ID", "ENABLE"}

// extensions is told by the command, in Cyrus's order.
var extensions = []string{
	"ACL", "ANNOTATE-EXPERIMENT-1", "BINARY", "CATENATE", "CHILDREN", "CONDSTORE", "CREATE-SPECIAL-USE", "ESEARCH", "ESORT", "LIST-EXTENDED", "LIST-MYRIGHTS", "LIST-STATUS", "MAILBOX-REFERRALS", "METADATA", "MOVE", "MULTIAPPEND",
	"NAMESPACE", "OBJECTID", "PREVIEW", "QRESYNC", "QUOTA", "RIGHTS=kxten", "SAVEDATE", "SEARCH=FUZZY", "SORT", "SORT=DISPLAY",
	"SPECIAL-USE", "STATUS=SIZE", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "UIDPLUS", "UNSELECT",
	"URLAUTH", "URLAUTH=BINARY", "WITHIN", "ANNOTATEMORE", "DIGEST=SHA1", "LIST-METADATA", "NO_ATOMIC_RENAME", "SCAN", "SORT=MODSEQ", "SORT=UID", "THREAD=REFS", "X-CREATEDMODSEQ",
	"XLIST", "XMOVE",
}

// beyond is what Cyrus 3.6 has not, told last. Each can be turned off by
// suppress_capabilities, with its commands.
var beyond = []string{
	"IMAP4rev2", "UTF8=ACCEPT", "NOTIFY",
	"QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE",
	"SEARCHRES", "PARTIAL", "CONTEXT=SEARCH", "CONTEXT=SORT", "MULTISEARCH", "REPLACE", "INPROGRESS", "UIDONLY",
	// Cyrus calls these X-NUM-FOLDERS and X-ANNOTATION-STORAGE. They are told in
	// any case, as ENABLE must not change the list (RFC 9051 section 6.3.1), but
	// only clients of IMAP4rev2 have them in QUOTA responses.
	"QUOTA=RES-MAILBOX", "QUOTA=RES-ANNOTATION-STORAGE",
}

// resources is told behind what depends on the session.
var resources = []string{
	"X-QUOTA=STORAGE", "X-QUOTA=MESSAGE", "X-QUOTA=X-ANNOTATION-STORAGE", "X-QUOTA=X-NUM-FOLDERS",
}

// capabilities is the list of what the server can do now, separated by
// blanks.
//
// Source: capa_response in Cyrus imap/imapd.c; order as 3.6.1 prints it.
func (s *session) capabilities(set capabilitySet) string {
	var words []string
	add := func(more ...string) {
		for _, w := range more {
			if !s.suppressed[strings.ToUpper(w)] {
				words = append(words, w)
			}
		}
	}
	add(basic...)
	if set == preAuth {
		add("IMAP4rev2")
	}
	if set == full {
		add(extensions...)
	}
	if s.mayStartTLS() {
		add("STARTTLS")
	}
	known := s.user != nil && s.user.ID != auth.Anonymous // as Cyrus sees it here
	if known || !s.sasl.PlaintextAllowed(&s.peer) {
		add("LOGINDISABLED")
	}
	if !known {
		mechs := s.sasl.Mechanisms(&s.peer)
		for _, m := range mechs {
			add("AUTH=" + m)
		}
		if len(mechs) > 0 {
			add("SASL-IR")
		}
	}
	if set == full {
		if s.user != nil && s.user.Admin {
			add("UNAUTHENTICATE")
		}
		if !s.compressed {
			add("COMPRESS=DEFLATE")
		}
		words = append(words, resources...) // these cannot be suppressed
		if s.idleOn {
			words = append(words, "IDLE")
		}
		words = append(words, "APPENDLIMIT="+strconv.FormatInt(s.appendLimit(), 10))
		add(beyond...)
		if s.imapsieve != nil {
			add("IMAPSIEVE=" + s.imapsieve.url)
		}
	}
	return strings.Join(words, " ")
}

// mayStartTLS reports whether STARTTLS is possible now.
func (s *session) mayStartTLS() bool {
	return s.env.TLSAvailable() && !s.conn.HaveTLS() && s.user == nil
}

// appendLimit is the size of the largest message that APPEND takes
// (RFC 7889); without maxmessagesize what a record can hold.
func (s *session) appendLimit() int64 {
	if s.maxMessage > 0 {
		return s.maxMessage
	}
	return 1<<32 - 1
}

// versionText is the version in greeting and ID, as far as serverinfo allows.
func versionText() string { return version.Cyrus() }

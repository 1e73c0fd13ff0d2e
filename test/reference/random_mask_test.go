//go:build reference

package reference

import (
	"regexp"
	"slices"
	"strings"

	"gocyrus/test/transcript"
)

// dialogMasker hides what the recordings' masker hides.
func dialogMasker() *transcript.Masker {
	m := transcript.NewMasker([]string{"X-REPLICATION", "X-SIEVE-MAILBOX", "XCONVERSATIONS"})
	m.Adds([]string{"IMAP4rev2", "UTF8=ACCEPT", "NOTIFY", "QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE",
		"SEARCHRES", "PARTIAL", "CONTEXT=SEARCH", "CONTEXT=SORT", "MULTISEARCH", "REPLACE", "INPROGRESS", "UIDONLY",
		"QUOTA=RES-MAILBOX", "QUOTA=RES-ANNOTATION-STORAGE"})
	return m
}

// given is a date that a client gave, which is not masked: those that the
// server sets are of this century's third decade.
var given = regexp.MustCompile(`INTERNALDATE ("[ \d]\d-...-(?:19\d\d|200\d|201\d))`)

// random is what a server makes by chance, in the answers about annotations and
// messages.
var random = regexp.MustCompile(`(/(?:uniqueid|synccrcs|lastupdate)" (?:\("value.shared" )?)"[^"]*"`)

// token is signed with a key that a server has made.
var token = regexp.MustCompile(`:internal:00[0-9a-f]{40}`)

// stable is a line without what one server cannot know of the other.
func stable(line string) string {
	line = token.ReplaceAllString(line, ":internal:$$token")
	return random.ReplaceAllString(given.ReplaceAllString(line, "GIVEN $1"), `$1"$$id"`)
}

// recent is what a message of a URL in CATENATE takes from its mailbox in
// Cyrus alone (README), in all that follows.
var recent = regexp.MustCompile(`\\Recent ?|\* \d+ RECENT|RECENT \d+`)

// masked is an answer as it is compared.
func (tr *trio) masked(r reply) reply {
	out := make(reply, len(r))
	for i := range r {
		out[i] = strings.TrimPrefix(string(tr.mask.Mask([]byte(tr.line(r, i)))), "x ")
	}
	return out
}

// line is a line of an answer before it is compared.
func (tr *trio) line(r reply, i int) string {
	l := stable(r[i])
	if tr.urls {
		l = strings.ReplaceAll(recent.ReplaceAllString(l, ""), " )", ")")
	}
	if i == len(r)-1 {
		return "x " + l
	}
	return l
}

// same reports whether ours says what the real Cyrus says.
func (tr *trio) same(st asked, real, ours reply) bool {
	real, ours = withoutFlags(st, real), withoutFlags(st, ours)
	if len(real) != len(ours) {
		return accepted(st, real, ours)
	}
	for i := range real {
		if !tr.mask.Equal([]byte(tr.line(real, i)), []byte(tr.line(ours, i))) {
			return accepted(st, real, ours)
		}
	}
	return true
}

// withoutFlags leaves out what keywords there are in a mailbox, but for SELECT:
// after a STORE that changes no message, the real Cyrus tells it sooner or later.
func withoutFlags(st asked, r reply) reply {
	if t := strings.ToUpper(st.text); strings.HasPrefix(t, "SELECT") || strings.HasPrefix(t, "EXAMINE") {
		return r
	}
	return slices.DeleteFunc(slices.Clone(r), func(l string) bool {
		return strings.HasPrefix(l, "* FLAGS (") || strings.HasPrefix(l, "* OK [PERMANENTFLAGS ")
	})
}

// accepted reports whether a difference is one of README's.
func accepted(st asked, real, ours reply) bool {
	for _, a := range acceptedDifferences {
		if a.is(st, real, ours) {
			return true
		}
	}
	return false
}

// acceptedDifferences is those that the dialogs come upon.
var acceptedDifferences = []struct {
	why string
	is  func(st asked, real, ours reply) bool
}{
	{"an admin may name what he sees in LIST, though the ACL does not let him look it up", func(st asked, real, ours reply) bool {
		return st.conn == 3 && (real.last() == "NO Mailbox does not exist\r" && ours.last() == "NO [NOPERM] Permission denied\r" || real.last() == "NO Subscribe: Mailbox does not exist\r")
	}},
	{"what one may not look up must not be told from what is not there", func(_ asked, real, ours reply) bool {
		return ours.last() == "NO [NONEXISTENT] Mailbox does not exist\r" && strings.ContainsAny(real.last()[:1], "NO")
	}},
	{"which of several mistakes is named", func(_ asked, real, ours reply) bool {
		return strings.HasPrefix(real.last(), "BAD ") && strings.HasPrefix(ours.last(), "BAD ")
	}},
	{"LIST by implicit rights; MYRIGHTS, STATUS of what is no mailbox or must not be read", func(st asked, real, ours reply) bool {
		t := strings.ToUpper(st.text)
		return strings.HasPrefix(t, "LIST") && (strings.Contains(t, "STATUS") || strings.Contains(t, "MYRIGHTS") || len(real) < len(ours))
	}},
	{"special uses below the first level", func(_ asked, real, _ reply) bool { return real.last() == "NO SPECIAL-USE flag conflict\r" }},
	{"an INBOX that nobody may rename: which reason is named", func(_ asked, real, ours reply) bool {
		return real.last() == "NO Operation is not supported on mailbox\r" && ours.last() == "NO [NOPERM] Permission denied\r"
	}},
	{"an INBOX that its user may not rename so, to what is there: which reason is named", func(st asked, real, ours reply) bool {
		return strings.HasPrefix(strings.ToUpper(st.text), "RENAME") && real.last() == "NO Mailbox already exists\r" &&
			strings.HasPrefix(ours.last(), "NO [CANNOT] Operation is not supported on mailbox")
	}},
	{"a slip in two ways wrong", func(_ asked, real, ours reply) bool {
		return strings.HasPrefix(ours.last(), "BAD ") && strings.HasPrefix(real.last(), "NO ")
	}},
	{"RENAME of INBOX tells that its messages are \\Deleted", func(st asked, real, ours reply) bool {
		return strings.HasPrefix(strings.ToUpper(st.text), "RENAME") && len(ours) > len(real)
	}},
	{"\\Recent of messages that a URL in CATENATE named", func(st asked, real, ours reply) bool {
		t := strings.ToUpper(st.text)
		return strings.Contains(t, "RECENT") || strings.Contains(t, " NEW") || strings.Contains(t, " OLD")
	}},
	{"a mailbox that is selected and deleted stays selected", func(_ asked, real, ours reply) bool {
		return ours.last() == "BAD Please select a mailbox first\r" || len(ours) == 1 && len(real) > 1 && strings.HasSuffix(real[0], " EXPUNGE\r")
	}},
	{"a message or its annotation is looked at first", func(st asked, real, ours reply) bool {
		return strings.Contains(strings.ToUpper(st.text), "ANNOTATION") && real.last() == "OK Completed\r" && ours.last() == "NO [NOPERM] Permission denied\r"
	}},
}

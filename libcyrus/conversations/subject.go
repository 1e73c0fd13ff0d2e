package conversations

import "regexp"

// What is taken out of subjects. Cyrus uses the POSIX interface of PCRE, which
// has the syntax of Perl, as these have.
var (
	blanks   = regexp.MustCompile(`[ \t\r\n]+|\x{A0}`)
	brackets = regexp.MustCompile(`(\[[^\]\[]*\])|(^[^\[]*\])|(\[[^\]]*$)`)
	reLike   = regexp.MustCompile(`^[ \t]*[^ \t\r\n\f]+:`)

	oldReLike = regexp.MustCompile(`^[ \t]*[A-Za-z0-9]+(\[[0-9]+\])?:`)
	oldStart  = regexp.MustCompile(`^[ \t]*\[[^\]]+\]`)
	oldEnd    = regexp.MustCompile(`\[(SEC|DLM)=[^\]]+\][ \t]*$`)
)

// maxRemovals bounds the work that a subject of nothing but brackets makes.
const maxRemovals = 1000

// remove takes the first match out of s, as long as there is one.
func remove(s string, re *regexp.Regexp) string {
	for range maxRemovals {
		at := re.FindStringIndex(s)
		if at == nil {
			break
		}
		s = s[:at[0]] + s[at[1]:]
	}
	return s
}

// normalSubject is what two messages of a conversation have in common of a
// decoded subject: without anything in brackets, "Re:" and the like, and blanks.
//
// Source: conversation_normalise_subject in Cyrus imap/conversations.c.
func normalSubject(s string) string {
	return blanks.ReplaceAllLiteralString(remove(remove(s, brackets), reLike), "")
}

// oldSubject is the same as it was before Cyrus 3.4; old conversations have it.
//
// Source: normalise_subject_oldstyle in Cyrus imap/message.c.
func oldSubject(s string) string {
	for range maxRemovals {
		was := s
		for _, re := range []*regexp.Regexp{oldReLike, oldStart, oldEnd} {
			if at := re.FindStringIndex(s); at != nil {
				s = s[:at[0]] + s[at[1]:]
				break
			}
		}
		if s == was {
			break
		}
	}
	return blanks.ReplaceAllLiteralString(s, "")
}

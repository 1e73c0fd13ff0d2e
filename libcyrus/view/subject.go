package view

import (
	"strings"

	"gocyrus/libcyrus/message"
)

// baseSubject is the subject in a cache record without what replies and
// forwards add to it (RFC 5256 section 2.1), in upper case, and how often it
// was replied to or forwarded. Only ASCII letters get upper case.
//
// Source: index_extract_subject in Cyrus imap/index.c, which differs from
// the RFC: blanks inside stay, and "[blob]"s are skipped one by one.
func baseSubject(item []byte) (base string, replies int) {
	raw, ok := nstring(item)
	if !ok {
		return "", 0
	}
	s := message.DecodeHeader(raw)
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	for {
		var n int
		s, n = trimSubject(s)
		replies += n
		if !hasPrefixFold(s, "[fwd:") || !strings.HasSuffix(s, "]") {
			return upperASCII(s), replies
		}
		s = s[len("[fwd:") : len(s)-1]
		replies++
	}
}

// trimSubject takes off what stands around the base.
func trimSubject(s string) (base string, replies int) {
	for {
		t := strings.TrimRight(s, subjectBlanks)
		if len(t) >= len("(fwd)") && strings.EqualFold(t[len(t)-len("(fwd)"):], "(fwd)") {
			t = t[:len(t)-len("(fwd)")]
			replies++
		}
		if len(t) == len(s) {
			break
		}
		s = t
	}
	for s != "" {
		t := strings.TrimLeft(s, subjectBlanks)
		if rest, n := trimReply(t); n > 0 {
			t = rest
			replies += n
		} else {
			t = trimBlob(t)
		}
		if len(t) == len(s) {
			break
		}
		s = t
	}
	return s, replies
}

// subjectBlanks is what counts as white space in subjects.
const subjectBlanks = " \t\n\v\f\r"

// trimReply takes "Re[2]:" and the like off; n is 0 if there is none.
func trimReply(s string) (rest string, n int) {
	var x string
	switch {
	case hasPrefixFold(s, "re"):
		x = s[2:]
	case hasPrefixFold(s, "fwd"):
		x = s[3:]
	case hasPrefixFold(s, "fw"):
		x = s[2:]
	default:
		return s, 0
	}
	x = strings.TrimLeft(x, subjectBlanks)
	count := 0
	if strings.HasPrefix(x, "[") {
		end := strings.IndexByte(x, ']')
		if end < 0 {
			return s, 0
		}
		count = replyCount(x[1:end])
		x = strings.TrimLeft(x[end+1:], subjectBlanks)
	}
	if !strings.HasPrefix(x, ":") {
		return s, 0
	}
	return x[1:], max(count, 1)
}

// replyCount is the number in the brackets of "Re[2]:", 0 if it is none.
func replyCount(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > 1<<26 {
			return 0
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// trimBlob takes "[list]" off, if something stands behind it.
func trimBlob(s string) string {
	if !strings.HasPrefix(s, "[") {
		return s
	}
	end := strings.IndexAny(s[1:], "[]") + 1
	if end == 0 || s[end] != ']' || end+1 == len(s) {
		return s
	}
	return s[end+1:]
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// upperASCII is s with ASCII letters in upper case.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

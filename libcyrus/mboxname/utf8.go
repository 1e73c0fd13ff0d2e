package mboxname

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ToUTF8 is what clients that want UTF-8 see of a name in modified UTF-7. One
// that is not well formed, which Cyrus may have let in, stays as it is.
func ToUTF8(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	if text, err := DecodeUTF7(s); err == nil && allowedUTF8(text) {
		return text
	}
	return s
}

// fromUTF8 is the modified UTF-7 of a name in UTF-8; false if no mailbox may
// have such a name (RFC 6855 section 3).
func fromUTF8(s string) (string, bool) {
	if !utf8.ValidString(s) || !allowedUTF8(s) {
		return "", false
	}
	if hasHalf(s) {
		return s, true
	}
	name, err := EncodeUTF7(s)
	return name, err == nil
}

// fromMixed is the modified UTF-7 of a name that is partly UTF-8. What is not
// valid stays as it is.
func fromMixed(s string) string {
	other := func(r rune) bool { return r >= utf8.RuneSelf }
	at := strings.IndexFunc(s, other)
	if at < 0 || !utf8.ValidString(s) || !allowedUTF8(s) {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(s[:at])
		s = s[at:]
		end := strings.IndexFunc(s, func(r rune) bool { return !other(r) })
		if end < 0 {
			end = len(s)
		}
		run, err := EncodeUTF7(s[:end])
		if err != nil {
			run = s[:end]
		}
		b.WriteString(run)
		s = s[end:]
		at = strings.IndexFunc(s, other)
	}
	return b.String() + s
}

// allowedUTF8 reports whether a name is without control characters and line
// and paragraph separators.
func allowedUTF8(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r < 0x20 || 0x7f <= r && r <= 0x9f || r == '\u2028' || r == '\u2029'
	}) < 0
}

// hasHalf reports whether s is modified UTF-7 that has half a surrogate pair
// in it: there is no UTF-8 for that, so that ToUTF8 leaves it alone, and it
// has to be known again.
func hasHalf(s string) bool {
	for i := strings.IndexByte(s, '&'); i >= 0 && i < len(s); {
		n, _, err := shiftedRun(s[i:])
		switch {
		case errors.Is(err, errSurrogate):
			return true
		case err != nil:
			return false
		}
		i += n
		next := strings.IndexByte(s[i:], '&')
		if next < 0 {
			return false
		}
		i += next
	}
	return false
}

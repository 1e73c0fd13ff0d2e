package mboxname

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mod64 is the alphabet of RFC 3501 section 5.1.3.
var mod64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// ErrUTF7 means that a text is not modified UTF-7, or not its only
// spelling.
var ErrUTF7 = errors.New("is not well-formed modified UTF-7")

// errSurrogate means that half of a surrogate pair stands alone. Cyrus
// allows such names.
var errSurrogate = errors.New("has half a surrogate pair")

// shiftedRun looks at s, which begins with '&': n is the length of the run
// up to and with its '-', text what it stands for. "&-" is the ampersand, of
// length 2. n is right with errSurrogate too.
func shiftedRun(s string) (n int, text string, err error) {
	end := strings.IndexByte(s, '-')
	switch {
	case end < 0:
		return 0, "", ErrUTF7
	case end == 1:
		return 2, "&", nil
	}
	raw, err := mod64.DecodeString(s[1:end])
	if err != nil || len(raw) == 0 || len(raw)%2 != 0 || strings.ContainsAny(s[1:end], "\r\n") {
		return 0, "", ErrUTF7
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		if units[i] < 0x80 {
			return 0, "", ErrUTF7
		}
	}
	var b strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i++; i == len(units) {
				return end + 1, "", errSurrogate
			}
			if r = utf16.DecodeRune(r, rune(units[i])); r == utf8.RuneError {
				return end + 1, "", errSurrogate
			}
		}
		b.WriteRune(r)
	}
	return end + 1, b.String(), nil
}

// DecodeUTF7 turns modified UTF-7 (RFC 3501 section 5.1.3) into UTF-8. It is
// strict: each text has one spelling. Errors are ErrUTF7.
func DecodeUTF7(s string) (string, error) {
	var b strings.Builder
	shifted := false
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '&':
			n, text, err := shiftedRun(s[i:])
			if err != nil || shifted && n != 2 {
				return "", ErrUTF7
			}
			shifted = n != 2
			b.WriteString(text)
			i += n
			continue
		case c < 0x20 || c > 0x7e:
			return "", ErrUTF7
		}
		shifted = false
		b.WriteByte(c)
		i++
	}
	return b.String(), nil
}

// EncodeUTF7 turns UTF-8 into modified UTF-7. Bad UTF-8 and ASCII control
// characters give ErrUTF7.
func EncodeUTF7(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", ErrUTF7
	}
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var raw []byte
		for _, u := range utf16.Encode(run) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + mod64.EncodeToString(raw) + "-")
		run = run[:0]
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return "", ErrUTF7
		}
		if r > 0x7e {
			run = append(run, r)
			continue
		}
		flush()
		b.WriteRune(r)
		if r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String(), nil
}

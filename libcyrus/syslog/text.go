package syslog

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// appendText appends s with each byte that could end the line or move a
// terminal's cursor written as \n, \t or \xNN. Bytes of valid UTF-8 stay.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != 0x7f {
			b = append(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || n > 1) && r > 0x9f && r != 0x2028 && r != 0x2029 {
			b = append(b, s[i:i+n]...)
			i += n
			continue
		}
		b = appendEscape(b, c)
		i++
	}
	return b
}

// appendEscape appends one byte in its escaped form.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'x', hex[c>>4], hex[c&15])
}

// appendAttr appends " key=value", and for a group each of its members.
func appendAttr(b []byte, groups string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, m := range v.Group() {
			b = appendAttr(b, groups, m)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	b = append(b, ' ')
	b = appendText(b, groups+a.Key)
	b = append(b, '=')
	return appendValue(b, v)
}

// appendValue appends v. Text in which a reader could not find the end
// (blanks, quotes, nothing) is quoted.
func appendValue(b []byte, v slog.Value) []byte {
	var s string
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindTime:
		return v.Time().AppendFormat(b, time.RFC3339)
	case slog.KindString, slog.KindBool, slog.KindDuration, slog.KindFloat64:
		s = v.String()
	default:
		s = fmt.Sprint(v.Any())
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '=' || c == 0x7f {
			return strconv.AppendQuote(b, s)
		}
	}
	if s == "" {
		return append(b, `""`...)
	}
	return appendText(b, s)
}

// Printable is text from a client for a part of a line that other programs
// read: control characters are question marks in it, as in Cyrus (beautify_string).
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, s)
}

package message

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
)

// utf8Converter checks UTF-8. A sequence that is broken off by another lead
// octet becomes one U+FFFD, as does each octet that stands alone; one that is
// broken off by the end of the text vanishes.
//
// Source: utf8_2uni in Cyrus lib/charset.c.
type utf8Converter struct {
	left int // continuation octets still to come
	code rune
}

func (u *utf8Converter) append(dst, src []byte, end bool) []byte {
	if u.left == 0 && utf8.Valid(src) {
		return append(dst, src...)
	}
	for _, c := range src {
		dst = u.octet(dst, c)
	}
	if end {
		u.left, u.code = 0, 0
	}
	return dst
}

func (u *utf8Converter) octet(dst []byte, c byte) []byte {
	if c&0xc0 == 0x80 {
		if u.left == 0 {
			return append(dst, replacement...)
		}
		u.code = u.code<<6 | rune(c&0x3f)
		if u.left--; u.left == 0 {
			dst = utf8.AppendRune(dst, u.code)
		}
		return dst
	}
	broken := u.left > 0
	u.left, u.code = 0, 0
	bad := false
	switch {
	case c < 0x80:
	case c == 0xc0 || c == 0xc1 || c >= 0xf5:
		bad = true
	case c < 0xe0:
		u.left, u.code = 1, rune(c&0x1f)
	case c < 0xf0:
		u.left, u.code = 2, rune(c&0x0f)
	default:
		u.left, u.code = 3, rune(c&0x07)
	}
	if broken && c < 0xf8 {
		dst = append(dst, replacement...)
	}
	switch {
	case bad:
		return append(dst, replacement...)
	case c < 0x80:
		return append(dst, c)
	}
	return dst
}

// utf7Converter reads UTF-7 (RFC 2152, shift '+') and the modified form of
// mailbox names (RFC 3501 section 5.1.3, shift '&').
type utf7Converter struct {
	shift   byte
	shifted bool
	first   bool   // no character has been read since the shift
	bits    uint32 // not yet used bits, have of them
	have    uint
	high    rune // high surrogate waiting for its other half
}

func (u *utf7Converter) append(dst, src []byte, end bool) []byte {
	for _, c := range src {
		if u.shifted {
			if v := u.value(c); v < 64 {
				dst = u.sextet(dst, v)
				continue
			}
			dst = u.unshift(dst)
			switch {
			case c == '-' && u.first:
				dst = append(dst, u.shift)
				continue
			case c == '-':
				continue
			case u.first:
				dst = append(dst, replacement...)
				if u.shift == '&' {
					continue
				}
			}
		}
		switch {
		case c == u.shift:
			u.shifted, u.first, u.bits, u.have = true, true, 0, 0
		case c >= 0x80 || u.shift == '+' && (c == '\\' || c == '~'):
			dst = append(dst, replacement...)
		default:
			dst = append(dst, c)
		}
	}
	if end && u.shifted {
		dst = u.unshift(dst)
	}
	return dst
}

func (u *utf7Converter) value(c byte) byte {
	if u.shift == '&' {
		switch c {
		case ',':
			c = '/'
		case '/':
			return base64Invalid
		}
	}
	return base64Value[c]
}

func (u *utf7Converter) sextet(dst []byte, v byte) []byte {
	u.first = false
	u.bits = u.bits<<6 | uint32(v)
	u.have += 6
	if u.have < 16 {
		return dst
	}
	u.have -= 16
	r := rune(u.bits >> u.have & 0xffff)
	switch {
	case u.high != 0 && utf16.IsSurrogate(r):
		r = utf16.DecodeRune(u.high, r)
		u.high = 0
	case r >= 0xd800 && r < 0xdc00:
		u.high = r
		return dst
	case u.high != 0:
		dst = append(dst, replacement...)
		u.high = 0
	}
	return utf8.AppendRune(dst, r)
}

// unshift ends a run of base64.
func (u *utf7Converter) unshift(dst []byte) []byte {
	u.shifted = false
	if u.high != 0 {
		dst = append(dst, replacement...)
		u.high = 0
	}
	return dst
}

// iso2022KR reads ISO-2022-KR (RFC 1557) as the EUC-KR it stands for.
type iso2022KR struct {
	korean  *textConverter
	shifted bool
	escape  int // octets of the designation ESC $ ) C that have been seen
}

func newISO2022KR() *iso2022KR {
	return &iso2022KR{korean: &textConverter{t: korean.EUCKR.NewDecoder().Transformer}}
}

func (k *iso2022KR) append(dst, src []byte, end bool) []byte {
	const designation = "\x1b$)C"
	out := make([]byte, 0, len(src))
	for _, c := range src {
		if c == designation[k.escape] {
			k.escape = (k.escape + 1) % len(designation)
			continue
		}
		k.escape = 0
		switch {
		case c == 0x0e:
			k.shifted = true
		case c == 0x0f || c == '\n':
			k.shifted = false
			if c == '\n' {
				out = append(out, c)
			}
		case k.shifted && c > ' ' && c < 0x7f:
			out = append(out, c|0x80)
		default:
			out = append(out, c)
		}
	}
	if end {
		k.shifted, k.escape = false, 0
	}
	return k.korean.append(dst, out, end)
}

// decodeExtended decodes an RFC 2231 extended value to UTF-8; ok is false if
// it is none.
//
// Source: charset_parse_mimexvalue in Cyrus lib/charset.c.
func decodeExtended(v []byte) (text string, ok bool) {
	name, rest, ok := bytes.Cut(v, []byte("'"))
	if !ok {
		return "", false
	}
	cs := lookupCharset(string(name))
	if cs == nil || cs.new == nil {
		return "", false
	}
	_, rest, ok = bytes.Cut(rest, []byte("'"))
	if !ok {
		return "", false
	}
	raw := make([]byte, 0, len(rest))
	for i := 0; i < len(rest); i++ {
		if rest[i] != '%' {
			raw = append(raw, rest[i])
			continue
		}
		if i+2 >= len(rest) || hexValue[rest[i+1]]|hexValue[rest[i+2]] > 15 {
			return "", false
		}
		raw = append(raw, hexValue[rest[i+1]]<<4|hexValue[rest[i+2]])
		i += 2
	}
	return string(cs.new().append(nil, raw, true)), true
}

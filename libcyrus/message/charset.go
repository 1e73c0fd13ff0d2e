package message

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// charset is a way to read octets as text. Two charsets with the same canon
// are the same.
type charset struct {
	canon string
	new   func() converter // nil: the name is known, but its text cannot be read
}

// converter turns octets of one charset into UTF-8, piece by piece. What
// cannot be converted becomes U+FFFD.
type converter interface {
	// append converts src and appends the result to dst. It may keep back the
	// start of a character until the next call; with end it keeps nothing.
	append(dst, src []byte, end bool) []byte
}

const replacement = "\uFFFD"

// KnownCharset reports whether Cyrus knows a charset of that name, so that
// SEARCH CHARSET accepts it.
func KnownCharset(name string) bool { return lookupCharset(name) != nil }

// charsetAlias is what SECTION says of the charset parameter: the name as it
// was given if it is known, else "".
func charsetAlias(value []byte) string {
	switch string(value) { // no search for the usual ones
	case "utf-8", "UTF-8", "us-ascii", "US-ASCII", "iso-8859-1", "ISO-8859-1":
		return string(value)
	}
	if lookupCharset(string(value)) == nil {
		return ""
	}
	return string(value)
}

var (
	asciiCharset = &charset{"us-ascii", func() converter { return asciiConverter{} }}
	utf8Charset  = &charset{"utf-8", func() converter { return &utf8Converter{} }}
)

// unreadable is a charset that is known by name only.
var unreadable = &charset{canon: "unreadable"}

// lookupCharset finds a charset by any of its names; nil if it is unknown.
//
// Source: charset_lookupname in Cyrus lib/charset.c: its aliases come first,
// then the names of ICU.
func lookupCharset(name string) *charset {
	t := charsetTables()
	low := strings.ToLower(name)
	if c, ok := cyrusAliases[low]; ok {
		low = c
	}
	switch low {
	case "us-ascii":
		return asciiCharset
	case "utf-8":
		return utf8Charset
	}
	plain, _, option := strings.Cut(low, ",")
	if option && (plain == "iso_2022" || plain == "iscii") {
		return unreadable // names of ICU's own that no mail should have
	}
	if len(plain) >= 60 { // UCNV_MAX_CONVERTER_NAME_LENGTH
		return nil
	}
	return t[plainName(plain)]
}

// plainName is a name as ICU compares them: letters and digits only, numbers
// without leading zeros.
func plainName(s string) string {
	var b strings.Builder
	afterDigit := false
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
			afterDigit = false
		case '0' <= c && c <= '9':
			if c == '0' && !afterDigit && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				continue
			}
			afterDigit = true
		default:
			afterDigit = false
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// charsetText has a line for each converter of ICU: its name, its aliases
// and, if it is one octet per character, what they mean.
//
//go:embed charsets.txt
var charsetText string

// charsetTables maps plain names to charsets.
var charsetTables = sync.OnceValue(func() map[string]*charset {
	t := make(map[string]*charset, 1500)
	for line := range strings.Lines(charsetText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			continue // comment
		}
		c := &charset{canon: f[0], new: convertersByName[f[0]]}
		if f[2] != "" {
			table := f[2]
			runes := sync.OnceValue(func() *tableConverter { return newTable(table) })
			c.new = func() converter { return runes() }
		}
		for _, name := range strings.Fields(f[1]) {
			t[name] = c
		}
	}
	return t
})

// cyrusAliases are the names that Cyrus knows besides those of ICU, or takes
// for something else (Cyrus lib/charset/aliases.txt).
var cyrusAliases = func() map[string]string {
	m := map[string]string{}
	for name, aliases := range map[string]string{
		"utf-8":             "utf8 unicode-1-1-utf-8",
		"utf-7":             "utf7",
		"utf7":              "unicode-1-1-utf-7",
		"imap-mailbox-name": "imap-utf-7",
		"us-ascii":          "ascii ansi_x3.4-1968 usascii",
		"windows-1252": "1252 cp1252 cp-1252 win-1252 iso-8859-1 iso_8859_1 iso_8859-1 iso_8859 iso-8859 8859_1 " +
			"iso--8859-1 so-8859-1 en_gb auto unknown unknown-8bit x-unknown x-user-defined x-europa none latin1 " +
			"iso8859-1 8859-1 es-iso-8859-1 display any",
		"macintosh":       "x-mac-roman mac",
		"iso_8859-1:1987": "646 iso646-us", // what ICU knows as ISO-8859-1
		"iso-8859-2":      "8859_2",
		"iso-8859-9":      "x-mac-turkish",
		"iso-8859-7":      "greek-ccitt",
		"iso-8859-8":      "iso-8859-8-i",
		"iso-8859-15":     "iso8859_15_fdis iso8859-15",
		"iso-8859-11":     "tis-620 x-mac-thai",
		"iso-8859-6":      "asmo-708",
		"koi8-r":          "win-koi8",
		"iso-2022-jp":     "_iso-2022-jp$esc _iso-2022-jp csiso2022jp",
		"ksc5601":         "ks_c_5601",
		"windows-1250":    "1250 cp1250 win-1250 238",
		"windows-1251":    "1251 cp1251 win-1251",
		"windows-1254":    "1254 cp1254 win-1254",
		"windows-1255":    "1255 cp1255 win-1255",
		"windows-1256":    "1256 cp1256 win-1256 win1256",
		"windows-1257":    "1257 cp1257 win-1257",
		"windows-1258":    "1258 cp1258 win-1258",
		"windows-850":     "cp850 cp-850 dos-latin1 msdos-latin1",
		"windows-31j":     "cp932 cp-932 win-31j shift_jis",
		"windows-936":     "cp936 cp-936 win-936 gbk x-gbk gb2312",
		"big5":            "136",
	} {
		for _, a := range strings.Fields(aliases) {
			m[a] = name
		}
	}
	return m
}()

// convertersByName has the charsets of several octets per character, by ICU's name.
var convertersByName = func() map[string]func() converter {
	m := map[string]func() converter{
		"UTF-8":                        func() converter { return &textConverter{t: unicode.UTF8.NewDecoder().Transformer} },
		"CESU-8":                       func() converter { return &utf8Converter{} },
		"US-ASCII":                     func() converter { return asciiConverter{} },
		"ISO_2022,locale=ko,version=0": func() converter { return newISO2022KR() },
		"UTF-7":                        func() converter { return &utf7Converter{shift: '+'} },
		"IMAP-mailbox-name":            func() converter { return &utf7Converter{shift: '&'} },
	}
	for enc, names := range map[encoding.Encoding]string{
		unicode.UTF16(unicode.BigEndian, unicode.UseBOM):       "UTF-16",
		unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM):    "UTF-16BE UTF16_OppositeEndian",
		unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM): "UTF-16LE UTF16_PlatformEndian",
		utf32.UTF32(utf32.BigEndian, utf32.UseBOM):             "UTF-32",
		utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM):          "UTF-32BE UTF32_OppositeEndian",
		utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM):       "UTF-32LE UTF32_PlatformEndian",
		japanese.ShiftJIS:          "ibm-942_P12A-1999 ibm-943_P15A-2003 ibm-943_P130-1999",
		japanese.EUCJP:             "ibm-33722_P12A_P12A-2009_U2 ibm-33722_P120-1999 ibm-954_P101-2007 euc-jp-2007",
		japanese.ISO2022JP:         "ISO_2022,locale=ja,version=0 ISO_2022,locale=ja,version=1 ISO_2022,locale=ja,version=2",
		traditionalchinese.Big5:    "ibm-1373_P100-2002 windows-950-2000 ibm-950_P110-1999 ibm-1375_P100-2008 ibm-5471_P100-2006",
		simplifiedchinese.GBK:      "ibm-1386_P100-2001 windows-936-2000 ibm-1383_P110-1999",
		simplifiedchinese.GB18030:  "gb18030",
		simplifiedchinese.HZGB2312: "HZ",
		korean.EUCKR: "ibm-949_P110-1999 ibm-949_P11A-1999 ibm-970_P110_P110-2006_U2 ibm-1363_P11B-1998 " +
			"ibm-1363_P110-1997 windows-949-2000",
	} {
		for _, n := range strings.Fields(names) {
			m[n] = func() converter { return &textConverter{t: enc.NewDecoder().Transformer} }
		}
	}
	return m
}()

// asciiConverter reads US-ASCII.
type asciiConverter struct{}

func (asciiConverter) append(dst, src []byte, _ bool) []byte {
	for _, c := range src {
		if c < 0x80 {
			dst = append(dst, c)
		} else {
			dst = append(dst, replacement...)
		}
	}
	return dst
}

// tableConverter reads charsets of one octet per character.
type tableConverter [256][utf8.UTFMax]byte

// newTable makes a converter of a line of charsets.txt.
func newTable(text string) *tableConverter {
	var t tableConverter
	runes := []rune(text)
	for i := range t {
		r := rune(i)
		if j := i - 256 + len(runes); j >= 0 {
			if r = runes[j]; r >= 0xF0000 {
				r -= 0xF0000
			}
		}
		utf8.EncodeRune(t[i][:], r)
	}
	return &t
}

func (t *tableConverter) append(dst, src []byte, _ bool) []byte {
	for _, c := range src {
		e := &t[c]
		switch {
		case e[0] < 0x80:
			dst = append(dst, e[0])
		case e[0] < 0xe0:
			dst = append(dst, e[0], e[1])
		case e[0] < 0xf0:
			dst = append(dst, e[0], e[1], e[2])
		default:
			dst = append(dst, e[:]...)
		}
	}
	return dst
}

// textConverter reads charsets through golang.org/x/text.
type textConverter struct {
	t    transform.Transformer
	held []byte
}

func (c *textConverter) append(dst, src []byte, end bool) []byte {
	if len(c.held) > 0 {
		src = append(c.held, src...)
		c.held = nil
	}
	var buf [1024]byte
	for {
		n, used, err := c.t.Transform(buf[:], src, end)
		dst = append(dst, buf[:n]...)
		src = src[used:]
		switch {
		case err == transform.ErrShortDst && (n > 0 || used > 0):
			continue
		case err == nil || err == transform.ErrShortSrc && !end:
			c.held = append(c.held, src...)
		case len(src) > 0:
			dst = append(dst, replacement...)
			src = src[1:]
			continue
		}
		if end {
			c.t.Reset()
			c.held = nil
		}
		return dst
	}
}

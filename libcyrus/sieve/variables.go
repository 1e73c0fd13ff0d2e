package sieve

import (
	"fmt"
	"strconv"
	"strings"
)

// maxText bounds what a script can make of strings with variables: a longer
// one ends the script with an error. Cyrus has no bound.
const maxText = 1 << 20

// variables are what set, the flag actions and matches have left. Each is a
// list, as flags are; a plain value is a list of one.
type variables struct {
	byName map[string][]string // in lower case; "" is the internal variable of imap4flags
	match  []string            // ${0}, ${1}, …
}

func (v *variables) get(name string) []string { return v.byName[asciiLower(name)] }

func (v *variables) has(name string) bool {
	_, ok := v.byName[asciiLower(name)]
	return ok
}

func (v *variables) set(name string, value []string) {
	v.byName[asciiLower(name)] = value
}

// expand replaces the references in s (RFC 5229 section 3). What has not the
// form of one stays, and so do names with namespaces; unknown variables are
// empty.
//
// Source: parse_string in Cyrus sieve/grammar.c.
func (v *variables) expand(s string) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		name := s[i+2 : i+end]
		n, err := strconv.Atoi(strings.TrimLeft(name, " \t\n\v\f\r"))
		number := err == nil && name != ""
		if !number && !isIdentifier(name) {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		if number {
			if n >= 0 && n < len(v.match) {
				b.WriteString(v.match[n])
			}
		} else {
			b.WriteString(strings.Join(v.get(name), " "))
		}
		if b.Len() > maxText {
			return "", errTextTooLong
		}
		s = s[i+end+1:]
	}
	b.WriteString(s)
	return b.String(), nil
}

var errTextTooLong = fmt.Errorf("A string is longer than %d octets", maxText)

// modify applies the modifiers of set in the order of their precedence.
//
// Source: variables_modify_string in Cyrus sieve/variables.c.
func modify(s string, bits int) string {
	if s != "" {
		switch bits & modCase {
		case modLower:
			s = asciiLower(s)
		case modUpper:
			s = strings.Map(upperRune, s)
		}
		if bits&modFirst != 0 {
			first := asciiLower(s[:1])
			if bits&modLowerFirst == 0 {
				first = string([]byte{upper(s[0])})
			}
			s = first + s[1:]
		}
		if bits&modQuote != 0 {
			special := `*?\`
			if bits&modQuoteRegex != 0 {
				special += ".^$+()[{|"
			}
			s = mapBytes(s, func(c byte) string {
				if strings.IndexByte(special, c) >= 0 {
					return `\` + string([]byte{c})
				}
				return string([]byte{c})
			})
		}
		if bits&modEncodeURL != 0 {
			s = mapBytes(s, func(c byte) string {
				if isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
					return string([]byte{c})
				}
				return fmt.Sprintf("%%%02X", c)
			})
		}
	}
	if bits&modLength != 0 {
		return strconv.Itoa(len(s))
	}
	return s
}

func mapBytes(s string, f func(byte) string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(f(s[i]))
	}
	return b.String()
}

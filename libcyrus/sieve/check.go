package sieve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxMatchVariable is the highest ${N} (RFC 5229 section 3.2 wants 9).
const maxMatchVariable = 9

// reference is one "${…}" with the form of a reference to a variable.
type reference struct {
	name  string
	match bool // a number
}

// findReference finds the first reference in s at or after at, as far as
// the checks of scripts look: names may have namespaces. end is behind it,
// -1 if there is none.
func findReference(s string, at int) (r reference, end int) {
	for {
		i := strings.Index(s[at:], "${")
		if i < 0 {
			return r, -1
		}
		start := at + i + 2
		at = start
		for {
			j := at
			named := false
			switch {
			case j < len(s) && isDigit(s[j]):
				for j < len(s) && isDigit(s[j]) {
					j++
				}
			case j < len(s) && (isAlpha(s[j]) || s[j] == '_'):
				named = true
				for j < len(s) && (isAlpha(s[j]) || isDigit(s[j]) || s[j] == '_') {
					j++
				}
			default:
				j = -1
			}
			if j < 0 || j == len(s) {
				break
			}
			at = j
			if s[j] == '}' {
				return reference{s[start:j], isNumber(s[start:j])}, j + 1
			}
			if !named || s[j] != '.' || j+1 == len(s) {
				break
			}
			at++
		}
	}
}

// containsVariable reports whether s has a reference that is replaced.
func (p *parser) containsVariable(s string) bool {
	if !p.has(capVariables) {
		return false
	}
	_, end := findReference(s, 0)
	return end >= 0
}

// checkMatchVariables looks at the numbers of match variables in s.
func (p *parser) checkMatchVariables(s string) {
	if !p.has(capVariables) {
		return
	}
	for at := 0; ; {
		i := strings.Index(s[at:], "${")
		if i < 0 {
			return
		}
		at += i + 2
		j := at
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if j > at && j < len(s) && s[j] == '}' {
			if n, err := strconv.Atoi(s[at:j]); err != nil || n > maxMatchVariable {
				p.faultf("string '%s': match variable index > %d unsupported", s, maxMatchVariable)
				return
			}
		}
		at = j
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isIdentifier reports whether s is an identifier (RFC 5229 section 3), or
// empty.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isAlpha(s[i]) && s[i] != '_' && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return true
}

func (p *parser) checkIdentifier(s string) bool {
	if !isIdentifier(s) {
		p.faultf("string '%s': not a valid sieve identifier", s)
		return false
	}
	return true
}

// checkAll runs a check on each string up to the first that fails.
func (p *parser) checkAll(list []string, check func(string) bool) bool {
	for _, s := range list {
		if !check(s) {
			return false
		}
	}
	return true
}

// checkUTF8 looks whether s is UTF-8 in the form of RFC 2640 appendix B.1,
// which also has sequences of five and six octets and surrogates.
func (p *parser) checkUTF8(s string) bool {
	if !isLooseUTF8(s) {
		p.faultf("string '%s': not valid utf8", s)
		return false
	}
	return true
}

func isLooseUTF8(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		n, second := 0, byte(0) // octets that follow; bits of which the first must have one
		switch {
		case c < 0x80:
		case c&0xe0 == 0xc0 && c&0x1e != 0:
			n = 1
		case c&0xf0 == 0xe0:
			n = 2
			if c&0x0f == 0 {
				second = 0x20
			}
		case c&0xf8 == 0xf0:
			n = 3
			if c&7 == 0 {
				second = 0x30
			}
		case c&0xfc == 0xf8:
			n = 4
			if c&3 == 0 {
				second = 0x38
			}
		case c&0xfe == 0xfc:
			n = 5
			if c&1 == 0 {
				second = 0x3c
			}
		default:
			return i+1 == len(s) // Cyrus overlooks a last octet that starts nothing
		}
		if i+n >= len(s) && n > 0 {
			return false
		}
		for k := 1; k <= n; k++ {
			if s[i+k]&0xc0 != 0x80 || k == 1 && second != 0 && s[i+k]&second == 0 {
				return false
			}
		}
		i += n + 1
	}
	return true
}

func (p *parser) checkMailbox(s string) bool {
	if !p.checkUTF8(s) {
		p.faultf("mailbox '%s': not a valid mailbox", s)
		return false
	}
	return true
}

// isFieldName reports whether s has only octets of field names (RFC 5322
// section 3.6.8); it may be empty.
func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] < 33 || s[i] > 126 || s[i] == ':' {
			return false
		}
	}
	return true
}

func (p *parser) checkHeader(s string) bool {
	if !isFieldName(s) {
		p.faultf("header '%s': not a valid header", s)
		return false
	}
	return true
}

// addressHeaders are the fields that hold addresses, and what Cyrus counts
// among them.
var addressHeaders = []string{
	"from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "resent-from",
	"resent-sender", "resent-to", "resent-cc", "resent-bcc", "return-path", "disposition-notification-to",
	"approved", "delivered-to",
}

func (p *parser) checkAddressHeader(s string) bool {
	if p.containsVariable(s) {
		return true
	}
	if p.opt.AnyHeader {
		return p.checkHeader(s)
	}
	s = asciiLower(s)
	if !slices.Contains(addressHeaders, s) {
		p.faultf("header '%s': not a valid header for an address test", s)
		return false
	}
	return true
}

func (p *parser) checkEnvelopePart(s string) bool {
	if p.containsVariable(s) {
		return true
	}
	s = asciiLower(s)
	if p.opt.AnyHeader || s == "from" || s == "to" || s == "auth" {
		return true
	}
	p.faultf("env-part '%s': not a valid part for an envelope test", s)
	return false
}

func (p *parser) checkAddress(s string) bool {
	if p.containsVariable(s) || isAddress(s) {
		return true
	}
	p.faultf("address '%s': syntax error", s)
	return false
}

// checkPatterns looks at the keys of a test, each with check unless that is
// nil, and at how they are compared.
func (p *parser) checkPatterns(keys []string, m *match, check func(string) bool) {
	if check != nil && !p.checkAll(keys, check) {
		return
	}
	p.canon(m)
	if m.kind != vRegex {
		return
	}
	for _, k := range keys {
		if p.has(capVariables) && strings.Contains(k, "${") {
			continue
		}
		if _, err := compileRegex(k, m.collation == vCasemap); err != nil {
			p.fault(err.Error())
			return
		}
	}
}

// canonFlags is a list of flags as the byte code has it. With variables it
// is taken as it is; otherwise wrong flags are dropped, and an empty list
// becomes one empty flag.
func (p *parser) canonFlags(flags []string) []string {
	if flags == nil || p.has(capVariables) {
		return flags
	}
	if flags = canonFlags(flags); len(flags) == 0 {
		return []string{""}
	}
	return flags
}

// canonFlags cuts flags at blanks and drops those that are wrong or there
// already. System flags get lower case.
//
// Source: verify_flaglist in Cyrus sieve/flags.c.
func canonFlags(flags []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range strings.Split(strings.Join(flags, " "), " ") {
		f = strings.Trim(f, " \t\r\n\v\f")
		if f == "" {
			continue
		}
		if f[0] == '\\' {
			f = asciiLower(f)
		}
		if !IsFlag(f) {
			continue
		}
		if low := asciiLower(f); !seen[low] {
			seen[low] = true
			out = append(out, f)
		}
	}
	return out
}

// addFlag appends f unless it is there in any case.
func addFlag(flags []string, f string) []string {
	if slices.ContainsFunc(flags, func(x string) bool { return equalFold(x, f) }) {
		return flags
	}
	return append(flags, f)
}

// equalFold is equality in any case of ASCII letters.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if upper(a[i]) != upper(b[i]) {
			return false
		}
	}
	return true
}

// IsFlag reports whether s is the name of a flag that a message may have: one of
// the system's but \Recent, in any case, or an atom (imparse_isatom in Cyrus
// lib/imparse.c).
func IsFlag(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`{()"%*\`, s[i]) >= 0 {
			return slices.Contains([]string{`\seen`, `\answered`, `\flagged`, `\draft`, `\deleted`}, asciiLower(s))
		}
	}
	return s != "" && len(s) < 1024
}

// parseISO8601 reads a time of RFC 3339.
func parseISO8601(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// jmapQuery is a test of Cyrus's own: a filter of JMAP for Email/query.
func (p *parser) jmapQuery() (*testNode, bool) {
	s, ok := p.string()
	if !ok {
		return nil, false
	}
	t := p.newTest(testJMAPQuery)
	trimmed := strings.TrimLeft(s, " \t\r\n")
	var out bytes.Buffer
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") || json.Compact(&out, []byte(s)) != nil {
		p.fault("invalid jmapquery format")
	} else if wrong := wrongFilterField([]byte(s), ""); wrong != "" {
		p.faultf("invalid jmapquery argument: '%s'", wrong)
	}
	t.args = []any{out.String()}
	return t, true
}

// filterFields are the conditions of a filter (RFC 8621 section 4.4.1, and
// Cyrus's own).
var filterFields = strings.Fields(`before after minSize maxSize hasAttachment attachmentName attachmentType
	attachmentBody text subject from to cc bcc body header fromContactGroupId toContactGroupId ccContactGroupId
	bccContactGroupId fromAnyContact toAnyContact ccAnyContact bccAnyContact deliveredTo isHighPriority language
	listId inMailbox inMailboxOtherThan allInThreadHaveKeyword someInThreadHaveKeyword noneInThreadHaveKeyword
	hasKeyword notKeyword operator conditions`)

// wrongFilterField is the path of the first field that no filter has.
func wrongFilterField(filter []byte, path string) string {
	d := json.NewDecoder(bytes.NewReader(filter))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		key := fmt.Sprint(name)
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return ""
		}
		if !slices.Contains(filterFields, key) {
			return path + key
		}
		var inner []json.RawMessage
		if key == "conditions" && json.Unmarshal(value, &inner) == nil {
			for i, c := range inner {
				if wrong := wrongFilterField(c, fmt.Sprintf("%sconditions[%d]/", path, i)); wrong != "" {
					return wrong
				}
			}
		}
	}
	return ""
}

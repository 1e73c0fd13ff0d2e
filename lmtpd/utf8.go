package main

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isASCII reports whether s has no octet above 127.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// compose brings an address that may be UTF-8 into the form in which IMAP
// keeps names: composed characters. Its domain becomes what DNS has. fold
// makes the local part lower case.
func (a *address) compose(fold bool) {
	a.user, a.detail = norm.NFC.String(a.user), norm.NFC.String(a.detail)
	if fold {
		a.user = strings.ToLower(a.user)
	}
	a.domain = asciiDomain(a.domain)
}

// asciiDomain writes the labels of a domain that are not ASCII as A-labels
// (RFC 5890 section 2.3.2.1), so that both spellings of a domain are equal.
// They are not checked against what may be registered: one that cannot be is
// no domain of ours.
func asciiDomain(domain string) string {
	if isASCII(domain) {
		return domain
	}
	labels := strings.FieldsFunc(norm.NFKC.String(strings.ToLower(domain)), func(r rune) bool { return r == '.' || r == '\u3002' })
	for i, l := range labels {
		if !isASCII(l) {
			labels[i] = "xn--" + punycode([]rune(l))
		}
	}
	return strings.Join(labels, ".")
}

// The parameters of Punycode (RFC 3492 section 5).
const (
	punyBase, punyTMin, punyTMax = 36, 1, 26
	punySkew, punyDamp           = 38, 700
	punyBias, punyFirst          = 72, 0x80
)

// punycode encodes a label (RFC 3492 section 6.3).
func punycode(label []rune) string {
	var out []byte
	for _, r := range label {
		if r < punyFirst {
			out = append(out, byte(r))
		}
	}
	done := len(out)
	basic := done
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(punyFirst), 0, punyBias
	for done < len(label) {
		next := rune(utf8.MaxRune)
		for _, r := range label {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range label {
			if r < n {
				delta++
			}
			if r == n {
				out = appendDelta(out, delta, bias)
				bias = adapt(delta, done+1, done == basic)
				delta = 0
				done++
			}
		}
		delta++
		n++
	}
	return string(out)
}

// appendDelta appends a number of variable length (RFC 3492 section 3.3).
func appendDelta(out []byte, delta, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyTMin), punyTMax)
		if delta < t {
			return append(out, digits[delta])
		}
		out = append(out, digits[t+(delta-t)%(punyBase-t)])
		delta = (delta - t) / (punyBase - t)
	}
}

// adapt is the next bias (RFC 3492 section 6.1).
func adapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyTMin)*punyTMax/2; k += punyBase {
		delta /= punyBase - punyTMin
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}

package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions here turn the text of a value into what it means. Their
// errors are those of Cyrus (lib/libconfig.c, config_read_file), without
// the name of the file.

// parseSwitch decides by the first letters; see switchValue.
func parseSwitch(r *Row, s string) (bool, error) {
	if v, ok := switchValue(s); ok {
		return v, nil
	}
	return false, fmt.Errorf("non-switch value for %s", r.Name)
}

// switchValue reads a switch of imapd.conf or cyrus.conf by its first
// letters: "yes", "true", "on" and "1" are yes, and so is all that begins
// like them; in lower case only.
func switchValue(s string) (value, ok bool) {
	switch {
	case hasPrefix(s, "0", "n", "of", "f"):
		return false, true
	case hasPrefix(s, "1", "y", "on", "t"):
		return true, true
	}
	return false, false
}

func hasPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// parseInt reads a number as C's strtol with base 0 does: decimal, 0x…
// hexadecimal or 0… octal. Like Cyrus it keeps the lower 32 bits.
func parseInt(r *Row, s string) (int, error) {
	n, err := strtol(s)
	if err == nil {
		return int(int32(n)), nil
	}
	if size, ok := parseSize(r, s); ok {
		return size, nil
	}
	return 0, fmt.Errorf("non-integer value for %s", r.Name)
}

// parseSize reads a number with a unit of size, as Cyrus does from 3.8 on:
// B, K, M or G, the latter three also with "i", "B" or "iB" behind, in any
// case and always powers of two; only for options whose unit is bytes or KiB, in which the result is.
func parseSize(r *Row, s string) (int, bool) {
	one := map[string]int64{"bytes": 1, "KiB": 1024}[r.Unit]
	i := len(s) - len(strings.TrimLeft(s, "-0123456789"))
	n, err := strconv.ParseInt(s[:i], 10, 32)
	if one == 0 || err != nil {
		return 0, false
	}
	unit := strings.TrimSuffix(strings.ToUpper(strings.TrimLeft(s[i:], space)), "B")
	if len(unit) == 2 {
		unit = strings.TrimSuffix(unit, "I")
	}
	scale, ok := map[string]int64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]
	return int(n * scale / one), ok
}

// strtol returns the value of all of s, cut to 64 bits.
func strtol(s string) (int64, error) {
	sign, digits := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, digits = s[:1], s[1:]
	}
	base := 10
	switch {
	case len(digits) > 2 && hasPrefixFold(digits, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	if digits == "" || digits[0] == '-' || digits[0] == '+' {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseInt(sign+digits, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil // n is the nearest
	}
	return n, err
}

// parseDuration reads a value of an option of that kind; see ParseDuration.
func parseDuration(r *Row, s string) (time.Duration, error) {
	d, err := ParseDuration(s, r.Unit)
	if err != nil {
		return 0, fmt.Errorf("unparsable duration '%s' for %s", s, r.Name)
	}
	return d, nil
}

// unit returns what a letter stands for in a duration. (It is no map: an
// option whose parser used a variable would be declared later than others,
// and the table would not be in order.)
func unit(letter byte) (d time.Duration, known bool) {
	switch letter {
	case 'd':
		return 24 * time.Hour, true
	case 'h':
		return time.Hour, true
	case 'm':
		return time.Minute, true
	case 's':
		return time.Second, true
	}
	return 0, false
}

// longest is the limit of a duration, in Cyrus 31 bits of seconds.
const longest = math.MaxInt32 * time.Second

// ParseDuration reads an optional minus and then numbers each with a unit,
// d h m s, which are added. A number at the end without a unit has
// defaultUnit, "" being "s". The empty string is zero. A sum of more than 68 years,
// which overflows in Cyrus, is cut to that.
func ParseDuration(s, defaultUnit string) (time.Duration, error) {
	if defaultUnit == "" {
		defaultUnit = "s"
	}
	rest, negative := strings.CutPrefix(s, "-")
	if rest != "" && isDigit(rest[len(rest)-1]) {
		rest += defaultUnit
	}
	var sum time.Duration
	for rest != "" {
		i := 0
		for i < len(rest) && isDigit(rest[i]) {
			i++
		}
		if i == len(rest) || i == 0 {
			return 0, fmt.Errorf("no digit before '%c'", rest[0])
		}
		scale, known := unit(rest[i])
		if !known {
			return 0, fmt.Errorf("bad unit '%c'", rest[i])
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		if err != nil || time.Duration(n) > (longest-sum)/scale {
			sum = longest
		} else {
			sum += time.Duration(n) * scale
		}
		rest = rest[i+1:]
	}
	if negative {
		sum = -sum
	}
	return sum, nil
}

// outOfRange reports whether a value that can be parsed was cut.
func outOfRange(r *Row, s string) bool {
	switch r.kind {
	case Duration:
		d, err := ParseDuration(s, r.Unit)
		return err == nil && d.Abs() == longest
	case Int:
		n, err := strtol(s)
		return err == nil && n != int64(int32(n))
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseString takes any value. {configdirectory} has been replaced before.
func parseString(_ *Row, s string) (string, error) { return s, nil }

// parseEnum takes one of the names in r.Values, or a word for "on" or
// "off".
func parseEnum(r *Row, s string) (string, error) {
	switch s {
	case "yes", "1", "t", "true":
		s = "on"
	case "no", "0", "f", "false":
		s = "off"
	}
	return parseList(r, s)
}

// parseList takes one of the names in r.Values, or nothing if that is the
// default.
func parseList(r *Row, s string) (string, error) {
	if slices.Contains(r.Values, s) || s == "" && r.Default == "" {
		return s, nil
	}
	return "", fmt.Errorf("invalid value '%s' for %s", s, r.Name)
}

// parseBits takes any number of the names in r.Values, separated by white
// space. An alias counts as the name it stands for.
func parseBits(r *Row, s string) (Bits, error) {
	b := Bits{names: r.bitNames()}
	for _, word := range strings.Fields(s) {
		i, _ := r.bit(word)
		if i < 0 {
			return Bits{}, fmt.Errorf("invalid value '%s' for %s", word, r.Name)
		}
		b.set |= 1 << i
	}
	return b, nil
}

// bitNames returns r.Values without the aliases.
func (r *Row) bitNames() []string {
	names := make([]string, len(r.Values))
	for i, v := range r.Values {
		names[i], _, _ = strings.Cut(v, "=")
	}
	return names
}

// bit returns the position of a name or alias, or -1, and whether it is a
// deprecated alias.
func (r *Row) bit(word string) (i int, deprecated bool) {
	for i, v := range r.Values {
		for j, name := range strings.Split(v, "=") {
			if name == word {
				return i, j > 0
			}
		}
	}
	return -1, false
}

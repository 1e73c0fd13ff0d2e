package message

import (
	"strings"
	"time"
)

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

// ParseDate reads the date of a Date field (RFC 5322 section 3.3), or one of
// APPEND (RFC 3501 section 9, date-time), as leniently as Cyrus does; ok is
// false for what it cannot use, and for times before 1970. Days, hours and minutes beyond their range go over to the next
// month, day and hour. The result is in UTC.
//
// Source: time_from_rfc5322 in Cyrus lib/times.c.
func ParseDate(s string) (t time.Time, ok bool) {
	p := dateParser{s: s}
	d, ok := p.date()
	if !ok {
		return t, false
	}
	hour, minute, second, ok := p.clock()
	if !ok {
		return t, false
	}
	t = time.Date(d.year, d.month, d.day, hour, minute, second, 0, time.UTC)
	if t.Unix() < 0 {
		return t, false
	}
	return t.Add(-p.zone()), true
}

// parseDay reads the day that a Date field names as midnight in loc; its
// time and zone do not matter. A day that the month does not have goes over
// to the next month.
func parseDay(s string, loc *time.Location) (t time.Time, ok bool) {
	p := dateParser{s: s}
	d, ok := p.date()
	if !ok {
		return t, false
	}
	t = time.Date(d.year, d.month, d.day, 0, 0, 0, 0, loc)
	return t, t.Unix() >= 0
}

type day struct {
	year  int
	month time.Month
	day   int
}

type dateParser struct {
	s string
	i int
}

// cur is the character at the place, 0 at the end.
func (p *dateParser) cur() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *dateParser) space() {
	for c := p.cur(); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = p.cur() {
		p.i++
	}
}

// step goes over one separator, whatever it is, and blanks behind it.
func (p *dateParser) step() {
	if p.i < len(p.s) {
		p.i++
	}
	p.space()
}

// token reads letters and digits.
func (p *dateParser) token() string {
	start := p.i
	for isAlnum(p.cur()) {
		p.i++
	}
	return p.s[start:p.i]
}

// number reads a token of one or two digits.
func (p *dateParser) number() (n int, ok bool) {
	t := p.token()
	if len(t) < 1 || len(t) > 2 {
		return 0, false
	}
	return decimal(t)
}

// decimal is the value of s, which holds digits only.
func decimal(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > 1<<24 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func (p *dateParser) date() (d day, ok bool) {
	p.space()
	if c := p.cur(); isAlnum(c) && c > '9' {
		if len(p.token()) != 3 || p.cur() != ',' {
			return d, false
		}
		p.i++
		p.space()
	}
	if d.day, ok = p.number(); !ok {
		return d, false
	}
	p.step()
	if d.month, ok = monthOf(p.token()); !ok {
		return d, false
	}
	p.step()
	t := p.token()
	if d.year, ok = decimal(t); !ok {
		return d, false
	}
	switch {
	case len(t) == 2 && d.year < 70:
		d.year += 2000
	case len(t) == 2:
		d.year += 1900
	case d.year < 1900:
		return d, false
	}
	return d, true
}

// monthOf reads the English abbreviation of a month in any case.
func monthOf(s string) (time.Month, bool) {
	if len(s) != 3 {
		return 0, false
	}
	for m := range 12 {
		if strings.EqualFold(s, monthNames[3*m:3*m+3]) {
			return time.Month(m + 1), true
		}
	}
	return 0, false
}

// clock reads the time of day.
func (p *dateParser) clock() (hour, minute, second int, ok bool) {
	p.space()
	if hour, ok = p.number(); !ok || !p.colon() {
		return 0, 0, 0, false
	}
	if minute, ok = p.number(); !ok {
		return 0, 0, 0, false
	}
	if p.colon() {
		if second, ok = p.number(); !ok {
			return 0, 0, 0, false
		}
	}
	return hour, minute, second, true
}

func (p *dateParser) colon() bool {
	if c := p.cur(); c != ':' && c != '.' {
		return false
	}
	p.i++
	return true
}

// zone reads the zone; what is no zone is UTC.
func (p *dateParser) zone() time.Duration {
	p.space()
	sign := p.cur()
	if sign == '+' || sign == '-' {
		p.i++
	}
	return zoneOffset(p.token(), sign)
}

// zoneOffset is how far a zone is east of Greenwich.
func zoneOffset(name string, sign byte) time.Duration {
	up := strings.ToUpper(name)
	switch len(name) {
	case 1:
		return militaryZone(name[0], up[0])
	case 3:
		if up[2] != 'T' {
			return 0
		}
		i := strings.IndexByte("BHYPMCEA", up[0]) // from -11 on
		if i < 0 {
			return 0
		}
		off := time.Duration(i-11) * time.Hour
		switch up[1] {
		case 'D':
			return off + time.Hour
		case 'S':
			return off
		}
	case 4:
		n, ok := decimal(name)
		if !ok {
			return 0
		}
		off := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
		if sign == '+' {
			return off
		}
		return -off
	}
	return 0
}

// militaryZone is the zone of one letter c (RFC 5322 section 4.3); lower case
// letters are counted on from 'A', as in Cyrus.
func militaryZone(c, up byte) time.Duration {
	n := 0
	switch {
	case up < 'J': // digits too, as in Cyrus
		n = int(c) - 'A' + 1
	case up == 'J':
	case up <= 'M':
		n = int(c) - 'A'
	case up < 'Z':
		n = 'M' - int(c)
	}
	return time.Duration(n) * time.Hour
}

// FormatDate is t in the form of RFC 5322 with t's zone, as Cyrus writes it.
func FormatDate(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 -0700") }

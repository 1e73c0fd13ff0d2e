package message

import (
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
)

const (
	monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// ParseDate reads the date of a Date field (RFC 5322 section 3.3) as
// leniently as Cyrus does; ok is false for what it cannot use, and for times
// before 1970. Days, hours and minutes beyond their range go over to the next
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

func daysIn(year int, m time.Month) int { return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

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

// FormatInternalDate is the INTERNALDATE form of t (RFC 3501 date-time,
// without the quotes), in t's zone.
func FormatInternalDate(t time.Time) string { return t.Format("_2-Jan-2006 15:04:05 -0700") }

// ParseInternalDate reads a date-time of RFC 3501 (without the quotes), and
// the older form with two digits of the year and a named zone. The error is
// of kind errs.BadArgument. The result has the zone that was given.
//
// Source: time_from_rfc3501 in Cyrus lib/times.c.
func ParseInternalDate(s string) (time.Time, error) {
	bad := errs.New(errs.BadArgument, "message.ParseInternalDate", "", nil)
	p := dateParser{s: s}
	if p.cur() == ' ' {
		p.i++
	}
	d, old, ok := p.internalDay()
	if !ok || p.cur() != ' ' {
		return time.Time{}, bad
	}
	p.i++
	rest := p.s[p.i:]
	if len(rest) < 10 || rest[2] != ':' || rest[5] != ':' || rest[8] != ' ' {
		return time.Time{}, bad
	}
	hour, ok1 := decimal(rest[:2])
	minute, ok2 := decimal(rest[3:5])
	second, ok3 := decimal(rest[6:8])
	zone, ok4 := internalZone(rest[9:], old)
	if !ok1 || !ok2 || !ok3 || !ok4 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, bad
	}
	loc := time.FixedZone("", int(zone/time.Second))
	return time.Date(d.year, d.month, d.day, hour, minute, second, 0, loc), nil
}

// internalDay reads dd-Mmm-yyyy, or old dd-Mmm-yy.
func (p *dateParser) internalDay() (d day, old, ok bool) {
	f := strings.SplitN(p.s[p.i:], "-", 3)
	if len(f) != 3 || len(f[0]) < 1 || len(f[0]) > 2 {
		return d, false, false
	}
	if d.day, ok = decimal(f[0]); !ok {
		return d, false, false
	}
	if d.month, ok = monthOf(f[1]); !ok {
		return d, false, false
	}
	p.i += len(f[0]) + len(f[1]) + 2
	y := p.token()
	d.year, ok = decimal(y)
	switch {
	case !ok || len(y) != 2 && len(y) != 4 || len(y) == 4 && d.year < 1900:
		return d, false, false
	case len(y) == 2:
		old = true
		d.year += 1900
	}
	return d, old, d.day >= 1 && d.day <= daysIn(d.year, d.month)
}

// internalZone reads +hhmm, or for old forms a zone's name.
func internalZone(s string, old bool) (off time.Duration, ok bool) {
	if !old {
		if len(s) != 5 || s[0] != '+' && s[0] != '-' {
			return 0, false
		}
		_, ok = decimal(s[1:])
		return zoneOffset(s[1:], s[0]), ok
	}
	up := strings.ToUpper(s)
	switch len(up) {
	case 1:
		ok = 'A' <= up[0] && up[0] <= 'Z' && up[0] != 'J'
	case 2:
		ok = up == "UT"
	case 3:
		ok = up[2] == 'T' && strings.IndexByte("AECMPYHB", up[0]) >= 0 && (up[1] == 'S' || up[1] == 'D')
	}
	return zoneOffset(up, 0), ok
}

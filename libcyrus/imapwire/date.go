package imapwire

import (
	"strconv"
	"time"
)

// months has the names of the months as they are printed.
var months = [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// cursor reads a date from left to right; ok turns false at the first thing
// that does not fit.
type cursor struct {
	s  string
	ok bool
}

// digits reads between lo and hi digits.
func (c *cursor) digits(lo, hi int) int {
	n, v := 0, 0
	for n < hi && n < len(c.s) && '0' <= c.s[n] && c.s[n] <= '9' {
		v = v*10 + int(c.s[n]-'0')
		n++
	}
	if n < lo {
		c.ok = false
	}
	c.s = c.s[n:]
	return v
}

func (c *cursor) accept(b byte) bool {
	if c.s != "" && c.s[0] == b {
		c.s = c.s[1:]
		return true
	}
	return false
}

func (c *cursor) expect(b byte) {
	if !c.accept(b) {
		c.ok = false
	}
}

// month reads the name of a month, in any case.
func (c *cursor) month() time.Month {
	if len(c.s) >= 3 {
		for i, m := range months {
			if equalFold(c.s[:3], upper3(m)) {
				c.s = c.s[3:]
				return time.Month(i + 1)
			}
		}
	}
	c.ok = false
	return 0
}

func upper3(m string) string {
	return string([]byte{m[0], m[1] &^ 0x20, m[2] &^ 0x20})
}

// year reads four digits, or two for a year after 1900.
func (c *cursor) year() int {
	n := len(c.s)
	y := c.digits(2, 4)
	switch n - len(c.s) {
	case 2:
		y += 1900
	case 3:
		c.ok = false
	}
	return y
}

// ParseDate reads "1-Feb-1994" (RFC 3501 section 9, date-text). It returns
// the first moment of that day and of the next in zone loc. A day that the
// month does not have counts on into the next, as in Cyrus.
func ParseDate(s string, loc *time.Location) (start, end time.Time, ok bool) {
	c := cursor{s, true}
	day := c.digits(1, 2)
	c.expect('-')
	month := c.month()
	c.expect('-')
	year := c.year()
	if !c.ok || c.s != "" {
		return start, end, false
	}
	return time.Date(year, month, day, 0, 0, 0, 0, loc), time.Date(year, month, day+1, 0, 0, 0, 0, loc), true
}

// AppendDateTime prints t in its zone, in quotes: `"23-Nov-2026 15:55:49
// +0000"`. A day below ten has a leading blank.
func AppendDateTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(b, '"')
	if day < 10 {
		b = append(b, ' ')
	} else {
		b = append(b, byte('0'+day/10))
	}
	b = append(b, byte('0'+day%10), '-')
	b = append(b, months[month-1]...)
	b = append(b, '-')
	b = appendPadded(b, year, 4)
	b = append(b, ' ')
	b = append(appendPadded(b, hour, 2), ':')
	b = append(appendPadded(b, minute, 2), ':')
	b = append(appendPadded(b, second, 2), ' ')
	_, offset := t.Zone()
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	b = append(b, sign)
	b = appendPadded(b, offset/3600*100+offset%3600/60, 4)
	return append(b, '"')
}

// appendPadded prints n with at least width digits.
func appendPadded(b []byte, n, width int) []byte {
	var d [20]byte
	s := strconv.AppendInt(d[:0], int64(n), 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

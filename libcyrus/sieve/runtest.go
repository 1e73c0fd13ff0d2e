package sieve

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/message"
)

// test runs one test, with those in it only as far as they matter.
func (r *run) test(t *test) (ok bool, err error) {
	switch t.op {
	case testNot:
		ok, err = r.test(t.tests[0])
		return !ok, err
	case testAnyof, testAllof:
		for _, x := range t.tests {
			if ok, err = r.test(x); err != nil || ok == (t.op == testAnyof) {
				return ok, err
			}
		}
		return t.op == testAllof, nil
	}
	if r.ctx.Err() != nil {
		return false, fmt.Errorf("Script took too long: %w", r.ctx.Err())
	}
	ok, err = r.simpleTest(t)
	if err == nil {
		r.trace("%s: %v", testText(t), ok)
	}
	return ok, err
}

func (r *run) simpleTest(t *test) (bool, error) {
	switch t.op {
	case testFalse, testTrue:
		return t.op == testTrue, nil
	case testExists:
		return r.every(t.names, func(name string) bool { return r.fields.all(name) != nil })
	case testSize:
		if t.over {
			return r.msg.Size > int64(t.number), nil
		}
		return r.msg.Size < int64(t.number), nil
	case testAddress, testAddressOld, testEnvelope:
		if t.op == testEnvelope && r.env.NoEnvelope {
			return false, errEnvelope
		}
		return r.addressTest(t)
	case testHeader, testHeaderOld:
		return r.headerTest(t)
	case testString, testHasflag:
		return r.stringTest(t)
	case testBody:
		return r.bodyTest(t)
	case testDate, testCurrentdate, testDateOld, testCurrentdateOld:
		return r.dateTest(t)
	case testIhave:
		return !slices.ContainsFunc(t.names, func(n string) bool { return r.env.Options.active(n) == 0 }), nil
	case testMailboxExists:
		return r.some(t.keys, r.host.MailboxExists)
	case testMailboxIDExists:
		return r.some(t.keys, r.host.MailboxIDExists)
	case testMetadata, testServerMetadata, testEnvironment, testNotifyCapability:
		return r.itemTest(t)
	case testMetadataExists, testServerMetadataExists:
		return r.metadataExists(t)
	case testValidExtlist:
		return r.every(t.names, r.host.ValidList)
	case testValidNotify:
		return r.every(t.names, r.validMethod)
	case testDuplicate:
		return r.duplicate(t)
	case testSpecialUseExists:
		if t.name != nil && !r.host.MailboxExists(*t.name) {
			return false, nil
		}
		var uses []string
		for _, u := range t.keys {
			uses = addFlag(uses, u)
		}
		return r.host.SpecialUseExists(t.name, uses), nil
	case testJMAPQuery:
		q, err := r.expand(t.item)
		return err == nil && r.host.JMAPQuery(q), err
	}
	return false, errTest
}

// every and some expand each string and ask about it.
func (r *run) every(list []string, ask func(string) bool) (bool, error) {
	ok, err := r.some(list, func(s string) bool { return !ask(s) })
	return !ok && err == nil, err
}

func (r *run) some(list []string, ask func(string) bool) (bool, error) {
	for _, s := range list {
		s, err := r.expand(s)
		if err != nil || ask(s) {
			return err == nil, err
		}
	}
	return false, nil
}

// validMethod knows mailto: only. Without variables the whole string must be
// that, as in Cyrus.
func (r *run) validMethod(s string) bool {
	if r.current.requires&requiresVariables != 0 {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			s = s[:i+1]
		}
	}
	return equalFold(s, "mailto:")
}

// anyKey reports whether value fits one of the keys. With set, the match
// variables become what the last comparison says.
func (r *run) anyKey(match matcher, value string, keys []string, set bool) (bool, error) {
	for _, k := range keys {
		k, err := r.expand(k)
		if err != nil {
			return false, err
		}
		ok, err := r.compare(match, value, k, set)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (r *run) compare(match matcher, value, key string, set bool) (bool, error) {
	if r.ctx.Err() != nil {
		return false, fmt.Errorf("Script took too long: %w", r.ctx.Err())
	}
	ok, vars, err := match(value, key)
	if err != nil {
		return false, errTest
	}
	if set && (vars != nil || !ok) {
		r.vars.match = vars
	}
	return ok, nil
}

// keyTest is what all tests with keys share: values are found, and each is
// compared, or their number.
type keyTest struct {
	r     *run
	t     *test
	match matcher
	set   bool
	count int
}

func (r *run) keyTest(t *test) (*keyTest, error) {
	k := &keyTest{r: r, t: t, match: r.matcherOf(&t.match), set: setsVariables(t.match.kind)}
	if k.match == nil {
		return nil, errTest
	}
	return k, nil
}

// value compares one value, or counts it.
func (k *keyTest) value(v string) (bool, error) {
	if k.t.match.kind == vCount {
		k.count++
		return false, nil
	}
	return k.r.anyKey(k.match, v, k.t.keys, k.set)
}

// end compares the number of values if that is what the test is about.
func (k *keyTest) end(ok bool, err error) (bool, error) {
	if err != nil || k.t.match.kind != vCount {
		return ok, err
	}
	return k.r.anyKey(k.match, strconv.Itoa(k.count), k.t.keys, k.set)
}

// eachValue calls fn for the values of each field or envelope part until it
// returns true. index is as in Cyrus: it goes down by one with each field
// that is there.
func (r *run) eachValue(t *test, fn func(name, value string) (bool, error)) (bool, error) {
	index := t.match.index
	if t.op == testEnvelope {
		index = 0
	}
	for _, name := range t.names {
		name, err := r.expand(name)
		if err != nil {
			return false, err
		}
		values := r.fields.all(name)
		if t.op == testEnvelope {
			v, ok := r.envelope(name)
			if !ok {
				continue
			}
			values = []string{v}
		}
		if values == nil {
			continue
		}
		end := len(values)
		if index != 0 {
			if index > 0 {
				index--
			} else {
				index += end
			}
			if index < 0 || index >= end {
				return false, nil
			}
			end = index + 1
		}
		for _, v := range values[index:end] {
			if ok, err := fn(name, v); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

func (r *run) headerTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	return k.end(r.eachValue(t, func(_, v string) (bool, error) {
		return k.value(message.DecodeHeaderUTF8([]byte(v)))
	}))
}

func (r *run) addressTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	return k.end(r.eachValue(t, func(name, v string) (bool, error) {
		list := message.ParseAddresses([]byte(v))
		if v == "" && t.op == testEnvelope && name == "from" {
			list = []message.Address{{}} // the null return path
		}
		for _, a := range list {
			if ok, err := k.value(addressPart(a, t.part)); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}))
}

// stringTest is string (RFC 5229 section 5) and hasflag (RFC 5232 section 4).
func (r *run) stringTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	var values []string
	if t.op == testHasflag && len(t.names) == 0 {
		values = r.vars.get("")
	}
	for _, n := range t.names {
		if t.op == testHasflag {
			values = append(slices.Clone(values), canonFlags(r.vars.get(n))...)
			continue
		}
		s, err := r.expand(n)
		if err != nil {
			return false, err
		}
		if s != "" || t.match.kind != vCount {
			values = append(values, s)
		}
	}
	if t.match.kind == vCount {
		k.count = len(values)
		return k.end(false, nil)
	}
	for _, v := range values {
		if ok, err := k.value(v); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (r *run) bodyTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	k.set = false // RFC 5173 section 6
	parts, err := r.texts(t.names)
	if err != nil {
		return false, errTest
	}
	for _, p := range parts {
		if ok, err := k.value(p); ok || err != nil {
			return ok, err
		}
	}
	return k.end(false, nil)
}

// itemTest compares one value that the host has.
func (r *run) itemTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	k.set = k.set && t.op == testEnvironment && r.env.ItemVariables
	e := &expander{r: r}
	name, item := e.optional(t.name), e.text(t.item)
	if e.err != nil {
		return false, e.err
	}
	var value string
	ok := false
	switch {
	case t.op == testEnvironment:
		value, ok = r.host.Environment(item)
	case t.op != testNotifyCapability:
		value, ok = r.host.Metadata(name, item)
	case equalFold(item, "online"):
		value, ok = "maybe", true
	case equalFold(item, "fcc"):
		value, ok = "no", true
	}
	if !ok {
		return false, nil
	}
	return r.anyKey(k.match, value, t.keys, k.set)
}

func (r *run) metadataExists(t *test) (bool, error) {
	e := &expander{r: r}
	name := e.optional(t.name)
	if e.err != nil {
		return false, e.err
	}
	return r.every(t.keys, func(entry string) bool {
		_, ok := r.host.Metadata(name, entry)
		return ok
	})
}

// duplicate is the test of RFC 7352 section 3.
func (r *run) duplicate(t *test) (bool, error) {
	if t.number == 0 {
		return false, nil
	}
	id := t.item
	if t.part == vHeaderID {
		v := r.fields.all(id)
		if len(v) == 0 {
			return false, nil
		}
		id = v[0]
	} else {
		var err error
		if id, err = r.expand(id); err != nil {
			return false, err
		}
	}
	id = t.handle + ":" + id
	known := r.host.Duplicate(id)
	if !known || t.last != 0 {
		r.res.Tracked = append(r.res.Tracked, Tracked{id, t.number})
	}
	return known, nil
}

// dateTest is date and currentdate (RFC 5260 section 4).
func (r *run) dateTest(t *test) (bool, error) {
	k, err := r.keyTest(t)
	if err != nil {
		return false, err
	}
	when, zone, err := r.dateOf(t)
	if err != nil {
		if errors.Is(err, errNoDate) {
			err = nil
		}
		return false, err
	}
	if t.match.kind == vCount {
		return false, nil
	}
	return r.anyKey(k.match, datePart(t.part, when.Add(time.Duration(zone)*time.Minute).UTC(), zone), t.keys, k.set)
}

// errNoDate tells that there is no date to look at.
var errNoDate = errors.New("no date")

// dateOf is the date a test looks at, and the minutes of its zone east of
// UTC.
func (r *run) dateOf(t *test) (when time.Time, zone int, err error) {
	switch {
	case t.zone != vTimezone:
	case t.offset == nil:
		_, s := time.Now().Local().Zone()
		zone = s / 60
	default:
		text, err := r.expand(*t.offset)
		if err != nil {
			return when, 0, err
		}
		ok := false
		if zone, ok = parseZone(text); !ok {
			return when, 0, errNoDate
		}
	}
	if t.op == testCurrentdate || t.op == testCurrentdateOld {
		return r.env.Now, zone, nil
	}
	name := ""
	if t.name != nil {
		if name, err = r.expand(*t.name); err != nil {
			return when, 0, err
		}
	}
	values := r.fields.all(name)
	i := t.match.index
	if i > 0 {
		i--
	} else if i < 0 {
		i += len(values)
	}
	if i < 0 || i >= len(values) {
		return when, 0, errNoDate
	}
	value := values[i]
	when, ok := message.ParseDate(value[strings.LastIndexByte(value, ';')+1:])
	if ok && t.zone == vOriginalzone {
		zone, ok = parseZone(value[strings.LastIndexByte(value, ' ')+1:])
	}
	if !ok {
		return when, 0, errNoDate
	}
	return when, zone, nil
}

// parseZone reads a zone as Cyrus's sscanf does: any octet, then two and one
// or two digits; more may follow.
func parseZone(s string) (minutes int, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	h, err1 := strconv.Atoi(strings.TrimLeft(s[1:3], " "))
	n := 4
	if len(s) > 4 && isDigit(s[4]) {
		n = 5
	}
	m, err2 := strconv.Atoi(s[3:n])
	if err1 != nil || err2 != nil {
		return 0, false
	}
	if s[0] == '-' {
		return -(h*60 + m), true
	}
	return h*60 + m, true
}

// datePart is one part of a time, which is given in its zone.
func datePart(part int, t time.Time, zone int) string {
	layouts := map[int]string{vYear: "2006", vMonth: "01", vDay: "02", vDate: "2006-01-02", vHour: "15", vMinute: "04",
		vSecond: "05", vTime: "15:04:05", vISO8601: "2006-01-02T15:04:05Z"}
	switch part {
	case vJulian:
		// Cyrus has the Julian day, not the modified one of RFC 5260.
		return strconv.Itoa(int(t.Unix()/daySeconds) + 2440588)
	case vStd11:
		return message.FormatDate(t.Local())
	case vZone:
		return fmt.Sprintf("%c%02d%02d", map[bool]byte{true: '+', false: '-'}[zone >= 0], abs(zone)/60, abs(zone)%60)
	case vWeekday:
		return strconv.Itoa(int(t.Weekday()))
	}
	return t.Format(layouts[part])
}

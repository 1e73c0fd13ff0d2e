package mailbox

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// nameFlags gives names to user flags that messages have and whose names were
// lost with cyrus.header. The sync CRC of the index tells whether
// names are right, so that those of other mailboxes can be tried. What
// cannot be found gets a name of its own, and so stays together.
func (rc *reconstruction) nameFlags(old []salvaged) {
	m := rc.m
	var used UserFlags
	for i := range old {
		used = used.Or(old[i].User)
	}
	var slots []int
	used.Each(func(n int) {
		if n >= len(m.head.flags) || m.head.flags[n] == "" {
			slots = append(slots, n)
		}
	})
	if len(slots) == 0 {
		return
	}
	for len(m.head.flags) <= slots[len(slots)-1] {
		m.head.flags = append(m.head.flags, "")
	}
	names := rc.provenNames(old, slots)
	if names == nil {
		for _, n := range slots {
			names = append(names, fmt.Sprintf("$Lost%d", n))
		}
	}
	for i, n := range slots {
		m.head.flags[n] = names[i]
		rc.say("%s: name of flag %d was lost, now %s", m.ref.Name, n, names[i])
	}
	m.crcs = newFlagCRCs(m.head.flags)
}

// maxTries bounds the search for names: a second's work.
const maxTries = 2_000_000

// provenNames finds the names of flags with which the sync CRC is right; nil
// if there are none, or too many to try.
func (rc *reconstruction) provenNames(old []salvaged, slots []int) []string {
	m := rc.m
	if rc.newIndex || rc.o.Keywords == nil || !m.hdr.layout().hasExists {
		return nil
	}
	var known []string
	for _, k := range rc.o.Keywords() {
		same := func(other string) bool { return strings.EqualFold(k, other) }
		if k != "" && !slices.ContainsFunc(known, same) && !slices.ContainsFunc(m.head.flags, same) {
			known = append(known, k)
		}
	}
	search := nameSearch{crcs: *m.crcs, slots: slots, known: known, want: m.hdr.SyncCRC}
	for i := range old {
		r := &old[i].Record
		if !r.Live() {
			continue
		}
		if slices.ContainsFunc(slots, r.User.Has) {
			search.records = append(search.records, r)
		} else {
			search.want ^= m.crcs.basic(r)
		}
	}
	tries := max(1, len(search.records))
	for i := range slots {
		tries *= max(0, len(known)-i)
		if tries > maxTries || tries == 0 {
			return nil
		}
	}
	if search.from(0) {
		return search.names
	}
	return nil
}

// nameSearch tries names for flags.
type nameSearch struct {
	crcs    flagCRCs
	slots   []int
	known   []string
	records []*Record // with one of the flags
	want    uint32    // the XOR of their CRCs
	names   []string  // of the first slots
}

// from tries all names for slots[i] and those behind it.
func (s *nameSearch) from(i int) bool {
	if i == len(s.slots) {
		var sum uint32
		for _, r := range s.records {
			sum ^= s.crcs.basic(r)
		}
		return sum == s.want
	}
	for _, k := range s.known {
		if slices.Contains(s.names, k) {
			continue
		}
		s.names = append(s.names, k)
		s.crcs.user[s.slots[i]] = crc32.ChecksumIEEE([]byte(strings.ToLower(k)))
		if s.from(i + 1) {
			return true
		}
		s.names = s.names[:i]
	}
	return false
}

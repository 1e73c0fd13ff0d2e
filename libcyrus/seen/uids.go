package seen

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// UIDs is a set of UIDs: ascending ranges that neither overlap nor touch.
// nil is empty.
type UIDs []Range

// Range is the UIDs from First to Last, both in it.
type Range struct{ First, Last uint32 }

var errSet = errors.New("bad set of UIDs")

// ParseUIDs reads the form of RFC 3501 without '*', such as "1:3,7". Order
// and overlaps do not matter; 0 is not a UID.
func ParseUIDs(s string) (UIDs, error) {
	if s == "" {
		return nil, nil
	}
	var u UIDs
	for part := range strings.SplitSeq(s, ",") {
		a, b, isRange := strings.Cut(part, ":")
		first, err := strconv.ParseUint(a, 10, 32)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(b, 10, 32)
		}
		if err != nil || first == 0 || last == 0 {
			return nil, errSet
		}
		u = append(u, Range{uint32(min(first, last)), uint32(max(first, last))})
	}
	return u.normal(), nil
}

// normal sorts and joins ranges, in place.
func (u UIDs) normal() UIDs {
	slices.SortFunc(u, func(a, b Range) int { return int(int64(a.First) - int64(b.First)) })
	out := u[:0]
	for _, r := range u {
		if n := len(out); n > 0 && uint64(r.First) <= uint64(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// String is the form that ParseUIDs reads.
func (u UIDs) String() string {
	var b []byte
	for i, r := range u {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.First), 10)
		if r.Last != r.First {
			b = strconv.AppendUint(append(b, ':'), uint64(r.Last), 10)
		}
	}
	return string(b)
}

// Has reports whether uid is in the set.
func (u UIDs) Has(uid uint32) bool {
	i, found := slices.BinarySearchFunc(u, uid, func(r Range, uid uint32) int {
		switch {
		case r.Last < uid:
			return -1
		case r.First > uid:
			return 1
		}
		return 0
	})
	return found && i < len(u)
}

// Add returns the set with the UIDs from first to last. u is not changed.
func (u UIDs) Add(first, last uint32) UIDs {
	if first > last {
		return u
	}
	return append(slices.Clone(u), Range{first, last}).normal()
}

// Remove returns the set without the UIDs from first to last. u is not
// changed.
func (u UIDs) Remove(first, last uint32) UIDs {
	var out UIDs
	for _, r := range u {
		if r.Last < first || r.First > last {
			out = append(out, r)
			continue
		}
		if r.First < first {
			out = append(out, Range{r.First, first - 1})
		}
		if r.Last > last {
			out = append(out, Range{last + 1, r.Last})
		}
	}
	return out
}

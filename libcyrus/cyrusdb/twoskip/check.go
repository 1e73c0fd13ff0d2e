package twoskip

import (
	"bytes"
	"context"
	"fmt"

	"gocyrus/libcyrus/errs"
)

// Consistent checks order, links on all levels and checksums of all live
// records, and the number of records (Cyrus myconsistent). The error is of
// kind errs.BadFormat.
func (d *DB) Consistent(ctx context.Context) error {
	return d.read(ctx, (*view).consistent)
}

func (v *view) consistent() error {
	var r record
	if err := v.head(dummyStart, &r); err != nil {
		return err
	}
	var next [maxLevel]uint64
	for i := range next {
		next[i] = r.pointer(i, v.end)
	}
	var last []byte
	count := uint64(0)
	for next[0] != 0 {
		if err := v.head(next[0], &r); err != nil {
			return err
		}
		if r.typ == typeDelete {
			next[0] = r.next[0]
			continue
		}
		key, _, err := v.tail(&r)
		switch {
		case err != nil:
			return err
		case r.typ != typeRecord, count > 0 && bytes.Compare(last, key) >= 0:
			return badRecord(v.h.path, r.offset, formatError("out of order"))
		}
		for i := range r.level {
			if next[i] != r.offset {
				return badRecord(v.h.path, r.offset, formatError(fmt.Sprintf("broken linkage on level %d", i)))
			}
			next[i] = r.pointer(i, v.end)
		}
		last = append(last[:0], key...)
		count++
	}
	for i, p := range next {
		if p != 0 {
			return badRecord(v.h.path, p, formatError(fmt.Sprintf("broken tail on level %d", i)))
		}
	}
	if count != v.h.header.records {
		return errs.New(errs.BadFormat, "twoskip", v.h.path,
			fmt.Errorf("record count mismatch: %d should be %d", count, v.h.header.records))
	}
	return nil
}

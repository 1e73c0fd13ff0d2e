package mailbox

import (
	"slices"
	"testing"
)

// Records come in any order and more than once.
func TestRewrites(t *testing.T) {
	w := newRewrites()
	defer w.free()
	for i, recno := range []uint32{5, 9, 2, 5, 7, 2} {
		w.add(&Record{Recno: recno}).new.UID = uint32(i)
	}
	var got []uint32
	for _, r := range w {
		got = append(got, r.new.Recno, r.new.UID)
	}
	if want := []uint32{2, 5, 5, 3, 7, 4, 9, 1}; !slices.Equal(got, want) {
		t.Errorf("number and last value of each: %v, want %v", got, want)
	}
	if r := w.get(7); r == nil || r.new.UID != 4 {
		t.Errorf("get(7) = %v", r)
	}
	if r := w.get(8); r != nil {
		t.Errorf("get(8) = %v", r)
	}
}

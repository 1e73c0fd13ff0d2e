package mailbox

import (
	"math/rand/v2"
	"testing"
)

// TestCRCChanges compares the short way to the new sync CRC with the long
// one.
func TestCRCChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	crcs := newFlagCRCs([]string{"one", "", "Three"})
	var x crcChanges
	for range 20000 {
		old := Record{
			UID: rnd.Uint32() >> rnd.IntN(32), Modseq: rnd.Uint64() >> rnd.IntN(64),
			InternalDate: Stamp(rnd.Uint32() >> rnd.IntN(33)), LastUpdated: Stamp(rnd.Uint32() >> rnd.IntN(33)),
			Flags: Flags(rnd.IntN(32)), User: UserFlags{uint32(rnd.IntN(8))},
		}
		for i := range old.GUID {
			old.GUID[i] = byte(rnd.Int())
		}
		changed := old
		changed.Modseq += uint64(rnd.IntN(1000))
		changed.Flags = Flags(rnd.IntN(32))
		changed.User[0] ^= uint32(rnd.IntN(8))
		changed.LastUpdated += Stamp(rnd.IntN(2))
		if rnd.IntN(100) == 0 {
			crcs = newFlagCRCs([]string{"one", "two", "three"})
		}
		want := crcs.basic(&old) ^ crcs.basic(&changed)
		if got := x.change(crcs, &old, &changed); got != want {
			t.Fatalf("got %08x, want %08x for %+v and %+v", got, want, old, changed)
		}
	}
}

func BenchmarkCRCChange(b *testing.B) {
	crcs := newFlagCRCs(nil)
	old := Record{UID: 12345, Modseq: 123456, InternalDate: 1700000000, LastUpdated: 1700000000}
	changed := old
	changed.Flags, changed.Modseq, changed.LastUpdated = Answered, 234567, 1700000100
	var x crcChanges
	for b.Loop() {
		x.change(crcs, &old, &changed)
	}
}

func BenchmarkCRCBasic(b *testing.B) {
	crcs := newFlagCRCs(nil)
	r := Record{UID: 12345, Modseq: 123456, InternalDate: 1700000000, LastUpdated: 1700000000}
	for b.Loop() {
		crcs.basic(&r)
	}
}

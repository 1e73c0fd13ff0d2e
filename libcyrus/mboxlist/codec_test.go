package mboxlist

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

// TestSampleRecords decodes every record of two real lists and encodes it
// again, byte for byte.
func TestSampleRecords(t *testing.T) {
	for _, sample := range []string{data.ByID, data.Legacy} {
		root := data.Unpack(t, sample)
		db, err := cyrusdb.Open(disk.OS(), lock.NewTable(disk.OS(), slog.New(slog.DiscardHandler)), "twoskip", root+"/conf/mailboxes.db", 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) {
			if k[0] == raclKey {
				return true, nil
			}
			n++
			e, err := decode(k, v)
			if err != nil {
				t.Errorf("%q: %v", k, err)
				return true, nil
			}
			again := e.encode()
			if k[0] == idKey {
				again = e.encodeID()
			}
			if !bytes.Equal(again, bytes.TrimRight(v, "\n")) {
				t.Errorf("%q:\n%s\n%s", k, v, again)
			}
			return true, nil
		})
		if err != nil || n < 60 {
			t.Errorf("%d records, %v", n, err)
		}
		db.Close()
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct{ typ, set, clear, want string }{
		{"e", "d", "", "ed"}, {"el", "d", "i", "edl"}, {"", "i", "", "ei"}, {"eil", "", "i", "el"}, {"f", "l", "", "fl"},
	} {
		if got := withFlags(c.typ, c.set, c.clear); got != c.want {
			t.Errorf("%q + %q - %q = %q", c.typ, c.set, c.clear, got)
		}
	}
	for typ, want := range map[string]bool{"e": true, "el": true, "": true, "f": true, "d": true, "ed": false, "eil": false, "ez": false} {
		if e := (&Entry{Type: typ}); e.Exists() != want {
			t.Errorf("%q exists: %v", typ, !want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("Nuser\x1falice"), []byte("%(T e I abc P default V 1 C 1 F 1 M 1 A %(alice lrs))"))
	f.Add([]byte("Iabc"), []byte("%(T e N user\x1falice P default V 1 C 1 F 1 M 1 A %() H (%(N a M 1 V 1 C 1 F 1 T ed)))"))
	f.Fuzz(func(t *testing.T, k, v []byte) {
		e, err := decode(k, v)
		if err != nil {
			return
		}
		again := e.encode()
		if k[0] == idKey {
			again = e.encodeID()
		}
		back, err := decode(k, again)
		if err != nil || back.Type != e.Type || back.UIDValidity != e.UIDValidity || !back.ACL.Equal(e.ACL) || len(back.History) != len(e.History) {
			t.Errorf("%q -> %q: %v", v, again, err)
		}
	})
}

func TestPick(t *testing.T) {
	for _, c := range []struct {
		at   float64
		want int
	}{{0, 0}, {0.24, 0}, {0.26, 1}, {0.99, 2}} {
		if got := pick([]float64{25, 25, 50}, c.at); got != c.want {
			t.Errorf("%v: %d", c.at, got)
		}
	}
	if v := volumeOf("/nonexistent/x"); pick([]float64{0, 3, 0}, 0.999) != 1 || v != volumeOf("/") || v.total == 0 {
		t.Error("pick", v)
	}
}

// TestPartitions chooses among partitions by what is free: a has most octets, b
// the largest part, c is on the volume of b.
func TestPartitions(t *testing.T) {
	t.Parallel()
	volumes := map[string]volume{
		"a": {[2]int32{1}, 400, 1000}, "b": {[2]int32{2}, 60, 100}, "c": {[2]int32{2}, 60, 100}, "full": {[2]int32{3}, 10, 1000},
	}
	layout := &mboxname.Layout{Partitions: map[string]string{"a": "a", "b": "b", "c": "c", "full": "full"}}
	for _, c := range []struct {
		o    PartitionChoice
		want string // for 0, 0.1, … 0.9
	}{
		{PartitionChoice{Mode: "freespace-most"}, "aaaaaaaaaa"},
		{PartitionChoice{Mode: "freespace-percent-most"}, "bbbbbbbbbb"},
		{PartitionChoice{Mode: "freespace-percent-most", Exclude: []string{"b"}}, "cccccccccc"},
		{PartitionChoice{Mode: "freespace-most", SoftLimit: 50}, "bbbbbbbbbb"},
		{PartitionChoice{Mode: "freespace-most", SoftLimit: 10}, "aaaaaaaaaa"}, // all are too full
		{PartitionChoice{Mode: "freespace-percent-weighted"}, "aaabbbbccc"},
		{PartitionChoice{Mode: "freespace-percent-weighted", SoftLimit: 50}, "bbbbbccccc"},
		{PartitionChoice{Mode: "freespace-percent-weighted-delta", Exclude: []string{"full"}}, "abbbbbcccc"},
		{PartitionChoice{Mode: "random"}, "aaabbcccff"},
		{PartitionChoice{Mode: "random", Exclude: []string{"a", "b", "c", "full"}}, ""},
	} {
		p := newPartitions(layout, c.o)
		p.look = func(dir string) volume { return volumes[dir] }
		got := ""
		for i := range 10 {
			if n := p.choose(float64(i) / 10); n != "" {
				got += n[:1]
			}
		}
		if got != c.want {
			t.Errorf("%+v: %s, not %s", c.o, got, c.want)
		}
	}
	looks := 0
	p := newPartitions(layout, PartitionChoice{Mode: "freespace-most", Reinit: 3})
	p.look = func(string) volume { looks++; return volume{} } // nothing is known
	got := ""
	for range 7 {
		got += p.choose(0.5)
	}
	if looks != 3 || got != "ccccccc" {
		t.Errorf("looked %d times, chose %s", looks, got)
	}
}

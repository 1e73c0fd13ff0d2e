package cyrusdb

import (
	"testing"

	"gocyrus/libcyrus/disk"
)

func TestLook(t *testing.T) {
	m := marker{dir: "/var/lib/cyrus/db.pebble", site: "0123456789abcdef", epoch: 7}
	for name, c := range map[string]struct {
		text string
		want found
	}{
		"marker":     {string(m.encode()), isMarker},
		"empty":      {"", nothing},
		"twoskip":    {"\xa1\x02\x8b\x0dtwoskip file\x00\x00\x00\x00rest", isCyrus},
		"flat":       {"fred\t2\n", isCyrus},
		"later kind": {"gocyrus marker 2\nsite x\n", isCyrus},
		"no site":    {"gocyrus marker 1\nepoch 1\n", isCyrus},
		"bad epoch":  {"gocyrus marker 1\nsite x\nepoch many\n", isCyrus},
	} {
		fsys := disk.NewMem()
		fsys.WriteFile("/conf/x.db", []byte(c.text))
		is, got, err := look(fsys, "/conf/x.db")
		if err != nil || is != c.want || is == isMarker && got != m {
			t.Errorf("%s: %d, %+v, %v", name, is, got, err)
		}
		if is, _, err := look(fsys, "/conf/none.db"); is != nothing || err != nil {
			t.Errorf("no file: %d, %v", is, err)
		}
	}
}

func FuzzMarker(f *testing.F) {
	f.Add(marker{"/x", "y", 3}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		var m marker
		if m.decode(b) && m.site == "" {
			t.Error("a marker without a site")
		}
	})
}

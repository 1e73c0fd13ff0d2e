package sieve

import (
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

// TestOptionsFrom: what imapd.conf says of scripts.
func TestOptionsFrom(t *testing.T) {
	for _, c := range []struct {
		lines    string
		any      bool
		min, max time.Duration
		books    bool
		levels   int // boundary_limit, negative: none
	}{
		{"", false, 3 * 24 * time.Hour, 90 * 24 * time.Hour, false, 1000},
		{"boundary_limit: 0\nrfc3028_strict: no\nsieve_vacation_min_response: 60\nsieve_vacation_max_response: 2d\nhttpmodules: carddav\n", true, time.Minute, 48 * time.Hour, true, -1},
	} {
		conf, err := config.Parse("imapd.conf", "configdirectory: /x\n"+c.lines, "lmtp")
		if err != nil {
			t.Fatal(err)
		}
		if o := OptionsFrom(conf); o.AnyHeader != c.any || o.VacationMin != c.min || o.VacationMax != c.max || o.AddressBooks != c.books || o.Message.BoundaryLimit != c.levels {
			t.Errorf("%q: %+v", c.lines, o)
		}
	}
}

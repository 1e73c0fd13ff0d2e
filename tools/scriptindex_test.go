package main

import (
	"log/slog"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
	"gocyrus/test/data"

	"github.com/google/go-cmp/cmp"
)

// TestScriptsOf compares with the rows that Cyrus has written for the same
// messages.
func TestScriptsOf(t *testing.T) {
	conf, root := sampleConf(t, data.ByID, shared)
	c, err := config.Load(conf, "handback")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := &program{log: slog.New(slog.DiscardHandler)}
	var got []*scriptIndex
	err = s.List.Scan(t.Context(), "", func(e *mboxlist.Entry) (bool, error) {
		if e.Kind() != mboxlist.Sieve || !e.Exists() {
			return true, nil
		}
		x, err := p.scriptsOf(t.Context(), s, e, e.Name.Owner())
		got = append(got, x)
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	const made = 1795435622
	user := root + "/conf/user/uuid/"
	want := []*scriptIndex{
		{user + "9/7/97v3vdf2pl2vwd9g0yyim5wh/dav.db", "plwpndsud6l3vkja58vmn112", []indexScript{
			{1, "a0gvcmzpu9i1v2cvl30ty2xz", "main", "b2132ee640a2cf38cbc47ad93ca2015d8efa206b", true, made, made, 4, 2},
			{2, "ochpor6k2ymhohrmymoqh9tx", "other.script", "b2dd3f554458b386d6bff783949208105c5fab1c", false, made, made, 3, 3},
		}},
		{user + "o/m/omh7hek6a04oirtv85f0ynjq/dav.db", "j3ot4ghsijnm0c3mzqakooll", []indexScript{
			{1, "l1c465ommg4lj61b9orfyb42", "rules", "271f92e564741c88dd4ab1362381453c786d8004", true, made, made, 3, 2},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

package annot

import (
	"context"
	"maps"
	"slices"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

func TestRekey(t *testing.T) {
	ctx := context.Background()
	m := disk.NewMem()
	old := map[string]string{
		"\x00/comment\x00\x00":                             "server",
		"user.a\x00/comment\x00a\x00":                      "his own",
		"user.a\x00/comment\x00\x00":                       "shared",
		"user.a\x00/comment\x00b\x00":                      "of another",
		"user.a\x00/specialuse\x00[.OwNeR.]\x00":           `\Sent`,
		"id-of-b\x00/comment\x00b\x00":                     "by id, not touched",
		"user.gone\x00/comment\x00\x00":                    "lost",
		"no key":                                           "lost",
		"user.b\x00/comment\x00\x00":                       "b",
		"user.b\x00/vendor/cmu/cyrus-imapd/expire\x00\x00": "7",
	}
	err := cyrusdb.WriteFile(ctx, m, "twoskip", "/db", func(fn cyrusdb.ScanFunc) error {
		for _, k := range slices.Sorted(maps.Keys(old)) {
			if _, err := fn([]byte(k), []byte(old[k])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db, _, err := cyrusdb.OpenAny(m, lock.NewTable(m, nil), "/db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := Rekey(ctx, db, func(scope string) (string, string, bool) {
		switch scope {
		case "user.a":
			return "id-of-a", "a", true
		case "user.b", "id-of-b":
			return "id-of-b", "b", true
		}
		return "", "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	r.AddOwners(SpecialUse, map[string]string{"id-of-a": "there is one", "id-of-b": `\Junk`})
	want := map[string]string{
		"\x00/comment\x00\x00":                              "server",
		"id-of-a\x00/comment\x00[.OwNeR.]\x00":              "his own",
		"id-of-a\x00/comment\x00\x00":                       "shared",
		"id-of-a\x00/comment\x00b\x00":                      "of another",
		"id-of-a\x00/specialuse\x00[.OwNeR.]\x00":           `\Sent`,
		"id-of-b\x00/comment\x00b\x00":                      "by id, not touched",
		"id-of-b\x00/comment\x00\x00":                       "b",
		"id-of-b\x00/vendor/cmu/cyrus-imapd/expire\x00\x00": "7",
		"id-of-b\x00/specialuse\x00[.OwNeR.]\x00":           string(Value{Data: []byte(`\Junk`)}.encode()),
	}
	got := map[string]string{}
	for i, x := range r.Records {
		got[string(x.Key)] = string(x.Value)
		if i > 0 && byKey(r.Records[i-1], x.Key) >= 0 {
			t.Errorf("%q is out of order", x.Key)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if r.Changed != 7 || len(r.Lost) != 2 {
		t.Errorf("changed %d, lost %q", r.Changed, r.Lost)
	}
}

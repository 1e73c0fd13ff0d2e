package snapshot

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// manifest is a small one.
func manifest(t testing.TB) []byte {
	t.Helper()
	m := disk.NewMem()
	w, err := createManifest(m, "/", &Head{Format: format, Server: "s", Partitions: []string{"default"}})
	if err == nil {
		err = errors.Join(w.line(&File{Path: "conf/a", Size: 1, SHA1: "aa"}),
			w.mailbox(&Mailbox{Name: "user.a", ID: "ab", Dir: "spool/default/a", Messages: 2, Bytes: 3, Files: []File{{Path: "spool/default/a/cyrus.index"}}}),
			w.finish(time.Unix(9, 0)))
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.ReadFile("/" + ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestManifest(t *testing.T) {
	files, boxes := 0, 0
	count := reading{func(*File) error { files++; return nil }, func(m *Mailbox) error { boxes += m.Messages; return nil }}
	b := manifest(t)
	head, tail, err := parseManifest(bytes.NewReader(b), "m", count)
	if err != nil || files != 1 || boxes != 2 || head.Server != "s" || tail.Mailboxes != 1 || tail.Bytes != 3 {
		t.Errorf("%+v, %+v, %v", head, tail, err)
	}
	for was, is := range map[string]string{
		`"conf/a"`: `"../a"`, `"spool/default/a"`: `"/a"`, `a/cyrus.index"`: `a/../../../../x"`, `["default"]`: `["a/b"]`, `"size":1`: `"size":2`,
	} {
		bad := bytes.Replace(b, []byte(was), []byte(is), 1)
		if _, _, err := parseManifest(bytes.NewReader(bad), "m", reading{}); !errs.Is(err, errs.BadFormat) || bytes.Equal(bad, b) {
			t.Errorf("%s: %v", is, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	b := manifest(f)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"format":1}` + "\n" + `{"end":true}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, tail, err := parseManifest(bytes.NewReader(b), "m", reading{func(*File) error { return nil }, func(*Mailbox) error { return nil }})
		if err == nil && (head == nil || tail == nil || !tail.End) {
			t.Errorf("%+v, %+v", head, tail)
		}
	})
}

func TestKeep(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var all []Snapshot
	for days := 9; days >= 0; days-- {
		at := now.AddDate(0, 0, -days)
		all = append(all, Snapshot{Name: at.Format(nameFormat), Time: at})
	}
	for _, c := range []struct {
		keep Keep
		all  []Snapshot
		gone int
	}{
		{Keep{}, all, 0}, {Keep{Count: 3}, all, 7}, {Keep{Count: 30}, all, 0}, {Keep{Age: 5 * 24 * time.Hour}, all, 4},
		{Keep{Age: time.Hour}, all[:1], 0}, {Keep{Age: time.Minute}, all, 9}, {Keep{Count: 1}, nil, 0},
	} {
		got := c.keep.gone(c.all, now)
		if len(got) != c.gone || len(got) > 0 && got[0].Name != all[0].Name {
			t.Errorf("%+v: %d gone, want %d", c.keep, len(got), c.gone)
		}
	}
	before, after := At(all, now.Add(-36*time.Hour))
	if before == nil || after == nil || before.Name != all[7].Name || after.Name != all[8].Name {
		t.Errorf("%v, %v", before, after)
	}
	if before, _ := At(all, now.AddDate(-1, 0, 0)); before != nil {
		t.Errorf("%v", before)
	}
	if name := newName(all, now.Add(-time.Hour)); name != "20261123T120001Z" {
		t.Errorf("with the clock going back: %s", name)
	}
}

package conversations

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
)

// old is a database as Cyrus before 3.2 wrote it: folders by their names, and
// places of a message in one record.
var old = map[string]string{
	"$FOLDER_NAMES": "(user.alice user.alice.Trash)",
	"Fuser.alice":   "0 (7 1 1 1 1)",
	"B5fa1a54f8d25357e": "0 (7 1 1 1 () ((0 7 1 1 1)) ((w NIL w x 1704103200 1)) hello 99" +
		" ((ce527cae864c3e6c69251e5155c11aec709c3426 1 1707566400)) 3)",
	"Gce527cae864c3e6c69251e5155c11aec709c3426": "0:1",
	"<m1@x>": "0 5fa1a54f8d25357e 1707566400",
}

// copyOfOld is a copy of the message in old.
func copyOfOld(t *testing.T) *Message {
	t.Helper()
	p, err := message.Parse([]byte("From: w <w@x>\r\nSubject: hello\r\nMessage-ID: <m1@x>\r\n\r\ntext\r\n"), message.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache, _, err := message.ParseCache(p.CacheRecord(), message.CacheVersion)
	if err != nil {
		t.Fatal(err)
	}
	var g GUID
	copy(g[:], "\xce\x52\x7c\xae\x86\x4c\x3e\x6c\x69\x25\x1e\x51\x55\xc1\x1a\xec\x70\x9c\x34\x26")
	return &Message{UID: 5, GUID: g, Modseq: 9, CreatedModseq: 9, Size: 99, InternalDate: 1707566400, GMTime: 1704103200,
		Cache: func() (message.Cache, error) { return cache, nil }}
}

// TestByName works on an old database: folders keep their names until a
// recount, which makes it one with unique ids.
func TestByName(t *testing.T) {
	fsys := disk.NewMem()
	ctx := context.Background()
	layout := &mboxname.Layout{ConfigDir: "/conf"}
	s := New(Options{
		FS: fsys, Locks: lock.NewTable(fsys, slog.New(slog.DiscardHandler)), Layout: layout, Kind: "skiplist", Log: slog.New(slog.DiscardHandler),
		Home:   func(context.Context, string) (string, bool, error) { return "", true, nil },
		Limits: Limits{Records: 10, Exists: 10, InFolder: 10},
	})
	begin := func() *Txn {
		t.Helper()
		x, err := s.Begin(ctx, "alice")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	commit := func(x *Txn) {
		t.Helper()
		if err := x.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		x.Close()
	}
	value := func(key string) string {
		t.Helper()
		x := begin()
		defer x.Close()
		v, err := x.db.Get(ctx, []byte(key))
		if errors.Is(err, cyrusdb.ErrNotFound) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	x := begin()
	for k, v := range old {
		x.Put([]byte(k), []byte(v))
	}
	commit(x)
	inbox, work := Folder{"user.alice", "id1"}, Folder{"user.alice.Work", "id2"}
	m := copyOfOld(t)
	x = begin()
	if _, byName := x.Folders(); !byName || x.trash != 1 {
		t.Errorf("by name %v, Trash %d", byName, x.trash)
	}
	if err := x.Update(work, nil, m, true, true); err != nil {
		t.Fatal(err)
	}
	commit(x)
	for key, want := range map[string]string{
		"$FOLDER_NAMES":    "(user.alice user.alice.Trash user.alice.Work)",
		"Fuser.alice.Work": "0 (9 1 1 1 1)",
		"Gce527cae864c3e6c69251e5155c11aec709c3426":     "",
		"Gce527cae864c3e6c69251e5155c11aec709c3426:0:1": "",
	} {
		if have := value(key); have != want {
			t.Errorf("%s: %q, want %q", key, have, want)
		}
	}
	if v := value("Gce527cae864c3e6c69251e5155c11aec709c3426:2:5"); len(v) != 25 || v[0] != 0x80|placeByName {
		t.Errorf("the place of the new one is %q", v)
	}
	x = begin()
	if err := x.Rename(work, Folder{"user.alice.Office", "id2"}); err != nil {
		t.Fatal(err)
	}
	commit(x)
	if a, b := value("Fuser.alice.Office"), value("Fuser.alice.Work"); a != "0 (9 1 1 1 1)" || b != "" {
		t.Errorf("renamed: %q, %q", a, b)
	}
	x = begin()
	if err := x.Zero(false); err != nil {
		t.Fatal(err)
	}
	x.StartFolder(inbox, 7)
	m.CID = 0x5fa1a54f8d25357e
	if err := x.Update(inbox, nil, m, true, false); err != nil {
		t.Fatal(err)
	}
	commit(x)
	if a, b, f := value("$FOLDER_IDS"), value("$FOLDER_NAMES"), value("Fid1"); a != "(id1)" || b != "" || f != "0 (9 1 1 1 1)" {
		t.Errorf("recounted: %q, %q, %q", a, b, f)
	}
	if v := value("Gce527cae864c3e6c69251e5155c11aec709c3426:0:5"); len(v) != 25 || v[0] != 0x80|placeByID {
		t.Errorf("recounted: %q", v)
	}
}

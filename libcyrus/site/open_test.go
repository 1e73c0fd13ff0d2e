package site

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

func openText(t *testing.T, fsys disk.FS, text string) (*Site, error) {
	t.Helper()
	c, err := config.Parse("imapd.conf", text, "test")
	if err != nil {
		t.Fatal(err)
	}
	return OpenOn(fsys, c, slog.New(slog.DiscardHandler))
}

const good = "configdirectory: /conf\npartition-default: /spool\ndefaultpartition: default\n" + sharedMode

func newMem(t *testing.T) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	if err := errors.Join(m.MkdirAll("/conf", 0o755), m.MkdirAll("/spool", 0o755), disk.Replace(m, "/file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBadConfiguration has the text of each complaint.
func TestBadConfiguration(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"configdirectory: /conf\n" + sharedMode, "no partition is specified"},
		{strings.Replace(good, "/spool", "/nosuch", 1), "partition-default: stat /nosuch"},
		{strings.Replace(good, "/spool", "/file", 1), "partition-default: /file is not a directory"},
		{strings.Replace(good, "/conf", "/nosuch", 1), "configdirectory: stat /nosuch"},
		{strings.Replace(good, "defaultpartition: default", "defaultpartition: x", 1), "partition-x option not specified"},
		{good + "metapartition-default: /nosuch\n", "metapartition-default: stat /nosuch"},
		{good + "quota_db: twoskip\n", "quota_db: twoskip"},
		{good + "implicit_owner_rights: lz\n", "implicit_owner_rights: unknown right 'z'"},
		{good + "defaultacl: anyone\n", "defaultacl: an identifier has no rights"},
		{good + "defaultacl: anyone lz\n", "defaultacl: unknown right 'z'"},
	} {
		s, err := openText(t, newMem(t), c.text)
		if err == nil {
			s.Close()
			t.Errorf("no complaint: %s", c.want)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		var ce *config.Error
		if !errors.As(err, &ce) {
			t.Errorf("%v is a %T", err, err)
		}
	}
}

// TestMissingPartition opens a site one of whose partitions is not there.
func TestMissingPartition(t *testing.T) {
	m := newMem(t)
	c, err := config.Parse("imapd.conf", good+"partition-news: /news\n", "test")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := OpenOn(m, c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.Contains(log.String(), "option=partition-news") {
		t.Errorf("log: %q", log.String())
	}
}

// TestPartitionChoice opens a site without a default partition.
func TestPartitionChoice(t *testing.T) {
	m := newMem(t)
	if err := errors.Join(m.MkdirAll("/a", 0o755), m.MkdirAll("/b", 0o755)); err != nil {
		t.Fatal(err)
	}
	s, err := openText(t, m, "configdirectory: /conf\npartition-default: /spool\npartition-a: /a\npartition-b: /b\nadmins: admin\n"+sharedMode+
		"partition_select_mode: random\npartition_select_exclude: default,b\npartition_select_usage_reinit: 3\npartition_select_soft_usage_limit: 100\n")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	who := mboxlist.Actor{}
	who.User, who.Admin = "admin", true
	for _, name := range []mboxname.Name{"user.x", "user.y", "user.z"} {
		if e, err := s.List.Create(t.Context(), who, name, mboxlist.CreateOptions{}); err != nil || e.Partition != "a" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestRights(t *testing.T) {
	s, err := openText(t, newMem(t), good+"defaultacl: anyone lrs group:staff lrswipkxtean -bob r\nimplicit_owner_rights: lka\ndeleteright: d\n")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Rights.Default.String(); got != "anyone\tlrs\tgroup:staff\tlrswipkxtecdan\t-bob\tr\t" {
		t.Errorf("%q", got)
	}
	if got := s.Rights.Format(s.Rights.ImplicitOwner); got != "lkca" {
		t.Error(got)
	}
	ns := s.Namespace("alice", false)
	if !ns.AltNamespace || ns.User != "alice" {
		t.Errorf("%+v", ns)
	}
}

// TestStatusCache: a Cyrus beside us must not answer STATUS from what it
// knew before our change.
func TestStatusCache(t *testing.T) {
	m := newMem(t)
	s, err := openText(t, m, good)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	admin := mboxlist.Actor{}
	e, err := s.List.Create(ctx, admin, "user.alice", mboxlist.CreateOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := cyrusdb.Open(m, s.Locks, "twoskip", "/conf/statuscache.db", cyrusdb.Create)
	if err != nil {
		t.Fatal(err)
	}
	var tx cyrusdb.Tx
	tx.Put([]byte("user.alice%"), []byte("I 8 (1 2 3)"))
	tx.Put([]byte("user.alicia%"), []byte("I 8 (1 2 3)"))
	if err := errors.Join(db.Commit(ctx, tx), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = openText(t, m, good); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		t.Fatal(err)
	}
	box.SetACL("alice\tlr\t")
	err = box.Commit(ctx)
	box.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Get(ctx, []byte("user.alice%")); !errors.Is(err, cyrusdb.ErrNotFound) {
		t.Errorf("the old answer is still there: %v", err)
	}
	if _, err := db.Get(ctx, []byte("user.alicia%")); err != nil {
		t.Errorf("another mailbox's answer: %v", err)
	}
}

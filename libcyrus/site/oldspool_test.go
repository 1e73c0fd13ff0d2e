package site

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/quota"
	"gocyrus/test/data"
)

// sharedConfig is the configuration of a sample in shared mode.
func sharedConfig(t *testing.T, root string) *config.Config {
	t.Helper()
	path := filepath.Join(root, "etc/imapd.conf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, sharedMode...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contents is everything in a site that survives whatever version of Cyrus
// it was in, as lines. Ids that are not to be compared are left out.
func contents(t *testing.T, s *Site) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		id := e.UniqueID
		if e.Name == "user.alice.Empty" {
			id = "new"
		}
		say("%s %s %s %s %v", e.Name, e.Type, id, e.Partition, e.ACL)
		if !e.Exists() {
			return true, nil
		}
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
		if err != nil {
			return false, err
		}
		defer box.Close()
		h := box.Header()
		say("  %d %d %d exists %d unseen %d root %s flags %q", h.UIDValidity, h.LastUID, h.Options&mailbox.OptSharedSeen, h.Exists, h.Unseen, box.QuotaRoot(), box.Flags())
		err = box.Each(1, func(r *mailbox.Record) bool {
			if r.Live() {
				say("  %d size %d date %d flags %x %v guid %s", r.UID, r.Size, r.InternalDate, r.Flags&0x1f, r.User, r.GUID)
			}
			return true
		})
		if err != nil {
			return false, err
		}
		owner := e.Name.OwnerOf(s.Names.DeletedPrefix)
		return true, s.Annot.Each(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: owner}, func(k annot.Key, v []byte) error {
			say("  annotation %s %s %q", k.Entry, k.User, v)
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
	for _, u := range []string{"alice", "bob", "carol", "first.last", "erin@other.test"} {
		names, err := s.Subs.List(ctx, u)
		if err != nil {
			t.Error(err)
		}
		say("%s subscribes to %q", u, names)
	}
	root, err := s.Quota.Get(ctx, "user.alice")
	if err != nil {
		t.Error(err)
	} else {
		say("quota %d of %d", root.Used[quota.Storage], root.Limit[quota.Storage])
	}
	v, _, err := s.Annot.Get(ctx, annot.Scope{}, annot.Key{Entry: annot.Comment})
	say("server: %s, %v", v, err)
	return out
}

// TestOldSample takes over what Cyrus before 3.6 has left: skiplist, text
// entries, index versions 6 to 16, old forms of headers, subscriptions,
// quota roots and annotations. All of it is there afterwards.
func TestOldSample(t *testing.T) {
	ctx := context.Background()
	c := sharedConfig(t, data.Unpack(t, data.Old))
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if s, err := Open(c, logger); err == nil || !strings.Contains(err.Error(), "ctl_cyrusdb -r") {
		if err == nil {
			s.Close()
		}
		t.Errorf("opened before it was taken over: %v", err)
	}
	for i := range 2 {
		done, err := TakeOver(ctx, disk.OS(), c, logger, nil)
		if err != nil || done != (i == 0) {
			t.Fatalf("%v, %v\n%s", done, err, log.String())
		}
	}
	s, err := Open(c, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fresh := openSample(t, data.Legacy)
	got, want := contents(t, s), contents(t, fresh)
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("new: %s", l)
		}
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("gone: %s", l)
		}
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
}

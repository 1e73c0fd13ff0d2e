package mailbox

import (
	"fmt"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
)

// TestConversationsOfVersions rewrites an index in versions with and without a
// place for the conversation, and back.
func TestConversationsOfVersions(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem()).withSiteAnnotations()
	e.create(inbox)
	e.create(other)
	e.mustAppend(inbox, 1, 2, 3)
	e.mustAppend(other, 1)
	if err := expungeUID(e, 2); err != nil {
		t.Fatal(err)
	}
	before := e.thread(inbox, 1)
	for i, version := range []uint32{12, 17, 10, 16, 13, 17} {
		if _, err := e.s.SetVersion(ctx, inbox, version, func([]uint32, uint32) error { return nil }); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		e.mustAudit(fmt.Sprintf("version %d", version))
		if version >= 13 {
			if now := e.thread(inbox, 1); now != before {
				t.Errorf("version %d: conversation %x, not %x", version, now, before)
			}
		}
		if version >= 14 {
			e.check(inbox)
		}
		e.mustAppend(inbox, 4+i)
		e.mustAudit(fmt.Sprintf("append in version %d", version))
		e.flip(inbox, 1, Flagged)
		e.mustAudit(fmt.Sprintf("a flag in version %d", version))
	}
}

// TestConversationsArchived moves messages to the archive partition and back:
// copies are linked to those that lie in the same place only.
func TestConversationsArchived(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	e.l.ArchivePartitions = map[string]string{"default": "/s/archive"}
	e.s.Close()
	e = e.reopen(e.fs, func(o *Options) { o.Archive = &Archive{After: time.Hour} })
	e.create(inbox)
	e.create(other)
	e.mustAppend(inbox, 1, 2) // of 2001: into the archive at once
	e.mustAudit("append")
	if _, _, err := e.s.Copy(ctx, inbox, []uint32{1, 2}, other, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	e.mustAudit("copy")
	e.mustAppend(other, 1)
	e.mustAudit("known")
	for _, r := range []Ref{inbox, other} {
		if _, err := e.s.ArchiveMessages(ctx, r, time.Now(), ""); err != nil {
			t.Fatal(err)
		}
		e.mustAudit("archived")
	}
	if err := e.s.CountConversations(ctx, "alice", nil); err != nil {
		t.Fatal(err)
	}
	e.mustAudit("recounted")
}

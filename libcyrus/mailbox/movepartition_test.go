package mailbox

import (
	"context"
	"testing"

	"gocyrus/libcyrus/disk"
)

// TestConversationsPartition moves a mailbox, with and without messages, to
// another partition and back: its folder in the conversations stays right.
func TestConversationsPartition(t *testing.T) {
	t.Parallel()
	e := conversedEnv(t, disk.NewMem())
	e.create(inbox)
	e.create(other)
	there := other
	there.Partition = "second"
	refs := []Ref{inbox, other}
	e.s.o.UserMailboxes = func(context.Context, string) ([]Ref, error) { return refs, nil }
	for range 2 {
		for _, to := range []Ref{there, other} {
			if err := e.s.Move(ctx, refs[1], to, "", 0, "", nil); err != nil {
				t.Fatal(err)
			}
			refs[1] = to
			e.mustAudit("on partition " + to.Partition)
		}
		e.mustAppend(other, 1, 2)
	}
}

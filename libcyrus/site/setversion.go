package site

import (
	"context"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/seen"
)

// SetIndexVersion rewrites the index of a mailbox in another version
// (mailbox.SetVersion). What the owner has seen goes to his seen database
// where the index cannot keep it.
func (s *Site) SetIndexVersion(ctx context.Context, e *mboxlist.Entry, version uint32) (from uint32, err error) {
	owner := e.Name.OwnerOf(s.Names.DeletedPrefix)
	return s.Store.SetVersion(ctx, e.Ref(), version, func(uids []uint32, recent uint32) error {
		var has seen.UIDs
		for _, uid := range uids {
			has = has.Add(uid, uid)
		}
		return s.Seen.Update(ctx, owner, e.UniqueID, func(st *seen.State) { st.Seen, st.LastUID = has, recent })
	})
}

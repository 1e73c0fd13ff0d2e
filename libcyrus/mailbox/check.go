package mailbox

import "context"

// Check looks at every record of a mailbox, and repairs the index if one is
// damaged or a counter is wrong, as it happens by itself after a crash. A
// sound mailbox is not changed. Kinds of error are those of Open.
func (s *Store) Check(ctx context.Context, ref Ref) error { return s.check(ctx, ref) }

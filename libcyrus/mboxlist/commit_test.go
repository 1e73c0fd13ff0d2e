package mboxlist

import (
	"context"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
)

// gone is a database that makes a change while the session ends, and, as one
// over a socket, then knows nothing of it.
type gone struct {
	cyrusdb.DB
	end context.CancelFunc
}

func (g gone) Commit(ctx context.Context, _ cyrusdb.Tx) error {
	g.end()
	return ctx.Err()
}

// TestCommitOutlivesSession: the end of a session in the middle of a
// transaction must not look like a failure of it, or the files that the list
// names now would be removed.
func TestCommitOutlivesSession(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	l := &List{db: gone{end: end}}
	c := l.begin(Actor{})
	c.tx.Put([]byte("Nuser"), []byte("x"))
	if err := c.commit(ctx); err != nil {
		t.Error(err)
	}
}

package main

import (
	"errors"
	"fmt"
	"testing"

	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/errs"
)

// TestFrozen reads what the databases were while they change: all of them,
// through many answers.
func TestFrozen(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	c := connect(t, dir)
	ctx := t.Context()
	var tx kv.Tx
	const many = 2000
	for i := range many {
		tx.Put(fmt.Appendf(nil, "key %05d", i), make([]byte, 500))
	}
	err := errors.Join(c.DB(dbd.Mailboxes).Commit(ctx, tx), c.DB(dbd.UserDeny).Commit(ctx, put("u", "old")))
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Freeze(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = f.Scan(ctx, dbd.Mailboxes, func(k, val []byte) (bool, error) {
		if n++; n == 1 { // all that follows, and the other database, change now
			err := errors.Join(connect(t, dir).DB(dbd.Mailboxes).Clear(ctx), c.DB(dbd.UserDeny).Commit(ctx, put("u", "new")))
			return err == nil, err
		}
		return len(val) == 500, nil
	})
	if err != nil || n != many {
		t.Errorf("%d records, %v", n, err)
	}
	got := ""
	err = f.Scan(ctx, dbd.UserDeny, func(k, val []byte) (bool, error) { got += string(k) + string(val); return true, nil })
	if err != nil || got != "uold" {
		t.Errorf("%q, %v", got, err)
	}
	if err := f.Thaw(ctx); err != nil {
		t.Error(err)
	}
	if err := f.Scan(ctx, dbd.UserDeny, nil); !errors.Is(err, dbd.ErrThawed) || !errs.Is(err, errs.Unavailable) {
		t.Errorf("thawed: %v", err)
	}
	for range maxFrozen { // these go with their client
		if _, err := c.Freeze(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Freeze(ctx); !errs.Is(err, errs.BadArgument) {
		t.Errorf("one too many: %v", err)
	}
	if v.hello().Features == 0 {
		t.Error("the feature is not told")
	}
}

package dbd

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/errs"
)

// Frozen is all databases of a server as they were at one moment: what is
// read of them belongs together, however long the reading takes.
type Frozen struct {
	c      *Client
	handle []byte
}

// Freeze keeps the databases as they are now. Thaw must follow. A server of
// an older version cannot do it: errs.NotSupported.
func (c *Client) Freeze(ctx context.Context) (*Frozen, error) {
	hello, err := c.Hello(ctx)
	if err != nil {
		return nil, err
	}
	if hello.Features&dbwire.FeatureFreeze == 0 {
		return nil, errs.New(errs.NotSupported, "dbd.Freeze", "cyrusdbd",
			fmt.Errorf("the cyrusdbd that runs (pid %d) is of an older version than this program: restart it", hello.Pid))
	}
	status, payload, err := c.do(ctx, dbwire.Freeze, nil)
	if err == nil {
		err = statusError(dbwire.Freeze, status, payload)
	}
	if err == nil && len(payload) != 8 {
		err = errs.New(errs.IO, "dbd.Freeze", "", errors.New("bad answer"))
	}
	if err != nil {
		return nil, err
	}
	return &Frozen{c, payload}, nil
}

// ErrThawed is the error of a Scan whose server has gone: another one does
// not know what the databases were. It is of kind errs.Unavailable.
var ErrThawed = errors.New("cyrusdbd was restarted meanwhile")

// Scan calls fn for all records of one database, in the order of their
// keys' octets.
func (f *Frozen) Scan(ctx context.Context, name Name, fn kv.ScanFunc) error {
	err := f.c.scan(ctx, dbwire.ScanFrozen, f.handle, byte(name), nil, []byte{byte(name) + 1}, fn)
	if errors.Is(err, kv.ErrNotFound) {
		return errs.New(errs.Unavailable, "dbd.Frozen", "", ErrThawed)
	}
	return err
}

// Thaw gives the databases free. Without it they are when the Client closes.
func (f *Frozen) Thaw(ctx context.Context) error {
	return f.c.plain(ctx, dbwire.Thaw, func(b []byte) []byte { return append(b, f.handle...) })
}

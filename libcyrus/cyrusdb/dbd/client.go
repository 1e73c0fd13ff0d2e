// Package dbd is the client of cyrusdbd, the program that owns the databases
// of a site in own mode. Several databases share one server, which tells
// their keys apart by an octet in front; to their users each is a kv.DB.
//
// What was read is remembered, and used again as long as the page of
// generations, which the server shares with all clients, says that it has
// not changed.
package dbd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/errs"
)

const (
	// defaultWait is how long an operation may take, the server's absence
	// included, if its context has no deadline.
	defaultWait = 10 * time.Second
	// backOff is the pause between attempts to reach the server. One that
	// was killed is back after 40 to 70 ms.
	backOff = 2 * time.Millisecond
	// A process that was started by master waits so long before it starts
	// a server itself, for master will do that.
	masterPatience = 2 * time.Second
	// startAgain is the pause between attempts to start a server.
	startAgain = 3 * time.Second
)

// Options says where the server is.
type Options struct {
	Paths dbwire.Paths
	// Start starts a temporary server and returns at once. Its result is
	// an error only if there will be none: that is then the error of all
	// operations until it is tried again. Nil: wait for the server.
	Start func() error
	Log   *slog.Logger // nil: slog.Default
}

// Client is the connection of this process to the server, which is made
// when it is needed and made again when it breaks. It may be used from many
// goroutines.
type Client struct {
	opt      Options
	id       dbwire.ClientID
	patience time.Duration

	dialing chan struct{} // holds a token while nobody dials
	link    atomic.Pointer[link]
	page    atomic.Pointer[dbwire.Page]
	closed  atomic.Bool

	// guarded by the token of dialing
	awaySince time.Time // when the server was first found to be away
	lastStart time.Time
	startErr  error

	mu     sync.Mutex // guards what follows
	seq    uint64
	flying map[uint64]bool // transactions that have not ended
}

// New returns a client. It does not connect yet.
func New(opt Options) *Client {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	c := &Client{opt: opt, dialing: make(chan struct{}, 1), flying: map[uint64]bool{}}
	rand.Read(c.id[:])
	c.dialing <- struct{}{}
	if os.Getenv("CYRUS_SERVICE") != "" || os.Getenv("CYRUS_ISDAEMON") != "" {
		c.patience = masterPatience
	}
	return c
}

// Close ends the connection. Operations that wait fail.
func (c *Client) Close() error {
	c.closed.Store(true)
	if l := c.link.Load(); l != nil {
		l.fail(os.ErrClosed)
	}
	return nil
}

// Hello connects, if need be, and returns what the server has said of itself.
func (c *Client) Hello(ctx context.Context) (dbwire.HelloReply, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	l, err := c.connect(ctx)
	if err != nil {
		return dbwire.HelloReply{}, err
	}
	return l.hello, nil
}

// Ping asks the server for a sign of life.
func (c *Client) Ping(ctx context.Context) error { return c.plain(ctx, dbwire.Ping, nil) }

// Checkpoint makes the server write a copy of all databases, as they are
// now, into the directory path, which may not exist yet. Files that will
// not change are linked, not copied.
func (c *Client) Checkpoint(ctx context.Context, path string) error {
	return c.plain(ctx, dbwire.Checkpoint, func(b []byte) []byte { return dbwire.AppendBytes(b, []byte(path)) })
}

// Flush makes the server write all it has in memory into its tables.
func (c *Client) Flush(ctx context.Context) error { return c.plain(ctx, dbwire.Flush, nil) }

// Handover asks a temporary server to end, so that another one can serve.
// One that is not temporary refuses.
func (c *Client) Handover(ctx context.Context) error { return c.plain(ctx, dbwire.Handover, nil) }

// SetEpoch sets the epoch of the data, which markers must have as well.
func (c *Client) SetEpoch(ctx context.Context, epoch uint64) error {
	return c.plain(ctx, dbwire.SetEpoch, func(b []byte) []byte {
		return append(b, byte(epoch>>56), byte(epoch>>48), byte(epoch>>40), byte(epoch>>32),
			byte(epoch>>24), byte(epoch>>16), byte(epoch>>8), byte(epoch))
	})
}

// plain is an operation whose answer is only whether it was done.
func (c *Client) plain(ctx context.Context, op dbwire.Op, build func([]byte) []byte) error {
	status, payload, err := c.do(ctx, op, build)
	if err != nil {
		return err
	}
	return statusError(op, status, payload)
}

// statusError is the error that a status stands for.
func statusError(op dbwire.Op, status dbwire.Status, payload []byte) error {
	name := fmt.Sprintf("operation %d", op)
	text := errors.New(string(payload))
	switch status {
	case dbwire.OK:
		return nil
	case dbwire.NotFound:
		return kv.ErrNotFound
	case dbwire.Conflict:
		return kv.ErrConflict
	case dbwire.DiskFull:
		return errs.New(errs.DiskFull, "dbd", name, text)
	case dbwire.Refused:
		return errs.New(errs.BadArgument, "dbd", name, text)
	}
	return errs.New(errs.IO, "dbd", name, text)
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultWait)
}

func unavailable(err error) error {
	var known *errs.Error
	if errors.As(err, &known) {
		return err
	}
	return errs.New(errs.Unavailable, "dbd", "cyrusdbd", err)
}

// do asks until there is an answer or time is up. All operations may be
// asked twice: a transaction has a number that the server remembers.
func (c *Client) do(ctx context.Context, op dbwire.Op, build func([]byte) []byte) (dbwire.Status, []byte, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	for {
		l, err := c.connect(ctx)
		if err != nil {
			return 0, nil, err
		}
		r := l.ask(ctx, op, build)
		if r.err == nil && r.status != dbwire.Leaving {
			return r.status, r.payload, nil
		}
		if r.err == nil {
			l.fail(errors.New("server is leaving"))
		}
		if ctx.Err() != nil {
			return 0, nil, unavailable(context.Cause(ctx))
		}
		pause(ctx, backOff)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// connect returns a live connection.
func (c *Client) connect(ctx context.Context) (*link, error) {
	if l := c.link.Load(); l != nil && l.alive() {
		return l, nil
	}
	var last error
	for {
		select {
		case <-c.dialing:
		case <-ctx.Done():
			return nil, unavailable(errors.Join(context.Cause(ctx), last))
		}
		l, err := c.dial(ctx)
		c.dialing <- struct{}{}
		if err == nil {
			return l, nil
		}
		last = err
		var fatal *StartError
		if c.closed.Load() || errors.As(err, &fatal) || errors.Is(err, errRefused) {
			return nil, unavailable(err)
		}
		if pause(ctx, backOff); ctx.Err() != nil {
			return nil, unavailable(errors.Join(context.Cause(ctx), last))
		}
	}
}

// StartError is the error of a server that cannot be reached or started
// because configuration, databases or permissions are not right. Waiting
// does not help.
type StartError struct{ Text string }

func (e *StartError) Error() string { return e.Text }

// dial makes one attempt to connect. The caller has the token of dialing.
func (c *Client) dial(ctx context.Context) (*link, error) {
	if c.closed.Load() {
		return nil, os.ErrClosed
	}
	if l := c.link.Load(); l != nil && l.alive() {
		return l, nil
	}
	conn, err := dbwire.Dial(c.opt.Paths.Socket, handshakeWait)
	if errors.Is(err, os.ErrPermission) {
		return nil, &StartError{err.Error()}
	}
	if err != nil {
		return nil, c.away(err)
	}
	l, err := newLink(ctx, conn, c.id)
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.awaySince, c.startErr = time.Time{}, nil
	if c.page.Load() == nil {
		p, err := dbwire.OpenPage(c.opt.Paths.Page)
		if err != nil {
			c.opt.Log.Warn("what the database says is not remembered", "error", err)
		} else {
			c.page.Store(p)
		}
	}
	c.link.Store(l)
	return l, nil
}

// away is called when nobody answers at the socket. It starts a server if
// that is our business.
func (c *Client) away(err error) error {
	now := time.Now()
	if c.awaySince.IsZero() {
		c.awaySince = now
	}
	if c.opt.Start == nil || now.Sub(c.awaySince) < c.patience {
		return err
	}
	if now.Sub(c.lastStart) > startAgain {
		c.lastStart = now
		c.startErr = c.opt.Start()
	}
	if c.startErr != nil {
		return c.startErr
	}
	return err
}

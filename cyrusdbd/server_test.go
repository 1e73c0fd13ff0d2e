package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbtest"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/errs"
)

var quiet = slog.New(slog.DiscardHandler)

// testServer is a server in this process.
type testServer struct {
	*server
	stopped chan error
}

// start serves the data in dir.
func start(t testing.TB, dir string, temporary bool) *testServer {
	t.Helper()
	paths := dbwire.PathsOf(dir)
	os.MkdirAll(filepath.Dir(paths.Socket), 0o700)
	st, err := openStore(paths.Data, paths.Page, quiet)
	if err != nil {
		t.Fatal(err)
	}
	l, err := dbwire.Listen(paths.Socket)
	if err != nil {
		t.Fatal(err)
	}
	idle := time.Duration(0)
	if temporary {
		idle = 50 * time.Millisecond
	}
	v := &testServer{newServer(st, paths, idle, quiet), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		err := v.serve(ctx, l)
		st.close()
		v.stopped <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-v.stopped; err != nil {
			t.Error(err)
		}
		v.stopped <- nil
	})
	return v
}

func connect(t testing.TB, dir string) *dbd.Client {
	c := dbd.New(dbd.Options{Paths: dbwire.PathsOf(dir), Log: quiet})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestContract(t *testing.T) {
	dbtest.Run(t, func(t testing.TB) dbtest.Backend {
		dir := t.TempDir()
		start(t, dir, false)
		return dbtest.Backend{Open: func(t testing.TB) kv.DB {
			return connect(t, dir).DB(dbd.Mailboxes)
		}}
	})
}

func put(key, value string) (tx kv.Tx) {
	tx.Put([]byte(key), []byte(value))
	return tx
}

// TestDatabasesAreApart: what is in one is not seen in its neighbours.
func TestDatabasesAreApart(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	c := connect(t, dir)
	names := []dbd.Name{'A', 'B', 'C'}
	for _, n := range names {
		if err := c.DB(n).Commit(t.Context(), put("k\xff", string(rune(n)))); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range names {
		db := c.DB(n)
		for _, prefix := range []string{"", "k", "k\xff", "\xff\xff"} {
			count := 0
			db.ScanPrefix(t.Context(), []byte(prefix), func(k, v []byte) (bool, error) {
				count++
				if string(v) != string(rune(n)) {
					t.Errorf("%c has %q", n, v)
				}
				return true, nil
			})
			if want := 1; count != want && prefix != "\xff\xff" || count != 0 && prefix == "\xff\xff" {
				t.Errorf("%c: %d records with prefix %q", n, count, prefix)
			}
		}
	}
	if err := c.DB('B').Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		_, err := c.DB(n).Get(t.Context(), []byte("k\xff"))
		if (n == 'B') != errors.Is(err, kv.ErrNotFound) {
			t.Errorf("%c after Clear: %v", n, err)
		}
	}
}

// TestCacheFollowsChanges: what one client has read is not used any more
// once another has changed it, whatever the order of things.
func TestCacheFollowsChanges(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	a, b := connect(t, dir).DB(dbd.Mailboxes), connect(t, dir).DB(dbd.Mailboxes)
	key := []byte("k")
	if _, err := a.Get(t.Context(), key); !errors.Is(err, kv.ErrNotFound) {
		t.Fatal(err)
	}
	before, _ := a.Changes()
	for i := range 200 {
		want := fmt.Sprint(i)
		if err := b.Commit(t.Context(), put("k", want)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if v, err := a.Get(t.Context(), key); err != nil || string(v) != want {
				t.Fatalf("got %q, %v, want %s", v, err, want)
			}
		}
	}
	if after, ok := a.Changes(); after == before || !ok {
		t.Errorf("Changes: %d, then %d", before, after)
	}
}

// TestOwnChanges: what a client has written it knows, until another one writes.
func TestOwnChanges(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	a, b := connect(t, dir).DB(dbd.Mailboxes), connect(t, dir).DB(dbd.Mailboxes)
	for _, c := range []struct {
		db    *dbd.DB
		value string
	}{{a, "one"}, {b, "two"}, {b, "three"}, {a, "four"}, {a, ""}, {b, "five"}, {a, "six"}} {
		tx := put("k", c.value)
		if c.value == "" {
			tx = kv.Tx{}
			tx.Put([]byte("k"), []byte("not this"))
			tx.Delete([]byte("k"))
		}
		if err := c.db.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		for _, db := range []*dbd.DB{a, b} {
			if got, err := db.Get(t.Context(), []byte("k")); string(got) != c.value || (c.value == "") != errors.Is(err, kv.ErrNotFound) {
				t.Fatalf("%q, %v; want %q", got, err, c.value)
			}
		}
	}
	if err := a.Commit(t.Context(), put("k", "last")); err != nil {
		t.Fatal(err)
	}
	v.leave("test")
	v.stopped <- <-v.stopped
	if got, err := a.Get(t.Context(), []byte("k")); string(got) != "last" {
		t.Errorf("%q, %v: the server was asked", got, err)
	}
}

// TestCachedReadsGoOn: what was read is there while the server is away;
// what was not waits, and fails in the end.
func TestCachedReadsGoOn(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	db := connect(t, dir).DB(dbd.Mailboxes)
	if err := db.Commit(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	db.Get(t.Context(), []byte("k"))
	v.leave("test")
	v.stopped <- <-v.stopped
	if got, err := db.Get(t.Context(), []byte("k")); string(got) != "v" {
		t.Errorf("cached: %q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := db.Commit(ctx, put("k", "w")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("commit: %v", err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		start(t, dir, false)
	}()
	if err := db.Commit(t.Context(), put("k", "w")); err != nil {
		t.Errorf("commit with the next server: %v", err)
	}
	if got, err := db.Get(t.Context(), []byte("k")); string(got) != "w" {
		t.Errorf("then: %q, %v", got, err)
	}
}

// TestTwice: a transaction that is sent again is not done again, by this
// server or the next one.
func TestTwice(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	id := dbwire.ClientID{1}
	commit := func(st *store, seq, done uint64, tx kv.Tx) error {
		req := &dbwire.CommitRequest{Seq: seq, Done: done, Tx: tx}
		batch, err := st.commit(id, req)
		if err == nil && batch != nil {
			err = batch.SyncWait()
		}
		return err
	}
	first := put("Mk", "1")
	first.Require([]byte("Mk"), nil)
	if err := commit(v.store, 5, 5, first); err != nil {
		t.Fatal(err)
	}
	if err := commit(v.store, 7, 5, put("Mk", "2")); err != nil {
		t.Fatal(err)
	}
	again := func(st *store) {
		t.Helper()
		if err := commit(st, 5, 5, first); err != nil {
			t.Errorf("sent again: %v", err)
		}
		if err := commit(st, 6, 5, first); !errors.Is(err, errConflict) {
			t.Errorf("never done: %v", err)
		}
		if got, _ := st.get([]byte("Mk")); string(got) != "2" {
			t.Errorf("value is %q", got)
		}
	}
	again(v.store)
	v.leave("test")
	v.stopped <- <-v.stopped
	w := start(t, dir, false)
	again(w.store)
	if err := commit(w.store, 8, 8, put("Mk", "3")); err != nil {
		t.Fatal(err)
	}
	if c := w.store.clients[id]; len(c.seqs) != 1 || c.seqs[0] != 8 {
		t.Errorf("remembers %v", c.seqs)
	}
}

// TestFull: while the disk is full changes are refused and reads go on.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	db := connect(t, dir).DB(dbd.Mailboxes)
	if err := db.Commit(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	v.store.full.Store(true)
	if err := db.Commit(t.Context(), put("k", "w")); !errs.Is(err, errs.DiskFull) {
		t.Errorf("commit: %v", err)
	}
	if got, err := db.Get(t.Context(), []byte("k")); string(got) != "v" {
		t.Errorf("get: %q, %v", got, err)
	}
	deadline := time.Now().Add(patience)
	for v.store.full.Load() && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if err := db.Commit(t.Context(), put("k", "w")); err != nil {
		t.Errorf("commit with room: %v", err)
	}
}

// TestReadOnly: databases that cannot be written are opened for reading.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, false)
	db := connect(t, dir).DB(dbd.Mailboxes)
	if err := db.Commit(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	v.leave("test")
	v.stopped <- <-v.stopped
	st := reopenReadOnly(t, dir)
	defer st.close()
	if got, err := st.get([]byte("Mk")); string(got) != "v" {
		t.Errorf("get: %q, %v", got, err)
	}
	if _, err := st.commit(dbwire.ClientID{}, &dbwire.CommitRequest{Seq: 1, Done: 1, Tx: put("Mk", "w")}); !errors.Is(err, errFull) {
		t.Errorf("commit: %v", err)
	}
	if err := st.clear([]byte("M"), []byte("N")); !errors.Is(err, errFull) {
		t.Errorf("clear: %v", err)
	}
}

func TestCheckpointAndFlush(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	c := connect(t, dir)
	if err := c.DB(dbd.Mailboxes).Commit(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Checkpoint(t.Context(), "relative"); !errs.Is(err, errs.BadArgument) {
		t.Errorf("relative path: %v", err)
	}
	copied := dbwire.PathsOf(t.TempDir())
	if err := c.Checkpoint(t.Context(), copied.Data); err != nil {
		t.Fatal(err)
	}
	if err := c.Checkpoint(t.Context(), copied.Data); err == nil {
		t.Error("a copy was overwritten")
	}
	os.MkdirAll(filepath.Dir(copied.Page), 0o700)
	st, err := openStore(copied.Data, copied.Page, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	if got, err := st.get([]byte("Mk")); string(got) != "v" {
		t.Errorf("copy has %q, %v", got, err)
	}
}

func TestTemporaryLeaves(t *testing.T) {
	dir := t.TempDir()
	v := start(t, dir, true)
	c := connect(t, dir)
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-v.stopped:
		t.Fatal("left while there was a client")
	case <-time.After(150 * time.Millisecond):
	}
	c.Close()
	select {
	case err := <-v.stopped:
		v.stopped <- err
	case <-time.After(patience):
		t.Fatal("did not leave")
	}
}

func TestHandover(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	if err := connect(t, dir).Handover(t.Context()); !errs.Is(err, errs.BadArgument) {
		t.Errorf("a server of master's: %v", err)
	}
	dir = t.TempDir()
	v := start(t, dir, true)
	if err := connect(t, dir).Handover(t.Context()); err != nil {
		t.Error(err)
	}
	v.stopped <- <-v.stopped
}

// TestRawRequests sends what no client of ours sends.
func TestRawRequests(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	paths := dbwire.PathsOf(dir)
	frame := func(op dbwire.Op, payload ...byte) []byte {
		return dbwire.Finish(append(dbwire.AppendHead(nil, 1, uint8(op)), payload...), 0)
	}
	hello := frame(dbwire.Hello, dbwire.HelloRequest{Min: 1, Max: 9}.Append(nil)...)
	key := func(s string) []byte { return dbwire.AppendBytes(nil, []byte(s)) }
	for name, c := range map[string]struct {
		send []byte
		want dbwire.Status // of the last reply
		ends bool          // no reply, the connection ends
	}{
		"no greeting":     {frame(dbwire.Ping), 0, true},
		"garbage":         {[]byte("GET / HTTP/1.0\r\n\r\n"), 0, true},
		"too new":         {frame(dbwire.Hello, dbwire.HelloRequest{Min: 8, Max: 9}.Append(nil)...), dbwire.Refused, false},
		"ping":            {slices.Concat(hello, frame(dbwire.Ping)), dbwire.OK, false},
		"unknown":         {slices.Concat(hello, frame(77)), dbwire.Refused, false},
		"get nothing":     {slices.Concat(hello, frame(dbwire.Get)), dbwire.Refused, false},
		"get ours":        {slices.Concat(hello, frame(dbwire.Get, key("\x00s")...)), dbwire.Refused, false},
		"get":             {slices.Concat(hello, frame(dbwire.Get, key("Mx")...)), dbwire.NotFound, false},
		"scan cut":        {slices.Concat(hello, frame(dbwire.Scan, key("M")...)), dbwire.Refused, false},
		"scan ours":       {slices.Concat(hello, frame(dbwire.Scan, append(append(key("\x00"), key("N")...), 0, 0, 1, 0)...)), dbwire.Refused, false},
		"scan backwards":  {slices.Concat(hello, frame(dbwire.Scan, append(append(key("N"), key("M")...), 0, 0, 1, 0)...)), dbwire.Refused, false},
		"commit cut":      {slices.Concat(hello, frame(dbwire.Commit, 1, 2, 3)), dbwire.Refused, false},
		"commit ours":     {slices.Concat(hello, frame(dbwire.Commit, dbwire.CommitRequest{Seq: 1, Tx: put("s", "x")}.Append(nil, 0)...)), dbwire.Refused, false},
		"clear all":       {slices.Concat(hello, frame(dbwire.Clear, append(key("M"), key("Z")...)...)), dbwire.Refused, false},
		"epoch of 3":      {slices.Concat(hello, frame(dbwire.SetEpoch, 1, 2, 3)), dbwire.Refused, false},
		"length too long": {slices.Concat(hello, []byte{0xff, 0, 0, 0}), 0, true},
	} {
		conn, err := dbwire.Dial(paths.Socket, patience)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(c.send)
		conn.CloseWrite()
		r := bufio.NewReader(conn)
		var last []dbwire.Status
		for {
			_, status, _, err := dbwire.ReadFrame(r, nil)
			if err != nil {
				break
			}
			last = append(last, dbwire.Status(status))
		}
		conn.Close()
		greeted := len(c.send) > len(hello) && string(c.send[:len(hello)]) == string(hello)
		want := 1
		if greeted && !c.ends {
			want = 2
		} else if !greeted && c.ends {
			want = 0
		}
		if len(last) != want || want > 0 && !c.ends && last[want-1] != c.want {
			t.Errorf("%s: replies %v", name, last)
		}
	}
}

// TestManyAtOnce uses one connection from many goroutines.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, false)
	db := connect(t, dir).DB(dbd.Mailboxes)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 20 {
				k, v := fmt.Sprintf("k%d.%d", i, j), fmt.Sprintf("%d", i*j)
				if err := db.Commit(context.Background(), put(k, v)); err != nil {
					t.Error(err)
				}
				if got, err := db.Get(context.Background(), []byte(k)); string(got) != v {
					t.Errorf("%s is %q, %v", k, got, err)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { n++; return true, nil })
	if n != 640 {
		t.Errorf("%d records", n)
	}
}

// reopenReadOnly opens the data as if they could not be written.
func reopenReadOnly(t *testing.T, dir string) *store {
	t.Helper()
	paths := dbwire.PathsOf(dir)
	st, err := openReadOnly(paths.Data, paths.Page, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	start(b, dir, false)
	db := connect(b, dir).DB(dbd.Mailboxes)
	for i := range 1000 {
		db.Commit(b.Context(), put(fmt.Sprintf("k%04d", i), "value"))
	}
	b.Run("cached", func(b *testing.B) {
		key := []byte("k0500")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Get(context.Background(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			db.Close()
			if _, err := db.Get(context.Background(), []byte("k0500")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked parallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				db.Close()
				db.Get(context.Background(), []byte("k0500"))
			}
		})
	})
}

func BenchmarkCommit(b *testing.B) {
	dir := b.TempDir()
	start(b, dir, false)
	db := connect(b, dir).DB(dbd.Mailboxes)
	b.Run("one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if err := db.Commit(context.Background(), put(fmt.Sprint(i%1000), "v")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if err := db.Commit(context.Background(), put(fmt.Sprint(i%1000), "v")); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkScan100k(b *testing.B) {
	dir := b.TempDir()
	start(b, dir, false)
	db := connect(b, dir).DB(dbd.Mailboxes)
	var tx kv.Tx
	for i := range 100000 {
		tx.Put(binary.BigEndian.AppendUint64(nil, uint64(i)), make([]byte, 200))
	}
	if err := db.Commit(b.Context(), tx); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) { n++; return true, nil })
		if n != 100000 {
			b.Fatal(n)
		}
	}
}

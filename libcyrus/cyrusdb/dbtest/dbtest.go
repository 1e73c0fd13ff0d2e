// Package dbtest is the contract of package kv, as tests that every backend
// runs against itself.
package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
)

// Backend is what is tested.
type Backend struct {
	// Open opens the same database each time it is called in one test,
	// empty at first.
	Open func(t testing.TB) kv.DB
	// Compare is the order of keys; nil is bytes.Compare.
	Compare func(a, b []byte) int
	// Text: only keys that may be the names of files, and values without
	// line ends (quotalegacy).
	Text bool
}

// Run runs all tests.
func Run(t *testing.T, fresh func(t testing.TB) Backend) {
	for name, test := range map[string]func(*testing.T, Backend){
		"Basics": basics, "Conditions": conditions, "Scan": scan, "ScanAndChange": scanAndChange,
		"Random": random, "Concurrent": concurrent, "Increment": increment, "Binary": binary,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func put(t testing.TB, db kv.DB, kvs ...string) {
	t.Helper()
	var tx kv.Tx
	for i := 0; i < len(kvs); i += 2 {
		tx.Put([]byte(kvs[i]), []byte(kvs[i+1]))
	}
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
}

// dump is the whole database as key=value, and checks the order.
func dump(t testing.TB, b Backend, db kv.DB) map[string]string {
	t.Helper()
	compare := b.Compare
	if compare == nil {
		compare = bytes.Compare
	}
	got := map[string]string{}
	var last []byte
	err := db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) {
		if last != nil && compare(last, k) >= 0 {
			t.Errorf("%q comes after %q", k, last)
		}
		last = bytes.Clone(k)
		got[string(k)] = string(v)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func want(t testing.TB, b Backend, db kv.DB, kvs ...string) {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(kvs); i += 2 {
		m[kvs[i]] = kvs[i+1]
	}
	if got := dump(t, b, db); !maps.Equal(got, m) {
		t.Errorf("database has %q, want %q", got, m)
	}
	for k, v := range m {
		if got, err := db.Get(t.Context(), []byte(k)); err != nil || string(got) != v {
			t.Errorf("Get(%q) = %q, %v", k, got, err)
		}
	}
}

func basics(t *testing.T, b Backend) {
	db := b.Open(t)
	defer db.Close()
	want(t, b, db)
	if _, err := db.Get(t.Context(), []byte("user.none")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get of nothing: %v", err)
	}
	put(t, db, "user.b", "1", "user.a", "2", "user.c", "")
	want(t, b, db, "user.a", "2", "user.b", "1", "user.c", "")
	if v, err := db.Get(t.Context(), []byte("user.c")); err != nil || v == nil {
		t.Errorf("empty value: %v, %v", v, err)
	}
	put(t, db, "user.b", "a longer value than before", "user.d", "x", "user.d", "last counts")
	want(t, b, db, "user.a", "2", "user.b", "a longer value than before", "user.c", "", "user.d", "last counts")

	var tx kv.Tx
	tx.Delete([]byte("user.a"))
	tx.Delete([]byte("user.none"))
	tx.Put([]byte("user.e"), []byte("new"))
	tx.Delete([]byte("user.e"))
	tx.Delete([]byte("user.d"))
	tx.Put([]byte("user.d"), []byte("back"))
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	want(t, b, db, "user.b", "a longer value than before", "user.c", "", "user.d", "back")
	if err := db.Commit(t.Context(), kv.Tx{}); err != nil {
		t.Errorf("empty transaction: %v", err)
	}
	other := b.Open(t)
	defer other.Close()
	want(t, b, other, "user.b", "a longer value than before", "user.c", "", "user.d", "back")
	put(t, other, "user.f", "from other")
	if v, err := db.Get(t.Context(), []byte("user.f")); err != nil || string(v) != "from other" {
		t.Errorf("what the other has written: %q, %v", v, err)
	}
}

func conditions(t *testing.T, b Backend) {
	db := b.Open(t)
	defer db.Close()
	put(t, db, "user.a", "1")
	a, c := []byte("user.a"), []byte("user.c")
	for _, cond := range []struct {
		key, value []byte
		holds      bool
	}{
		{a, []byte("1"), true},
		{a, []byte("2"), false},
		{a, nil, false},
		{a, []byte{}, false},
		{c, nil, true},
		{c, []byte{}, false},
		{c, []byte("1"), false},
	} {
		var tx kv.Tx
		tx.Require(cond.key, cond.value)
		tx.Put([]byte("user.z"), []byte(fmt.Sprint(cond)))
		err := db.Commit(t.Context(), tx)
		if cond.holds && err != nil || !cond.holds && !errors.Is(err, kv.ErrConflict) {
			t.Errorf("if %q is %q: %v", cond.key, cond.value, err)
		}
		if v, _ := db.Get(t.Context(), []byte("user.z")); (string(v) == fmt.Sprint(cond)) != cond.holds {
			t.Errorf("if %q is %q: value is %q", cond.key, cond.value, v)
		}
	}
	var tx kv.Tx
	tx.Require(a, []byte("1"))
	tx.Require(c, []byte("not there"))
	tx.Put(a, []byte("changed"))
	if err := db.Commit(t.Context(), tx); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("one of two holds: %v", err)
	}
	tx = kv.Tx{}
	tx.Require(c, nil)
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Errorf("condition alone: %v", err)
	}
	tx.Put(c, nil)
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	want(t, b, db, "user.a", "1", "user.c", "", "user.z", fmt.Sprint(struct {
		key, value []byte
		holds      bool
	}{c, nil, true}))
}

func scan(t *testing.T, b Backend) {
	db := b.Open(t)
	defer db.Close()
	var tx kv.Tx
	for i := range 5000 {
		if b.Text && i >= 300 {
			break
		}
		tx.Put(fmt.Appendf(nil, "user.%05d", i), fmt.Appendf(nil, "value %d", i))
	}
	n := len(tx.Set)
	tx.Put([]byte("shared"), []byte("s"))
	tx.Put([]byte("usez"), []byte("before"))
	tx.Put([]byte("usf"), []byte("after"))
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	keys := func(scan func(context.Context, []byte, kv.ScanFunc) error, from string, limit int) []string {
		var out []string
		err := scan(t.Context(), []byte(from), func(k, v []byte) (bool, error) {
			out = append(out, string(k))
			return len(out) < limit, nil
		})
		if err != nil {
			t.Error(err)
		}
		return out
	}
	if got := keys(db.ScanPrefix, "user.", 1<<30); len(got) != n || got[0] != "user.00000" {
		t.Errorf("prefix user.: %d keys", len(got))
	}
	if got := keys(db.ScanPrefix, "user.0010", 1<<30); len(got) != 10 || got[9] != "user.00109" {
		t.Errorf("prefix user.0010: %q", got)
	}
	if got := keys(db.ScanPrefix, "user.x", 1<<30); len(got) != 0 {
		t.Errorf("prefix user.x: %q", got)
	}
	if got := keys(db.ScanPrefix, "", 1<<30); len(got) != n+3 {
		t.Errorf("empty prefix: %d", len(got))
	}
	if got := keys(db.Scan, "user.001005", 2); !slices.Equal(got, []string{"user.00101", "user.00102"}) {
		t.Errorf("from between: %q", got)
	}
	if got := keys(db.Scan, "user.00101", 2); !slices.Equal(got, []string{"user.00101", "user.00102"}) {
		t.Errorf("from a key: %q", got)
	}
	if got := keys(db.Scan, "zzz", 2); len(got) != 0 {
		t.Errorf("from after the end: %q", got)
	}
	fail := errors.New("fail")
	err := db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { return true, fail })
	if !errors.Is(err, fail) {
		t.Errorf("error of fn: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Scan(ctx, nil, func(k, v []byte) (bool, error) { return true, nil }); err == nil {
		t.Error("a cancelled scan has no error")
	}
}

// scanAndChange uses the database from within a scan.
func scanAndChange(t *testing.T, b Backend) {
	db := b.Open(t)
	defer db.Close()
	var tx kv.Tx
	for i := range 200 {
		tx.Put(fmt.Appendf(nil, "user.%03d", i), []byte("old"))
	}
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := db.ScanPrefix(t.Context(), []byte("user."), func(k, v []byte) (bool, error) {
		key := bytes.Clone(k)
		if seen++; seen%20 == 0 {
			var tx kv.Tx
			tx.Delete(key)
			tx.Put(append([]byte("done."), key...), []byte("new"))
			if err := db.Commit(t.Context(), tx); err != nil {
				return false, err
			}
		}
		if seen%20 == 1 {
			if _, err := db.Get(t.Context(), key); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil || seen != 200 {
		t.Errorf("saw %d, %v", seen, err)
	}
	if got := dump(t, b, db); len(got) != 200 || got["done.user.019"] != "new" {
		t.Errorf("%d records left", len(got))
	}
}

// random compares with a map.
func random(t *testing.T, b Backend) {
	db := b.Open(t)
	defer func() { db.Close() }()
	rnd := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	rounds := 400
	if b.Text {
		rounds = 60
	}
	for i := range rounds {
		var tx kv.Tx
		for range 1 + rnd.IntN(8) {
			key := fmt.Sprintf("user.%d", rnd.IntN(200))
			if rnd.IntN(3) == 0 {
				tx.Delete([]byte(key))
				delete(model, key)
				continue
			}
			value := fmt.Sprintf("%d %0*d", i, rnd.IntN(300)+1, 0)
			tx.Put([]byte(key), []byte(value))
			model[key] = value
		}
		if err := db.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(40) == 0 {
			db.Close()
			db = b.Open(t)
		}
		if rnd.IntN(10) == 0 {
			if got := dump(t, b, db); !maps.Equal(got, model) {
				t.Fatalf("round %d: has %d records, want %d", i, len(got), len(model))
			}
		}
	}
	if got := dump(t, b, db); !maps.Equal(got, model) {
		t.Fatalf("has %d records, want %d", len(got), len(model))
	}
}

// concurrent: a reader sees a transaction as a whole or not at all.
func concurrent(t *testing.T, b Backend) {
	dbs := []kv.DB{b.Open(t), b.Open(t)}
	put(t, dbs[0], "user.a", "0", "user.b", "0")
	var wg sync.WaitGroup
	rounds := 50
	for w, db := range dbs {
		wg.Go(func() {
			for i := range rounds {
				var tx kv.Tx
				v := fmt.Appendf(nil, "%d.%d", w, i)
				tx.Put([]byte("user.a"), v)
				tx.Put([]byte("user.b"), v)
				if err := db.Commit(context.Background(), tx); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				a, err := db.Get(context.Background(), []byte("user.a"))
				if err != nil {
					t.Error(err)
					return
				}
				var tx kv.Tx // a transaction reads both at the same time
				tx.Require([]byte("user.a"), a)
				tx.Require([]byte("user.b"), a)
				if err := db.Commit(context.Background(), tx); err != nil && !errors.Is(err, kv.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	x, _ := dbs[0].Get(t.Context(), []byte("user.a"))
	y, _ := dbs[1].Get(t.Context(), []byte("user.b"))
	if !bytes.Equal(x, y) {
		t.Errorf("half a transaction: %q and %q", x, y)
	}
	for _, db := range dbs {
		db.Close()
	}
}

// increment counts in one key, with conditions, from several goroutines.
func increment(t *testing.T, b Backend) {
	dbs := []kv.DB{b.Open(t), b.Open(t)}
	key := []byte("user.counter")
	put(t, dbs[0], string(key), "0")
	var wg sync.WaitGroup
	const each = 25
	for i := range 4 {
		db := dbs[i%2]
		wg.Go(func() {
			for done := 0; done < each; {
				old, err := db.Get(context.Background(), key)
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				fmt.Sscan(string(old), &n)
				var tx kv.Tx
				tx.Require(key, old)
				tx.Put(key, fmt.Append(nil, n+1))
				switch err := db.Commit(context.Background(), tx); {
				case err == nil:
					done++
				case !errors.Is(err, kv.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, _ := dbs[1].Get(t.Context(), key); string(v) != fmt.Sprint(4*each) {
		t.Errorf("counted to %q, want %d", v, 4*each)
	}
	for _, db := range dbs {
		db.Close()
	}
}

// binary: any octets in keys and values.
func binary(t *testing.T, b Backend) {
	if b.Text {
		return
	}
	db := b.Open(t)
	defer db.Close()
	var kvs []string
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
		kvs = append(kvs, "k"+string([]byte{byte(i)}), string(all[:i+1]))
	}
	kvs = append(kvs, string(all), string(all), string([]byte{0}), "nul", string([]byte{255, 255}), "high")
	kvs = append(kvs, string(bytes.Repeat([]byte("long key"), 10000)), string(bytes.Repeat(all, 1000)))
	put(t, db, kvs...)
	want(t, b, db, kvs...)
}

//go:build reference

package twoskip

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gocyrus/libcyrus/disk"
)

const dbtool = "/usr/lib/cyrus/bin/cyr_dbtool"

// cyrus is a directory in which the real Cyrus may work.
type cyrus struct {
	t         *testing.T
	dir, path string
}

func newCyrus(t *testing.T) *cyrus {
	dir, err := os.MkdirTemp("", "twoskip")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := fmt.Sprintf("configdirectory: %s\ndefaultpartition: default\npartition-default: %s\n", dir, dir)
	os.WriteFile(dir+"/imapd.conf", []byte(conf), 0o644)
	os.Chmod(dir, 0o777)
	return &cyrus{t, dir, filepath.Join(dir, "x.db")}
}

// tool runs cyr_dbtool.
func (c *cyrus) tool(input string, args ...string) string {
	c.t.Helper()
	if fi, err := os.Stat(c.path); err == nil && fi.Mode()&0o6 != 0o6 && fi.Sys().(*syscall.Stat_t).Uid == 0 {
		os.Chmod(c.path, 0o666)
	}
	cmd := exec.Command(dbtool, append([]string{"-C", c.dir + "/imapd.conf", "-n", c.path, "twoskip"}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && args[0] != "damage" {
		c.t.Fatalf("%v: %v, %s %s", args, err, out.String(), errs.String())
	}
	return out.String()
}

// show is what the real Cyrus finds in the file.
func (c *cyrus) show() map[string]string {
	got := map[string]string{}
	for line := range strings.Lines(c.tool("", "show")) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		got[k] = v
	}
	return got
}

// TestReference lets the real Cyrus and ours change one file in turn.
func TestReference(t *testing.T) {
	c := newCyrus(t)
	db := open(t, disk.OS(), c.path)
	defer db.Close()
	rnd := rand.New(rand.NewPCG(5, 6))
	model := map[string]string{}
	for round := range 60 {
		var in, gone strings.Builder
		var ours []string
		for range 1 + rnd.IntN(30) {
			k := fmt.Sprintf("k%03d", rnd.IntN(300))
			v := fmt.Sprintf("v%d%0*d", round, 1+rnd.IntN(600), 0)
			if rnd.IntN(3) == 0 {
				v = ""
				if _, ok := model[k]; ok {
					fmt.Fprintln(&gone, k)
				}
				delete(model, k)
			} else {
				fmt.Fprintf(&in, "%s\t%s\n", k, v)
				model[k] = v
			}
			ours = append(ours, k, v)
		}
		if round%2 == 0 {
			if err := db.Commit(t.Context(), sets(ours...)); err != nil {
				t.Fatal(err)
			}
		} else {
			want := maps.Clone(model)
			c.tool(in.String(), "set")
			for k := range model {
				delete(want, k)
			}
			for k := range c.show() {
				if _, ok := model[k]; !ok {
					c.tool("", "delete", k)
				}
			}
		}
		switch rnd.IntN(8) {
		case 0:
			c.tool("", "repack")
		case 1:
			if err := db.Repack(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 2:
			c.tool("", "damage", "k000", "lost")
		}
		if round%5 == 0 || round%2 == 0 {
			if out := c.tool("", "consistent"); !strings.Contains(out, "Yes, consistent") {
				t.Fatalf("round %d: %s", round, out)
			}
			if got := c.show(); !maps.Equal(got, model) {
				t.Fatalf("round %d: Cyrus finds %d records, want %d", round, len(got), len(model))
			}
		}
		got := map[string]string{}
		db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { got[string(k)] = string(v); return true, nil })
		if !maps.Equal(got, model) {
			t.Fatalf("round %d: we find %d records, want %d", round, len(got), len(model))
		}
		if err := db.Consistent(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// TestReferenceRecovers hands interrupted transactions of ours to the real Cyrus.
func TestReferenceRecovers(t *testing.T) {
	for name, tx := range transactions {
		for i := 0; i < 30; i += 2 {
			m := start(t, disk.NewMem)
			before := contents(t, m)
			err := commit(disk.FailFrom(m, i), tx())
			for seed := range uint64(4) {
				d := m.Crash(seed)
				b, _ := d.ReadFile(file)
				want := contents(t, d)
				c := newCyrus(t)
				os.WriteFile(c.path, b, 0o666)
				if got := c.show(); len(got) != len(want) {
					t.Errorf("%s, fault %d, seed %d: Cyrus finds %d records, we %d of %d", name, i, seed, len(got), len(want), len(before))
				}
				if out := c.tool("", "consistent"); !strings.Contains(out, "Yes, consistent") {
					t.Errorf("%s, fault %d, seed %d: %s", name, i, seed, out)
				}
			}
			if err == nil {
				break
			}
		}
	}
}

// forAll makes files that everybody may use.
type forAll struct{ disk.FS }

func (f forAll) OpenFile(name string, flag int, _ os.FileMode) (disk.File, error) {
	return f.FS.OpenFile(name, flag, 0o666)
}

// TestReferenceAtOnce: two real Cyrus processes and several of our
// goroutines, with two tables of locks, change one file at the same time.
// Nothing is lost.
func TestReferenceAtOnce(t *testing.T) {
	c := newCyrus(t)
	// Our files must be open to the user that the tool makes itself.
	defer syscall.Umask(syscall.Umask(0))
	files := forAll{disk.OS()}
	open(t, files, c.path).Close()
	model := map[string]string{}
	var mu sync.Mutex
	note := func(k, v string) {
		mu.Lock()
		defer mu.Unlock()
		model[k] = v
	}
	var wg sync.WaitGroup
	for p := range 2 {
		wg.Go(func() {
			for i := range 5 {
				var in strings.Builder
				for j := range 20 {
					k, v := fmt.Sprintf("c%d.%d", p, (i*20+j)%150), fmt.Sprintf("%d%0*d", i, 10*j+1, 0)
					fmt.Fprintf(&in, "%s\t%s\n", k, v)
					note(k, v)
				}
				c.tool(in.String(), "set")
			}
		})
		db := open(t, files, c.path)
		defer db.Close()
		for g := range 3 {
			wg.Go(func() {
				for i := range 40 {
					k, v := fmt.Sprintf("o%d.%d.%d", p, g, i%30), fmt.Sprintf("%d%0*d", i, i+1, 0)
					if err := db.Commit(context.Background(), sets(k, v)); err != nil {
						t.Error(err)
					}
					note(k, v)
					if got, err := db.Get(context.Background(), []byte(k)); err != nil || string(got) != v {
						t.Errorf("%s is %q, %v", k, got, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if got := c.show(); !maps.Equal(got, model) {
		t.Errorf("Cyrus finds %d records, want %d", len(got), len(model))
	}
	if out := c.tool("", "consistent"); !strings.Contains(out, "Yes, consistent") {
		t.Error(out)
	}
	checked(t, open(t, disk.OS(), c.path))
}

//go:build reference

package flat

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// TestReference lets the real Cyrus and ours change one file in turn.
func TestReference(t *testing.T) {
	dir, err := os.MkdirTemp("", "flat")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o777)
	conf := fmt.Sprintf("configdirectory: %s\ndefaultpartition: default\npartition-default: %s\n", dir, dir)
	os.WriteFile(dir+"/imapd.conf", []byte(conf), 0o644)
	path := dir + "/x.sub"
	tool := func(input string, args ...string) string {
		os.Chmod(path, 0o666)
		cmd := exec.Command("/usr/lib/cyrus/bin/cyr_dbtool", append([]string{"-C", dir + "/imapd.conf", "-n", path, "flat"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v, %s", args, err, out.String())
		}
		return out.String()
	}
	db := open(t, disk.OS(), path)
	model := map[string]string{}
	rnd := rand.New(rand.NewPCG(1, 1))
	for round := range 20 {
		var tx kv.Tx
		var in strings.Builder
		for range 10 {
			k := string([]string{"user.", "user-", "user/", "User", "u\x1f", "\xe9"}[rnd.IntN(6)]) + fmt.Sprint(rnd.IntN(30))
			v := fmt.Sprint(round)
			model[k] = v
			tx.Put([]byte(k), []byte(v))
			fmt.Fprintf(&in, "%s\t%s\n", k, v)
		}
		if round%2 == 0 {
			if err := db.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		} else {
			tool(in.String(), "set")
		}
		theirs, ours := map[string]string{}, map[string]string{}
		for line := range strings.Lines(tool("", "show")) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			theirs[k] = v
		}
		db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { ours[string(k)] = string(v); return true, nil })
		if !maps.Equal(theirs, model) || !maps.Equal(ours, model) {
			t.Fatalf("round %d: %d records, Cyrus %d, we %d", round, len(model), len(theirs), len(ours))
		}
		for k, v := range model { // by binary search
			if got := strings.TrimSpace(tool("", "get", k)); got != v {
				t.Fatalf("Cyrus gets %q for %q, want %q", got, k, v)
			}
			if rnd.IntN(5) == 0 {
				break
			}
		}
	}
}

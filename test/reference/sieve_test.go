//go:build reference

package reference

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
	"gocyrus/test/sieverun"
)

// recordSieve writes libcyrus/sieve/testdata/outcomes.txt, with which the
// tests of libcyrus/sieve compare.
var recordSieve = flag.Bool("record-sieve", false, "write what a real lmtpd does with the Sieve scripts of libcyrus/sieve/testdata/runs.txt")

// TestSieveOutcomes has a real lmtpd deliver a message to a user for each
// script, and looks where it went.
func TestSieveOutcomes(t *testing.T) {
	sink := sieverun.NewSink(t)
	o := sieverun.Options(sink.Addr)
	o.Shared = true
	s := server.New(t, o)
	secrets(t, s, append([]string{"cyrus"}, sieverun.Users...)...)
	asCyrus(t, s)
	var out strings.Builder
	cyrusServes(t, s, func() {
		for _, r := range sieverun.Run(t, s, sink, func(user, script string) { prepareSieve(t, s, user, script) }) {
			fmt.Fprintf(&out, "--- %s\n%s", r.Name, r.Outcome)
		}
	})
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	file, got := filepath.Join(root, sieverun.Data, "outcomes.txt"), out.String()
	if *recordSieve {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%v; got:\n%s", err, got)
	}
}

// prepareSieve compiles a script with the real sievec and makes it active.
func prepareSieve(t *testing.T, s *server.Site, user, script string) {
	t.Helper()
	dir, code := tool(t, s, "mbpath", "-S", "user/"+user)
	dir = strings.TrimSpace(dir)
	if code != 0 {
		t.Fatalf("mbpath: %s", dir)
	}
	in := filepath.Join(s.Dir, "script")
	if err := os.WriteFile(in, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	shell := fmt.Sprintf("mkdir -p %[1]s && %[2]s/sievec -C %[3]s %[4]s %[1]s/t.bc && ln -sf t.bc %[1]s/defaultbc", dir, cyrusBin, s.Conf(), in)
	if b, err := exec.Command("setpriv", "--reuid=cyrus", "--regid=mail", "--init-groups", "sh", "-c", shell).CombinedOutput(); err != nil {
		t.Fatalf("sievec: %v\n%s\n%s", err, b, script)
	}
}

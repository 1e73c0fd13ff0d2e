//go:build reference

package sieve

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	record    = flag.Bool("record", false, "write testdata/verdicts.txt")
	mutations = flag.Int("mutations", 200, "damaged scripts to try")
	seed      = flag.Uint64("seed", 1, "of the damages")
)

const sievecPath = "/usr/lib/cyrus/bin/sievec"

// realVerdict asks sievec of a real Cyrus.
func realVerdict(t *testing.T, dir string, text []byte) (string, []byte) {
	t.Helper()
	in, out, conf := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "imapd.conf")
	os.Remove(out)
	for name, b := range map[string][]byte{in: text, conf: []byte("configdirectory: " + dir + "\n")} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	msg, err := exec.Command(sievecPath, "-C", conf, in, out).CombinedOutput()
	if err == nil {
		code, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return verdict(code, ""), code
	}
	text2 := strings.TrimPrefix(string(msg), "Unable to parse script: script errors:\r\n")
	return verdict(nil, strings.TrimSuffix(text2, "\n")), nil
}

// TestReferenceVerdicts compares with a real sievec; with -record it makes
// testdata/verdicts.txt.
func TestReferenceVerdicts(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	for _, s := range testScripts(t) {
		want, code := realVerdict(t, dir, s.text)
		fmt.Fprintf(&out, "--- %s\n%s\n", s.name, want)
		if got := ourVerdict(s.text); got != want && !*record {
			t.Errorf("%s:\n%s\ngot:\n%s\nwant:\n%s", s.name, s.text, got, want)
			if ours, err := Parse(s.text, Options{}); err == nil && code != nil {
				t.Errorf("\n% x\n% x", ours.Code(), code)
			}
		}
	}
	if *record {
		if err := os.WriteFile("testdata/verdicts.txt", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReferenceMutations compares with a real sievec what becomes of damaged
// scripts: the same faults in the same order.
func TestReferenceMutations(t *testing.T) {
	dir := t.TempDir()
	scripts := testScripts(t)
	scripts = slices.DeleteFunc(scripts, func(s testScript) bool { // their faults are worded by PCRE and jansson
		return strings.HasPrefix(s.name, "regex") || strings.HasPrefix(s.name, "jmapquery")
	})
	r := rand.New(rand.NewPCG(*seed, 0))
	toks := []string{";", "{", "}", "(", ")", ",", "[", "]", "\"x\"", " keep;", " if ", " true ", " not ", " anyof ", "\n", " @ ", " :is ", " 10 ", " else ", " elsif ", " header ", "require \"fileinto\";", "\"", "/*", "*/", "#", " foo ", "text:\n", ".\n", "fileinto", " :copy ", "é", "ihave \"foo\"", "ihave", "error"}
	bad := 0
	for i := 0; i < *mutations && bad < 12; i++ {
		s := append([]byte(nil), scripts[r.IntN(len(scripts))].text...)
		for k := r.IntN(3) + 1; k > 0 && len(s) > 0; k-- {
			p := r.IntN(len(s))
			switch r.IntN(4) {
			case 0:
				q := min(len(s), p+r.IntN(6))
				s = append(s[:p:p], s[q:]...)
			case 1, 2:
				s = append(s[:p:p], append([]byte(toks[r.IntN(len(toks))]), s[p:]...)...)
			case 3:
				o := scripts[r.IntN(len(scripts))].text
				if len(o) == 0 {
					continue
				}
				a := r.IntN(len(o))
				b := min(len(o), a+r.IntN(40))
				s = append(s[:p:p], append(append([]byte(nil), o[a:b]...), s[p:]...)...)
			}
		}
		want, _ := realVerdict(t, dir, s)
		if got := ourVerdict(s); got != want {
			bad++
			t.Errorf("%q\ngot:\n%s\nwant:\n%s", s, got, want)
		}
	}
}

// TestReferenceDump compares with what a real sieved shows. It cannot read
// error, and shows the queries of jmapquery in its own layout.
func TestReferenceDump(t *testing.T) {
	file := filepath.Join(t.TempDir(), "code")
	for _, s := range testScripts(t) {
		c, err := Parse(s.text, Options{})
		if err != nil || slices.ContainsFunc(c.program, func(c command) bool { return c.op == opError }) || bytes.Contains(s.text, []byte("jmapquery")) {
			continue
		}
		if err := os.WriteFile(file, c.Code(), 0o600); err != nil {
			t.Fatal(err)
		}
		want, err := exec.Command("/usr/lib/cyrus/bin/sieved", file).Output()
		if err != nil || "\n"+c.Dump() != string(want) {
			t.Errorf("%s: %v\ngot %s\nwant %s", s.name, err, c.Dump(), want)
		}
	}
}

package sieve

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
)

// testScript is one script of testdata/scripts.txt: after a line
// "--- NAME" all up to the next such line.
type testScript struct {
	name string
	text []byte
}

func testScripts(t testing.TB) []testScript {
	t.Helper()
	b, err := os.ReadFile("testdata/scripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []testScript
	for _, block := range bytes.Split(append([]byte("\n"), b...), []byte("\n--- "))[1:] {
		name, text, _ := bytes.Cut(block, []byte("\n"))
		out = append(out, testScript{string(name), append(text, '\n')})
	}
	last := &out[len(out)-1]
	last.text = bytes.TrimSuffix(last.text, []byte("\n"))
	return out
}

// verdict is what compiling came to, as testdata/verdicts.txt has it:
// "ok", the length and the sum of the byte code, or the faults.
func verdict(code []byte, faults string) string {
	if faults == "" {
		return fmt.Sprintf("ok %d %x", len(code), sha256.Sum256(code))
	}
	return strings.ReplaceAll(strings.TrimRight(faults, "\r\n"), "\r\n", "\n")
}

func ourVerdict(text []byte) string {
	s, err := Parse(text, Options{})
	if err != nil {
		return verdict(nil, err.Error())
	}
	return verdict(s.Code(), "")
}

// TestVerdicts compares with what sievec of Cyrus 3.6.1 said of each script.
// testdata/verdicts.txt is made by TestReferenceVerdicts with -record.
func TestVerdicts(t *testing.T) {
	b, err := os.ReadFile("testdata/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, block := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		name, text, _ := strings.Cut(block, "\n")
		want[name] = strings.TrimSuffix(text, "\n")
	}
	scripts := testScripts(t)
	if len(want) != len(scripts) {
		t.Errorf("%d verdicts of %d scripts", len(want), len(scripts))
	}
	for _, s := range scripts {
		if got := ourVerdict(s.text); got != want[s.name] {
			t.Errorf("%s:\n%s\ngot:\n%s\nwant:\n%s", s.name, s.text, got, want[s.name])
		}
	}
}

//go:build reference

// Package reference compares gocyrus with a real Cyrus and uses it with
// real clients. It needs root, and the packages that
// test/bin/reference-server install and test/bin/clients install bring.
package reference

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// notAsked is what the answers of the real server hold that ours does not
// answer yet: keys at any depth, or beginnings of keys that end in "*".
// A row that hides no difference fails the test.
var notAsked = []string{
	"status",
}

// notSaid is untagged lines of such capabilities.
var notSaid []string

// addedCode is a response code (RFC 5530) that ours puts before a text to
// which Cyrus gives none (ARCHITECTURE.md).
var addedCode = regexp.MustCompile(`^NO \[[A-Z]+\] `)

// samples is the spools and what the real server answered on them.
var samples = map[string]string{"sample-spool": "../data/expected.json", "sample-legacy": "../data/expected-legacy.json"}

// unsteady is what the disk has room for, and when an index was written last.
var unsteady = regexp.MustCompile(`(/freespace[^"]*|/lastupdate)" "[^"]*"`)

// touch makes all indexes younger than the boot: older ones are looked at and
// their quota roots counted again, which takes modseqs.
func touch(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == "cyrus.index" {
			err = os.Chtimes(path, now, now)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSampleAnswers serves the spools that a real Cyrus left and asks for
// everything; the answers have to be those that the real one gave.
func TestSampleAnswers(t *testing.T) {
	hidden := map[string]bool{}
	for sample, expected := range samples {
		for _, shared := range []bool{true, false} {
			t.Run(sample+map[bool]string{true: "/shared", false: "/own"}[shared], func(t *testing.T) {
				s := server.Unpack(t, sample, shared)
				touch(t, s.Dir)
				s.Run()
				c := &comparison{t: t, hidden: hidden}
				c.compare("", read(t, expected), collect(t, s))
				if c.differences > 0 {
					t.Errorf("%d differences", c.differences)
				}
			})
		}
	}
	for _, row := range append(slices.Clone(notAsked), notSaid...) {
		if !hidden[row] {
			t.Errorf("the row %q hides nothing: take it out", row)
		}
	}
}

// TestRealSampleAnswers has the real server answer on the samples, to see
// that what is expected does not come from how it was recorded.
func TestRealSampleAnswers(t *testing.T) {
	for sample, expected := range samples {
		t.Run(sample, func(t *testing.T) {
			s := server.Unpack(t, sample, true)
			asCyrus(t, s)
			cyrusServes(t, s, func() {
				c := &comparison{t: t, all: true}
				c.compare("", read(t, expected), collect(t, s))
			})
		})
	}
}

// collect asks for everything, twice: the first answer warms \Recent up.
func collect(t *testing.T, s *server.Site) any {
	t.Helper()
	got := filepath.Join(t.TempDir(), "got.json")
	for range 2 {
		cmd := exec.Command("../bin/collect-answers", port(s.IMAP), got)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("collect-answers: %v\n%s", err, out)
		}
	}
	return read(t, got)
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func read(t *testing.T, name string) any {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// comparison walks two answers side by side.
type comparison struct {
	t           *testing.T
	differences int
	hidden      map[string]bool // by row
	all         bool            // no row is used
	quiet       bool            // differences are counted only
}

func (c *comparison) differ(path string, want, got any) {
	if c.differences++; c.differences <= 40 && !c.quiet {
		c.t.Errorf("%s\n   real: %s\n   ours: %s", path, short(want), short(got))
	}
}

func short(v any) string {
	b, _ := json.Marshal(v)
	if len(b) > 300 {
		return string(b[:300]) + "…"
	}
	return string(b)
}

// hides returns the row that hides a key, or "".
func hides(key string) string {
	for _, row := range notAsked {
		if prefix, ok := strings.CutSuffix(row, "*"); key == row || ok && strings.HasPrefix(key, prefix) {
			return row
		}
	}
	return ""
}

func (c *comparison) compare(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.differ(path, want, got)
			return
		}
		c.compareMaps(path, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok {
			c.differ(path, want, got)
			return
		}
		w = c.said(w)
		if len(w) != len(g) {
			c.differ(path, w, g)
			return
		}
		for i := range w {
			c.compare(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
	default:
		text, isText := want.(string)
		ours, _ := got.(string)
		if isText {
			text, ours = unsteady.ReplaceAllString(text, "$1"), unsteady.ReplaceAllString(ours, "$1")
			want, got = text, ours
		}
		if addedCode.MatchString(ours) && !addedCode.MatchString(text) {
			got = addedCode.ReplaceAllString(ours, "NO ")
		}
		if !reflect.DeepEqual(want, got) {
			c.differ(path, want, got)
		}
	}
}

func (c *comparison) compareMaps(path string, want, got map[string]any) {
	for k, v := range want {
		if row := hides(k); row != "" && !c.all {
			if !reflect.DeepEqual(v, got[k]) {
				c.hidden[row] = true
			}
			continue
		}
		if k == "note" {
			continue
		}
		c.compare(path+"/"+k, v, got[k])
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			c.differ(path+"/"+k, nil, got[k])
		}
	}
}

// said drops the lines that ours does not say yet.
func (c *comparison) said(lines []any) []any {
	var out []any
	for _, l := range lines {
		text, _ := l.(string)
		i := slices.IndexFunc(notSaid, func(p string) bool { return strings.HasPrefix(text, p) })
		if i >= 0 && !c.all {
			c.hidden[notSaid[i]] = true
			continue
		}
		out = append(out, l)
	}
	return out
}

//go:build reference

// Package reference compares gocyrus with a real Cyrus and uses it with
// real clients. It needs root, and the packages that
// test/bin/reference-server install and test/bin/clients install bring.
package reference

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
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
	stale := map[string]bool{}
	for sample, expected := range samples {
		for _, shared := range []bool{true, false} {
			t.Run(sample+map[bool]string{true: "/shared", false: "/own"}[shared], func(t *testing.T) {
				s := server.Unpack(t, sample, shared)
				touch(t, s.Dir)
				s.Run()
				c := &comparison{t: t, stale: map[string]bool{}}
				c.compare("", read(t, expected), collect(t, s))
				if c.differences > 0 {
					t.Errorf("%d differences", c.differences)
				}
				for path := range c.stale {
					stale[path] = true
				}
			})
		}
	}
	if len(stale) != 1 {
		t.Errorf("STATUS of other mailboxes comes from a cache: %q", slices.Collect(maps.Keys(stale)))
	}
}

// fresh is a STATUS answer with the count of \Recent that EXAMINE tells right
// after it. The samples were made with statuscache: yes, and Cyrus 3.6.1 takes
// entries for good that SELECT should have made void; ours answers STATUS
// from the index.
func fresh(status any, examined any) any {
	text, _ := status.(string)
	lines, _ := examined.([]any)
	for _, l := range lines {
		l, _ := l.(string)
		if m := recentLine.FindStringSubmatch(l); m != nil {
			return recentCount.ReplaceAllString(text, "RECENT "+m[1]+" ")
		}
	}
	return status
}

var (
	recentLine  = regexp.MustCompile(`^\* (\d+) RECENT$`)
	recentCount = regexp.MustCompile(`RECENT \d+ `)
)

// TestRealSampleAnswers has the real server answer on the samples, to see
// that what is expected does not come from how it was recorded.
func TestRealSampleAnswers(t *testing.T) {
	for sample, expected := range samples {
		t.Run(sample, func(t *testing.T) {
			s := server.Unpack(t, sample, true)
			asCyrus(t, s)
			cyrusServes(t, s, func() {
				c := &comparison{t: t}
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
	stale       map[string]bool // paths of STATUS answers that came from a cache; nil: they are compared as they are
	quiet       bool            // differences are counted only
}

func (c *comparison) differ(path string, want, got any) {
	if c.differences++; c.differences <= 40 && !c.quiet {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		i := 0
		for i < min(len(a), len(b)) && a[i] == b[i] {
			i++
		}
		c.t.Errorf("%s\n   real: %s\n   ours: %s", path, short(a, i), short(b, i))
	}
}

// short is a long text around a place.
func short(b []byte, at int) string {
	from, to := max(0, at-150), min(len(b), at+150)
	if len(b) <= 300 {
		from, to = 0, len(b)
	}
	text := string(b[from:to])
	if from > 0 {
		text = "…" + text
	}
	if to < len(b) {
		text += "…"
	}
	return text
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
		if k == "note" {
			continue
		}
		if k == "status" && c.stale != nil {
			if right := fresh(v, want["examine"]); right != v {
				c.stale[path], v = true, right
			}
		}
		c.compare(path+"/"+k, v, got[k])
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			c.differ(path+"/"+k, nil, got[k])
		}
	}
}

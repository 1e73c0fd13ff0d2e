package corpus

import (
	"os"
	"strings"
	"testing"
)

// TestDelivery does each group here, and compares with what a real Cyrus did
// (TestLMTPCorpus in test/reference recorded it).
func TestDelivery(t *testing.T) {
	groups := Groups()
	for _, g := range groups {
		if g.Name == "munge8bit" {
			g.Chunks = true
			groups = append(groups, g)
		}
	}
	for _, g := range groups {
		name := g.Name
		if g.Chunks {
			name += "-chunks"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile("testdata/" + g.Name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			sink := NewSink(t)
			s := g.NewSite(t, sink.Addr)
			s.Run()
			got := g.Run(t, s, sink)
			if diff := got.Differences(strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"), nil); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package main

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestTickerQuiet checks that nothing is counted or printed where nobody
// looks: in cron, with a pipe, with a file.
func TestTickerQuiet(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	for _, p := range []*program{{err: f}, {err: &b}} {
		tick := p.ticker("mailboxes", func() (int, error) {
			t.Error("counted")
			return 0, errors.New("no")
		})
		tick()
	}
	if fi, err := f.Stat(); err != nil || fi.Size() > 0 || b.Len() > 0 {
		t.Errorf("printed: %v, %q", err, b.String())
	}
}

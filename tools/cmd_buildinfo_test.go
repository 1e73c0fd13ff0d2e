package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBuildinfo checks the shape against what Cyrus 3.6.1 prints.
func TestBuildinfo(t *testing.T) {
	pretty := call("", "cyr_buildinfo", "-C", "/nonexistent")
	if !strings.HasPrefix(pretty.out, "{\n  \"component\": {\n    \"event_notification\": ") ||
		!strings.HasSuffix(pretty.out, "\n  },\n  \"hardware\": {}\n}\n") {
		t.Errorf("pretty:\n%s", pretty.out)
	}
	dense := call("", "cyr_buildinfo", "dense")
	if !strings.HasPrefix(dense.out, `{"component": {"event_notification": `) ||
		!strings.HasSuffix(dense.out, `}, "hardware": {}}`+"\n") || strings.Count(dense.out, "\n") != 1 {
		t.Errorf("dense:\n%s", dense.out)
	}
	for _, out := range []string{pretty.out, dense.out} {
		var v map[string]map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil || len(v) != 5 {
			t.Errorf("not JSON of five sections: %v", err)
		}
	}
	flat := call("", "cyr_buildinfo", "flat")
	if n := strings.Count(flat.out, "\n"); n != 14+16+3+3 || !strings.Contains(flat.out, "search.xapian_cjk_tokens=\"none\"\n") {
		t.Errorf("flat has %d lines:\n%s", n, flat.out)
	}
	for _, args := range [][]string{{"cyr_buildinfo", "x"}, {"cyr_buildinfo", "-x"}} {
		if r := call("", args...); r.status != exMinusOne || !strings.HasSuffix(r.err, buildinfoUse) {
			t.Errorf("%v: status %d\n%s", args, r.status, r.err)
		}
	}
}

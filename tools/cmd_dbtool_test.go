package main

import (
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

func TestCyrDbtool(t *testing.T) {
	r := &recording{t: t, sample: data.ByID}
	r.replay("cyr_dbtool")
}

// TestDbtoolRefuses lists what Cyrus's own has and this one has not.
func TestDbtoolRefuses(t *testing.T) {
	path, dir := conf(t, shared)
	db := filepath.Join(dir, "x.db")
	for args, want := range map[string]string{
		"cyr_dbtool -n DB twoskip dump":        "fatal error: action dump is not supported\n",
		"cyr_dbtool -n DB twoskip damage":      "fatal error: action damage is not supported\n",
		"cyr_dbtool -c DB twoskip show":        "fatal error: -c is not supported; cvt_cyrusdb converts databases\n",
		"cyr_dbtool -n DB pebble show":         "fatal error: can't open database\n",
		"cyr_dbtool DB sql show":               "fatal error: cyrusdb backend sql not supported\n",
		"cyr_dbtool -n DB twoskip set k":       strings.ReplaceAll(dbtoolUse, "%s", "cyr_dbtool"),
		"cyr_dbtool":                           strings.ReplaceAll(dbtoolUse, "%s", "cyr_dbtool"),
		"cvt_cyrusdb DB twoskip":               strings.ReplaceAll(cvtCyrusdbUse, "%s", "cvt_cyrusdb"),
		"cvt_cyrusdb DB twoskip DB flat":       "fatal error: no conversion required\n",
		"cvt_cyrusdb DB nope /tmp/x/none flat": "fatal error: cyrusdb backend nope not supported\n",
	} {
		words := strings.Fields(strings.ReplaceAll(args, "DB", db))
		words = append(words[:1:1], append([]string{"-C", path}, words[1:]...)...)
		if r := call("", words...); r.status == 0 || r.err != want {
			t.Errorf("%s: %d\n%s", args, r.status, r.err)
		}
	}
	r := call("", "cvt_cyrusdb", "-C", path, filepath.Join(dir, "none"), "twoskip", filepath.Join(dir, "y"), "flat")
	if r.status != exTempFail || !strings.HasSuffix(r.out, "\nDBERROR: Conversion failed. Check syslog for details.\n") {
		t.Errorf("no source: %+v", r)
	}
}

// TestBatchTransaction checks what SHOW says within a transaction.
func TestBatchTransaction(t *testing.T) {
	path, dir := conf(t, shared)
	in := "SET a 1\nSET b 2\nSET x 3\nBEGIN\nSET ab 4\nDELETE a\nSET b 5\nSET b 6\nSHOW\nSHOW a\nCOMMIT\nSHOW\nSET\n"
	want := "ab 4\nb 6\nx 3\nab 4\nab 4\nb 6\nx 3\n"
	r := call(in, "cyr_dbtool", "-C", path, "-n", filepath.Join(dir, "x.db"), "twoskip", "batch")
	if r.out != want || r.err != "FAILED: line 13 at cmd SET with error Syntax error in parameters\n" {
		t.Errorf("%+v", r)
	}
	long := strings.Repeat("x", maxRecordTyped+1) + "\n"
	if r := call(long, "cyr_dbtool", "-C", path, filepath.Join(dir, "x.db"), "twoskip", "set"); r.status != exDataErr {
		t.Errorf("long line: %+v", r)
	}
}

package main

import (
	"bytes"
	"os"
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
		"cyr_dbtool -M -n DB twoskip get k":    "fatal error: -M: in a database with the order of old mailbox lists nothing can be looked up here\n",
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

func TestDump(t *testing.T) { (&recording{t: t, sample: data.ByID}).replay("cyr_dbtool_dump") }

// TestDamage leaves each kind of file as a writer does who dies, and checks
// that nothing is lost and nothing there that was not stored.
func TestDamage(t *testing.T) {
	path, dir := conf(t, shared)
	for _, kind := range []string{"twoskip", "flat"} {
		db := filepath.Join(dir, kind)
		run := func(args ...string) result {
			return call("a\t1\nb\t2\n", append([]string{"cyr_dbtool", "-C", path, "-n", db, kind}, args...)...)
		}
		run("set")
		before, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		if r := run("damage"); r.status != exSoftware {
			t.Fatalf("%s: %+v", kind, r)
		}
		after, _ := os.ReadFile(db)
		if left, _ := filepath.Glob(db + ".*"); bytes.Equal(before, after) && len(left) == 0 {
			t.Errorf("%s: nothing is damaged", kind)
		}
		if r := run("show"); r.out != "a\t1\nb\t2\n" {
			t.Errorf("%s: %+v", kind, r)
		}
		if r := run("consistent"); r.out != "Yes, consistent\n" {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}

// TestConvertOpening is -c.
func TestConvertOpening(t *testing.T) {
	conf, root := sampleConf(t, data.Legacy, shared)
	db := filepath.Join(root, "conf/user/L/alice.conversations")
	is := func() string {
		b, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[4:12])
	}
	shown := call("", "cyr_dbtool", "-C", conf, db, "twoskip", "show").out
	if is() != "skiplist" || shown == "" {
		t.Fatalf("%s: %s", is(), shown)
	}
	if r := call("", "cyr_dbtool", "-C", conf, "-c", db, "twoskip", "show"); r.out != shown || is() != "twoskip " {
		t.Errorf("now %s: %+v", is(), r)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakedirs(t *testing.T) {
	path, dir := conf(t, "")
	text := "configdirectory: DIR\npartition-default: DIR/spool\nmetapartition-default: DIR/meta/deep\nsievedir: DIR/sieve\ncyrus_user: root\ncyrus_group: root\n"
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	squat := filepath.Join(dir, "spool", "user", "cyrus.squat")
	if err := os.MkdirAll(filepath.Dir(squat), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(squat, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := "Creating/updating cyrus control directories in DIR...\nCreating/updating partition spool DIR/spool...\nCreating/updating partition spool DIR/meta/deep...\n"
	for _, args := range [][]string{{"makedirs", path}, {"mkimap", "-C", path}, {"makedirs", "--cleansquat", "-C", path}} {
		if _, err := os.Stat(squat); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		r := call("", args...)
		if r.status != 0 || r.err != "" || strings.ReplaceAll(r.out, dir, "DIR") != want {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if _, err := os.Stat(squat); !os.IsNotExist(err) {
		t.Errorf("cyrus.squat: %v", err)
	}
	for name, perm := range map[string]os.FileMode{
		"db": 0o700, "socket": 0o750, "quota": 0o700, "spool/stage.": 0o755, "spool": 0o750, ".": 0o750, "user/a": 0o755, "quota/z": 0o755, "sieve/q": 0o755, "meta": 0o755, "meta/deep": 0o750, "sieve": 0o755,
		"spool/user": 0o711,
	} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != perm {
			t.Errorf("%s: %v, %v", name, fi, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "spool/a")); err == nil {
		t.Error("letters without hashimapspool")
	}
	if r := call("", "makedirs", "-x"); r.status != exUsage {
		t.Errorf("-x: %+v", r)
	}
	if err := os.WriteFile(path, []byte("configdirectory: "+dir+"/none\ncyrus_user: root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := call("", "makedirs", path); r.status != exNoDir || !strings.HasSuffix(r.out, "/none is not an directory. Aborting...\n") {
		t.Errorf("no directory: %+v", r)
	}
}

func TestCyrDf(t *testing.T) {
	path, dir := conf(t, shared)
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := call("", "cyr_df", "-C", path)
	if r.status != 0 || !matches(`^Partition       1k-blocks         Used    Available Use% Location\ndefault      +\d+ +\d+ +\d+ +\d+% `+dir+`/spool\n$`, r.out) {
		t.Errorf("%+v", r)
	}
	if r := call("", "cyr_df", "-C", path, "-m"); r.out != "Partition       1k-blocks         Used    Available Use% Location\n" {
		t.Errorf("-m: %+v", r)
	}
	if r := call("", "cyr_df", "-x"); r.status != exUsage || !strings.HasSuffix(r.err, cyrDfUse) {
		t.Errorf("-x: %+v", r)
	}
	if got, want := usedSpace(1000, 500, 400, 4096), (space{4000, 2000, 1600, 56}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := usedSpace(0, 0, 0, 4096); got != (space{}) {
		t.Errorf("empty: %+v", got)
	}
}

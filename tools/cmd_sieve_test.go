package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSievec(t *testing.T) {
	path, dir := conf(t, "sieve_extensions: fileinto\n")
	good, bad, out := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "out")
	write(t, good, "require \"fileinto\";\nif true { fileinto \"x\"; }\n")
	write(t, bad, "require \"body\";\nfoo;\n")
	if r := call("", "sievec", "-C", path, good, out); r.status != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	r := call("", "sieved", "-s", out)
	if want := "\nrequire [\"fileinto\"];\n\nif true {\n    fileinto \"x\";\n}\n"; r.status != 0 || r.out != want {
		t.Errorf("sieved -s: %+v", r)
	}
	r = call("", "sieved", out)
	want := "\nBytecode version: 31\nRequire:\n\n0005: IF (ends at 8) TRUE\n\n0008: JUMP 19\n0010: FILEINTO COPY(0) FLAGS{0} [\n\t]\n\tCREATE(0) " +
		"SPECIALUSE({-1}[nil]) MAILBOXID({-1}[nil]) FOLDER({1}x)\nfull len is: 19\n"
	if r.status != 0 || r.out != want {
		t.Errorf("sieved: %+v", r)
	}
	r = call("", "sievec", "-C", path, bad, filepath.Join(dir, "none"))
	if want := "Unable to parse script: script errors:\r\nline 1: Unsupported feature(s) in \"require\": \"body\"\r\nline 2: syntax error\r\n\n"; r.status != 1 || r.err != want {
		t.Errorf("bad script: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("a file was made: %v", err)
	}
	if r := call("keep;", "sievec", "-C", path, "-", out); r.status != 0 {
		t.Errorf("standard input: %+v", r)
	}
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"sievec", good}, "Syntax: sievec [-C <altconfig>] <filename> <outputfile>\n"},
		{[]string{"sievec", "-C", path, filepath.Join(dir, "x"), out}, "Unable to open " + dir + "/x for reading\n"},
		{[]string{"sieved"}, "Syntax: sieved [-s] <bytecode-file>\n"},
		{[]string{"sieved", filepath.Join(dir, "x")}, "can not open script '" + dir + "/x'\n"},
	} {
		if r := call("", c.args...); r.status != 1 || r.err != c.err {
			t.Errorf("%q: %+v", c.args, r)
		}
	}
	if r := call("", "sieved", good); r.status != 1 || !strings.Contains(r.out, "not a bytecode file") {
		t.Errorf("no byte code: %+v", r)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMassSievec(t *testing.T) {
	path, dir := conf(t, "")
	top := filepath.Join(dir, "sieve")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(b)+"sievedir: "+top+"\n")
	write(t, top+"/a/alice/main.script", "keep;")
	write(t, top+"/a/alice/old.script", "discard;")
	write(t, top+"/domain/e/example.org/b/bob/main.script", "foo;")
	for _, l := range [][2]string{{"main.script", top + "/a/alice/default"}, {"main.bc", top + "/domain/e/example.org/b/bob/default.bc"}} {
		if err := os.Symlink(l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	r := call("", "masssievec", "/usr/lib/cyrus/bin/sievec", path)
	if r.status != 1 || !strings.Contains(r.err, "bob/main.script: line 1: syntax error") || !strings.Contains(r.err, "1 scripts could not be compiled") {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(r.out, "processing user alice\n") {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{"/a/alice/main.bc", "/a/alice/old.bc", "/a/alice/defaultbc"} {
		if _, err := os.Stat(top + name); err != nil {
			t.Error(err)
		}
	}
	if to, err := os.Readlink(top + "/domain/e/example.org/b/bob/defaultbc"); err != nil || to != "main.bc" {
		t.Errorf("%q, %v", to, err)
	}
	if _, err := os.Lstat(top + "/a/alice/default"); !os.IsNotExist(err) {
		t.Errorf("the old link: %v", err)
	}
}

func TestSieveTest(t *testing.T) {
	path, dir := conf(t, "")
	script, mail := filepath.Join(dir, "s.sieve"), filepath.Join(dir, "m.eml")
	write(t, script, `require ["fileinto","include","imap4flags","vacation","mailbox"];
if header :contains "subject" "hello" { addflag "\\Seen"; include "other"; }
if mailboxexists "Work" { fileinto "Work"; }
vacation :addresses "me@example.org" "I am away.";
`)
	write(t, filepath.Join(dir, "other.sieve"), "redirect \"x@example.net\";")
	write(t, mail, "From: a@example.org\nTo: me@example.org\nSubject: Hello\n\nbody\n")
	want := `  header :contains "subject" "hello": true
  addflag "\\seen"
  include "other"
  redirect "x@example.net"
  mailboxexists "Work": true
  fileinto "Work"
  vacation :days 7 :addresses "me@example.org" "I am away."
    respond: true
redirect to x@example.net
file into "Work" with \seen
vacation response to a@example.org from me@example.org, at most every 604800 s
  Subject: Auto: Hello
  I am away.
`
	r := call("", "sieve-test", "-C", path, "-f", "<a@example.org>", "-m", "Work", script, mail)
	if r.status != 0 || r.out != want {
		t.Errorf("%d %s\n%s", r.status, r.err, r.out)
	}
	r = call("From: x\n\n", "sieve-test", "-C", path, "-q", script, "-")
	if r.status != 0 || r.out != "keep in INBOX\n" {
		t.Errorf("%+v", r)
	}
	write(t, script, "require \"reject\"; keep; reject \"x\";")
	r = call("", "sieve-test", "-C", path, "-q", script, mail)
	if want := "the script failed: [e]Reject can not be used with any other action\nkeep in INBOX: normal delivery\n"; r.status != 1 || r.out != want {
		t.Errorf("%+v", r)
	}
	write(t, script, "foo;")
	if r = call("", "sieve-test", "-C", path, script, mail); r.status != exDataErr || !strings.Contains(r.err, "line 1: syntax error") {
		t.Errorf("%+v", r)
	}
	if r = call("", "sieve-test", script); r.status != exUsage || r.err != sieveTestUse {
		t.Errorf("%+v", r)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/version"
)

func TestInfoConf(t *testing.T) {
	path, dir := conf(t, "timeout: 45\npoptimeout: 10m\nallowplaintext: true\nmaxheaderlines: 010\nimap_admins: root\nfoo: bar\n"+
		"idlesocket: {configdirectory}/socket/idle\nevent_groups: quota message\n")
	want := "allowplaintext: yes\nconfigdirectory: " + dir + "\nevent_groups: message quota\nmaxheaderlines: 8\ntimeout: 45\n" +
		"foo: bar\nimap_admins: root\npartition-default: " + dir + "/spool\n"
	if r := call("", "cyr_info", "-C", path, "conf"); r.out != want || r.status != 0 {
		t.Errorf("conf:\n%s", r.out)
	}
	want = "admins: root\nallowplaintext: yes\n"
	if r := call("", "cyr_info", "-C", path, "-n", "imap", "conf"); !strings.HasPrefix(r.out, want) {
		t.Errorf("conf for imap:\n%s", r.out)
	}
	r := call("", "cyr_info", "-C", path, "conf-all")
	if n := strings.Count(r.out, "\n"); n != len(config.Options())+3 || !strings.Contains(r.out, "\nadmins: \n") {
		t.Errorf("conf-all has %d lines", n)
	}
	r = call("", "cyr_info", "-C", path, "conf-default")
	if n := strings.Count(r.out, "\n"); n != len(config.Options()) || !strings.Contains(r.out, "\ntimeout: 32m\n") {
		t.Errorf("conf-default has %d lines", n)
	}
	r = call("", "cyr_info", "-C", path, "-s", "cyrus-imapd 3.5.9", "conf-all")
	if !strings.Contains(r.out, "(3.6.0) acl_admin_implies_write: no\n") || !strings.Contains(r.out, "\ntimeout: 45\n") ||
		!strings.Contains(r.out, "(gocyrus) drain_timeout: 1h\n") {
		t.Errorf("since 3.5.9:\n%s", r.out)
	}
}

func TestInfoLint(t *testing.T) {
	path, dir := conf(t, "foo: bar\nimap_sasl_mech_list: PLAIN\npop3_timeout: 1h\ntls_cert_file: /x\n")
	master := filepath.Join(dir, "cyrus.conf")
	if err := os.WriteFile(master, []byte("SERVICES {\n imap cmd=imapd listen=imap\n}\nFOO {\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := call("", "cyr_info", "-C", path, "-M", master, "conf-lint")
	if r.out != "foo: bar\npop3_timeout: 1h\n" || r.status != 0 {
		t.Errorf("status %d, %q", r.status, r.out)
	}
	want := path + ":6: Option 'tls_cert_file' is deprecated in favor of 'tls_server_cert' since version 2.5.0.\n" +
		master + ":4: unknown section FOO is not read\n"
	if r.err != want {
		t.Errorf("stderr:\n%s", r.err)
	}
	if r := call("", "cyr_info", "-C", path, "-M", dir+"/none", "conf-lint"); r.status != exConfig {
		t.Errorf("status %d without a cyrus.conf", r.status)
	}
}

func TestInfoProc(t *testing.T) {
	path, dir := conf(t, "")
	table, err := proc.NewTable(filepath.Join(dir, "proc"), true)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := table.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Close()
	if err := slot.Set(proc.Entry{Service: "imap", Client: "localhost [127.0.0.1]", User: "alice", Mailbox: "user.alice"}); err != nil {
		t.Fatal(err)
	}
	if r := call("", "cyr_info", "-C", path, "proc"); !strings.HasSuffix(r.out, " imap localhost [127.0.0.1] alice user.alice\n") {
		t.Errorf("proc: %+v", r)
	}
}

func TestInfoOther(t *testing.T) {
	path, _ := conf(t, "")
	if r := call("", "cyrus", "info", "-C", path, "version"); r.out != version.Line()+"\n" {
		t.Errorf("version: %+v", r)
	}
	if one, two := call("", "cyr_info", "-C", path, "conf"), call("", "cyr_info", "-C", path, "conf", "proc"); one != two || one.status != 0 {
		t.Errorf("a second operand counts: %+v", two)
	}
	for _, args := range []string{"", "foo", "-x", "-s 3.x conf"} {
		r := call("", append([]string{"cyr_info", "-C", path}, strings.Fields(args)...)...)
		if r.status != exMinusOne || !strings.HasSuffix(r.err, infoUse) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// TestStrict checks that a configuration passes, and what is found in others.
func TestStrict(t *testing.T) {
	strict := func(lines, cyrus string) result {
		path, dir := conf(t, lines)
		if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
			t.Fatal(err)
		}
		master := filepath.Join(dir, "cyrus.conf")
		if err := os.WriteFile(master, []byte(cyrus), 0o600); err != nil {
			t.Fatal(err)
		}
		return call("", "cyr_info", "-C", path, "-M", master, "conf-strict")
	}
	if r := strict("admins: cyrus\n", "SERVICES {\n}\n"); r.status != 0 || r.err != "" {
		t.Errorf("%+v", r)
	}
	for lines, want := range map[string]string{
		"nonsense_key: x\n":               "nonsense_key: x\n",
		"partition-x: /nonexistent/x\n":   "PROBLEM         /nonexistent/x is not a directory",
		"tls_server_cert: /nonexistent\n": "PROBLEM         tls_server_cert: open /nonexistent: ",
	} {
		if r := strict(lines, "SERVICES {\n}\n"); r.status != exConfig || !strings.Contains(r.out, want) || !strings.HasSuffix(r.err, "1 findings\n") {
			t.Errorf("%s: %+v", lines, r)
		}
	}
}

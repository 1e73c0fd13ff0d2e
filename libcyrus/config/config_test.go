package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// minimal is the least that an imapd.conf must have.
const minimal = "configdirectory: /var/lib/cyrus\npartition-default: /var/spool/cyrus\n"

// parse returns the configuration that text, added to minimal, makes for
// the program ident.
func parse(t *testing.T, text, ident string) *Config {
	t.Helper()
	c, err := Parse("imapd.conf", minimal+text, ident)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := parse(t, "", "imapd")
	if Allowplaintext.In(c) || !Altnamespace.In(c) || Timeout.In(c) != 32*time.Minute ||
		Maxheaderlines.In(c) != 1000 || MboxlistDb.In(c) != "pebble" || Popexpiretime.In(c) != -24*time.Hour ||
		Virtdomains.In(c) != "off" || SqlEngine.In(c) != "" || DrainTimeout.In(c) != time.Hour {
		t.Error("a default is wrong")
	}
	if got := Idlesocket.In(c); got != "/var/lib/cyrus/socket/idle" {
		t.Errorf("idlesocket = %q", got)
	}
	if got := EventGroups.In(c).Names(); !slices.Equal(got, []string{"message", "mailbox"}) {
		t.Errorf("event_groups = %q", got)
	}
	if len(MetapartitionFiles.In(c).Names()) > 0 || MetapartitionFiles.In(c).Has("cache") {
		t.Error("metapartition_files is not empty")
	}
	if Timeout.Given(c) || !Configdirectory.Given(c) {
		t.Error("Given is wrong")
	}
	if c.Path() != "imapd.conf" || c.Ident() != "imapd" || len(c.Warnings()) != 0 {
		t.Errorf("path %q, ident %q, warnings %v", c.Path(), c.Ident(), c.Warnings())
	}
}

// The values were read off Cyrus's cyr_info conf where it shows them.
func TestValues(t *testing.T) {
	const ident = "imap"
	for _, tt := range []struct{ name, text, option, want string }{
		{"comments", "# x\n\t # y\n\nadmins:  a b \n", "admins", "a b"},
		{"case of name", "ADMINS: A\n", "admins", "A"},
		{"colon at once", "admins:a\n", "admins", "a"},
		{"continued", "admins: a \\\n b\n", "admins", "a  b"},
		{"continued to the end", "admins: a\\\n", "admins", ""},
		{"backslash without newline", "admins: a\\", "admins", `a\`},
		{"no newline", "admins: a", "admins", "a"},
		{"CR LF", "admins: a\r\n", "admins", "a"},
		{"octal", "maxheaderlines: 010\n", "maxheaderlines", "8"},
		{"hexadecimal", "maxheaderlines: 0x1F\n", "maxheaderlines", "31"},
		{"negative", "autocreate_quota: -5\n", "autocreate_quota", "-5"},
		{"32 bits", "maxmessagesize: 4294967295\n", "maxmessagesize", "-1"},
		{"64 bits", "maxmessagesize: 99999999999999999999\n", "maxmessagesize", "-1"},
		{"size", "maxmessagesize: 10M\n", "maxmessagesize", "10485760"},
		{"size with blank", "maxmessagesize: 1 kib\n", "maxmessagesize", "1024"},
		{"size in KiB", "autocreate_quota: 2GB\n", "autocreate_quota", "2097152"},
		{"size in bytes", "autocreate_quota: 4096B\n", "autocreate_quota", "4"},
		{"switch word", "debug: nonsense beginning with n\n", "debug", "false"},
		{"switch on", "debug: on\n", "debug", "true"},
		{"switch digit", "debug: 1\n", "debug", "true"},
		{"enum yes", "virtdomains: yes\n", "virtdomains", "on"},
		{"enum f", "virtdomains: f\n", "virtdomains", "off"},
		{"stringlist", "mboxlist_db: twoskip\n", "mboxlist_db", "twoskip"},
		{"bits", "event_groups: quota\tmessage\n", "event_groups", "message quota"},
		{"alias", "sieve_extensions: imapflags\n", "sieve_extensions", "imap4flags"},
		{"unit", "timeout: 45\n", "timeout", "45m0s"},
		{"sum", "timeout: 1h30m5\n", "timeout", "1h35m0s"},
		{"days", "popexpiretime: -3\n", "popexpiretime", "-72h0m0s"},
		{"minus alone", "timeout: -\n", "timeout", "0s"},
		{"longest", "timeout: 30000d\n", "timeout", longest.String()},
		{"directory", "sievedir: {ConfigDirectory}/s\n", "sievedir", "/var/lib/cyrus/s"},
		{"directory later", "sievedir: /{configdirectory}\n", "sievedir", "/{configdirectory}"},
		{"service", "imap_admins: q\nadmins: r\n", "admins", "q"},
		{"service second", "admins: r\nimap_admins: q\n", "admins", "q"},
		{"other service", "pop3_admins: q\nadmins: r\n", "admins", "r"},
		{"deprecated", "tls_cert_file: /x\n", "tls_server_cert", "/x"},
		{"deprecated and new", "tls_cert_file: /x\ntls_server_cert: /y\n", "tls_server_cert", "/y"},
		{"deprecated for service", "imap_tls_cert_file: /x\ntls_cert_file: /y\n", "tls_server_cert", "/x"},
		{"partition", "defaultpartition: DEFAULT\n", "defaultpartition", "default"},
	} {
		c, err := Parse("imapd.conf", minimal+tt.text, ident)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := show(c, ByName(tt.option)); got != tt.want {
			t.Errorf("%s: %s = %q, want %q", tt.name, tt.option, got, tt.want)
		}
	}
}

// show writes the value of an option as Go does.
func show(c *Config, r *Row) string { return fmt.Sprint(c.values[r.index]) }

func TestBadSizes(t *testing.T) {
	for _, line := range []string{"maxheaderlines: 1K", "maxmessagesize: 1T", "maxmessagesize: K", "maxmessagesize: 1i", "maxmessagesize: 1KK"} {
		if _, err := Parse("f", minimal+line+"\n", ""); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

func TestText(t *testing.T) {
	c := parse(t, "timeout: 1h\nsievedir: {configdirectory}/s\ntls_key_file: /k\n", "")
	for name, want := range map[string]string{
		"timeout": "1h", "poptimeout": "10m", "debug": "no", "maxheaderlines": "1000",
		"event_groups": "message mailbox", "sievedir": "/var/lib/cyrus/s", "tls_server_key": "/k", "admins": "",
	} {
		if got := c.Text(ByName(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := c.DefaultText(Idlesocket.Row()); got != "/var/lib/cyrus/socket/idle" {
		t.Errorf("default of idlesocket: %q", got)
	}
	if got := c.DefaultText(Timeout.Row()); got != "32m" {
		t.Errorf("default of timeout: %q", got)
	}
	if s := c.source[Timeout.row.index]; s.file != "imapd.conf" || s.line != 3 {
		t.Errorf("timeout set by %s:%d", s.file, s.line)
	}
	if !Timeout.Given(c) || Admins.Given(c) {
		t.Error("Given is wrong")
	}
}

func TestOverflow(t *testing.T) {
	c := parse(t, "sasl_mech_list: PLAIN\nimap_sasl_mech_list: LOGIN\nimap_partition-two: /b\n"+
		"partition-two: /a\npop3_partition-three: /c\nnewsspool: /d\ntls_key_file: /k\n", "IMAP")
	for key, want := range map[string]string{
		"sasl_mech_list": "LOGIN", "partition-two": "/b", "partition-default": "/var/spool/cyrus",
		"newsspool": "/d", "tls_key_file": "/k",
	} {
		if got, ok := c.Overflow(key); got != want || !ok {
			t.Errorf("%s: %q, %v, want %q", key, got, ok, want)
		}
	}
	if _, ok := c.Overflow("partition-three"); ok {
		t.Error("another service's key is found")
	}
	want := []KeyValue{{"partition-default", "/var/spool/cyrus"}, {"partition-two", "/b"}}
	if got := c.OverflowPrefix("partition-"); !slices.Equal(got, want) {
		t.Errorf("partitions %v, want %v", got, want)
	}
	want = []KeyValue{{"newsspool", "/d"}, {"pop3_partition-three", "/c"}}
	if got := c.Unexplained(nil); !slices.Equal(got, want) {
		t.Errorf("unexplained %v, want %v", got, want)
	}
	if got := c.Unexplained([]string{"pop3"}); !slices.Equal(got, want[:1]) {
		t.Errorf("unexplained with services %v", got)
	}
}

func TestWarnings(t *testing.T) {
	c := parse(t, "tls_cert_file: /x\nflushseenstate: yes\nsieve_extensions: imapflags fileinto\ntimeout: 30000d\nmaxmessagesize: 4294967295\n", "")
	want := []string{
		"imapd.conf:5: Value 'imapflags' for option 'sieve_extensions' is deprecated in favor of value 'imap4flags'",
		"imapd.conf:6: value '30000d' for timeout is out of range and taken as 596523h14m7s",
		"imapd.conf:7: value '4294967295' for maxmessagesize is out of range and taken as -1",
		"imapd.conf:4: Option 'flushseenstate' is deprecated in version 2.5.0.",
		"imapd.conf:3: Option 'tls_cert_file' is deprecated in favor of 'tls_server_cert' since version 2.5.0.",
	}
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for _, dir := range []string{"x", "/"} {
		c, err := Parse("imapd.conf", "configdirectory: "+dir+"\n", "")
		if err != nil || len(c.Warnings()) != 1 {
			t.Errorf("configdirectory %s: %v", dir, err)
		}
	}
}

func TestCheckPartitions(t *testing.T) {
	const dir = "configdirectory: /c\n"
	for _, tt := range []struct{ text, want string }{
		{dir + "partition-default: /x\n", ""},
		{dir + "defaultpartition: one\npartition-one: /x\n", ""},
		{dir + "defaultpartition: one\npartition-two: /x\n", "fatal error: partition-one option not specified in configuration file f"},
		{dir, "fatal error: partition-<name> option not specified in configuration file f"},
		{dir + "mupdate_server: m\n", ""},
		{dir + "mupdate_server: m\nproxyservers: p\n", "fatal error: partition-<name> option not specified in configuration file f"},
	} {
		c, err := Parse("f", tt.text, "")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.CheckPartitions(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestBadFiles reads files that Cyrus refuses. The first line of each has
// Cyrus's message, with which ours begins.
func TestBadFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.conf")
	if len(files) < 20 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		want, ok := strings.CutPrefix(first, "# Cyrus: ")
		// It was run in testdata.
		want = strings.ReplaceAll(want, filepath.Base(file), file)
		_, err = Load(file, "cyr_info")
		e, isError := errors.AsType[*Error](err)
		if !ok || !isError || !strings.HasPrefix(e.Error(), want) {
			t.Errorf("%s: got %v, want %s…", file, err, want)
			continue
		}
		if !strings.Contains(e.Text, file) && !strings.Contains(e.Text, "/nonexistent") {
			t.Errorf("%s: the message does not name the file: %v", file, err)
		}
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	part := write("part.toml", "[options]\nadmins = \"a b\"\n")
	main := write("imapd.conf", minimal+"@INCLUDE: "+part+"\n")
	c, err := Load(main, "")
	if err != nil || Admins.In(c) != "a b" {
		t.Fatalf("admins %v", err)
	}
	if s := c.source[Admins.row.index]; s.file != part || s.line != 2 {
		t.Errorf("admins set by %s:%d", s.file, s.line)
	}
	twice := write("twice.conf", minimal+"@include: "+dir+"/twice.conf\n")
	if _, err := Load(twice, ""); err == nil || err.Error() != "fatal error: configuration file "+twice+" included twice" {
		t.Error(err)
	}
	t.Setenv("CYRUS_PREFIX", dir)
	if _, err := Load("/imapd.conf", ""); err != nil {
		t.Error(err)
	}
}

func TestServerName(t *testing.T) {
	if got := parse(t, "servername: mail.example.org\n", "").ServerName(); got != "mail.example.org" {
		t.Error(got)
	}
	host, _ := os.Hostname()
	if got := parse(t, "", "").ServerName(); got != host {
		t.Errorf("%q, want %q", got, host)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal + "admins: a \\\n b\n# x\nimap_timeout: 1h\n")
	f.Add("@include: /nonexistent\n")
	f.Add("configdirectory: /x\nsieve_extensions: imapflags\ntimeout: -1h2\n:\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "@include") {
			return // it would read this machine's files
		}
		c, err := Parse("f", text, "imap")
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("not an Error: %v", err)
			}
			return
		}
		for _, r := range Options() {
			c.Text(r)
		}
		c.OverflowPrefix("")
	})
}

//go:build reference

package reference

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// odd is real mail's odds and ends: attachments, 8-bit headers, broken
// MIME, dots, no final line end.
var odd = map[string]string{
	"attachment": fmt.Sprintf(strings.ReplaceAll(mail, "\r\n", "\n"), "with attachment", "clients-1"),
	"8bit":       "From: M\xfcller <m@example.org>\nTo: user1\nSubject: Gr\xc3\xbc\xc3\x9fe\nMessage-ID: <clients-2@example.org>\n\n8-bit \xe4 body\n",
	"broken":     "From: a@example.org\nSubject: broken\nMessage-ID: <clients-3@example.org>\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n<p>never ends",
	"dots":       "From: a@example.org\nSubject: dots\nMessage-ID: <clients-4@example.org>\n\n.\n..\n.x\n...",
	"folded":     "From: a@example.org\nSubject: a\n very\n\tfolded\n one\nMessage-ID: <clients-5@example.org>\n\n" + strings.Repeat("x", 3000) + "\n",
}

// delivered fills user1's INBOX by deliver and by swaks, and returns the
// messages as they lie in the spool, by UID.
func delivered(t *testing.T, s *server.Site) [][]byte {
	t.Helper()
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range odd {
			if !yield(n) {
				return
			}
		}
	})
	host, p, _ := strings.Cut(s.LMTP, ":")
	for _, n := range names {
		s.Tool(odd[n], "deliver", "user1")
		file := filepath.Join(t.TempDir(), "mail")
		if err := os.WriteFile(file, []byte(odd[n]), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "swaks", "--silent", "3", "--protocol", "LMTP", "--server", host, "--port", p,
			"--from", "sender@example.org", "--to", "user1", "--data", "@"+file)
	}
	var files [][]byte
	dir := strings.TrimSpace(s.Tool("", "mbpath", "user/user1"))
	for uid := 1; uid <= 2*len(names); uid++ {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.", uid)))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s\n%s", name, args, err, tail(string(out)), tail(errOut.String()))
	}
	return out
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha1.Sum(b)) }

// TestClients delivers real mail and fetches it with the clients that
// people use: every one gets the bytes that the GUID is of.
func TestClients(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(map[bool]string{true: "shared", false: "own"}[shared], func(t *testing.T) {
			// Each is delivered twice, some with the same Date.
			s := server.Start(t, server.Options{Shared: shared, Config: []string{"duplicatesuppression: no"}})
			files := delivered(t, s)
			t.Run("curl", func(t *testing.T) { withCurl(t, s, files) })
			t.Run("imaplib", func(t *testing.T) { withImaplib(t, s, files) })
			t.Run("mutt", func(t *testing.T) { withMutt(t, s, files) })
			t.Run("fetchmail", func(t *testing.T) { withFetchmail(t, s, files) })
			t.Run("mbsync", func(t *testing.T) { withMbsync(t, s, files) })
		})
	}
}

func withCurl(t *testing.T, s *server.Site, files [][]byte) {
	for i, want := range files {
		got := run(t, "curl", "-s", "-u", "user1:pass", fmt.Sprintf("imap://%s/INBOX;UID=%d", s.IMAP, i+1))
		if sum(got) != sum(want) {
			t.Errorf("IMAP, UID %d: %d octets, want %d", i+1, len(got), len(want))
		}
		got = run(t, "curl", "-s", "-u", "user1:pass", fmt.Sprintf("pop3://%s/%d", s.POP3, i+1))
		if sum(got) != sum(want) {
			t.Errorf("POP3, message %d: %d octets, want %d", i+1, len(got), len(want))
		}
	}
}

const imaplib = `
import imaplib, sys, hashlib
host, port = sys.argv[1].split(":")
m = imaplib.IMAP4(host, int(port)); m.login("user1", "pass"); m.select("INBOX")
for n in m.search(None, "ALL")[1][0].split():
    print(hashlib.sha1(m.fetch(n, "(BODY.PEEK[])")[1][0][1]).hexdigest())
body = b"Subject: appended\r\n\r\nno line end"
m.create("INBOX/imaplib"); m.append("INBOX/imaplib", r"(\Seen)", None, body); m.select("INBOX/imaplib")
assert m.fetch(b"1", "(FLAGS BODY[])")[1][0][1] == body
m.store(b"1", "+FLAGS", r"(\Deleted)"); m.expunge(); m.close(); m.delete("INBOX/imaplib"); m.logout()
`

func withImaplib(t *testing.T, s *server.Site, files [][]byte) {
	sums := strings.Fields(string(run(t, "python3", "-c", imaplib, s.IMAP)))
	for i, want := range files {
		if i >= len(sums) || sums[i] != sum(want) {
			t.Errorf("message %d differs", i+1)
		}
	}
}

// withMutt lets mutt copy the mailbox into a maildir and compares the
// bodies: mutt adds fields of its own to the header.
func withMutt(t *testing.T, s *server.Site, files [][]byte) {
	dir := filepath.Join(t.TempDir(), "mutt")
	rc := filepath.Join(t.TempDir(), "rc")
	conf := fmt.Sprintf("set imap_user=user1 imap_pass=pass ssl_starttls=no ssl_force_tls=no mbox_type=Maildir confirmappend=no quit=yes copy=no delete=no\n"+
		"set imap_authenticators=login\nset folder=imap://%s/\n"+
		"push '<tag-pattern>~A<enter><tag-prefix><copy-message>%s<enter>y<exit>'\n", s.IMAP, dir)
	if err := os.WriteFile(rc, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("script", "-qec", fmt.Sprintf("timeout 60 mutt -n -F %s -f imap://%s/INBOX", rc, s.IMAP), "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(names) != len(files) {
		t.Fatalf("mutt: %v, %d messages\n%s", err, len(names), tail(string(out)))
	}
	var got, want []string
	for _, n := range names {
		data, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, sum(body(data)))
	}
	for _, f := range files {
		want = append(want, sum(body(f)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("bodies differ:\n%q\n%q", got, want)
	}
}

// body is the text after the header with LF line ends, as maildir has it.
func body(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	_, rest, _ := bytes.Cut(b, []byte("\n\n"))
	return rest
}

func withFetchmail(t *testing.T, s *server.Site, files [][]byte) {
	dir := t.TempDir()
	host, p, _ := strings.Cut(s.POP3, ":")
	rc := filepath.Join(dir, "rc")
	got := filepath.Join(dir, "got")
	mda := filepath.Join(dir, "mda")
	script := "#!/bin/sh\nn=$(ls " + got + " | wc -l)\ncat > " + got + "/$(printf %03d $n)\n"
	conf := fmt.Sprintf("set no bouncemail\npoll %s protocol POP3 port %s auth password: user user1 password pass keep fetchall sslproto '' mda %s no rewrite\n", host, p, mda)
	for name, text := range map[string]string{rc: conf, mda: script} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(got, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, "fetchmail", "-f", rc, "--pidfile", filepath.Join(dir, "pid"), "-i", filepath.Join(dir, "ids"), "--invisible", "--norewrite", "-s")
	names, _ := filepath.Glob(filepath.Join(got, "*"))
	if len(names) != len(files) {
		t.Fatalf("%d messages, want %d", len(names), len(files))
	}
	for i, n := range names {
		data, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := bytes.TrimRight(body(data), "\n"), bytes.TrimRight(body(files[i]), "\n"); !bytes.Equal(a, b) {
			t.Errorf("message %d: %q, want %q", i+1, tail(string(a)), tail(string(b)))
		}
	}
}

// withMbsync syncs both ways: what is here comes there, what is made there
// comes here; the next time there is nothing to do.
func withMbsync(t *testing.T, s *server.Site, files [][]byte) {
	dir := t.TempDir()
	host, p, _ := strings.Cut(s.IMAP, ":")
	rc := filepath.Join(dir, "rc")
	conf := fmt.Sprintf("IMAPAccount a\nHost %s\nPort %s\nUser user1\nPass pass\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount a\n\n"+
		"MaildirStore near\nPath %[3]s/mail/\nInbox %[3]s/mail/INBOX\nSubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nSync All\nExpunge Both\nSyncState *\nCopyArrivalDate yes\n", host, p, dir)
	if err := os.WriteFile(rc, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	sync := func() {
		t.Helper()
		if out, err := exec.Command("mbsync", "-V", "-c", rc, "-a").CombinedOutput(); err != nil {
			t.Fatalf("mbsync: %v\n%s", err, tail(string(out)))
		}
	}
	sync()
	var names []string
	for _, d := range []string{"new", "cur"} {
		found, _ := filepath.Glob(filepath.Join(dir, "mail/INBOX", d, "*"))
		names = append(names, found...)
	}
	if len(names) != len(files) {
		t.Fatalf("%d messages came, want %d", len(names), len(files))
	}
	made := "From: me@example.org\nSubject: made here\nMessage-ID: <near@example.org>\n\nHello\n"
	if err := os.WriteFile(filepath.Join(dir, "mail/INBOX/cur/1.made.here:2,S"), []byte(made), 0o600); err != nil {
		t.Fatal(err)
	}
	sync()
	c := s.Login("user1")
	defer c.Close()
	c.Must("EXAMINE INBOX")
	if got := strings.Join(c.Must("SEARCH SEEN SUBJECT \"made here\""), ""); !strings.Contains(got, fmt.Sprint(len(files)+1)) {
		t.Errorf("what was made here did not arrive: %q", got)
	}
	sync()                     // what it says of the copy that it has made itself
	state := func() []string { // with HIGHESTMODSEQ
		return append(c.Must("EXAMINE INBOX"), c.Must("UID FETCH 1:* FLAGS")...)
	}
	here, there := tree(t, dir), state()
	sync()
	if again := tree(t, dir); !slices.Equal(again, here) {
		t.Errorf("with nothing to do, this changed here:\n%q\n%q", here, again)
	}
	if again := state(); !slices.Equal(again, there) {
		t.Errorf("with nothing to do, this changed on the server:\n%q\n%q", there, again)
	}
}

// tree is the names and lengths of all files below dir.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() {
			files = append(files, fmt.Sprint(path, " ", fi.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

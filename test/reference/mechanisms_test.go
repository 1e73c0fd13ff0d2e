//go:build reference

package reference

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestMechanisms logs in by each mechanism with clients whose SASL is not
// ours (curl's own, libgsasl in curl, Python's), by a file of saslpasswd2.
func TestMechanisms(t *testing.T) {
	file, err := filepath.Abs("../golden/testdata/users.sasldb")
	if err != nil {
		t.Fatal(err)
	}
	s := server.Start(t, server.Options{Config: []string{
		"sasl_mech_list: PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5 DIGEST-MD5", "sasl_sasldb_path: " + file, "failedloginpause: 0",
	}})
	for _, url := range []string{"imap://" + s.IMAP + "/", "pop3://" + s.POP3 + "/"} {
		for _, mech := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"} {
			run(t, "curl", "-s", "-S", "--user", "user1:pass", "--login-options", "AUTH="+mech, url)
			out, err := exec.Command("curl", "-s", "-S", "--user", "user1:wrong", "--login-options", "AUTH="+mech, url).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "denied") {
				t.Errorf("%s %s with a wrong password: %v %s", mech, url, err, out)
			}
		}
	}
	host, port, _ := strings.Cut(s.IMAP, ":")
	for _, mech := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5", "DIGEST-MD5", "PLAIN", "LOGIN"} {
		for _, password := range []string{"pass", "wrong"} {
			out, err := exec.Command("mbsync", "-c", mbsyncrc(t, host, port, mech, password), "-l", "store").CombinedOutput()
			if ok := err == nil && strings.Contains(string(out), "INBOX"); ok != (password == "pass") {
				t.Errorf("mbsync %s %s: %v\n%s", mech, password, err, out)
			}
		}
	}
	run(t, "python3", "-c", "import imaplib,sys\nm=imaplib.IMAP4(sys.argv[1],int(sys.argv[2]))\nm.login_cram_md5('user1','pass')\nm.select()\nm.logout()", host, port)
}

// mbsyncrc writes a configuration of mbsync with one store.
func mbsyncrc(t *testing.T, host, port, mech, password string) string {
	file := filepath.Join(t.TempDir(), "mbsyncrc")
	text := "IMAPStore store\nHost " + host + "\nPort " + port + "\nUser user1\nPass " + password + "\nSSLType None\nAuthMechs " + mech + "\n\n" +
		"MaildirStore local\nPath " + t.TempDir() + "/\n\nChannel store\nFar :store:\nNear :local:\nPatterns *\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

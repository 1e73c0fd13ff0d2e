// Package golden replays the dialogs that a real Cyrus was recorded with
// against our own servers.
package golden

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/server"
	"gocyrus/test/transcript"
)

// leftOut is the capabilities that ours does not have on purpose: README says
// why. A row that hides nothing, or that README does not name, fails the test.
var leftOut = []string{
	"X-REPLICATION", "X-SIEVE-MAILBOX", // what a sync_client may send
	"vnd.cyrus.snooze", "vnd.cyrus.imip", "vnd.cyrus.jmapquery", // of Sieve
	"XCONVERSATIONS",
}

// added is the capabilities that ours has beyond the recorded server. A row
// that ours does not tell, or that the recorded server has too, fails the test.
var added = []string{
	"IMAP4rev2", "UTF8=ACCEPT", "NOTIFY",
	"QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE",
	"SEARCHRES", "PARTIAL", "CONTEXT=SEARCH", "CONTEXT=SORT", "MULTISEARCH", "REPLACE", "INPROGRESS", "UIDONLY",
	"QUOTA=RES-MAILBOX", "QUOTA=RES-ANNOTATION-STORAGE",
	"CHUNKING", "SMTPUTF8", // of LMTP
}

// turnedOff is options for recordings in which the client asks for something
// that Cyrus 3.6 refuses and ours has.
var turnedOff = map[string]string{
	"imap/binary.txt": "suppress_capabilities: QUOTA=RES-MESSAGE QUOTA=RES-STORAGE", // STATUS DELETED, DELETED-STORAGE
}

// TestMain lets more dialogs run at a time than there are processors: most
// of the time they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// ownOnly reports whether a recording is replayed in own mode only: those of
// POP3, as the tests of pop3d do the rest, and those of options, except where
// databases have a part in it.
func ownOnly(name string) bool {
	topic, isOption := strings.CutPrefix(filepath.Base(name), "options-")
	return filepath.Dir(name) == "pop3" ||
		isOption && !slices.Contains([]string{"databases.txt", "delete.txt", "deleted.txt", "autocreate.txt", "list.txt", "partitions.txt"}, topic)
}

// TestDialogs replays each recording on a site of its own, in both modes but
// for some.
func TestDialogs(t *testing.T) {
	mask := transcript.NewMasker(leftOut)
	mask.Adds(added)
	files, err := filepath.Glob("*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	t.Run("all", func(t *testing.T) {
		for _, name := range files {
			for _, shared := range []bool{false, true} {
				if shared && ownOnly(name) {
					continue
				}
				mode := map[bool]string{false: "own", true: "shared"}[shared]
				t.Run(name+"/"+mode, func(t *testing.T) {
					t.Parallel()
					replay(t, name, shared, mask)
				})
			}
		}
	})
	for _, word := range mask.Unused() {
		t.Errorf("nothing is hidden by the row %q: take it out", word)
	}
}

// TestLeftOut looks for the reasons.
func TestLeftOut(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, differences, _ := strings.Cut(string(readme), "## Differences")
	for _, word := range leftOut {
		if !strings.Contains(differences, "`"+word+"`") {
			t.Errorf("no row of README's differences names %q", word)
		}
	}
}

// mechanisms is what the recorded server had for log-ins, unless the
// recording says otherwise: the users' passwords in a file of saslpasswd2.
func mechanisms(config []string) []string {
	for _, line := range config {
		if strings.HasPrefix(line, "sasl_mech_list:") {
			return nil
		}
	}
	file, err := filepath.Abs("testdata/users.sasldb")
	if err != nil {
		panic(err)
	}
	return []string{"sasl_mech_list: PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5 DIGEST-MD5", "sasl_sasldb_path: " + file}
}

// withoutMailboxes reports whether the recorded server could not make the
// users' mailboxes because of its options.
func withoutMailboxes(config []string) bool {
	return slices.Contains(config, "readonly: yes") || slices.Contains(config, "unixhierarchysep: no") || slices.Contains(config, "allowplaintext: no") || slices.Contains(config, "tls_required: yes")
}

func replay(t *testing.T, name string, shared bool, mask *transcript.Masker) {
	d, err := transcript.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	if err := d.Place(files); err != nil {
		t.Fatal(err)
	}
	events, err := d.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	config := append(mechanisms(d.Config), d.Config...)
	if option, ok := turnedOff[name]; ok {
		config = append(config, option)
	}
	if events != nil {
		config = append(config, "notifysocket: "+events.Path)
	}
	s := server.Start(t, server.Options{Config: config, Shared: shared, Bare: withoutMailboxes(d.Config)})
	addr := map[string]string{"imap": s.IMAP, "pop3": s.POP3, "lmtp": s.LMTP, "sieve": s.Sieve}[filepath.Dir(name)]
	if addr == "" {
		t.Fatal("its folder names no protocol")
	}
	if err := d.Fill(s.IMAP); err != nil {
		t.Fatal(err)
	}
	w := transcript.World{Events: events}
	w.Dial = func() (net.Conn, error) { return net.Dial("tcp", addr) }
	w.Run = func(args []string) error {
		_, err := s.Try("", args[0], args[1:]...)
		return err
	}
	if events != nil {
		events.Forget() // of those who made the mailboxes
	}
	if err := w.Replay(d, mask); err != nil {
		t.Error(err)
	}
}

// Record plays the client's lines of transcripts against a real Cyrus and
// writes down what it answers.
//
// Usage: record [-p port] file...
//
// Each file gets a fresh server with the users user1 to user3 and the
// admin cyrus, password "pass". The protocol is the name of the file's
// folder: imap, pop3, lmtp or sieve. Whatever server lines a file holds
// are replaced; nothing else is touched. It needs root and Debian's Cyrus
// (test/bin/reference-server install).
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/test/transcript"
)

// offsets is where the reference server has each protocol, from its port.
var offsets = map[string]int{"imap": 0, "pop3": 1, "lmtp": 2, "sieve": 3}

func main() {
	port := flag.Int("p", 22010, "first of five free ports")
	flag.Parse()
	for _, name := range flag.Args() {
		if err := record(name, *port); err != nil {
			fmt.Fprintln(os.Stderr, "record:", err)
			os.Exit(1)
		}
	}
}

func record(name string, port int) error {
	t, err := transcript.ReadFile(name)
	if err != nil {
		return err
	}
	offset, ok := offsets[filepath.Base(filepath.Dir(name))]
	if !ok {
		return fmt.Errorf("%s: its folder names no protocol", name)
	}
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	site, files := filepath.Join(dir, "site"), filepath.Join(dir, "files")
	if err := errors.Join(os.Mkdir(files, 0o755), t.Place(files)); err != nil {
		return err
	}
	events, err := t.Listen()
	if err != nil {
		return err
	}
	defer events.Close()
	config := t.Config
	if events != nil {
		t.Config = append(slices.Clone(config), "notifysocket: "+events.Path)
	}
	if err := reference(t, "cyrus", site, fmt.Sprint(port)); err != nil {
		return errors.Join(err, reference(t, "stop", site)) // it may run without its users
	}
	if err := t.Fill(fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		return errors.Join(err, reference(t, "stop", site))
	}
	w := transcript.World{Events: events, Run: func(args []string) error { return run(site, args) }}
	w.Dial = func() (net.Conn, error) { return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset)) }
	if events != nil {
		events.Forget() // of those who made the mailboxes
	}
	out, err := w.Record(t)
	if serr := reference(t, "stop", site); err == nil {
		err = serr
	}
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(head(name)+out.String()), 0o644)
}

// run runs an admin command of the real Cyrus.
func run(site string, args []string) error {
	full := append([]string{"--reuid=cyrus", "--regid=mail", "--init-groups", "/usr/lib/cyrus/bin/" + args[0], "-C", site + "/etc/imapd.conf"}, args[1:]...)
	out, err := exec.Command("setpriv", full...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	return err
}

// head is the first line of the file: how it was made.
func head(name string) string {
	if data, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(data), "# go run ./test/record ") {
		return ""
	}
	return "# go run ./test/record " + name + "\n"
}

func reference(t *transcript.Transcript, args ...string) error {
	cmd := exec.Command("test/bin/reference-server", args...)
	extra := strings.Join(t.Config, "\n")
	if extra != "" {
		extra += "\n"
	}
	cmd.Env = append(os.Environ(), "USERS=3", "EXTRA="+extra)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("reference-server %s: %w\n%s", args[0], err, out)
	}
	return nil
}

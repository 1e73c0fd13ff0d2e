package transcript

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/notify"
)

// A World is what a dialog may need besides the server's port. Only Dial has
// to be there.
type World struct {
	Dial   Dialer
	Events *Events                   // where notifications come in
	Run    func(args []string) error // runs an admin command of the server
}

// Events is a socket in the place of notifyd's, for a dialog whose
// configuration wants notifications.
type Events struct {
	Path string // for notifysocket

	conn  *net.UnixConn
	lines chan string
}

// Notifies reports whether the configuration of the dialog wants notifications.
func (t *Transcript) Notifies() bool {
	return slices.ContainsFunc(t.Config, func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return strings.HasSuffix(name, "notifier")
	})
}

// Listen opens a socket in a folder of its own, for anybody; nil if the
// dialog has no use for one.
func (t *Transcript) Listen() (*Events, error) {
	if !t.Notifies() {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "events") // short: a socket's path is at most 107 bytes
	if err != nil {
		return nil, err
	}
	e := &Events{Path: filepath.Join(dir, "notify"), lines: make(chan string, 10000)}
	if e.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: e.Path, Net: "unixgram"}); err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Chmod(e.Path, 0o777)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	go e.read()
	return e, nil
}

// Close removes the socket.
func (e *Events) Close() {
	if e != nil {
		e.conn.Close()
		os.RemoveAll(filepath.Dir(e.Path))
	}
}

// read takes what comes in, at once: few datagrams may wait in a socket.
func (e *Events) read() {
	b := make([]byte, notify.MaxSize)
	for {
		n, err := e.conn.Read(b)
		if err != nil {
			close(e.lines)
			return
		}
		e.lines <- eventText(b[:n])
	}
}

// eventText is a notification as it stands in a transcript: JSON as it is, all
// else with its fields.
func eventText(datagram []byte) string {
	m, err := notify.Parse(datagram)
	switch {
	case err != nil:
		return fmt.Sprintf("%v: %q", err, datagram)
	case m.Class == "EVENT" && m.Method+m.User+m.Mailbox+m.Priority+m.File == "external" && len(m.Options) == 0:
		return m.Text
	}
	return fmt.Sprintf("%s %q %q %q %q %q %q %q", m.Class, m.Method, m.Priority, m.User, m.Mailbox, m.Options, m.Text, m.File)
}

// next is the next notification, "" if there is none in time.
func (e *Events) next(d time.Duration) string {
	if e == nil {
		return ""
	}
	select {
	case l := <-e.lines:
		return l
	case <-time.After(d):
		return ""
	}
}

// notes appends the notifications that have come, until there are no more.
func (t *Transcript) notes(e *Events) {
	for l := e.next(quiet); l != ""; l = e.next(quiet) {
		t.Steps = append(t.Steps, Step{Kind: Event, Data: []byte(l)})
	}
}

// eventRules is what varies in notifications by nature.
var eventRules = []rule{
	{regexp.MustCompile(`"timestamp":"[^"]*"`), `"timestamp":"$$time"`, "the time"},
	{regexp.MustCompile(`"(pid|serverPort|clientPort)":\d+`), `"$1":$$n`, "numbers of this run"},
	{regexp.MustCompile(`"(mailboxID|vnd\.cmu\.sessionId|vnd\.fastmail\.sessionId)":"[^"]+"`), `"$1":"$$id"`, "random"},
	{regexp.MustCompile(`UIDVALIDITY=\d+`), "UIDVALIDITY=$$n", "the time of creation"},
	{regexp.MustCompile(`counters":"([\d ]+) \d+"`), `counters":"$1 $$n"`, "the time of creation"},
}

// sameEvent reports whether a notification says what was recorded.
func sameEvent(recorded, got string) bool {
	for _, r := range eventRules {
		recorded, got = r.re.ReplaceAllString(recorded, r.with), r.re.ReplaceAllString(got, r.with)
	}
	return recorded == got
}

// Forget drops what has come so far, and what is on its way.
func (e *Events) Forget() {
	for e.next(2*quiet) != "" {
	}
}

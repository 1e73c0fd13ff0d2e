// Package transcript reads, records and replays protocol dialogs.
//
// A transcript is a text file:
//
//	# go run ./test/record test/golden/imap/create.txt
//	# CREATE makes a mailbox once (RFC 3501 section 6.3.3).
//	# config: altnamespace: yes
//	# append: user1 INBOX (\Seen) "Subject: one\r\n\r\nText\r\n"
//	C: a1 LOGIN user1 pass
//	S: a1 OK $any
//	CX: "a2 NOOP\x00\r\n"
//	C2: b1 LOGIN user2 pass
//	T: 200ms
//
// The first line is the command that recorded it. "# config:" lines are
// options of imapd.conf that the dialog needs, "# append:" lines messages
// that are there before it begins, "# file: NAME "text"" lines files in the
// folder that options call $FILES. C: is a line the client
// sends (CR LF is added), CX: are bytes in Go's quoting, sent as they are.
// S: is a line the server sends (without CR LF), SX: one that holds other
// bytes than printable ones, quoted, with its line end. "S: <closed>" is
// the end of the connection. The recorder waits for the answer to each line;
// what is to be sent in one go goes into one CX: line. T: waits. A digit after C or S names another
// connection; each is opened at its first use. $UIDVALIDITY, $URL and $DELETED in
// what the client sends are what the server told last, see variables.
//
// E: is a notification that the server sends to notifyd, if "# config:" has it
// do so: for events of RFC 5423 the JSON, for others all fields. R: is an admin
// command of the server, which ends before the next line.
package transcript

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Kind is what a line of a transcript does.
type Kind byte

// The kinds of line.
const (
	Send  Kind = 'C' // bytes from the client
	Reply Kind = 'S' // one line from the server, with its line end
	Wait  Kind = 'T' // a pause
	Event Kind = 'E' // a notification to notifyd
	Run   Kind = 'R' // an admin command that is run
	Note  Kind = '#' // a comment or an empty line
)

// closedText stands in a reply line for the end of the connection.
const closedText = "<closed>"

// A Step is one line of a transcript.
type Step struct {
	Kind Kind
	Conn int    // number of the connection; 1 where the line names none
	Data []byte // what is sent or replied, with line end; a comment's text
	Wait time.Duration
	Line int // in the file, from 1
}

// closed reports whether s stands for the end of a connection.
func (s Step) closed() bool { return s.Kind == Reply && string(s.Data) == closedText+"\r\n" }

// A Transcript is a dialog and what it needs.
type Transcript struct {
	Name   string
	Config []string // "name: value" lines for imapd.conf
	Append []Message
	Files  []File
	Steps  []Step

	said variables
}

// ReadFile parses the transcript in a file.
func ReadFile(name string) (*Transcript, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// Parse parses a transcript; name is for messages.
func Parse(name string, data []byte) (*Transcript, error) {
	t := &Transcript{Name: name}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		s, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		s.Line = i + 1
		if conf, ok := strings.CutPrefix(line, "# config: "); ok {
			t.Config = append(t.Config, conf)
		}
		if text, ok := strings.CutPrefix(line, "# file: "); ok {
			f, err := parseFile(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
			t.Files = append(t.Files, f)
		}
		if text, ok := strings.CutPrefix(line, "# append: "); ok {
			m, err := parseAppend(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
			t.Append = append(t.Append, m)
		}
		t.Steps = append(t.Steps, s)
	}
	return t, nil
}

func parseLine(line string) (Step, error) {
	if line == "" || line[0] == '#' {
		return Step{Kind: Note, Data: []byte(line)}, nil
	}
	head, rest, ok := strings.Cut(line, ":")
	if !ok || head == "" {
		return Step{}, fmt.Errorf("no kind of line: %q", line)
	}
	rest = strings.TrimPrefix(rest, " ")
	s := Step{Kind: Kind(head[0]), Conn: 1}
	head = head[1:]
	if n := strings.TrimRight(head, "X"); n != "" {
		c, err := strconv.Atoi(n)
		if err != nil {
			return Step{}, fmt.Errorf("bad connection number %q", n)
		}
		s.Conn = c
	}
	var err error
	switch {
	case s.Kind == Wait:
		s.Wait, err = time.ParseDuration(rest)
	case s.Kind == Event, s.Kind == Run:
		s.Data = []byte(rest)
	case s.Kind != Send && s.Kind != Reply:
		err = fmt.Errorf("unknown kind of line %q", line)
	case strings.HasSuffix(head, "X"):
		var raw string
		raw, err = strconv.Unquote(rest)
		s.Data = []byte(raw)
	default:
		s.Data = []byte(rest + "\r\n")
	}
	return s, err
}

// String is the transcript as it stands in a file.
func (t *Transcript) String() string {
	var b strings.Builder
	for _, s := range t.Steps {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the step as a line of a file, without line end.
func (s Step) String() string {
	switch s.Kind {
	case Note:
		return string(s.Data)
	case Wait:
		return "T: " + s.Wait.String()
	case Event, Run:
		return string(s.Kind) + ": " + string(s.Data)
	}
	head := string(s.Kind)
	if s.Conn != 1 {
		head += strconv.Itoa(s.Conn)
	}
	if line, ok := strings.CutSuffix(string(s.Data), "\r\n"); ok && plain(line) {
		if line == "" {
			return head + ":"
		}
		return head + ": " + line
	}
	return head + "X: " + strconv.Quote(string(s.Data))
}

func plain(s string) bool {
	if !utf8.ValidString(s) || strings.HasSuffix(s, " ") && strings.TrimSpace(s) == "" {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0x7f {
			return false
		}
	}
	return true
}

// A Dialer opens a new connection to the server under test.
type Dialer func() (net.Conn, error)

// quiet is how long a recorder waits for more from the server before it
// takes the reply to be whole: longer than any pause a real server makes
// (failed log-ins apart, where a T: line belongs in the script).
const quiet = 250 * time.Millisecond

// Record plays the client's lines of t against a server and returns a
// transcript in which the server's lines are those that it sent.
func Record(t *Transcript, dial Dialer) (*Transcript, error) {
	return World{Dial: dial}.Record(t)
}

// Record is Record for a dialog with notifications or admin commands.
func (w World) Record(t *Transcript) (*Transcript, error) {
	out := &Transcript{Name: t.Name, Config: t.Config}
	conns := map[int]*conn{}
	defer closeAll(conns)
	for _, s := range t.Steps {
		if s.Kind == Reply || s.Kind == Event {
			continue
		}
		c := conns[s.Conn]
		if c == nil && s.Kind == Send {
			var err error
			if c, err = open(w.Dial); err != nil {
				return nil, err
			}
			conns[s.Conn] = c
			out.drain(conns, quiet)
		}
		out.Steps = append(out.Steps, s)
		switch s.Kind {
		case Send:
			if _, err := c.Write(out.said.fill(s.Data)); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", t.Name, s.Line, err)
			}
			if !bytes.HasSuffix(s.Data, []byte("+}\r\n")) {
				out.answer(c, s.Conn, s.Data)
				out.drain(conns, quiet)
				out.notes(w.Events)
			}
		case Wait:
			time.Sleep(s.Wait)
			out.drain(conns, quiet)
			out.notes(w.Events)
		case Run:
			if err := w.Run(strings.Fields(string(s.Data))); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", t.Name, s.Line, err)
			}
			out.notes(w.Events)
		}
	}
	return out, nil
}

// slow is how long a recorder waits for the answer to a line; there is one
// to all that is not a piece of a literal.
const slow = 5 * time.Second

// answer appends what the server says to a client's lines up to the end of
// the last command in them: nothing may be sent on another connection before,
// or the replies would be stored in an order that means nothing. What asks for
// more is an answer as well.
func (t *Transcript) answer(c *conn, n int, sent []byte) {
	if !bytes.HasSuffix(sent, []byte("\n")) {
		return
	}
	c.expect(sent)
	for end := time.Now().Add(slow); !c.eof && time.Now().Before(end); {
		line, err := c.line(time.Until(end))
		t.said.note(line)
		if len(line) > 0 {
			t.Steps = append(t.Steps, Step{Kind: Reply, Conn: n, Data: line})
		}
		if err != nil || c.answered(line) {
			return // drain notes the end of the connection
		}
	}
}

// drain appends what the servers say until all are quiet.
func (t *Transcript) drain(conns map[int]*conn, d time.Duration) {
	for n := 1; n <= 9; n++ {
		c := conns[n]
		for c != nil && !c.eof {
			line, err := c.line(d)
			t.said.note(line)
			if len(line) > 0 {
				c.imap = c.imap || bytes.HasPrefix(line, []byte("* OK "))
				t.Steps = append(t.Steps, Step{Kind: Reply, Conn: n, Data: line})
			}
			if err == nil {
				continue
			}
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				c.eof = true
				t.Steps = append(t.Steps, Step{Kind: Reply, Conn: n, Data: []byte(closedText + "\r\n")})
			}
			break
		}
	}
}

type conn struct {
	net.Conn
	r   *bufio.Reader
	eof bool

	imap bool   // what the server said first is IMAP's greeting
	tag  []byte // of the last command in IMAP, with a blank
}

// expect notes the tag of the last command in what is sent.
func (c *conn) expect(sent []byte) {
	lines := bytes.Split(bytes.TrimRight(sent, "\r\n"), []byte("\n"))
	for i, l := range lines {
		if i == 0 || !bytes.HasSuffix(bytes.TrimRight(lines[i-1], "\r"), []byte("}")) {
			if tag, _, ok := bytes.Cut(l, []byte(" ")); ok && c.imap && isTag(tag) {
				c.tag = append(bytes.Clone(tag), ' ')
			}
		}
	}
}

// isTag reports whether a word looks like a tag of our dialogs: "a1".
func isTag(word []byte) bool {
	return len(word) > 0 && bytes.IndexFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	}) < 0
}

// answered reports whether a line of the server ends the answer.
func (c *conn) answered(line []byte) bool {
	if !c.imap || c.tag == nil {
		return true
	}
	return bytes.HasPrefix(line, c.tag) || bytes.HasPrefix(line, []byte("+")) || bytes.HasPrefix(line, []byte("* BAD ")) || bytes.HasPrefix(line, []byte("* BYE"))
}

func open(dial Dialer) (*conn, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReader(c)}, nil
}

func closeAll(conns map[int]*conn) {
	for _, c := range conns {
		c.Close()
	}
}

// line reads up to and with the next LF.
func (c *conn) line(d time.Duration) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return nil, err
	}
	return c.r.ReadBytes('\n')
}

// patience is how long a replayed server may take for a line.
const patience = 20 * time.Second

// Replay plays the client's lines of t and returns an error for the first
// server line that differs from the recorded one by the rules of mask.
func Replay(t *Transcript, dial Dialer, mask *Masker) error {
	return World{Dial: dial}.Replay(t, mask)
}

// Replay is Replay for a dialog with notifications or admin commands. More
// notifications than were recorded are an error, too.
func (w World) Replay(t *Transcript, mask *Masker) error {
	conns := map[int]*conn{}
	defer closeAll(conns)
	said := variables{}
	for _, s := range t.Steps {
		switch s.Kind {
		case Wait:
			time.Sleep(s.Wait)
		case Event:
			if got := w.Events.next(patience); !sameEvent(string(s.Data), got) {
				return fmt.Errorf("%s:%d: the notification is\n  %s\nthe recording\n  %s", t.Name, s.Line, got, s.Data)
			}
		case Run:
			if err := w.Run(strings.Fields(string(s.Data))); err != nil {
				return fmt.Errorf("%s:%d: %w", t.Name, s.Line, err)
			}
		case Send, Reply:
			c := conns[s.Conn]
			if c == nil {
				var err error
				if c, err = open(w.Dial); err != nil {
					return err
				}
				conns[s.Conn] = c
			}
			if err := c.step(s, mask, &said); err != nil {
				return fmt.Errorf("%s:%d: %w", t.Name, s.Line, err)
			}
		}
	}
	if more := w.Events.next(time.Millisecond); more != "" {
		return fmt.Errorf("%s: a notification more than was recorded: %s", t.Name, more)
	}
	return nil
}

func (c *conn) step(s Step, mask *Masker, said *variables) error {
	if s.Kind == Send {
		_, err := c.Write(said.fill(s.Data))
		return err
	}
	if mask.Hides(s.Data) {
		return nil
	}
	got, err := c.line(patience)
	for err == nil && mask.addsLine(s.Data, got) {
		got, err = c.line(patience)
	}
	said.note(got)
	if err != nil && s.closed() && len(got) == 0 {
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
			return nil
		}
	}
	if want := s.Data; !mask.Equal(want, got) {
		return fmt.Errorf("the server says\n  %q (%v)\nthe recording\n  %q", mask.Mask(got), err, mask.Mask(want))
	}
	return nil
}

//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// A lineSide is one of two servers whose dialogs are made of lines.
type lineSide struct {
	*server.Site
	real bool
	addr map[string]string // of each service
}

// A linePair compares two servers.
type linePair struct {
	t     *testing.T
	sides []*lineSide // the real one first
	asked int
}

// An exchange is what was sent, and what came back.
type exchange struct{ sent, got string }

// rounds makes dialogs, and shrinks and shows those that differ. kind says how a
// dialog is played.
func (p *linePair) rounds(kind string, choose func(g *chance, n int) (service string, lines []string)) {
	bad := 0
	for n := range *randomRounds {
		service, lines := choose(chosen(n), n)
		diff := p.compare(kind, service, lines)
		if diff == "" {
			continue
		}
		all := shorten(lines, 150, func(less []string) bool {
			if d := p.compare(kind, service, less); d != "" {
				diff = d
				return true
			}
			return false
		})
		p.t.Errorf("dialog %d of -deliveries.seed=%d with %s\n%s\n%q", n, *randomSeed, service, diff, all)
		if bad++; bad >= 15 {
			p.t.Fatal("no more")
		}
	}
	p.t.Logf("%d lines compared", p.asked)
}

// compare plays a dialog with both and returns where they part, "" if they do
// not.
func (p *linePair) compare(kind, service string, lines []string) string {
	var all [2][]exchange
	for i, s := range p.sides {
		all[i] = s.play(p.t, kind, service, lines)
	}
	p.asked += len(all[0])
	for i := range max(len(all[0]), len(all[1])) {
		var a, b exchange
		if i < len(all[0]) {
			a = all[0][i]
		}
		if i < len(all[1]) {
			b = all[1][i]
		}
		if a != b && !linesAccepted(kind, a, b) {
			return fmt.Sprintf("%q\nCyrus %q %s\nours  %q %s", cut(a.sent+b.sent), cut(a.got), since(a, b), cut(b.got), "")
		}
		if a != b && (strings.HasPrefix(a.got, "<") || strings.HasPrefix(b.got, "<")) {
			return "" // one of them has ended
		}
	}
	return ""
}

// since shows where two texts part.
func since(a, b exchange) string {
	at := 0
	for at < min(len(a.got), len(b.got)) && a.got[at] == b.got[at] {
		at++
	}
	if at < 200 {
		return ""
	}
	return fmt.Sprintf("from %d: %q %q", at, cut(a.got[at:]), cut(b.got[at:]))
}

func cut(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

// play plays a dialog and adds what the users have afterwards.
func (s *lineSide) play(t *testing.T, kind, service string, lines []string) []exchange {
	conn, err := net.Dial("tcp", s.addr[service])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := &lineDialog{conn: conn, r: bufio.NewReader(conn), kind: kind}
	d.ask("", "")
	for _, line := range lines {
		if d.over {
			break
		}
		d.line(line)
	}
	conn.Close()
	if kind == "lmtp" {
		d.all = append(d.all, s.stored(t)...)
	}
	return d.all
}

// A lineDialog is a connection with what was said.
type lineDialog struct {
	conn     net.Conn
	r        *bufio.Reader
	kind     string
	accepted int  // recipients
	going    bool // a text is waited for
	over     bool
	all      []exchange
}

// line sends one line of a dialog, or what it stands for.
func (d *lineDialog) line(line string) {
	if d.kind != "lmtp" {
		d.ask(line, line+"\r\n")
		return
	}
	text, isMail := strings.CutPrefix(line, "@")
	switch {
	case isMail && d.going:
		if !strings.HasSuffix(text, "\r\n") {
			text += "\r\n"
		}
		d.going = false
		for i := range d.accepted {
			if i > 0 {
				text = ""
			} else {
				text += ".\r\n"
			}
			d.ask("@"+text, text)
		}
		d.accepted = 0
	case isMail:
	case d.going: // a line in place of a text
		d.line("@" + line)
	default:
		got := d.ask(line, line+"\r\n")
		verb := strings.ToUpper(line)
		switch {
		case strings.HasPrefix(verb, "RCPT") && strings.HasPrefix(got, "250"):
			d.accepted++
		case strings.HasPrefix(verb, "DATA") && strings.HasPrefix(got, "354"):
			d.going = true
		case (strings.HasPrefix(verb, "RSET") || strings.HasPrefix(verb, "LHLO") || strings.HasPrefix(verb, "STARTTLS")) && got[0] == '2':
			d.accepted = 0
		}
	}
}

// ask sends octets and keeps the reply.
func (d *lineDialog) ask(line, octets string) string {
	if d.over {
		return " "
	}
	if _, err := d.conn.Write([]byte(octets)); err != nil {
		d.over = true
		d.all = append(d.all, exchange{line, "<ended>"})
		return " "
	}
	got := maskLine(d.reply())
	d.all = append(d.all, exchange{line, got})
	return got + " "
}

// reply reads the reply of the protocol.
func (d *lineDialog) reply() string {
	_ = d.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	all := ""
	for {
		line, err := d.r.ReadString('\n')
		all += line
		if err != nil {
			d.over = true
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				return "<nothing>" + all
			}
			return "<ended>" + all
		}
		if d.ends(all, line) {
			return all
		}
	}
}

var sieveDone = regexp.MustCompile(`^(?:OK|NO|BYE)\b`)

// ends reports whether a line is the last of a reply.
func (d *lineDialog) ends(all, line string) bool {
	switch d.kind {
	case "lmtp":
		return len(line) < 4 || line[3] != '-'
	case "pop3":
		if d.multiline() && strings.HasPrefix(all, "+OK") {
			return line == ".\r\n"
		}
		return true
	}
	if m := literal.FindStringSubmatch(line); m != nil {
		return false
	}
	return sieveDone.MatchString(line)
}

func (d *lineDialog) multiline() bool { return false }

var literal = regexp.MustCompile(`\{(\d+)\+?\}\r\n$`)

// stored is what the users have got, which is then removed.
func (s *lineSide) stored(t *testing.T) (all []exchange) {
	for _, u := range append([]string{"cyrus"}, lineUsers...) {
		c := s.Login(u)
		boxes := []string{"INBOX", "INBOX/a", "INBOX/Drafts"}
		if u == "cyrus" {
			boxes = []string{"shared"}
		}
		for _, box := range boxes {
			if slices.Contains(c.Must("SELECT "+box), "* 0 EXISTS\r\n") {
				continue
			}
			for _, m := range messagesIn(c) {
				all = append(all, exchange{u + " " + box, maskLine(m)})
			}
			c.Must(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
			c.Must("EXPUNGE")
		}
		c.Close()
	}
	return all
}

// messagesIn is the texts of all messages of the selected mailbox.
func messagesIn(c *server.IMAP) (texts []string) {
	all := strings.Join(c.Must("FETCH 1:* BODY.PEEK[]"), "")
	for all != "" {
		_, rest, _ := strings.Cut(all, "{")
		n, text, ok := strings.Cut(rest, "}\r\n")
		size, err := strconv.Atoi(n)
		if !ok || err != nil || size > len(text) {
			return append(texts, all)
		}
		texts = append(texts, text[:size])
		_, all, _ = strings.Cut(text[size:], "\r\n")
	}
	return texts
}

// linesAccepted reports whether two replies may differ; README says why.
func linesAccepted(kind string, real, ours exchange) bool {
	if real.sent != ours.sent {
		return false
	}
	switch kind {
	case "lmtp": // ours says why an AUTH fails
		return strings.HasPrefix(real.got, "501 5.5.4 ") && (strings.HasPrefix(ours.got, "501 5.5.4 ") || strings.HasPrefix(ours.got, "504 "))
	}
	return false
}

//go:build reference

package reference

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
	"gocyrus/test/transcript"
)

// An asked is a command of a connection, without its tag and the last line
// end; synchronizing literals stand in it as they are sent.
type asked struct {
	conn int
	text string
}

// users is who logs in on which connection.
var users = map[int]string{1: "user1", 2: "user2", 3: "cyrus", 4: "user1"}

// trio is a real Cyrus and ours in both modes.
type trio struct {
	t       *testing.T
	config  []string
	servers []*side // the real one first
	stuck   bool    // the real one has mailboxes that it cannot delete
	mask    *transcript.Masker
	seen    map[string]int // differences, by signature
	urls    bool           // the dialog has used URLs of CATENATE

	rounds, commands, okay, crashes int
}

// side is one of the servers.
type side struct {
	name  string
	site  *server.Site
	conns map[int]*link
}

// link is a connection to a server.
type link struct {
	net.Conn
	r *bufio.Reader
}

// reply is the lines that a command was answered with, each with its
// literals; the last one is the tagged one, without its tag, or tells what came
// in its place.
type reply []string

// What stands in the place of a tagged line.
const (
	ended  = "<closed>"
	silent = "<nothing>"
)

// last is the tagged line.
func (r reply) last() string {
	if len(r) == 0 {
		return ended
	}
	return r[len(r)-1]
}

// difference is what a dialog showed.
type difference struct {
	at    int // of the step; the number of steps for the questions at the end
	asked string
	side  string
	real  reply
	ours  reply
}

// signature is the kind of difference: the command, and the first lines that
// differ without what is particular in them.
func (d *difference) signature() string {
	a, b := "", ""
	for i := range max(len(d.real), len(d.ours)) {
		a, b = at(d.real, i), at(d.ours, i)
		if a != b {
			break
		}
	}
	return d.side + " " + kind(d.asked) + ": " + kind(a) + " <> " + kind(b)
}

func at(r reply, i int) string {
	if i < len(r) {
		return r[i]
	}
	return "-"
}

// particular is what two differences of a kind may differ in.
var particular = regexp.MustCompile(`\d+|"[^"]*"|\(octet.*`)

// kind is a line without what is particular.
func kind(line string) string {
	words := strings.Fields(particular.ReplaceAllString(line, "#"))
	n := min(len(words), 4)
	if len(words) > 0 && (words[0] == "OK" || words[0] == "NO" || words[0] == "BAD" || words[0] == "*") {
		n = min(len(words), 7)
	} else if n > 1 && !strings.EqualFold(words[0], "UID") {
		n = 1
	} else {
		n = min(n, 2)
	}
	return strings.ToUpper(strings.Join(words[:n], " "))
}

// String is the answers, from the first line that differs.
func (d *difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %q\n", d.asked)
	for i := range max(len(d.real), len(d.ours)) {
		if at(d.real, i) != at(d.ours, i) {
			fmt.Fprintf(&b, "  line %d of %d and %d:\n", i, len(d.real), len(d.ours))
			for k := max(0, i-1); k < i+3; k++ {
				a, b2 := around(at(d.real, k), at(d.ours, k))
				fmt.Fprintf(&b, "    Cyrus %q\n    %-5s %q\n", a, d.side, b2)
			}
			break
		}
	}
	return b.String()
}

// around is the part of two lines in which they differ first.
func around(a, b string) (string, string) {
	const size = 300
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string {
		from := 0
		if i > size {
			from = i - 60
		}
		s = s[min(from, len(s)):]
		return s[:min(size, len(s))]
	}
	return cut(a), cut(b)
}

// play has all servers begin anew and answer the steps, and then the
// questions about what there is. It returns the differences: more than one only
// as long as the servers agree on what succeeds.
func (tr *trio) play(steps []asked) []*difference {
	if tr.stuck {
		return nil
	}
	clean := tr.each(func(s *side) []reply { return s.renew(tr.t) })
	for i := range clean {
		if clean[i] != nil && i == 0 {
			tr.stuck = true
			return nil
		}
		if clean[i] != nil {
			tr.t.Errorf("%s: not clean: %q", tr.servers[i].name, clean[i])
		}
	}
	defer tr.hangUp()
	tr.urls = false
	var out []*difference
	for i, s := range steps {
		tr.urls = tr.urls || strings.Contains(strings.ToUpper(s.text), "(URL ")
		d, over := tr.ask(i, s)
		if d != nil {
			d.at = i
			out = append(out, d)
			over = over || len(d.real) == 0 || kind(d.real.last())[:2] != kind(d.ours.last())[:2] || len(out) == 8
		}
		if over {
			return out
		}
	}
	if d := tr.questions(len(steps)); d != nil {
		out = append(out, d)
	}
	return out
}

// each has a function done for all servers at the same time.
func (tr *trio) each(fn func(s *side) []reply) [][]reply {
	out := make([][]reply, len(tr.servers))
	var all sync.WaitGroup
	for i, s := range tr.servers {
		all.Go(func() { out[i] = fn(s) })
	}
	all.Wait()
	return out
}

// ask puts one command to all servers and compares. over: the dialog cannot
// go on, as the real server has crashed.
func (tr *trio) ask(n int, st asked) (d *difference, over bool) {
	all := tr.each(func(s *side) []reply { return []reply{s.do(tr.t, n, st)} })
	real := all[0][0]
	tr.commands++
	if strings.HasPrefix(real.last(), "OK") {
		tr.okay++
	}
	bye := func(l string) bool { return strings.HasPrefix(l, "* BYE") }
	crash := func(l string) bool { return strings.HasPrefix(l, "* BYE Fatal error") }
	if real.last() == ended && (!slices.ContainsFunc(real, bye) || slices.ContainsFunc(real, crash)) {
		tr.crashes++
		if *dialogCrash {
			tr.t.Logf("the real imapd ended: %q", st.text)
		}
		return nil, true
	}
	for i, r := range all[1:] {
		if ours := r[0]; !tr.same(st, real, ours) {
			return &difference{asked: st.text, side: tr.servers[i+1].name, real: tr.masked(real), ours: tr.masked(ours)}, false
		}
	}
	for _, r := range all[1:] {
		over = over || kind(real.last())[:2] != kind(r[0].last())[:2] // accepted, but nothing is the same after it
	}
	if real.last() == ended || real.last() == silent {
		tr.each(func(s *side) []reply { s.drop(st.conn); return nil })
	}
	return nil, over
}

// syncLiteral ends what is sent before the server is waited for.
var syncLiteral = regexp.MustCompile(`\{\d+\}\r\n`)

// do sends a command and returns the answer.
func (s *side) do(t *testing.T, n int, st asked) reply {
	c := s.conns[st.conn]
	if c == nil {
		var err error
		if c, err = s.logIn(users[st.conn]); err != nil {
			t.Errorf("%s: %v", s.name, err)
			return reply{ended}
		}
		s.conns[st.conn] = c
	}
	text := fmt.Sprintf("a%d %s\r\n", n, st.text)
	var out reply
	for {
		piece := text
		if at := syncLiteral.FindStringIndex(text); at != nil {
			piece = text[:at[1]]
		}
		if _, err := io.WriteString(c, piece); err != nil {
			return append(out, ended)
		}
		text = text[len(piece):]
		idle := strings.EqualFold(st.text, "IDLE")
		lines, goesOn := c.answer(fmt.Sprintf("a%d ", n), text != "" || idle)
		out = append(out, lines...)
		if !goesOn {
			break
		}
		if idle {
			text = "DONE\r\n"
		}
	}
	if strings.HasPrefix(out.last(), "BAD") || strings.HasPrefix(out.last(), "NO") {
		out = slices.Concat(out[:len(out)-1], c.settle(n), out[len(out)-1:])
	}
	return out
}

// settle has a server read what it makes of the rest of a command that it
// refused.
func (c *link) settle(n int) reply {
	if _, err := fmt.Fprintf(c, "s%d NOOP\r\n", n); err != nil {
		return nil
	}
	lines, _ := c.answer(fmt.Sprintf("s%d ", n), false)
	return slices.DeleteFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "* ") || strings.HasPrefix(l, "* BAD ") })
}

// answer reads until the tagged line, or, if more is to be sent, until the
// server asks for it.
func (c *link) answer(tag string, more bool) (out reply, goesOn bool) {
	for {
		line, err := c.line()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return append(out, silent), false
		case err != nil:
			return append(out, ended), false
		}
		if rest, ok := strings.CutPrefix(line, tag); ok {
			return append(out, strings.TrimSuffix(rest, "\n")), false
		}
		if more && strings.HasPrefix(line, "+") {
			return out, true
		}
		if strings.HasPrefix(line, "* BAD ") {
			continue // about the rest of a line that was refused
		}
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
}

// literalEnd is a literal at the end of a line.
var literalEnd = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line reads a line with its literals.
func (c *link) line() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(6 * time.Second)); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		part, err := c.r.ReadString('\n')
		b.WriteString(part)
		if err != nil {
			return b.String(), err
		}
		m := literalEnd.FindStringSubmatch(part)
		if m == nil {
			return b.String(), nil
		}
		size, _ := strconv.Atoi(m[1])
		data := make([]byte, size)
		if _, err := io.ReadFull(c.r, data); err != nil {
			return b.String(), err
		}
		b.Write(data)
	}
}

// logIn opens a connection.
func (s *side) logIn(user string) (*link, error) {
	conn, err := net.DialTimeout("tcp", s.site.IMAP, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &link{conn, bufio.NewReader(conn)}
	if _, err := c.line(); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if r := c.talk("LOGIN " + user + " pass"); !strings.HasPrefix(r.last(), "OK") {
		return nil, fmt.Errorf("login of %s: %q", user, r)
	}
	return c, nil
}

// talk is a command that is not compared.
func (c *link) talk(command string) reply {
	if _, err := fmt.Fprintf(c, "x %s\r\n", command); err != nil {
		return reply{ended}
	}
	out, _ := c.answer("x ", false)
	return out
}

// drop closes a connection; the next command opens it again.
func (s *side) drop(conn int) {
	if c := s.conns[conn]; c != nil {
		c.Close()
		delete(s.conns, conn)
	}
}

func (tr *trio) hangUp() {
	for _, s := range tr.servers {
		for n, c := range s.conns {
			c.talk("LOGOUT")
			s.drop(n)
		}
	}
}

// named is the name in a line of LIST.
var named = regexp.MustCompile(`^\* LIST \([^)]*\) (?:"."|NIL) (.*)\r$`)

// renew removes all mailboxes and makes those that each dialog begins with. It
// returns what was refused.
func (s *side) renew(t *testing.T) (refused []reply) {
	s.conns = map[int]*link{}
	c, err := s.logIn("cyrus")
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	defer c.Close()
	sep := "/"
	for pass := range 4 {
		left := 0
		for _, pattern := range []string{"*", "DELETED/*", "DELETED.*"} {
			var names []string
			for _, l := range c.talk(`LIST "" "` + pattern + `"`) {
				if m := named.FindStringSubmatch(l); m != nil {
					names = append(names, m[1])
					if strings.Contains(l, ` "." `) {
						sep = "."
					}
				}
			}
			slices.Reverse(names)
			for _, name := range names {
				left++
				c.talk("SETACL " + name + " cyrus lrswipkxtecdan")
				if r := c.talk("DELETE " + name); pass == 3 && !strings.HasPrefix(r.last(), "OK") {
					refused = append(refused, append(r, name))
				}
			}
		}
		if left == 0 {
			break
		}
	}
	for _, l := range c.talk(`LSUB "" "*"`) {
		if m := named.FindStringSubmatch(strings.Replace(l, "LSUB", "LIST", 1)); m != nil {
			c.talk("UNSUBSCRIBE " + m[1])
		}
	}
	for _, entry := range []string{"comment", "motd", "admin", "shutdown", "vendor/cmu/cyrus-imapd/expire", "vendor/cmu/cyrus-imapd/squat"} {
		c.talk(`SETMETADATA "" (/shared/` + entry + ` NIL /private/` + entry + " NIL)")
	}
	for _, command := range []string{"CREATE user/user1", "CREATE user/user2", "CREATE shared", "CREATE shared/x", "SETACL shared user1 lrswipkxtecda", "SETACL shared/x user2 lrswipte"} {
		if r := c.talk(strings.ReplaceAll(command, "/", sep)); !strings.HasPrefix(r.last(), "OK") {
			refused = append(refused, append(r, command))
		}
	}
	return refused
}

// questions asks for all that there is.
func (tr *trio) questions(n int) *difference {
	ask := func(conn int, text string) (reply, *difference) {
		st := asked{conn, text}
		d, _ := tr.ask(n, st)
		if d != nil {
			d.at = n
			return nil, d
		}
		return nil, nil
	}
	tr.hangUp()
	for _, conn := range []int{3, 1, 2} {
		names := tr.names(conn)
		list := []string{`LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS)`, `LSUB "" "*"`, `GETMETADATA (DEPTH infinity) "" (/shared /private)`}
		for _, name := range names {
			list = append(list, "STATUS "+name+" (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE)", "GETACL "+name, "MYRIGHTS "+name, "GETQUOTAROOT "+name,
				"GETMETADATA (DEPTH infinity) "+name+" (/shared /private)", "EXAMINE "+name, "UID FETCH 1:* (FLAGS MODSEQ INTERNALDATE RFC822.SIZE DIGEST.SHA1 ANNOTATION (/* (value.priv value.shared)))", "UNSELECT")
		}
		for _, text := range list {
			if _, d := ask(conn, text); d != nil {
				return d
			}
		}
	}
	return nil
}

// names is what the real server lists.
func (tr *trio) names(conn int) []string {
	c, err := tr.servers[0].logIn(users[conn])
	if err != nil {
		return nil
	}
	defer c.Close()
	var out []string
	for _, pattern := range []string{"*", "DELETED/*", "DELETED.*"} {
		for _, l := range c.talk(`LIST "" "` + pattern + `"`) {
			if m := named.FindStringSubmatch(l); m != nil && !strings.Contains(l, "DELETED") {
				out = append(out, m[1])
			}
		}
	}
	return out
}

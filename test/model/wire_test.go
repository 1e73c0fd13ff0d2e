package model

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a server may take for a line.
const patience = 60 * time.Second

// wire is a connection: it sends commands and reads replies.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	tags int
	log  []string // what was said last, for messages
}

// dial opens a connection and reads the greeting.
func dial(addr string) (*wire, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: c, r: bufio.NewReader(c)}
	_, err = w.line()
	return w, err
}

// said keeps what was said last.
func (w *wire) said(who, line string) {
	if len(w.log) >= 60 {
		w.log = w.log[1:]
	}
	w.log = append(w.log, who+" "+strings.TrimRight(line, "\r\n"))
}

// send sends a command and returns its tag.
func (w *wire) send(command string) (string, error) {
	w.tags++
	tag := fmt.Sprintf("t%d", w.tags)
	return tag, w.raw(tag + " " + command + "\r\n")
}

func (w *wire) raw(text string) error {
	w.said("C:", text)
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.WriteString(w.conn, text)
	return err
}

var literal = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line reads a reply with its literals, whose heads are left in it.
func (w *wire) line() (string, error) {
	var b strings.Builder
	for {
		l, err := w.r.ReadString('\n')
		if err != nil {
			return b.String(), err
		}
		b.WriteString(l)
		m := literal.FindStringSubmatch(l)
		if m == nil {
			w.said("S:", b.String())
			return strings.TrimRight(b.String(), "\r\n"), nil
		}
		n, _ := strconv.Atoi(m[1])
		buf := make([]byte, n)
		if _, err := io.ReadFull(w.r, buf); err != nil {
			return b.String(), err
		}
		b.Write(buf)
	}
}

// replies reads up to the tagged one, whose text is returned; each untagged
// one goes to fn.
func (w *wire) replies(tag string, fn func(line string) error) (string, error) {
	for {
		l, err := w.line()
		if err != nil {
			return "", fmt.Errorf("%w; the dialog before:\n%s", err, strings.Join(w.log, "\n"))
		}
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			return rest, nil
		}
		if !strings.HasPrefix(l, "* ") {
			continue // "+ idling"
		}
		if strings.HasPrefix(l, "* BYE") {
			return "", fmt.Errorf("%q", l)
		}
		if err := fn(l[2:]); err != nil {
			return "", fmt.Errorf("%w; the dialog before:\n%s", err, strings.Join(w.log, "\n"))
		}
	}
}

// uids parses a set of UIDs as a server prints it.
func uids(set string) (all []uint32, err error) {
	for _, part := range strings.Split(set, ",") {
		from, to, is := strings.Cut(part, ":")
		a, err := strconv.ParseUint(from, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("a set of UIDs: %q", set)
		}
		b := a
		if is {
			if b, err = strconv.ParseUint(to, 10, 32); err != nil {
				return nil, fmt.Errorf("a set of UIDs: %q", set)
			}
		}
		if b < a {
			a, b = b, a
		}
		if b-a > 1<<20 {
			return nil, fmt.Errorf("a set of too many UIDs: %q", set)
		}
		for ; a <= b; a++ {
			all = append(all, uint32(a))
		}
	}
	return all, nil
}

// set prints numbers for a command.
func set(ns []uint32) string {
	if len(ns) == 0 {
		return ""
	}
	var parts []string
	for _, n := range ns {
		parts = append(parts, strconv.FormatUint(uint64(n), 10))
	}
	return strings.Join(parts, ",")
}

// fetched is what a FETCH reply says.
type fetched struct {
	seq    int
	uid    uint32 // 0: not told
	modseq uint64 // 0: not told
	flags  string // sorted, without \Recent
	has    bool   // flags are told
	token  string // of the message, "": not told
}

var (
	uidItem    = regexp.MustCompile(`[( ]UID (\d+)`)
	modseqItem = regexp.MustCompile(`MODSEQ \((\d+)\)`)
	flagsItem  = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	tokenItem  = regexp.MustCompile(`Subject: (\S+)`)
)

// parseFetch parses "3 FETCH (…".
func parseFetch(line string) (f fetched, ok bool) {
	head, rest, ok := strings.Cut(line, " FETCH ")
	if !ok {
		return f, false
	}
	seq, err := strconv.Atoi(head)
	if err != nil {
		return f, false
	}
	f.seq = seq
	if m := uidItem.FindStringSubmatch(rest); m != nil {
		n, _ := strconv.ParseUint(m[1], 10, 32)
		f.uid = uint32(n)
	}
	if m := modseqItem.FindStringSubmatch(rest); m != nil {
		f.modseq, _ = strconv.ParseUint(m[1], 10, 64)
	}
	if m := flagsItem.FindStringSubmatch(rest); m != nil {
		f.flags, f.has = sorted(strings.Fields(m[1])), true
	}
	if m := tokenItem.FindStringSubmatch(rest); m != nil {
		f.token = m[1]
	}
	return f, true
}

// sorted is flags as they are compared.
func sorted(flags []string) string {
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == `\Recent` })
	slices.Sort(flags)
	return strings.Join(flags, " ")
}

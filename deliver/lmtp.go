package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// A result is what became of the message for one recipient.
type result struct {
	address string
	code    int    // 250, 452, 550 …
	text    string // of the reply, with the enhanced code
}

// reasons is Cyrus's wording of each reply, by code and enhanced code
// (Cyrus imap/lmtpengine.c revconvert_lmtp).
var reasons = map[string]string{
	"451 4.2.0": "Mailbox has an invalid format",
	"451 4.2.1": "Mailbox is locked",
	"451 4.3.0": "System I/O error",
	"451 4.3.1": "System I/O error",
	"451 4.3.2": "System I/O error",
	"451 4.4.3": "Server(s) unavailable to complete operation",
	"452 4.2.2": "Over quota",
	"552 5.2.2": "Over quota",
	"552 5.2.3": "Message size exceeds fixed limit",
	"550 5.1.1": "Mailbox does not exist",
	"550 5.7.1": "Permission denied",
}

// reason is the text that deliver prints for a failed recipient.
func (r result) reason() string {
	enhanced, text, _ := strings.Cut(r.text, " ")
	if known, ok := reasons[fmt.Sprintf("%d %s", r.code, enhanced)]; ok {
		return known
	}
	if r.code == 554 && text != "" {
		return text
	}
	return fmt.Sprintf("%d %s", r.code, r.text)
}

// A client is the sending side of LMTP (RFC 2033).
type client struct {
	net.Conn
	r *bufio.Reader
}

// patience bounds the wait for each reply of lmtpd.
const patience = 10 * time.Minute

// send delivers what message holds to each recipient of f, in their order.
// An error means that the outcome is unknown for all.
func send(conn net.Conn, f *flags, message io.Reader) ([]result, error) {
	c := &client{conn, bufio.NewReader(conn)}
	if _, err := c.expect(220); err != nil {
		return nil, err
	}
	if err := c.command(250, "LHLO deliver"); err != nil {
		return nil, err
	}
	if err := c.command(250, "MAIL FROM:"+f.from()); err != nil {
		return nil, err
	}
	results := make([]result, 0, len(f.users)+1)
	var accepted []int
	for _, address := range f.recipients() {
		r, err := c.recipient(address, f.quota)
		if err != nil {
			return nil, err
		}
		if r.code == 250 {
			accepted = append(accepted, len(results))
		}
		results = append(results, r)
	}
	if len(accepted) > 0 {
		if err := c.data(message, results, accepted); err != nil {
			return nil, err
		}
	}
	_ = c.command(221, "QUIT") // all is said: how lmtpd leaves changes nothing
	return results, nil
}

// from is the argument of MAIL FROM.
func (f *flags) from() string {
	path := "<" + strings.Trim(f.returnPath, "<>") + ">"
	if f.auth != "" {
		path += " AUTH=" + xtext(f.auth)
	}
	return path
}

// recipients are the addresses: each user with the folder of -m, or that
// shared mailbox alone.
func (f *flags) recipients() []string {
	detail := ""
	if f.mailbox != "" {
		detail = "+" + f.mailbox
	}
	if len(f.users) == 0 {
		return []string{detail}
	}
	out := make([]string, len(f.users))
	for i, u := range f.users {
		local, domain, ok := strings.Cut(u, "@")
		if ok {
			domain = "@" + domain
		}
		out[i] = local + detail + domain
	}
	return out
}

// xtext encodes s for a parameter (RFC 3461 section 4).
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// quotePath writes an address for RCPT TO. A byte that may not stand bare
// in a local part gets a backslash in front: lmtpd takes no "+" inside of
// quotes for the beginning of a folder.
func quotePath(address string) string {
	local, domain := address, ""
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		local, domain = address[:i], address[i:]
	}
	var b strings.Builder
	b.WriteByte('<')
	for i := range len(local) {
		if c := local[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>()[]\\,;:\"@", c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteString(domain)
	b.WriteByte('>')
	return b.String()
}

func (c *client) recipient(address string, ignoreQuota bool) (result, error) {
	line := "RCPT TO:" + quotePath(address)
	if ignoreQuota {
		line += " IGNOREQUOTA"
	}
	r, err := c.roundTrip(line)
	r.address = address
	return r, err
}

// data sends the message and fills in the results of those that were
// accepted: lmtpd replies once for each.
func (c *client) data(message io.Reader, results []result, accepted []int) error {
	r, err := c.roundTrip("DATA")
	if err != nil {
		return err
	}
	if r.code == 354 {
		if err := c.body(message); err != nil {
			return err
		}
	}
	for _, i := range accepted {
		got := r
		if r.code == 354 {
			if got, err = c.reply(); err != nil {
				return err
			}
		}
		results[i].code, results[i].text = got.code, got.text
	}
	return nil
}

// body sends a message from a file: every line gets CR LF as its end and
// lines that begin with a dot get another (RFC 5321 section 4.5.2).
func (c *client) body(message io.Reader) error {
	in, out := bufio.NewReaderSize(message, 64<<10), bufio.NewWriterSize(c, 64<<10)
	start := true
	for {
		chunk, err := in.ReadSlice('\n')
		if len(chunk) > 0 {
			if start && chunk[0] == '.' {
				_ = out.WriteByte('.')
			}
			line, ended := bytes.CutSuffix(chunk, []byte("\n"))
			_, _ = out.Write(line)
			if ended && !bytes.HasSuffix(line, []byte("\r")) {
				_ = out.WriteByte('\r')
			}
			if ended {
				_ = out.WriteByte('\n')
			}
			start = ended
		}
		if err == io.EOF {
			break
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
	if !start {
		_, _ = out.WriteString("\r\n")
	}
	_, _ = out.WriteString(".\r\n")
	return out.Flush()
}

// command sends a line and fails unless the reply has the wanted code.
func (c *client) command(want int, line string) error {
	r, err := c.roundTrip(line)
	if err == nil && r.code != want {
		err = fmt.Errorf("%s: lmtpd says %d %s", line, r.code, r.text)
	}
	return err
}

func (c *client) roundTrip(line string) (result, error) {
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		return result{}, err
	}
	return c.reply()
}

func (c *client) expect(code int) (result, error) {
	r, err := c.reply()
	if err == nil && r.code != code {
		err = fmt.Errorf("lmtpd says %d %s", r.code, r.text)
	}
	return r, err
}

// reply reads one reply; of several lines it keeps the last.
func (c *client) reply() (result, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return result{}, err
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return result{}, fmt.Errorf("lmtpd closed the connection: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 4 {
			return result{}, fmt.Errorf("lmtpd says %q", line)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return result{}, fmt.Errorf("lmtpd says %q", line)
		}
		if line[3] != '-' {
			return result{code: code, text: line[4:]}, nil
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sieve"
)

const sieveTestUse = `usage: cyrus sieve-test [-C <altconfig>] [-f <from>] [-t <to>] [-m <mailbox>]... [-q] <script> <message>
`

// sieveTest runs a script on a message and says what would be done, and
// why. Nothing is delivered or sent. The script is text or byte code;
// scripts that it includes are looked for beside it, NAME.sieve, NAME.script
// or NAME.bc.
func sieveTest(p *program) int { return p.end(p.sieveTest()) }

func (p *program) sieveTest() error {
	opts, operands, err := p.options("C:f:t:m:q", sieveTestUse, exUsage)
	if err != nil {
		return err
	}
	if len(operands) != 2 {
		return p.misused(sieveTestUse, exUsage)
	}
	h := &testHost{p: p, boxes: []string{"INBOX"}, trace: true}
	m := &sieve.Message{From: "sender@example.org", To: "user@example.com"}
	conf := ""
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'f':
			m.From = strings.Trim(o.Arg, "<>")
		case 't':
			m.To = strings.Trim(o.Arg, "<>")
		case 'm':
			h.boxes = append(h.boxes, o.Arg)
		case 'q':
			h.trace = false
		}
	}
	c, err := config.Load(conf, p.args[0])
	if err != nil {
		return &exit{exConfig, err}
	}
	h.opt, h.dir = sieve.OptionsFrom(c), filepath.Dir(operands[0])
	s, err := h.load(operands[0])
	if err != nil {
		return &exit{exDataErr, err}
	}
	text, err := p.readOperand(operands[1])
	if err != nil {
		return &exit{exFailure, err}
	}
	text = crlf(text)
	m.Header, _, _ = bytes.Cut(text, []byte("\r\n\r\n"))
	m.Size, m.Content = int64(len(text)), bytes.NewReader(text)
	env := sieve.Env{Host: h, Options: h.opt}
	if h.trace {
		env.Trace = func(line string) { fmt.Fprintf(p.out, "  %s\n", strings.ReplaceAll(line, "\n", "\n  ")) }
	}
	res := s.Run(context.Background(), m, operands[0], env)
	if res.Perform(h) != nil {
		fmt.Fprintln(p.out, "keep in INBOX: normal delivery")
		return &exit{exFailure, nil}
	}
	return nil
}

// crlf gives every line its CR.
func crlf(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// testHost knows the mailboxes of -m and prints what is to be done.
type testHost struct {
	sieve.NoHost
	p     *program
	opt   sieve.Options
	dir   string
	boxes []string
	trace bool
}

// load reads a script, text or byte code.
func (h *testHost) load(path string) (*sieve.Script, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, []byte("CyrSBytecode")) {
		return sieve.Decode(b)
	}
	s, err := sieve.Parse(b, h.opt)
	if err != nil {
		return nil, fmt.Errorf("%s has errors:\n%s", path, strings.ReplaceAll(err.Error(), "\r\n", "\n"))
	}
	return s, nil
}

// MailboxExists is whether -m named it.
func (h *testHost) MailboxExists(name string) bool { return slices.Contains(h.boxes, name) }

// Include looks for the script beside the first.
func (h *testHost) Include(name string, _ bool) (*sieve.Script, string, error) {
	if name != filepath.Base(name) {
		return nil, "", sieve.ErrNoScript
	}
	for _, suffix := range []string{"", ".sieve", ".script", ".bc"} {
		path := filepath.Join(h.dir, name+suffix)
		s, err := h.load(path)
		if !errors.Is(err, os.ErrNotExist) {
			return s, path, err
		}
	}
	return nil, "", sieve.ErrNoScript
}

// Log prints the text of the action log.
func (h *testHost) Log(text string) { fmt.Fprintf(h.p.out, "log: %s\n", text) }

func (h *testHost) print(format string, args ...any) { fmt.Fprintf(h.p.out, format+"\n", args...) }

// Do prints an action.
func (h *testHost) Do(a sieve.Action) error {
	edited := ""
	if a.Header != nil {
		edited = ", with its header changed"
	}
	switch a.Kind {
	case sieve.Keep:
		h.print("keep in INBOX%s%s", flagsText(a.Mailbox.Flags), edited)
	case sieve.FileInto:
		h.print("file into %q%s%s", a.Mailbox.Name, flagsText(a.Mailbox.Flags), edited)
	case sieve.Redirect:
		h.print("redirect to %s%s", a.Address, edited)
	case sieve.Reject, sieve.Ereject:
		h.print("reject: %s", a.Reason)
	case sieve.Discard:
		h.print("discard")
	default:
		h.print("%s", strings.ToLower(a.Kind.String()))
	}
	return nil
}

func flagsText(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return " with " + strings.Join(flags, " ")
}

// Respond prints a vacation response.
func (h *testHost) Respond(r sieve.Response) (bool, error) {
	h.print("vacation response to %s from %s, at most every %d s\n  Subject: %s\n  %s", r.To, r.From, r.Seconds, r.Subject,
		strings.ReplaceAll(strings.TrimSpace(r.Text), "\n", "\n  "))
	return true, nil
}

// Notify prints a notification.
func (h *testHost) Notify(n sieve.Notification) error {
	h.print("notify %s (%s): %s", n.Method, n.Priority, strings.TrimSpace(strings.SplitN(n.Message, "\n\n", 2)[0]))
	return nil
}

// Track does nothing.
func (h *testHost) Track(sieve.Tracked) {}

// Failed prints why the script did not work.
func (h *testHost) Failed(text string) { h.print("the script failed: %s", text) }

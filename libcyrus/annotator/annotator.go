// Package annotator asks the program or the service that annotation_callout
// names about each new message: it is told where the message lies, its
// structure, flags and annotations, and may change flags and annotations.
//
// Source: callout_run in Cyrus imap/append.c; Cyrus::Annotator::Daemon of
// its Perl modules is such a service.
package annotator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/site"
)

// patience bounds how long the annotator may take for one message.
const patience = 10 * time.Second

// maxReply is the most octets of an answer.
const maxReply = 1 << 20

// A Caller asks about messages. It may be used from many goroutines; nil asks
// nobody.
type Caller struct {
	path        string // "": nobody is asked
	definitions *annot.Definitions
	log         *slog.Logger
}

// New returns the caller of a site.
func New(s *site.Site) *Caller {
	path := config.AnnotationCallout.In(s.Config)
	if config.AnnotationCalloutDisableAppend.In(s.Config) {
		path = "" // Source: append_run_annotator in Cyrus imap/append.c
	}
	return &Caller{path: path, definitions: s.Definitions, log: s.Log}
}

// A Subject says for whom a message is stored.
type Subject struct {
	User   string // whose private annotations are set
	Rights acl.Rights
	Owner  bool // of the mailbox: he sets \Seen
}

// Annotate asks about a message that is about to be appended, whose file is
// complete, and changes its flags and annotations as it is told. Without
// annotation_callout, and where the annotator fails, it stays as it is: that
// must not keep mail out.
func (c *Caller) Annotate(ctx context.Context, m *mailbox.AppendMessage, of Subject) {
	if c == nil || c.path == "" {
		return
	}
	if err := c.annotate(ctx, m, of); err != nil {
		c.log.Error("Annotation callout failed, ignoring", "annotation_callout", c.path, "error", err)
	}
}

func (c *Caller) annotate(ctx context.Context, m *mailbox.AppendMessage, of Subject) error {
	msg, err := m.Staged.Parse()
	if err != nil {
		return err
	}
	flags := flagNames(m)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := c.ask(ctx, request(m, msg, flags))
	if err != nil {
		return err
	}
	list, err := parse(reply)
	if err != nil {
		return err
	}
	a := answer{flags: flags}
	err = a.read(list) // what came before a fault counts
	m.Flags, m.Keywords = scripts.Flags(a.flags, of.Rights, of.Owner)
	return errors.Join(err, c.set(m, a.sets, of))
}

// flagNames is the flags of a message by name; those of IMAP in lower case,
// as Cyrus has them.
func flagNames(m *mailbox.AppendMessage) (names []string) {
	for _, f := range []struct {
		flag mailbox.Flags
		name string
	}{{mailbox.Seen, `\seen`}, {mailbox.Answered, `\answered`}, {mailbox.Flagged, `\flagged`}, {mailbox.Deleted, `\deleted`}, {mailbox.Draft, `\draft`}} {
		if m.Flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return append(names, m.Keywords...)
}

// request is what the annotator is told.
//
// Source: callout_encode_args in Cyrus imap/append.c.
func request(m *mailbox.AppendMessage, msg *message.Message, flags []string) []byte {
	b := []byte("(FILENAME ")
	b = message.AppendNString(b, []byte(m.Staged.Path()))
	b = append(b, " ANNOTATIONS ("...)
	entry := ""
	for _, a := range slices.Backward(m.Annotations) { // the first was checked last
		switch {
		case a.Entry == entry:
			b = append(b[:len(b)-1], ' ')
		case entry != "":
			b = append(b, ' ')
			fallthrough
		default:
			entry = a.Entry
			b = append(message.AppendNString(b, []byte(entry)), " ("...)
		}
		attr := "value.shared"
		if a.User != "" {
			attr = "value.priv"
		}
		b = append(message.AppendNString(b, []byte(attr)), ' ')
		b = append(message.AppendNString(b, a.Value), ')')
	}
	b = append(b, ") FLAGS ("+strings.Join(flags, " ")+") BODY "...)
	b = append(b, msg.Located()...)
	return fmt.Appendf(b, " GUID %x)", msg.GUID)
}

// ask sends a request to the service that listens at the path, or to a new
// process of the program that lies there, and returns its answer.
func (c *Caller) ask(ctx context.Context, req []byte) ([]byte, error) {
	wire := fmt.Appendf(nil, "%d\n%s0\n", len(req), req)
	info, err := os.Stat(c.path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Mode()&os.ModeSocket != 0:
		return c.askService(ctx, wire)
	case info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0:
		return c.askProgram(ctx, wire)
	}
	return nil, errors.New("neither a socket nor a program")
}

// askService asks over a unix socket. The service may keep it open after its
// answer.
func (c *Caller) askService(ctx context.Context, wire []byte) ([]byte, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return nil, err
		}
	}
	if _, err := conn.Write(wire); err != nil {
		return nil, err
	}
	var all []byte
	buf := make([]byte, 4096)
	for len(all) < maxReply {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if _, perr := parse(all); perr == nil {
			return all, nil
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the answer is too long")
}

// askProgram starts a program and asks over its standard input and output.
func (c *Caller) askProgram(ctx context.Context, wire []byte) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.path)
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(wire)
	var out limited
	cmd.Stdout = &out
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) || ctx.Err() != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	// As in Cyrus its status does not count if it has answered; one that does
	// not read all that it is told is no failure either.
	if len(out.b) == 0 && err != nil {
		return nil, err
	}
	return out.b, nil
}

// limited keeps what is written, up to maxReply.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > maxReply {
		return 0, errors.New("the answer is too long")
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// parse reads an answer: a list.
func parse(b []byte) (*dlist.Node, error) {
	n, _, err := dlist.ParsePrefix(bytes.TrimLeft(b, " \r\n"))
	if err == nil && n.Kind != dlist.List {
		err = errUnexpected
	}
	return n, err
}

// errUnexpected is an answer that says something else than it may.
var errUnexpected = errors.New("unexpected data in the answer")

// answer is what is to become of a message.
type answer struct {
	flags []string
	sets  []annot.Set
}

// read takes an answer's items, until one that is not understood.
//
// Source: callout_decode_results in Cyrus imap/append.c.
func (a *answer) read(list *dlist.Node) error {
	for i := 0; i+1 < len(list.Items); i += 2 {
		value := &list.Items[i+1]
		switch strings.ToUpper(list.Items[i].String()) {
		case "+FLAGS":
			for _, f := range texts(value) {
				if !containsFold(a.flags, f) {
					a.flags = append(a.flags, f)
				}
			}
		case "-FLAGS":
			for _, f := range texts(value) {
				a.flags = slices.DeleteFunc(a.flags, func(have string) bool { return strings.EqualFold(have, f) })
			}
		case "ANNOTATION":
			if err := a.annotation(value); err != nil {
				return err
			}
		default:
			return errUnexpected
		}
	}
	if len(list.Items)%2 != 0 {
		return errUnexpected
	}
	return nil
}

// annotation reads (ENTRY (ATTRIBUTE VALUE)…).
func (a *answer) annotation(n *dlist.Node) error {
	if n.Kind != dlist.List || len(n.Items) == 0 {
		return errUnexpected
	}
	entry := n.Items[0].String()
	for i := range n.Items[1:] {
		pair := &n.Items[1+i]
		if pair.Kind != dlist.List || len(pair.Items) != 2 {
			return errUnexpected
		}
		a.sets = append(a.sets, annot.Set{Entry: entry, Attr: pair.Items[0].String(), Value: pair.Items[1].Value})
	}
	return nil
}

// texts is a word, or the words of a list.
func texts(n *dlist.Node) (words []string) {
	if n.Kind != dlist.List {
		return []string{n.String()}
	}
	for i := range n.Items {
		words = append(words, n.Items[i].String())
	}
	return words
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

// set gives a message annotations, in the place of its own of the same names.
// The annotator may set all of them, whoever stores the message.
func (c *Caller) set(m *mailbox.AppendMessage, sets []annot.Set, of Subject) error {
	if len(sets) == 0 {
		return nil
	}
	changes, err := c.definitions.Check(annot.OfMessage, sets, annot.Actor{User: of.User, Admin: true})
	if err != nil {
		return err
	}
	m.Annotations = slices.Clone(m.Annotations)
	for _, ch := range changes {
		m.Annotations = slices.DeleteFunc(m.Annotations, func(a mailbox.Annotation) bool { return a.Key == ch.Key })
		if ch.Value != nil {
			m.Annotations = append(m.Annotations, mailbox.Annotation{Key: ch.Key, Value: ch.Value, Quiet: len(m.Annotations) > 0})
		}
	}
	return nil
}

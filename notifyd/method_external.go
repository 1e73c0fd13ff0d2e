package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
)

// toProgram gives the text to the program in notify_external, on its standard
// input. The flags -c, -p, -u and -m tell class, priority, user and mailbox;
// -f is the message's file, where there is one.
//
// Source: Cyrus notifyd/notify_external.c.
func toProgram(s *server, ctx context.Context, m *notify.Message) error {
	program := config.NotifyExternal.In(s.conf)
	if program == "" {
		return errors.New("no external recipient (program) specified")
	}
	args := []string{"-c", m.Class, "-p", m.Priority, "-u", m.User, "-m", m.Mailbox}
	if m.File != "" {
		args = append(args, "-f", m.File)
	}
	return run(ctx, []byte(m.Text+"\n"), program, args...)
}

// run runs a program until ctx ends. One that does not read its input has
// not failed.
func run(ctx context.Context, input []byte, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(input)
	var out bytes.Buffer
	cmd.Stderr = &limited{&out, 1000}
	err := cmd.Run()
	if err != nil && out.Len() > 0 {
		err = fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(out.String()))
	}
	return err
}

// limited keeps the first octets that are written, and takes all.
type limited struct {
	*bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, len(p))
	l.left -= n
	l.Buffer.Write(p[:n])
	return len(p), nil
}

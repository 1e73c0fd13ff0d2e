package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
)

// Bounds of spam_learn_program.
const (
	maxLearning = 200              // messages that wait, each an open file
	learnTime   = 60 * time.Second // of one run
	learnEnd    = 5 * time.Second  // for what waits when the process leaves
)

// A lesson is a message that a user has called spam, or ham.
type lesson struct {
	kind, user, mailbox string
	file                disk.File
	size                int64
}

// learner hands messages to spam_learn_program, one at a time, while sessions
// go on.
type learner struct {
	program string
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	queue   chan lesson
	done    sync.WaitGroup
	closing sync.Mutex // guards closed, and the queue against being closed
	closed  bool
}

// newLearner is nil unless imapd.conf names a program.
func newLearner(c *config.Config, log *slog.Logger) *learner {
	program := config.SpamLearnProgram.In(c)
	if program == "" {
		return nil
	}
	l := &learner{program: program, log: log, queue: make(chan lesson, maxLearning)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		for x := range l.queue {
			if err := l.teach(&x); err != nil {
				l.log.Error("spam_learn_program failed", "program", l.program, "kind", x.kind, "user", x.user, "error", err)
			}
			x.file.Close()
		}
	}()
	return l
}

// add queues a message, whose file is the learner's from now on; false if
// too many wait.
func (l *learner) add(x lesson) bool {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.closed {
		return false
	}
	select {
	case l.queue <- x:
		return true
	default:
		return false
	}
}

// teach runs the program: KIND USER MAILBOX, the message on standard input.
func (l *learner) teach(x *lesson) error {
	ctx, cancel := context.WithTimeout(l.ctx, learnTime)
	defer cancel()
	c := exec.CommandContext(ctx, l.program, x.kind, x.user, x.mailbox)
	c.Stdin = io.NewSectionReader(x.file, 0, x.size)
	c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // with its children
	c.WaitDelay = time.Second
	said := &firstOctets{}
	c.Stdout, c.Stderr = said, said
	err := c.Run()
	if err != nil && said.text.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.ReplaceAll(strings.TrimSpace(said.text.String()), "\n", "; "))
	}
	return err
}

// firstOctets keeps the beginning of what a program says.
type firstOctets struct{ text strings.Builder }

func (f *firstOctets) Write(p []byte) (int, error) {
	f.text.Write(p[:min(len(p), max(0, 500-f.text.Len()))])
	return len(p), nil
}

// Close lets the program finish with what waits, for a while.
func (l *learner) Close() {
	l.closing.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.closing.Unlock()
	t := time.AfterFunc(learnEnd, l.cancel)
	defer t.Stop()
	l.done.Wait()
	l.cancel()
}

// learn has the program learn from messages that have come into a mailbox of
// the user from the selected one: into \Junk they are spam; out of it they
// are ham, unless they are thrown away.
func (s *session) learn(dst *mboxlist.Entry, uids []uint32) {
	junk, err := s.site.List.SpecialUse(s.ctx, s.who.User, `\Junk`)
	if err != nil {
		return // there is none
	}
	kind := ""
	switch from := s.view.Ref().UniqueID; {
	case dst.UniqueID == junk.UniqueID && from != junk.UniqueID:
		kind = "spam"
	case dst.UniqueID != junk.UniqueID && from == junk.UniqueID:
		trash, err := s.site.List.SpecialUse(s.ctx, s.who.User, `\Trash`)
		if err == nil && trash.UniqueID == dst.UniqueID {
			return
		}
		kind = "ham"
	default:
		return
	}
	name, ok := s.ns.External(dst.Name)
	if !ok {
		name = string(dst.Name)
	}
	if n, err := s.teachAll(dst, uids, lesson{kind: kind, user: s.who.User, mailbox: name}); err != nil || n < len(uids) {
		s.log.Warn("spam_learn_program does not get all messages", "user", s.who.User, "mailbox", string(dst.Name),
			"messages", len(uids), "taken", n, "error", err)
	}
}

// teachAll queues messages; it returns how many.
func (s *session) teachAll(e *mboxlist.Entry, uids []uint32, x lesson) (n int, err error) {
	m, err := s.site.Store.Open(s.ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	for _, uid := range uids {
		r, ok, ferr := m.FindUID(uid, 0)
		if ferr != nil || !ok || !r.Live() {
			err = errors.Join(err, ferr)
			continue
		}
		if x.file, ferr = m.OpenMessage(&r); ferr != nil {
			err = errors.Join(err, ferr)
			continue
		}
		x.size = int64(r.Size)
		if !s.learner.add(x) {
			x.file.Close()
			return n, err
		}
		n++
	}
	return n, err
}

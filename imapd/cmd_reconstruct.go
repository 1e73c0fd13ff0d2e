package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/syslog"
)

// reconstructArgs is the arguments of RECONSTRUCT.
type reconstructArgs struct {
	mailbox string
	below   bool // what lies below it too
}

// parseReconstruct reads a mailbox and perhaps RECURSIVE.
func parseReconstruct(r *imapwire.Reader) (a reconstructArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	if !strings.EqualFold(r.Word(), "recursive") {
		return a, orWrong(r, nil, imapwire.SyntaxError("Unexpected extra arguments to "+r.Command))
	}
	a.below = true
	return a, nil
}

// reconstruct lets reconstruct(8) repair a mailbox, then quota(8) count its
// quota root. It is for admins, and not for the mailbox that is selected.
//
// Source: cmd_reconstruct in Cyrus imap/imapd.c.
func (s *session) reconstruct(a reconstructArgs) (string, error) {
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.reconstruct", a.mailbox, nil)
	}
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	if s.view != nil && s.view.Ref().Name == n {
		return "", errs.New(errs.Locked, "imapd.reconstruct", a.mailbox, nil)
	}
	e, err := s.site.List.Lookup(s.ctx, n)
	if err != nil {
		return "", err
	}
	how, args := "not recursive", []string{}
	if a.below {
		how, args = "recursive", []string{"-r", "-f"}
	}
	names := s.site.Namespace("", true)
	s.log.Log(s.ctx, syslog.LevelNotice, fmt.Sprintf("Reconstructing '%s' (%s) for user '%s'", e.Name, how, s.who.User))
	if err := s.tool("reconstruct", append(args, names.ExternalOr(e.Name))...); err != nil {
		return "", err
	}
	root, err := s.site.Quota.FindRoot(s.ctx, e.Name)
	if err != nil {
		return "", err
	}
	if root == "" {
		root = e.Name
	}
	s.log.Log(s.ctx, syslog.LevelNotice, fmt.Sprintf("Regenerating quota roots starting with '%s' for user '%s'", e.Name, s.who.User))
	return "", s.tool("quota", "-f", names.ExternalOr(root))
}

// tool runs a program that lies beside this one. The client is only told that
// it failed, the log what it said.
func (s *session) tool(name string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return errs.New(errs.Internal, "imapd.tool", name, err)
	}
	args = append([]string{"-C", s.conf.Path()}, args...)
	cmd := exec.CommandContext(s.ctx, filepath.Join(filepath.Dir(self), name), args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return errs.New(errs.Internal, "imapd.tool", name, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes())))
	}
	return nil
}

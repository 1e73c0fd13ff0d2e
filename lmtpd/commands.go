package main

import "context"

// A command is one verb of LMTP.
type command struct {
	args           bool // takes arguments: "VERB " must come before them; otherwise none are allowed
	needsArg       bool // … which may not be empty
	duringShutdown bool // works while there is a shutdown file
	run            func(s *session, ctx context.Context, args string)
}

// commands is every command, by upper-case name. To add one: write
// cmd_NAME.go and a line here.
var commands = map[string]command{
	"AUTH":     {args: true, run: (*session).auth},
	"BDAT":     {args: true, needsArg: true, run: (*session).bdat},
	"DATA":     {run: (*session).data},
	"LHLO":     {args: true, duringShutdown: true, run: (*session).hello},
	"MAIL":     {args: true, run: (*session).mailFrom},
	"NOOP":     {duringShutdown: true, run: (*session).noop},
	"QUIT":     {duringShutdown: true, run: (*session).bye},
	"RCPT":     {args: true, run: (*session).rcptTo},
	"RSET":     {run: (*session).rset},
	"STARTTLS": {run: (*session).startTLS},
	"VRFY":     {args: true, run: (*session).verify},
}

func (s *session) noop(context.Context, string) { s.w.Line("250 2.0.0 ok") }

func (s *session) bye(context.Context, string) {
	s.w.Line("221 2.0.0 bye")
	s.quit = true
}

func (s *session) rset(context.Context, string) {
	s.reset()
	s.w.Linef("250 2.0.0 Ok SESSIONID=<%s>", s.conn.SessionID())
}

func (s *session) verify(context.Context, string) {
	s.w.Line("252 2.3.3 try RCPT to attempt delivery")
}

package main

// state is where a session stands (RFC 1939 section 3), as a set, so that a
// command can say in which states it may be used.
type state uint8

const (
	notAuthed state = 1 << iota // AUTHORIZATION
	authed                      // TRANSACTION
	anyState  = notAuthed | authed
)

// arity says whether a command has an argument.
type arity uint8

const (
	none arity = iota
	optional
	required
)

// command is one POP3 command. arg is what follows the blanks behind its
// name, "" if there is nothing.
type command struct {
	states state
	arity  arity
	run    func(s *session, arg string) error
	// raw: only one blank stands between name and argument, the rest belongs
	// to the argument.
	raw bool
}

// commands is every command, by lower-case name. To add one: write cmd_NAME.go
// with (*session).name, and a line here. run answers what is good; what it
// returns is answered by reply.
var commands = map[string]command{
	"capa": {anyState, none, (*session).capa, false},
	"quit": {anyState, none, (*session).quit, false},

	"user": {notAuthed, required, (*session).user, false},
	"pass": {notAuthed, required, (*session).pass, true},
	"auth": {notAuthed, optional, (*session).authenticate, false},
	"stls": {notAuthed, none, (*session).startTLS, false},

	"stat": {authed, none, (*session).stat, false},
	"list": {authed, optional, (*session).list, false},
	"uidl": {authed, optional, (*session).uidl, false},
	"retr": {authed, required, (*session).retr, false},
	"top":  {authed, optional, (*session).top, false},
	"dele": {authed, required, (*session).dele, false},
	"rset": {authed, none, (*session).rset, false},
	"noop": {authed, none, (*session).noop, false},
}

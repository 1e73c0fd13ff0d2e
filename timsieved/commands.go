package main

// when says whether a command may be used before the log-in.
type when uint8

const (
	loggedIn when = iota
	always
)

// command is one ManageSieve command (RFC 5804 section 2). run reads the
// arguments from s.r, up to the line's end, and answers what is good; what it
// returns is answered by reply.
type command struct {
	when when
	run  func(*session) error
}

// commands is every command, by lower-case name. To add one: write
// cmd_NAME.go with (*session).name, and a line here.
var commands = map[string]command{
	"authenticate":   {always, (*session).authenticate},
	"capability":     {always, (*session).capability},
	"logout":         {always, (*session).logout},
	"noop":           {always, (*session).noop},
	"starttls":       {always, (*session).startTLS},
	"unauthenticate": {loggedIn, (*session).unauthenticate},

	"checkscript":  {always, (*session).checkScript},
	"putscript":    {loggedIn, (*session).putScript},
	"getscript":    {loggedIn, (*session).getScript},
	"listscripts":  {loggedIn, (*session).listScripts},
	"setactive":    {loggedIn, (*session).setActive},
	"deletescript": {loggedIn, (*session).deleteScript},
	"renamescript": {loggedIn, (*session).renameScript},
	"havespace":    {loggedIn, (*session).haveSpace},
}

package main

import (
	"strings"

	"gocyrus/libcyrus/imapwire"
)

// state is where a session stands (RFC 3501 section 3), as a set, so that a
// command can say in which states it may be used.
type state uint8

const (
	notAuthed state = 1 << iota
	authed
	selected
	loggedIn = authed | selected
	anyState = notAuthed | loggedIn
)

// command is one IMAP command.
type command struct {
	states state
	// run reads the arguments and does the work. It returns the text after
	// OK ("" is "Completed") or an error for tagged.
	run func(*session, *imapwire.Reader) (string, error)
	// check: the client is told afterwards what has changed in the selected
	// mailbox.
	check bool
	// changes: it changes the store.
	changes bool
	// rev1: it is gone once the client has enabled IMAP4rev2 (RFC 9051 appendix E).
	rev1 bool
	// numbers: it names messages by sequence numbers.
	numbers bool
	// capability is what suppress_capabilities names to turn the command
	// off; "" cannot be.
	capability string
}

// commands is every command, by lower-case name. To add one: write
// cmd_NAME.go with parseName and (*session).name, and a line here.
var commands = map[string]command{
	"capability":   cmd(anyState, parseNothing, (*session).capability),
	"noop":         cmd(anyState, parseNothing, (*session).noop),
	"logout":       cmd(anyState, parseNothing, (*session).logout),
	"id":           {states: anyState, run: (*session).idOnce, check: true},
	"starttls":     {states: anyState, run: (*session).startTLS},
	"authenticate": {states: anyState, run: (*session).authenticate},
	"login":        {states: anyState, run: (*session).login},
	"enable":       cmd(loggedIn, parseEnable, (*session).enable),
	"notify":       cmd(loggedIn, parseNotify, (*session).notify).of("NOTIFY"),
	"namespace":    cmd(loggedIn, parseNothing, (*session).namespace),

	"compress":       cmd(loggedIn, parseCompress, (*session).compress),
	"unauthenticate": {states: loggedIn, run: (*session).unauthenticate},

	"select":      cmd(loggedIn, parseSelect, (*session).selectMailbox),
	"examine":     cmd(loggedIn, parseSelect, (*session).examine),
	"create":      changing(checked(cmd(loggedIn, parseCreate, (*session).create))),
	"delete":      changing(checked(cmd(loggedIn, parseMailbox, (*session).delete))),
	"rename":      changing(checked(cmd(loggedIn, parseRename, (*session).rename))),
	"subscribe":   changing(checked(cmd(loggedIn, parseSubscribe, (*session).subscribe))),
	"unsubscribe": changing(checked(cmd(loggedIn, parseSubscribe, (*session).unsubscribe))),
	"list":        checked(cmd(loggedIn, parseList, (*session).list)),
	"lsub":        old(checked(cmd(loggedIn, parseLsub, (*session).lsub))),
	"status":      checked(cmd(loggedIn, parseStatus, (*session).status)),
	"rlist":       checked(cmd(loggedIn, parseRlist, (*session).list)),
	"rlsub":       old(checked(cmd(loggedIn, parseLsub, (*session).lsub))),
	"xlist":       old(checked(cmd(loggedIn, parseList, (*session).xlist))),
	"scan":        checked(cmd(loggedIn, parseScan, (*session).scan)),
	"append":      {states: loggedIn, run: (*session).append, changes: true},
	"idle":        cmd(loggedIn, parseNothing, (*session).idle),

	"getacl":     checked(cmd(loggedIn, parseMailbox, (*session).getACL)),
	"myrights":   checked(cmd(loggedIn, parseMailbox, (*session).myRights)),
	"listrights": checked(cmd(loggedIn, parseListRights, (*session).listRights)),
	"setacl":     changing(checked(cmd(loggedIn, parseSetACL, (*session).setACL))),
	"deleteacl":  changing(checked(cmd(loggedIn, parseListRights, (*session).deleteACL))),

	"getquota":     checked(cmd(loggedIn, parseMailbox, (*session).getQuota)),
	"getquotaroot": checked(cmd(loggedIn, parseMailbox, (*session).getQuotaRoot)),
	"setquota":     {states: loggedIn, run: (*session).setQuota, check: true, changes: true},

	"getmetadata":   checked(cmd(loggedIn, parseGetMetadata, (*session).getMetadata)),
	"setmetadata":   changing(checked(cmd(loggedIn, parseSetMetadata, (*session).setMetadata))),
	"getannotation": {states: loggedIn, run: (*session).getAnnotation, check: true},
	"setannotation": {states: loggedIn, run: (*session).setAnnotation, check: true, changes: true},

	"localcreate": changing(checked(cmd(loggedIn, parseLocalCreate, (*session).create))),
	"localdelete": changing(checked(cmd(loggedIn, parseMailbox, (*session).localDelete))),
	"xfer":        changing(cmd(loggedIn, parseXfer, (*session).xfer)),
	"localappend": {states: loggedIn, run: (*session).localAppend, changes: true},
	"mupdatepush": cmd(loggedIn, parseMailbox, (*session).mupdatePush),
	"reconstruct": changing(cmd(loggedIn, parseReconstruct, (*session).reconstruct)),
	"dump":        cmd(loggedIn, parseDump, (*session).dump),
	"undump":      {states: loggedIn, run: (*session).undump, changes: true},
	"xmeid":       cmd(loggedIn, parseMailbox, (*session).xmeid),

	"genurlauth": cmd(loggedIn, parseGenURLAuth, (*session).genURLAuth),
	"urlfetch":   {states: loggedIn, run: (*session).urlFetch},
	"resetkey":   cmd(loggedIn, parseResetKey, (*session).resetKey),

	"esearch":      cmd(loggedIn, parseESearch, (*session).esearch).of("MULTISEARCH"),
	"cancelupdate": cmd(selected, parseCancelUpdate, (*session).cancelUpdate).of("CONTEXT=SEARCH"),

	"check":    old(cmd(selected, parseNothing, (*session).check)),
	"close":    cmd(selected, parseNothing, (*session).closeMailbox),
	"unselect": cmd(selected, parseNothing, (*session).unselect),
	"expunge":  changing(cmd(selected, parseNothing, (*session).expunge)),
	"search":   byNumber(cmd(selected, parseSearch, (*session).search)),
	"sort":     byNumber(cmd(selected, parseSort, (*session).sort)),
	"thread":   byNumber(cmd(selected, parseThread, (*session).thread)),
	"fetch":    byNumber(cmd(selected, parseFetch, (*session).fetch)),
	"store":    changing(byNumber(cmd(selected, parseStore, (*session).store))),
	"copy":     changing(byNumber(cmd(selected, parseCopy, (*session).copy))),
	"move":     changing(byNumber(cmd(selected, parseCopy, (*session).move))),
	"xmove":    changing(byNumber(cmd(selected, parseCopy, (*session).move))),
	"replace":  changing(byNumber(command{states: selected, run: (*session).replace}).of("REPLACE")),
	"uid":      {states: selected, run: (*session).uid},
}

// errReadOnly is the answer to commands that change the store where imapd.conf
// has "readonly".
//
// Source: cmdloop in Cyrus imap/imapd.c.
const errReadOnly = refusal("[NOPERM] This connection is configured for read-only access")

// uidCommands is what may follow UID.
var uidCommands = map[string]command{
	"search":  cmd(selected, parseSearch, (*session).uidSearch),
	"sort":    cmd(selected, parseSort, (*session).uidSort),
	"thread":  cmd(selected, parseThread, (*session).uidThread),
	"fetch":   cmd(selected, parseFetch, (*session).uidFetch),
	"store":   changing(cmd(selected, parseStore, (*session).uidStore)),
	"copy":    changing(cmd(selected, parseCopy, (*session).uidCopy)),
	"move":    changing(cmd(selected, parseCopy, (*session).uidMove)),
	"xmove":   changing(cmd(selected, parseCopy, (*session).uidMove)),
	"expunge": changing(cmd(selected, parseSequence, (*session).uidExpunge)),
	"replace": changing(command{states: selected, run: (*session).uidReplace}.of("REPLACE")),
}

// cmd joins a parser, which knows only syntax, to an action, which never
// sees the wire. A is the command's arguments. The parser starts behind the
// command's name; the end of the line is taken here.
func cmd[A any](in state, parse func(*imapwire.Reader) (A, error), do func(*session, A) (string, error)) command {
	return command{states: in, run: func(s *session, r *imapwire.Reader) (string, error) {
		args, err := parse(r)
		if err == nil {
			err = r.End()
		}
		if err != nil {
			return "", err
		}
		return do(s, args)
	}}
}

// checked is the command with a check afterwards.
func checked(c command) command {
	c.check = true
	return c
}

// byNumber is the command as one that names messages by sequence numbers.
func byNumber(c command) command {
	c.numbers = true
	return c
}

// changing is the command as one that changes the store.
func changing(c command) command {
	c.changes = true
	return c
}

// old is the command as one that IMAP4rev2 has no more.
func old(c command) command {
	c.rev1 = true
	return c
}

// of is the command as part of a capability that can be turned off.
func (c command) of(capability string) command {
	c.capability = capability
	return c
}

// nothing is the arguments of a command that has none.
type nothing struct{}

func parseNothing(*imapwire.Reader) (nothing, error) { return nothing{}, nil }

// parseMailbox reads a blank and the name of a mailbox.
func parseMailbox(r *imapwire.Reader) (string, error) { return argument(r) }

// argument reads a blank and an astring.
func argument(r *imapwire.Reader) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	s, err := r.AString()
	return s, missing(r, err)
}

// missing words an error of a Reader's method: a token that is not of the
// wanted form is a missing argument.
func missing(r *imapwire.Reader, err error) error {
	if err == nil || r.Err() != nil {
		return err
	}
	switch err.(type) {
	case *imapwire.LimitError, imapwire.SyntaxError:
		return err
	}
	return r.Missing()
}

// parseSequence reads a blank and a sequence set.
func parseSequence(r *imapwire.Reader) (imapwire.SeqSet, error) {
	if !r.Space() || r.AtEOL() {
		return nil, r.Missing()
	}
	set, ok := r.MessageSet(r.Word())
	if !ok {
		return nil, imapwire.SyntaxError("Invalid sequence in " + r.Command)
	}
	return set, nil
}

// parseSequenceMore is parseSequence for commands that have more arguments:
// that they are missing is said first.
func parseSequenceMore(r *imapwire.Reader) (imapwire.SeqSet, error) {
	set, err := parseSequence(r)
	if r.AtEOL() {
		err = r.Missing()
	}
	return set, err
}

// display is how Cyrus spells a command's name in its texts: "Fetch".
func display(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + strings.ToLower(name[1:])
}

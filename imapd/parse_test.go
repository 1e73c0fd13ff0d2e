package main

import (
	"fmt"
	"strings"
	"testing"

	"gocyrus/libcyrus/imapwire"
)

// parsers is every parser of arguments, by the name of its command.
var parsers = map[string]func(*imapwire.Reader) (any, error){
	"Login":      with(parseMailbox),
	"Id":         with(parseID),
	"Enable":     with(parseEnable),
	"Select":     with(parseSelect),
	"Create":     with(parseCreate),
	"Rename":     with(parseRename),
	"Subscribe":  with(parseSubscribe),
	"List":       with(parseList),
	"Lsub":       with(parseLsub),
	"Status":     with(parseStatus),
	"Append":     with(parseAppend),
	"Listrights": with(parseListRights),
	"Setacl":     with(parseSetACL),
	"Setquota":   with(parseLimits),
	"Search":     with(parseSearch),
	"Fetch":      with(parseFetch),
	"Store":      with(parseStore),
	"Copy":       with(parseCopy),
	"Uid":        with(parseSequence),
	"Notify":     with(parseNotify),

	"Sort":         with(parseSort),
	"Thread":       with(parseThread),
	"Esearch":      with(parseESearch),
	"Cancelupdate": with(parseCancelUpdate),
	"Replace":      with(parseReplaced),
}

func with[A any](parse func(*imapwire.Reader) (A, error)) func(*imapwire.Reader) (any, error) {
	return func(r *imapwire.Reader) (any, error) { return parse(r) }
}

// parsed is what a command's arguments are read as, or the error's text.
func parsed(command, line string) string {
	r := imapwire.NewReader(strings.NewReader(line+"\r\n"), imapwire.Limits{Word: 1000, Quoted: 1000, Literal: 1000, Args: 10000, Nesting: 10})
	r.GoAhead = func() error { return nil }
	r.Start(command)
	a, err := parsers[command](r)
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", a)
}

// TestParse has the texts of Cyrus 3.6.1.
func TestParse(t *testing.T) {
	for _, c := range []struct{ command, line, want string }{
		{"Select", " INBOX", "{mailbox:INBOX condstore:false resync:<nil>}"},
		{"Select", " INBOX (CONDSTORE QRESYNC (1 2 1:5 (1 2)) x)", "Invalid Select modifier X"},
		{"Select", " INBOX (QRESYNC (1 2 1:5 (1)))", "Invalid QRESYNC parameter list in Select"},
		{"Select", "", "Missing required argument to Select"},
		{"Select", " INBOX x", "Invalid modifier list in Select"},
		{"Create", " {3+}\r\nabc part", "{mailbox:abc partition:part uses:[] special:false kind:}"},
		{"Create", " a b c", "Unexpected extra arguments to Create"},
		{"Create", " {3x}", "Missing required argument to Create"},
		{"Rename", " a b", "{from:a to:b partition:}"},
		{"Rename", " a", "Missing required argument to Rename"},
		{"Rename", " a b c d", "Unexpected extra arguments to Rename"},
		{"Subscribe", " mailbox a", "a"},
		{"Subscribe", " a b", "Invalid Subscribe subcommand"},
		{"Id", " (\"name\" \"x\" \"y\" NIL)", ""},
		{"Id", " (", "Invalid field-value pair in Id"},
		{"Id", " (\"name\")", "Invalid field-value pair in Id"},
		{"Enable", " a b", "[A B]"},
		{"Enable", "", "Missing required argument to Enable"},
		{"List", "", "Missing required argument to List"},
		{"List", ` ""`, "Missing required argument to List: mailbox pattern"},
		{"List", ` "" % x`, `Unexpected extra argument to List: "x"`},
		{"List", ` (`, "Invalid syntax in List command"},
		{"List", ` (SUBSCRIBED`, "Missing close parenthesis for List selection options"},
		{"List", ` (FOO) "" *`, `Invalid List selection option "foo"`},
		{"List", ` (RECURSIVEMATCH) "" *`, "Invalid combination of selection options"},
		{"List", ` "" * RETURN (STATUS)`, "Bad status string"},
		{"List", ` "" ()`, "Invalid syntax in List command"},
		{"List", ` "" * RETURN`, "Missing return argument list"},
		{"List", ` "" * RETURN (CHILDREN`, "Missing close parenthesis for List return options"},
		{"List", ` "" * RETURN (FOO)`, `Invalid List return option "foo"`},
		{"Lsub", ` "" * x`, "Unexpected extra arguments to Lsub"},
		{"Status", " INBOX", "Missing required argument to Status"},
		{"Status", " INBOX ()", "Bad status string"},
		{"Status", " INBOX (FOO)", "Invalid Status attributes foo"},
		{"Status", " INBOX (MESSAGES", "Missing close parenthesis in Status"},
		{"Append", `() "01-Foo-2020 10:00:00 +0000" {3+}`, "Invalid date-time in Append command"},
		{"Append", `(\Foo) {3+}`, "Invalid flag in Append command"},
		{"Append", `(\Seen`, "Missing space or ) after flag name in Append command"},
		{"Append", `kw {3+}`, "Missing required argument to Append command"},
		{"Setacl", " INBOX user2", "Missing required argument to Setacl"},
		{"Setquota", "(STORAGE 1 MESSAGE 3)", "[1 3 -1 -1]"},
		{"Setquota", "(STORAGE -1)", "[-1 -1 -1 -1]"},
		{"Setquota", "()", "[-1 -1 -1 -1]"},
		{"Setquota", "(FOO 1)", "Unsupported quota resource"},
		{"Setquota", "(STORAGE x)", "Invalid quota list in Setquota"},
		{"Setquota", "(STORAGE 99999999999999999999)", "Invalid quota list in Setquota"},
		{"Search", "", "Missing required argument to Search"},
		{"Fetch", "", "Missing required argument to Fetch"},
		{"Fetch", " 1", "Missing required argument to Fetch"},
		{"Fetch", " 1 ", "Invalid Fetch attribute "},
		{"Fetch", " x FLAGS", "Invalid sequence in Fetch"},
		{"Fetch", " 1 FLAGS x", "Missing required open parenthesis in Fetch modifiers"},
		{"Fetch", " 1 (FLAGS)x", "Unexpected extra arguments to Fetch"},
		{"Store", "", "Missing required argument to Store"},
		{"Store", " 1", "Invalid sequence in Store"},
		{"Store", " 1 FLAGS", "Missing required argument to Store"},
		{"Store", ` 1 FLAGS (\Seen`, "Missing close parenthesis in Store"},
		{"Store", ` 1 FLAGS (\Seen) x`, "Unexpected extra arguments to Store"},
		{"Store", ` 1 FLAGS \Foo`, "Invalid system flag in Store command"},
		{"Store", ` 1 XFLAGS foo`, "Invalid Store attribute"},
		{"Store", ` 1 +FLAGS (a%)`, "Invalid flag name a% in Store command"},
		{"Store", ` 1 +FLAGS ("a")`, "Missing close parenthesis in Store"},
		{"Store", ` 1 +FLAGS `, "Missing required argument to Store"},
		{"Copy", " $ INBOX", "{set:[] mailbox:INBOX}"},
		{"Esearch", " IN (personal subtree (a {1+}\r\nb) mailboxes c) ALL", ""},
		{"Esearch", " IN (mailboxes a", "Missing close parenthesis in Esearch"},
		{"Esearch", " IN (bogus) ALL", "Invalid source option bogus in Esearch"},
		{"Cancelupdate", ` "a" "b"`, "[a b]"},
		{"Cancelupdate", " a", "Invalid tag in Cancelupdate"},
		{"Replace", " *", "*"},
		{"Replace", " 4294967295", "Invalid sequence in Replace"},
		{"Sort", " RETURN (PARTIAL -1:-2 UPDATE) (DATE) UTF-8 $", ""},
		{"Copy", " 1", "Missing required argument to Copy"},
		{"Copy", " x INBOX", "Invalid sequence in Copy"},
		{"Copy", " 1 INBOX x", "Unexpected extra arguments to Copy"},
	} {
		got := parsed(c.command, c.line)
		if got != c.want && c.want != "" {
			t.Errorf("%s%s: %q, want %q", c.command, c.line, got, c.want)
		}
	}
}

func FuzzParsers(f *testing.F) {
	names := make([]string, 0, len(parsers))
	for name := range parsers {
		f.Add(name, ` IN (personal subtree-one (a "b") mailboxes {1+}`+"\r\n"+`c) RETURN (PARTIAL -1:-5 SAVE UPDATE) OR $ UID $ 1:*`)
		f.Add(name, ` 1:* (BODY.PEEK[HEADER.FIELDS (a)] "x") RETURN (STATUS (MESSAGES)) {3+}`)
		names = append(names, name)
	}
	f.Fuzz(func(t *testing.T, command, line string) {
		if parsers[command] == nil {
			command = names[len(line)%len(names)]
		}
		parsed(command, line)
	})
}

func TestEveryCommandHasAParserTest(t *testing.T) {
	for name := range uidCommands {
		if _, ok := commands[name]; !ok {
			t.Errorf("UID %s is no command without UID", name)
		}
	}
	for name, c := range commands {
		if c.states == 0 || c.run == nil {
			t.Errorf("%s cannot be used", name)
		}
	}
}

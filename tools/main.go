// Cyrus is the program of the admin commands. "cyrus COMMAND ARGUMENTS"
// runs one; a link to it with the name of a command runs that command.
// COMMAND may be cut: cyr_expire is also "expire", ctl_mboxlist "mboxlist".
// What is not built in is looked for as a program beside it.
//
// Source: Debian's /usr/sbin/cyrus.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/osuser"
)

// Exit codes (sysexits.h, and those of Cyrus's own).
const (
	exOK          = 0
	exFailure     = 1
	exUsage       = 64
	exDataErr     = 65
	exNoUser      = 67
	exUnavailable = 69
	exSoftware    = 70
	exOSErr       = 71
	exTempFail    = 75
	exConfig      = 78
	exMinusOne    = 255 // exit(-1) in C
)

// A command is one admin command.
type command struct {
	name    string // as Cyrus's program is called
	summary string // one line for the list of commands
	run     func(p *program) int
}

// commands is every command that is built in. To add one: write
// cmd_NAME.go, a line here, a line in commands.txt (which names the links
// that are installed) and its manual page.
var commands = []command{
	{"arbitron", "report how many users read and subscribe to mailboxes", arbitron},
	{"arbitronsort", "rank what arbitron reports", arbitronsort},
	{"backup", "copy the whole site while it works, to be restored from", backup},
	{"chk_cyrus", "tell which message files are missing or too many", chkCyrus},
	{"ctl_conversationsdb", "check and count anew which messages belong together", ctlConversationsdb},
	{"ctl_cyrusdb", "recover or copy the databases", ctlCyrusDB},
	{"ctl_deliver", "print which mails were delivered", ctlDeliver},
	{"ctl_mboxlist", "print, load and verify the list of mailboxes", ctlMboxlist},
	{"cvt_cyrusdb", "copy a database into one of another kind", cvtCyrusdb},
	{"cvt_xlist_specialuse", "turn xlist-* options into special uses", cvtXlistSpecialuse},
	{"cyr_buildinfo", "tell what this build can do", buildinfo},
	{"cyr_dbtool", "show and change databases", cyrDbtool},
	{"cyr_deny", "forbid users the use of services", cyrDeny},
	{"cyr_df", "show how full partitions are", cyrDf},
	{"cyr_expire", "remove old mail and old entries of databases", cyrExpire},
	{"cyr_info", "show configuration and sessions", info},
	{"cyr_ls", "list mailboxes like files", cyrLs},
	{"cyr_pwd", "print the mailbox of the working directory", cyrPwd},
	{"cyr_userseen", "list what users have seen of their own mailboxes", cyrUserseen},
	{"cyrdump", "print mailboxes as multipart messages", cyrdump},
	{"handback", "give the databases back to Cyrus", handback},
	{"ipurge", "expunge messages by age or size", ipurge},
	{"makedirs", "make the directories that imapd.conf names", makedirs},
	{"masssievec", "compile all Sieve scripts below sievedir", masssievec},
	{"mbexamine", "print what index and cache of mailboxes hold", mbexamine},
	{"mbpath", "turn mailbox names into paths", mbpath},
	{"mbtool", "correct internal dates, give new unique ids", mbtool},
	{"mkimap", "the same as makedirs", makedirs},
	{"passwd", "set passwords of the built-in account list", passwd},
	{"quota", "report what is used of quota roots, and count it anew", quotaCommand},
	{"reconstruct", "compare mailboxes with their files and repair them", reconstruct},
	{"rehash", "move directories to where hashing wants them", rehash},
	{"relocate_by_id", "move mailboxes to directories by unique id", relocateByID},
	{"restore", "bring users, mailboxes and messages back from a backup", restoreCommand},
	{"sieve-apply", "run a Sieve script on messages that are stored already", sieveApply},
	{"sieve-test", "say what a Sieve script does with a message, and why", sieveTest},
	{"sievec", "compile a Sieve script", sievec},
	{"sieved", "show compiled Sieve scripts", sieved},
	{"takeover", "say what taking over a site of Cyrus will do", takeover},
	{"tls_prune", "remove old sessions from the TLS session database", tlsPrune},
	{"translatesieve", "rewrite mailbox names in Sieve scripts after a change of separator or namespace", translatesieve},
	{"unexpunge", "list expunged messages and bring them back", unexpunge},
}

func main() {
	p := &program{
		args: os.Args, in: os.Stdin, out: os.Stdout, err: os.Stderr,
		log: slog.New(slog.DiscardHandler), become: becomeCyrus, dial: systemLogForAll,
	}
	os.Exit(dispatch(p, beside))
}

// systemLogForAll is systemLog, which what lies deep down, such as repairs of
// databases, uses as well.
func systemLogForAll(c *config.Config, name string) *slog.Logger {
	log := systemLog(c, name)
	slog.SetDefault(log)
	return log
}

// becomeCyrus makes the process that of the Cyrus user, whose new files have
// the rights that imapd.conf wants.
func becomeCyrus(c *config.Config) error {
	osuser.SetUmask(c)
	return osuser.BecomeCyrus(c)
}

// program is one run of a command.
type program struct {
	args     []string // args[0] is the name of the command
	called   string   // what it was called by, for messages
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger                                     // goes nowhere until configure
	become   func(*config.Config) error                       // makes the process the Cyrus user's
	dial     func(c *config.Config, name string) *slog.Logger // the system log
}

// dispatch finds the command that p.args names and runs it. A command that
// is not built in is given to other, which returns only if it fails.
func dispatch(p *program, other func(name string, args []string) error) int {
	name := getopt.Name(p.args)
	p.called = p.args[0]
	switch {
	case name == "cyrus":
		if len(p.args) < 2 || p.args[1] == "" {
			fmt.Fprintf(p.out, "ERROR: Command cannot be empty\n\n")
			return usage(p.out)
		}
		p.args = p.args[1:]
		name, p.called = p.args[0], p.args[0]
	case name == "cyrreconstruct" || name == "cyrquota":
		name = strings.TrimPrefix(name, "cyr")
	}
	if name == "help" || name == "--help" {
		return usage(p.out)
	}
	for _, try := range []string{name, "cyr_" + name, "ctl_" + name, map[string]string{"check": "chk_cyrus"}[name]} {
		if c := find(try); c != nil {
			p.args = append([]string{c.name}, p.args[1:]...)
			return c.run(p)
		}
		err := other(try, p.args)
		if try != "" && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(p.err, "%s: %v\n", try, err)
			return exFailure
		}
	}
	fmt.Fprintf(p.out, "ERROR: %s: Unknown command or command not installed\n\n", name)
	return usage(p.out)
}

func find(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// usage prints the list of commands.
func usage(w io.Writer) int {
	fmt.Fprintf(w, "usage: cyrus COMMAND [ARGS]\n\nThe commands are:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "   %-20s %s\n", c.name, c.summary)
	}
	fmt.Fprintf(w, "\ncyr_ and ctl_ may be left out. Each has a manual page: man 8 cyrus-NAME\n")
	return exFailure
}

// beside runs the program of that name in the directory of this one, in
// its place. It returns an error only, os.ErrNotExist if there is none.
func beside(name string, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if name == "" || strings.ContainsRune(name, '/') {
		return os.ErrNotExist
	}
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if own, err := os.Stat(self); err != nil || os.SameFile(fi, own) || !fi.Mode().IsRegular() {
		return os.ErrNotExist // a link to us whose command is not built in
	}
	return syscall.Exec(path, append([]string{path}, args[1:]...), os.Environ())
}

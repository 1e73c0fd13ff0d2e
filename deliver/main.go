// Deliver hands a message from standard input to lmtpd, for MTAs that do
// not speak LMTP themselves.
//
// Usage: deliver [-C imapd.conf] [-m mailbox] [-a authid] [-r returnpath]
// [-q] [user ...]
//
//	deliver [-C imapd.conf] -l
//
// It exits with 0 when every recipient has the message, 75 when at least
// one may get it later (or lmtpd could not be reached), 65 when one was
// refused for good, 64 after wrong flags, 78 after a wrong configuration.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/version"
)

// Exit codes (sysexits.h).
const (
	exOK       = 0
	exUsage    = 64
	exDataErr  = 65
	exTempFail = 75
	exConfig   = 78
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// flags is what the command line says.
type flags struct {
	conf       string
	mailbox    string // -m: folder of each user, or a shared mailbox
	auth       string // -a: who sends, for access control
	returnPath string // -r; without it the name of the user who runs deliver
	quota      bool   // -q: over quota is no obstacle
	bridge     bool   // -l: copy LMTP between standard input and lmtpd
	users      []string
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f, err := parseFlags(args)
	if err != nil {
		if err.Error() != "" {
			fmt.Fprintln(stderr, err)
		}
		fmt.Fprintf(stderr, "421-4.3.0 usage: deliver [-C <alt_config> ] [-m mailbox] [-a auth] [-r return_path] [-l] [-D]\r\n")
		fmt.Fprintf(stderr, "421 4.3.0 %s\r\n", version.Cyrus())
		return exUsage
	}
	c, err := config.Load(f.conf, "deliver")
	if err != nil {
		return fail(stdout, err, exConfig)
	}
	conn, err := net.Dial("unix", socketPath(c))
	if err != nil {
		fmt.Fprintf(stderr, "couldn't connect to lmtpd: %v\n", err)
		return fail(stdout, errors.New("couldn't connect to lmtpd"), exTempFail)
	}
	defer conn.Close()
	if f.bridge {
		return bridge(conn.(*net.UnixConn), stdin, stdout)
	}
	results, err := send(conn, f, stdin)
	if err != nil {
		return fail(stdout, err, exTempFail)
	}
	return report(stdout, results)
}

// fail prints err in the form that an MTA may read as LMTP.
func fail(w io.Writer, err error, code int) int {
	fmt.Fprintf(w, "421 4.3.0 deliver: %v\r\n", err)
	return code
}

func socketPath(c *config.Config) string {
	if p := config.Lmtpsocket.In(c); p != "" {
		return p
	}
	return filepath.Join(config.Configdirectory.In(c), "socket/lmtp")
}

// parseFlags reads the command line. The error's text may be "".
func parseFlags(args []string) (*flags, error) {
	f := &flags{returnPath: userName()}
	opts, users, err := getopt.Parse(args, "C:df:r:m:a:F:eE:lqD")
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			f.conf = o.Arg
		case 'r', 'f':
			f.returnPath = o.Arg
		case 'm':
			f.mailbox = o.Arg
		case 'a':
			f.auth = o.Arg
		case 'q':
			f.quota = true
		case 'l':
			f.bridge = true
		case 'd', 'e', 'D': // accepted: sendmail's prog mailer, duplicates, debugging
		case 'F', 'E':
			return nil, fmt.Errorf("deliver: '%c' option no longer supported", o.Letter)
		}
	}
	f.users = users
	if len(users) == 0 && f.mailbox == "" && !f.bridge {
		return nil, errors.New("")
	}
	return f, nil
}

// userName is the name of the user of this process, "" if he has none.
func userName() string {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		return ""
	}
	return u.Username
}

// bridge copies between standard input and output and lmtpd until lmtpd
// ends the dialog.
func bridge(c *net.UnixConn, stdin io.Reader, stdout io.Writer) int {
	go func() {
		_, _ = io.Copy(c, stdin)
		_ = c.CloseWrite()
	}()
	if _, err := io.Copy(stdout, c); err != nil {
		return exTempFail
	}
	return exOK
}

// report prints whom the message did not reach and why, and returns the
// exit code: a temporary failure beats a permanent one, so that the MTA
// tries again.
func report(w io.Writer, results []result) int {
	code := exOK
	for _, r := range results {
		if r.code/100 == 2 {
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", r.address, r.reason())
		switch {
		case r.code/100 == 4:
			code = exTempFail
		case code == exOK:
			code = exDataErr
		}
	}
	return code
}

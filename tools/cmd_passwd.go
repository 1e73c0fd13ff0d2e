package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/auth"
)

const passwdUse = `usage: cyrus passwd [-C <alt_config>] [-d] user
       cyrus passwd [-C <alt_config>] -l

	-d	delete the user's account
	-l	list the users that have an account
`

// passwd sets the password of a user in the built-in account list, or
// removes or lists accounts. The password is read from the terminal,
// twice; when standard input is something else, from its first line.
func passwd(p *program) int { return p.end(p.passwd()) }

func (p *program) passwd() error {
	opts, operands, err := p.options("C:dl", passwdUse, exUsage)
	if err != nil {
		return err
	}
	var conf string
	var remove, list bool
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'd':
			remove = true
		case 'l':
			list = true
		}
	}
	if list == (len(operands) == 1) || len(operands) > 1 || list && remove {
		return p.misused(passwdUse, exUsage)
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	accounts := auth.OpenAccounts(auth.AccountsPath(c))
	if list {
		return p.listAccounts(accounts)
	}
	user, ok := auth.New(c, p.log).Canonical(context.Background(), operands[0], nil)
	if !ok {
		return &exit{exDataErr, fmt.Errorf("passwd: invalid user name '%s'", operands[0])}
	}
	if remove {
		err = accounts.Delete(user)
	} else {
		err = p.setPassword(accounts, user)
	}
	if err != nil {
		return &exit{exDataErr, fmt.Errorf("passwd: %w", err)}
	}
	return nil
}

func (p *program) setPassword(accounts *auth.Accounts, user string) error {
	password, err := p.newPassword()
	if err != nil {
		return err
	}
	return accounts.Set(user, password)
}

func (p *program) listAccounts(accounts *auth.Accounts) error {
	names, err := accounts.List()
	for _, name := range names {
		fmt.Fprintln(p.out, name)
	}
	return err
}

// newPassword reads a password. It is never empty.
func (p *program) newPassword() (string, error) {
	in := bufio.NewReader(p.in)
	password, err := p.ask(in, "New password: ")
	if err != nil {
		return "", err
	}
	if f, ok := p.in.(*os.File); ok && isTerminal(f) {
		again, err := p.ask(in, "Retype new password: ")
		if err != nil {
			return "", err
		}
		if again != password {
			return "", errors.New("the passwords do not match")
		}
	}
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return password, nil
}

// ask reads a line, from a terminal with a prompt and without echo.
func (p *program) ask(in *bufio.Reader, prompt string) (string, error) {
	if f, ok := p.in.(*os.File); ok && isTerminal(f) {
		fmt.Fprint(p.err, prompt)
		defer fmt.Fprintln(p.err)
		restore, err := noEcho(f)
		if err != nil {
			return "", err
		}
		defer restore()
	}
	line, err := in.ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return "", errors.New("no password on standard input")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// noEcho stops a terminal from showing what is typed, until restore.
func noEcho(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *old
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ECHONL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) }, nil
}

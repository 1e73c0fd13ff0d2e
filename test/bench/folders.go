package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Users of the loads below; each fills his mailboxes once per server.
const (
	popUser    = "user37"
	copyUser   = "user36"
	folderUser = "user35"
)

// once runs fill for a server that has not been filled yet.
func (t *target) once(what string, fill func() error) error {
	mark := filepath.Join(t.dir, "filled-"+what)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := fill(); err != nil {
		return err
	}
	return os.WriteFile(mark, nil, 0o644)
}

// fillInbox appends n messages to the INBOX of a user.
func (t *target) fillInbox(user string, n, size int) error {
	return t.once(user, func() error {
		c, err := t.login(user)
		if err != nil {
			return err
		}
		defer c.Close()
		for range n {
			m := text(size)
			if err := c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m)); err != nil {
				return err
			}
		}
		return nil
	})
}

// popMessages is how many messages a POP3 session reads.
const popMessages = 100

// pop3 logs in, reads all messages and leaves.
func pop3(t *target, s settings) (float64, error) {
	if err := t.fillInbox(popUser, popMessages, s.size); err != nil {
		return 0, err
	}
	v, err := rate(1, s, func(int) (func() error, func(), error) {
		return func() error { return popSession(t.pop3) }, func() {}, nil
	})
	return v * popMessages, err
}

func popSession(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	steps := []string{"USER " + popUser, "PASS pass", "STAT", "LIST\n", "UIDL\n"}
	for i := range popMessages {
		steps = append(steps, fmt.Sprintf("RETR %d\n", i+1))
	}
	for _, step := range append(steps, "QUIT") {
		command, long := strings.CutSuffix(step, "\n")
		if _, err := io.WriteString(c, command+"\r\n"); err != nil {
			return err
		}
		line, err := c.line()
		if err != nil || !strings.HasPrefix(line, "+OK") {
			return fmt.Errorf("%s: %s%w", command, line, err)
		}
		for long && line != ".\r\n" {
			if line, err = c.line(); err != nil {
				return err
			}
		}
	}
	return nil
}

// copied is how many messages are copied or moved at a time.
const copied = 100

// inFolders runs commands again and again for a user with two folders more,
// A with messages and B without.
func inFolders(commands ...string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		err := t.once("folders", func() error {
			if err := t.fillInbox(copyUser, copied, s.size); err != nil {
				return err
			}
			return t.commands(copyUser, "CREATE INBOX/A", "CREATE INBOX/B", "CREATE INBOX/C", "SELECT INBOX", "COPY 1:* INBOX/A")
		})
		if err != nil {
			return 0, err
		}
		v, err := rate(1, s, func(int) (func() error, func(), error) {
			c, err := t.login(copyUser)
			if err != nil {
				return nil, nil, err
			}
			return func() error { return c.all(commands) }, func() { c.Close() }, c.do("SELECT INBOX")
		})
		return v * copied, err
	}
}

// commands runs IMAP commands as a user.
func (t *target) commands(user string, commands ...string) error {
	c, err := t.login(user)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.all(commands)
}

func (c *client) all(commands []string) error {
	for _, command := range commands {
		if err := c.do(command); err != nil {
			return err
		}
	}
	return nil
}

// listing repeats a command that tells of all folders of a user who has many;
// it counts for so many.
func listing(command string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		err := t.once("many", func() error {
			c, err := t.login(folderUser)
			if err != nil {
				return err
			}
			defer c.Close()
			for i := range s.folders {
				if err := c.do(fmt.Sprintf("CREATE INBOX/f%d", i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		v, err := rate(1, s, func(int) (func() error, func(), error) {
			c, err := t.login(folderUser)
			if err != nil {
				return nil, nil, err
			}
			return func() error { return c.do(command) }, func() { c.Close() }, nil
		})
		return v * float64(s.folders), err
	}
}

// fetchingOne reads one whole message after the other.
func fetchingOne(t *target, s settings) (float64, error) {
	return t.store(s, func(n int) string { return fmt.Sprintf("FETCH %d (FLAGS BODY.PEEK[])", 1+n%s.mailbox) })
}

// creating makes a mailbox and removes it.
func creating(t *target, s settings) (float64, error) {
	return rate(1, s, func(int) (func() error, func(), error) {
		c, err := t.login(copyUser)
		if err != nil {
			return nil, nil, err
		}
		return func() error {
			name := fmt.Sprintf("INBOX/new%d", serial.Add(1))
			return c.all([]string{"CREATE " + name, "DELETE " + name})
		}, func() { c.Close() }, nil
	})
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
)

// treeUser has many folders below one.
const treeUser = "user34"

// treeFolders is how many folders are renamed at a time.
const treeFolders = 50

// unknown makes NaN of a command that a server does not know: it has no figure.
func unknown(v float64, err error) (float64, error) {
	if err != nil && (strings.Contains(err.Error(), " BAD ") || strings.Contains(err.Error(), "NOPERM")) {
		return math.NaN(), nil
	}
	return v, err
}

// asTreeUser runs commands again and again for a user with a folder T and 50
// below it; it counts for so many things.
func asTreeUser(things float64, commands ...string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		err := t.once("tree", func() error {
			create := []string{"CREATE INBOX/T"}
			for i := range treeFolders {
				create = append(create, fmt.Sprintf("CREATE INBOX/T/f%d", i))
			}
			return t.commands(treeUser, create...)
		})
		if err != nil {
			return 0, err
		}
		v, err := unknown(rate(1, s, func(int) (func() error, func(), error) {
			c, err := t.login(treeUser)
			if err != nil {
				return nil, nil, err
			}
			return func() error { return c.all(commands) }, func() { c.Close() }, nil
		}))
		return v * things, err
	}
}

// statusOfAll is STATUS of each folder of treeUser.
func statusOfAll() (commands []string) {
	for i := range treeFolders {
		commands = append(commands, fmt.Sprintf("STATUS INBOX/T/f%d (MESSAGES UNSEEN UIDNEXT)", i))
	}
	return commands
}

// many is how many messages come in one APPEND.
const many = 10

// multiAppend appends messages, ten with each command.
func multiAppend(t *target, s settings) (float64, error) {
	v, err := rate(1, s, func(int) (func() error, func(), error) {
		c, err := t.login(userName(33))
		if err != nil {
			return nil, nil, err
		}
		return func() error { return c.appendMany(many, s.size) }, func() { c.Close() }, nil
	})
	return v * many, err
}

// appendMany appends n messages by one command (RFC 3502).
func (c *client) appendMany(n, size int) error {
	var b bytes.Buffer
	b.WriteString("APPEND INBOX")
	for range n {
		m := text(size)
		fmt.Fprintf(&b, " {%d+}\r\n%s", len(m), m)
	}
	return c.do(b.String())
}

// state is where the large mailbox is, as a client remembers it.
func (t *target) state() (validity, modseq uint64, err error) {
	c, err := t.login(reader)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "s STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)\r\n"); err != nil {
		return 0, 0, err
	}
	for {
		line, err := c.line()
		if err != nil || strings.HasPrefix(line, "s ") {
			return validity, modseq, err
		}
		if i := strings.Index(line, "("); i >= 0 {
			_, err = fmt.Sscanf(strings.NewReplacer("UIDVALIDITY ", "", "HIGHESTMODSEQ ", "").Replace(line[i+1:]), "%d %d", &validity, &modseq)
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// changedSince asks which flags have changed since the client was here: those of
// ten messages.
func changedSince(command string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		if err := t.fill(s.mailbox); err != nil {
			return 0, err
		}
		if err := t.commands(reader, "ENABLE CONDSTORE", "SELECT INBOX", "STORE 1:100 FLAGS.SILENT (known)"); err != nil {
			return unknown(0, err)
		}
		validity, modseq, err := t.state()
		if err == nil {
			err = t.commands(reader, "SELECT INBOX", "STORE 11:20 +FLAGS.SILENT (changed)")
		}
		if err != nil {
			return 0, err
		}
		command := strings.NewReplacer("VALIDITY", fmt.Sprint(validity), "MODSEQ", fmt.Sprint(modseq)).Replace(command)
		return unknown(rate(1, s, func(int) (func() error, func(), error) {
			c, err := t.login(reader)
			if err != nil {
				return nil, nil, err
			}
			return func() error { return c.do(command) }, func() { c.Close() }, c.all([]string{"ENABLE QRESYNC", "SELECT INBOX"})
		}))
	}
}

// expungeLarge copies messages to the large mailbox, and expunges them there.
func expungeLarge(t *target, s settings) (float64, error) {
	if err := t.fill(s.mailbox); err != nil {
		return 0, err
	}
	n := min(copied, s.mailbox)
	copies := fmt.Sprintf("COPY 1:%d INBOX", n)
	store := fmt.Sprintf(`STORE %d:%d +FLAGS.SILENT (\Deleted)`, s.mailbox+1, s.mailbox+n)
	v, err := rate(1, s, func(int) (func() error, func(), error) {
		c, err := t.login(reader)
		if err != nil {
			return nil, nil, err
		}
		return func() error { return c.all([]string{copies, store, "EXPUNGE"}) }, func() { c.Close() }, c.do("SELECT INBOX")
	})
	return v * float64(n), err
}

// listeners is how many clients are told of each message.
const listeners = 100

// idleMany appends messages to a mailbox that many clients watch; it counts each
// client that is told.
func idleMany(t *target, s settings) (float64, error) {
	user := userName(32)
	var all []*client
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for range listeners {
		c, err := t.login(user)
		if err != nil {
			return 0, err
		}
		if all = append(all, c); c.do("SELECT INBOX") != nil {
			return 0, fmt.Errorf("no INBOX of %s", user)
		}
		if _, err := io.WriteString(c, "i IDLE\r\n"); err != nil {
			return 0, err
		}
		if _, err := c.line(); err != nil {
			return 0, err
		}
	}
	v, err := rate(1, s, func(int) (func() error, func(), error) {
		w, err := t.login(user)
		if err != nil {
			return nil, nil, err
		}
		return func() error {
			if err := w.appendMany(1, s.size); err != nil {
				return err
			}
			for _, c := range all {
				for line := ""; !strings.Contains(line, " EXISTS"); {
					if line, err = c.line(); err != nil {
						return err
					}
				}
			}
			return nil
		}, func() { w.Close() }, nil
	})
	return v * listeners, err
}

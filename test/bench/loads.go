package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A load is one thing that is measured. More is better, except for memory and
// latency.
type load struct {
	name, about, unit string
	run               func(*target, settings) (float64, error)
}

// loads is every load, in the order of the table. Later ones use what
// earlier ones left in the mailboxes as little as possible: each has users
// of its own.
var loads = []load{
	{"lmtp", "LMTP, several senders, each to a user of his own", "messages/s", func(t *target, s settings) (float64, error) { return lmtp(t, s, 1, s.clients) }},
	{"lmtp1", "LMTP, one sender", "messages/s", func(t *target, s settings) (float64, error) { return lmtp(t, s, 1, 1) }},
	{"lmtp-same", "LMTP, several senders to one user", "messages/s", func(t *target, s settings) (float64, error) { return lmtp(t, s, 0, s.clients) }},
	{"lmtp10", "LMTP, one sender, each message to ten users", "messages/s", lmtpToTen},
	{"lmtp-sieve", "LMTP, one sender, through a Sieve script", "messages/s", lmtpSieve},
	{"append", "APPEND, several clients", "messages/s", appends},
	{"login", "connect, LOGIN, LOGOUT", "sessions/s", logins},
	{"select", "SELECT of a large mailbox", "commands/s", reading("SELECT INBOX", "")},
	{"fetch-flags", "FETCH 1:* (UID FLAGS)", "messages/s", reading("FETCH 1:* (UID FLAGS)", "n")},
	{"fetch-envelope", "FETCH 1:* (ENVELOPE BODYSTRUCTURE)", "messages/s", reading("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", "n")},
	{"fetch-body", "FETCH 1:500 BODY.PEEK[]", "messages/s", reading("FETCH 1:500 (BODY.PEEK[])", "500")},
	{"fetch-one", "FETCH of one whole message after the other", "commands/s", fetchingOne},
	{"fetch-header", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM DATE)]", "messages/s", reading("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM DATE)])", "n")},
	{"noop", "NOOP", "commands/s", reading("NOOP", "")},
	{"pop3", "POP3, a session that reads 100 messages", "messages/s", pop3},
	{"search", "SEARCH SUBJECT", "messages/s", reading("SEARCH SUBJECT nothing-has-this", "n")},
	{"search-text", "SEARCH TEXT", "messages/s", reading("SEARCH TEXT nothing-has-this", "n")},
	{"search-body", "SEARCH BODY", "messages/s", reading("SEARCH BODY nothing-has-this", "n")},
	{"sort", "SORT (SUBJECT REVERSE DATE)", "messages/s", reading("SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "n")},
	{"thread", "THREAD REFERENCES", "messages/s", reading("THREAD REFERENCES UTF-8 ALL", "n")},
	{"store", "STORE of one flag of one message", "commands/s", storing},
	{"store-all", "STORE 1:* of one flag", "messages/s", storingAll},
	{"copy", "COPY of 100 messages", "messages/s", inFolders("COPY 1:* INBOX/B")},
	{"move", "MOVE of 100 messages there and back", "messages/s", inFolders("SELECT INBOX/A", "MOVE 1:* INBOX/C", "SELECT INBOX/C", "MOVE 1:* INBOX/A")},
	{"expunge", "COPY, STORE \\Deleted and EXPUNGE of 100 messages", "messages/s", inFolders("SELECT INBOX", "COPY 1:* INBOX/C", "SELECT INBOX/C", `STORE 1:* +FLAGS.SILENT (\Deleted)`, "EXPUNGE")},
	{"create", "CREATE and DELETE of a mailbox", "pairs/s", creating},
	{"list", "LIST of many mailboxes", "mailboxes/s", listing(`LIST "" "*"`)},
	{"list-status", "LIST with STATUS of many mailboxes", "mailboxes/s", listing(`LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))`)},
	{"rename", "RENAME of a mailbox with 50 below it, there and back", "mailboxes/s", asTreeUser(2*(treeFolders+1), "RENAME INBOX/T INBOX/U", "RENAME INBOX/U INBOX/T")},
	{"status", "STATUS of 50 mailboxes, one after the other", "commands/s", asTreeUser(treeFolders, statusOfAll()...)},
	{"subscribe", "SUBSCRIBE and UNSUBSCRIBE", "pairs/s", asTreeUser(1, "SUBSCRIBE INBOX/T/f7", "UNSUBSCRIBE INBOX/T/f7")},
	{"setacl", "SETACL and DELETEACL", "pairs/s", asTreeUser(1, "SETACL INBOX/T/f7 user1 lrs", "DELETEACL INBOX/T/f7 user1")},
	{"quotaroot", "GETQUOTAROOT", "commands/s", asTreeUser(1, "GETQUOTAROOT INBOX/T/f7")},
	{"multiappend", "APPEND of ten messages at once", "messages/s", multiAppend},
	{"search-unseen", "SEARCH UNSEEN FLAGGED", "messages/s", reading("SEARCH UNSEEN FLAGGED", "n")},
	{"search-from", "SEARCH FROM", "messages/s", reading("SEARCH FROM nobody-has-this", "n")},
	{"search-since", "SEARCH SINCE", "messages/s", reading("SEARCH SENTSINCE 1-Jan-2030 SINCE 1-Jan-2020", "n")},
	{"changedsince", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE …)", "commands/s", changedSince("UID FETCH 1:* (FLAGS) (CHANGEDSINCE MODSEQ)")},
	{"qresync", "SELECT (QRESYNC …)", "commands/s", changedSince("SELECT INBOX (QRESYNC (VALIDITY MODSEQ))")},
	{"expunge-large", "COPY, STORE \\Deleted and EXPUNGE of 100 messages in a large mailbox", "messages/s", expungeLarge},
	{"idle-many", "IDLE of 100 clients: one that is told of a message", "clients/s", idleMany},
	{"idle", "memory of an idle client in IDLE", "KiB/client", idle},
	{"idle-latency", "idle latency: from LMTP's reply to EXISTS in IDLE, median", "ms", idleLatency(0.5)},
	{"idle-latency-99", "idle latency, 99 % are faster", "ms", idleLatency(0.99)},
	{"notify-latency", "notify latency: from LMTP's reply to STATUS by NOTIFY, median", "ms", notifyLatency(0.5)},
	{"notify-latency-99", "notify latency, 99 % are faster", "ms", notifyLatency(0.99)},
}

var serial atomic.Int64

// text is a message of about size octets, with another Message-ID each time.
func text(size int) []byte {
	n := serial.Add(1)
	head := fmt.Sprintf("From: Sender <sender@example.org>\r\nTo: Receiver <receiver@example.org>\r\nSubject: Message number %d\r\n"+
		"Message-ID: <bench-%d-%d@example.org>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n", n, os.Getpid(), n)
	line := "This is one of many lines that make up the text of this message.\r\n"
	return []byte(head + strings.Repeat(line, max(1, (size-len(head))/len(line))))
}

// lmtp delivers with n connections; step 0 sends all to one user.
func lmtp(t *target, s settings, step, n int) (float64, error) {
	return lmtpTo(t, s, n, func(i int) []string { return []string{userName(1 + i*step)} })
}

// lmtpTo delivers with n connections, each to users of its own.
func lmtpTo(t *target, s settings, n int, to func(i int) []string) (float64, error) {
	return rate(n, s, func(i int) (func() error, func(), error) {
		c, err := dial(t.lmtp)
		if err != nil {
			return nil, nil, err
		}
		if _, err := fmt.Fprint(c, "LHLO bench\r\n"); err != nil {
			return nil, nil, err
		}
		if err := c.reply("250"); err != nil {
			return nil, nil, err
		}
		users := to(i)
		return func() error { return c.lmtp(append(text(s.size), ".\r\n"...), users...) }, func() { c.Close() }, nil
	})
}

func lmtpToTen(t *target, s settings) (float64, error) {
	var users []string
	for i := range 10 {
		users = append(users, userName(20+i))
	}
	return lmtpTo(t, s, 1, func(int) []string { return users })
}

// filter is what lmtpSieve's user has: tests on the header, and an action.
const filter = `require ["imap4flags"];
if header :contains ["List-Id", "X-Spam-Flag"] ["spam", "YES"] { discard; stop; }
if address :domain :is "from" ["example.net", "example.org"] { addflag "$known"; }
if anyof (header :matches "subject" "Message number *", size :over 1000000) { addflag "\\Flagged"; }
`

func lmtpSieve(t *target, s settings) (float64, error) {
	user := userName(39)
	if err := t.script(user, filter); err != nil {
		return 0, err
	}
	return lmtpTo(t, s, 1, func(int) []string { return []string{user} })
}

// script gives a user an active script.
func (t *target) script(user, text string) error {
	conn, err := net.DialTimeout("tcp", t.sieve, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &client{Conn: conn, r: bufio.NewReader(conn)}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00pass"))
	for _, step := range []string{"", "AUTHENTICATE \"PLAIN\" \"" + plain + "\"\r\n", fmt.Sprintf("PUTSCRIPT \"bench\" {%d+}\r\n%s\r\n", len(text), text), "SETACTIVE \"bench\"\r\n"} {
		if _, err := fmt.Fprint(c, step); err != nil {
			return err
		}
		for {
			line, err := c.line()
			if err != nil || strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
				return fmt.Errorf("%.20s: %s%w", step, line, err)
			}
			if strings.HasPrefix(line, "OK") {
				break
			}
		}
	}
	return nil
}

func appends(t *target, s settings) (float64, error) {
	return rate(s.clients, s, func(i int) (func() error, func(), error) {
		c, err := t.login(userName(10 + i))
		if err != nil {
			return nil, nil, err
		}
		return func() error {
			m := text(s.size)
			return c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m))
		}, func() { c.Close() }, nil
	})
}

func logins(t *target, s settings) (float64, error) {
	return rate(s.clients, s, func(i int) (func() error, func(), error) {
		user := userName(20 + i%10)
		return func() error {
			c, err := t.login(user)
			if err != nil {
				return err
			}
			defer c.Close()
			return c.do("LOGOUT")
		}, func() {}, nil
	})
}

// reader is the user whose INBOX is read; it is filled once per server.
const reader = "user38"

// fill makes the mailbox that is read.
func (t *target) fill(n int) error {
	mark := filepath.Join(t.dir, "filled")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	c, err := t.login(reader)
	if err != nil {
		return err
	}
	defer c.Close()
	for range n {
		m := text(2048)
		if err := c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m)); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, nil, 0o644)
}

// reading repeats a command on the large mailbox with two clients; each
// run of it counts for so many messages ("n": all, "": one).
func reading(command, messages string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		if err := t.fill(s.mailbox); err != nil {
			return 0, err
		}
		per := 1.0
		switch messages {
		case "n":
			per = float64(s.mailbox)
		case "500":
			per = 500
		}
		v, err := rate(2, s, func(int) (func() error, func(), error) {
			c, err := t.login(reader)
			if err != nil {
				return nil, nil, err
			}
			if err := c.do("SELECT INBOX"); err != nil {
				return nil, nil, err
			}
			return func() error { return c.do(command) }, func() { c.Close() }, nil
		})
		return v * per, err
	}
}

// storing sets and clears a flag of one message after the other.
func storing(t *target, s settings) (float64, error) {
	return t.store(s, func(n int) string {
		sign := [...]string{"+", "-"}[n/s.mailbox%2]
		return fmt.Sprintf("STORE %d %sFLAGS (\\Flagged)", 1+n%s.mailbox, sign)
	})
}

// storingAll sets and clears a flag of all messages at once.
func storingAll(t *target, s settings) (float64, error) {
	v, err := t.store(s, func(n int) string {
		return "STORE 1:* " + [...]string{"+", "-"}[n%2] + "FLAGS (\\Answered)"
	})
	return v * float64(s.mailbox), err
}

// store runs the nth command, n = 0, 1, …, on the large mailbox.
func (t *target) store(s settings, command func(n int) string) (float64, error) {
	if err := t.fill(s.mailbox); err != nil {
		return 0, err
	}
	return rate(1, s, func(int) (func() error, func(), error) {
		c, err := t.login(reader)
		if err != nil {
			return nil, nil, err
		}
		if err := c.do("SELECT INBOX"); err != nil {
			return nil, nil, err
		}
		n := -1
		return func() error { n++; return c.do(command(n)) }, func() { c.Close() }, nil
	})
}

// idle is the memory that each of many clients takes that have a small
// mailbox selected and are in IDLE.
func idle(t *target, s settings) (float64, error) {
	var clients []*client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	connect := func(n int) error {
		for len(clients) < n {
			c, err := t.login(userName(30 + len(clients)%8))
			if err != nil {
				return err
			}
			clients = append(clients, c)
			if err := c.do("SELECT INBOX"); err != nil {
				return err
			}
			if _, err := fmt.Fprint(c, "i IDLE\r\n"); err != nil {
				return err
			}
			if _, err := c.line(); err != nil {
				return err
			}
		}
		time.Sleep(2 * time.Second)
		return nil
	}
	first := s.idle / 10
	if err := connect(first); err != nil {
		return 0, err
	}
	before := t.memory()
	if err := connect(s.idle); err != nil {
		return 0, err
	}
	return (t.memory() - before) / float64(s.idle-first), nil
}

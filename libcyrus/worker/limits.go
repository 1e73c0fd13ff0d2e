package worker

import (
	"fmt"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/proc"
)

// LoginLimit reports whether user must be refused because there are too
// many sessions from this client or of this user (maxlogins_per_host,
// maxlogins_per_user), and what Cyrus tells the client and the log then.
// It is asked after the password was right and before SetProc tells of
// the log-in. Two log-ins at the same moment may both be let in.
//
// This session counts for its host, as in Cyrus; the sessions of others
// that have not logged in do not.
//
// Source: proc_checklimits in Cyrus imap/proc.c, checklimits in imapd.c.
func (c *Conn) LoginLimit(user string) (text string, refused bool) {
	conf := c.process.env.Config
	perHost, perUser := config.MaxloginsPerHost.In(conf), config.MaxloginsPerUser.In(conf)
	if perHost <= 0 && perUser <= 0 || c.process.procs == nil {
		return "", false
	}
	entries, err := proc.Read(c.process.procs.Dir())
	if err != nil {
		c.process.env.Log.Error("IOERROR: cannot read the list of sessions", "error", err)
		return "", false
	}
	_, own := c.account.current()
	others := entries[:0]
	for _, e := range entries {
		if e.Number != own {
			others = append(others, e)
		}
	}
	fromHost, ofUser := proc.Limits(others, c.process.env.Service, c.Client(), user)
	fromHost++
	if (perHost <= 0 || fromHost < perHost) && (perUser <= 0 || ofUser < perUser) {
		return "", false
	}
	var parts []string
	if perHost > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d from %s", fromHost, perHost, c.Client()))
	}
	if perUser > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d for %s", ofUser, perUser, user))
	}
	text = "Too many open connections (" + strings.Join(parts, ", ") + ")"
	c.process.env.Log.Error(text)
	return text, true
}

package proc

import (
	"fmt"
	"strings"

	"gocyrus/libcyrus/config"
)

// Dir returns the directory of the list of sessions: proc_path, and where
// that is not set "proc" in configdirectory.
func Dir(c *config.Config) string {
	if dir := config.ProcPath.In(c); dir != "" {
		return dir
	}
	return config.Configdirectory.In(c) + "/proc"
}

// Full says, in Cyrus's words for the client and the log, why user may not
// log in to service from client: there are too many sessions of it from there
// (maxlogins_per_host) or his (maxlogins_per_user). "" lets him in. It is
// asked when the password was right and before the list tells of the log-in;
// the client's own session is in the list already and counts for its host.
// Two log-ins at the same moment may both be let in. The error is that of
// reading the list.
//
// Source: proc_checklimits in Cyrus imap/proc.c, checklimits in imap/imapd.c.
func Full(c *config.Config, service, client, user string) (string, error) {
	maxHost, maxUser := config.MaxloginsPerHost.In(c), config.MaxloginsPerUser.In(c)
	if maxHost <= 0 && maxUser <= 0 {
		return "", nil
	}
	entries, err := Read(Dir(c))
	if err != nil {
		return "", err
	}
	perHost, perUser := count(entries, service, client, user)
	if (maxHost <= 0 || perHost < maxHost) && (maxUser <= 0 || perUser < maxUser) {
		return "", nil
	}
	var limits []string // all that are set, also one that is kept
	if maxHost > 0 {
		limits = append(limits, fmt.Sprintf("%d of %d from %s", perHost, maxHost, client))
	}
	if maxUser > 0 {
		limits = append(limits, fmt.Sprintf("%d of %d for %s", perUser, maxUser, user))
	}
	return "Too many open connections (" + strings.Join(limits, ", ") + ")", nil
}

// count counts the sessions of service that come from the same client or are
// logged in as the same user.
func count(entries []Entry, service, client, user string) (perHost, perUser int) {
	for i := range entries {
		e := &entries[i]
		if e.Service != service {
			continue
		}
		if e.Client == client {
			perHost++
		}
		if user != "" && e.User == user {
			perUser++
		}
	}
	return perHost, perUser
}

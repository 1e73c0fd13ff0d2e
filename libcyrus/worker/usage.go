package worker

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/syslog"
)

// logUsage logs, as Cyrus does, what processor time a user's session took
// (telemetry_rusage in Cyrus imap/telemetry.c). In a process with many
// clients nobody can say that, and nothing is logged.
func (p *process) logUsage(c *Conn, before unix.Rusage) {
	e, _ := c.account.current()
	var now unix.Rusage
	if e.User == "" || p.env.MaxClients != 1 || unix.Getrusage(unix.RUSAGE_SELF, &now) != nil {
		return
	}
	user := now.Utime.Nano() - before.Utime.Nano()
	sys := now.Stime.Nano() - before.Stime.Nano()
	p.env.Log.Log(context.Background(), syslog.LevelNotice,
		fmt.Sprintf("USAGE %s user: %s sys: %s", e.User, seconds(user), seconds(sys)))
}

// seconds writes nanoseconds as seconds with six digits behind the point.
func seconds(ns int64) string {
	return fmt.Sprintf("%d.%06d", ns/1e9, ns%1e9/1e3)
}

package main

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/libcyrus/notify"
)

// toLog writes the notification to the log (Cyrus notifyd/notify_log.c).
func toLog(s *server, _ context.Context, m *notify.Message) error {
	options := ""
	if len(m.Options) > 0 {
		options = "(" + strings.Join(m.Options, ", ") + ")"
	}
	s.log.Info(fmt.Sprintf("%s, %s, %s, %s, %s \"%s\"", m.Class, m.Priority, m.User, m.Mailbox, options, m.Text))
	return nil
}

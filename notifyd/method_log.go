package main

import (
	"fmt"
	"log/slog"
	"strings"

	"gocyrus/libcyrus/notify"
)

// toLog writes the notification to the log (Cyrus notifyd/notify_log.c).
func toLog(log *slog.Logger, m *notify.Message) error {
	options := ""
	if len(m.Options) > 0 {
		options = "(" + strings.Join(m.Options, ", ") + ")"
	}
	log.Info(fmt.Sprintf("%s, %s, %s, %s, %s \"%s\"", m.Class, m.Priority, m.User, m.Mailbox, options, m.Text))
	return nil
}

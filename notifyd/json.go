package main

import (
	"bytes"
	"encoding/json"

	"gocyrus/libcyrus/notify"
)

// jsonOf is a notification as JSON in one line: an event is that already; of
// another its fields are told.
func jsonOf(m *notify.Message) []byte {
	text := []byte(m.Text)
	if len(text) > 0 && text[0] == '{' && !bytes.ContainsAny(text, "\r\n") && json.Valid(text) {
		return text
	}
	b, err := json.Marshal(struct {
		Class    string   `json:"class"`
		Priority string   `json:"priority,omitempty"`
		User     string   `json:"user"`
		Mailbox  string   `json:"mailbox,omitempty"`
		Options  []string `json:"options,omitempty"`
		Message  string   `json:"message"`
	}{m.Class, m.Priority, m.User, m.Mailbox, m.Options, m.Text})
	if err != nil { // strings can always be written
		panic(err)
	}
	return b
}

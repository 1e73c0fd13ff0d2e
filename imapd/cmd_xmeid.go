package main

import "context"

// xmeid says what the client is, for the notifications of what it does
// (vnd.fastmail.clientId of event_extra_params).
//
// Source: cmd_xmeid in Cyrus imap/imapd.c.
func (s *session) xmeid(id string) (string, error) {
	session, events := s.conn.SessionID(), s.site.Events
	events.SetClient(session, id)
	context.AfterFunc(s.ctx, func() { events.SetClient(session, "") })
	return "", nil
}

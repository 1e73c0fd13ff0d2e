package event

import "sync"

// clients is what sessions say that their clients are, by session.
type clients struct {
	mu  sync.Mutex
	ids map[string]string
}

// SetClient says what the client of a session is: vnd.fastmail.clientId of its
// events from now on. "" forgets it, as has to be done when the session ends.
//
// Source: mboxevent_set_client_id in Cyrus imap/mboxevent.c.
func (n *Notifier) SetClient(session, id string) {
	if n == nil {
		return
	}
	n.clients.mu.Lock()
	defer n.clients.mu.Unlock()
	if id == "" {
		delete(n.clients.ids, session)
		return
	}
	if n.clients.ids == nil {
		n.clients.ids = map[string]string{}
	}
	n.clients.ids[session] = id
}

// of is the client of a session, "" if it is not known.
func (c *clients) of(session string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[session]
}

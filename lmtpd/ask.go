package main

import (
	"net"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
)

// Environment is an item of RFC 5183.
func (h *scriptHost) Environment(item string) (string, bool) {
	switch item {
	case "location":
		return "MDA", true
	case "name":
		return "Cyrus LMTP", true
	case "phase":
		return "during", true
	case "remote-host":
		client := h.s.conn.Client()
		if i := strings.IndexAny(client, " ["); i >= 0 {
			client = client[:i]
		}
		return client, true
	case "remote-ip":
		ip, _, err := net.SplitHostPort(h.s.conn.RemoteAddr().String())
		return ip, err == nil
	}
	return h.Owner.Environment(item)
}

// Duplicate reports whether an id is tracked (RFC 7352).
func (h *scriptHost) Duplicate(id string) bool {
	k := h.trackKey(id)
	until, ok := h.marked(k)
	if !ok || !time.Now().Before(until) {
		return false
	}
	h.s.eliminated(k, "sieve-duplicate")
	return true
}

// Track remembers an id for Duplicate, for at most
// sieve_duplicate_max_expiration.
func (h *scriptHost) Track(t sieve.Tracked) {
	d := min(time.Duration(t.Seconds)*time.Second, config.SieveDuplicateMaxExpiration.In(h.s.conf))
	h.mark(h.trackKey(t.ID), time.Now().Add(d))
}

func (h *scriptHost) trackKey(id string) duplicate.Key {
	return duplicate.Key{ID: id, To: duplicate.SieveTo(h.r.user)}
}

// Resolve says where an action would file the message.
func (h *scriptHost) Resolve(a sieve.Action) (string, error) {
	if a.Kind == sieve.Keep {
		return string(h.keepIn()), nil
	}
	n, err := h.FileIn(&a.Mailbox)
	return string(n), err
}

// keepIn is the mailbox of keep: the one that was addressed, if it is there,
// else the INBOX.
//
// Source: sieve_keep in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) keepIn() mboxname.Name {
	if h.r.user == "" {
		return h.r.name
	}
	if e, err := h.s.lookupLike(h.ctx, h.r.name); err == nil {
		return e.Name
	}
	return mboxname.Inbox(h.r.user)
}

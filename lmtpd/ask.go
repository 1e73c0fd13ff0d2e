package main

import (
	"net"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/version"
)

// internal is the internal form of a name in a script.
//
// Source: mboxname_from_externalUTF8 in Cyrus imap/mboxname.c.
func (h *scriptHost) internal(name string) (mboxname.Name, error) {
	if config.SieveUtf8fileinto.In(h.s.conf) {
		coded, err := mboxname.EncodeUTF7(name)
		if err != nil {
			return "", errs.New(errs.BadName, "lmtpd.internal", name, err)
		}
		name = coded
	}
	return h.ns.Internal(name)
}

// visible returns a mailbox that the script's owner knows of: one that he may
// look up or deliver to.
func (h *scriptHost) visible(name string) *mboxlist.Entry {
	n, err := h.ns.Internal(name)
	if err != nil {
		return nil
	}
	return h.visibleName(n)
}

func (h *scriptHost) visibleName(n mboxname.Name) *mboxlist.Entry {
	e, err := h.s.site.List.Lookup(h.ctx, n)
	if err != nil || h.s.site.List.Rights(h.who, e)&(acl.Lookup|acl.Post) == 0 {
		return nil
	}
	return e
}

// byID returns a mailbox that the owner knows of and that can take mail.
func (h *scriptHost) byID(id string) *mboxlist.Entry {
	e, err := h.s.site.List.LookupID(h.ctx, id)
	if err != nil || e.Kind() != mboxlist.Email || e.Name.IsDeleted(h.s.site.Layout.DeletedPrefix) {
		return nil
	}
	return h.visibleName(e.Name)
}

// MailboxExists is the test of that name (RFC 5490).
func (h *scriptHost) MailboxExists(name string) bool { return h.visible(name) != nil }

// MailboxIDExists is the test of that name (RFC 9042).
func (h *scriptHost) MailboxIDExists(id string) bool { return h.byID(id) != nil }

// SpecialUseExists is the test of that name (RFC 8579).
func (h *scriptHost) SpecialUseExists(mailbox *string, uses []string) bool {
	if mailbox == nil {
		for _, u := range uses {
			if _, err := h.s.site.List.SpecialUse(h.ctx, h.r.user, u); err != nil {
				return false
			}
		}
		return true
	}
	e := h.visible(*mailbox)
	if e == nil {
		return false
	}
	have, err := h.s.site.List.SpecialUses(h.ctx, e)
	if err != nil {
		return false
	}
	if h.r.user != "" && e.Name == mboxname.Inbox(h.r.user) {
		have = append(slices.Clone(have), `\Inbox`)
	}
	for _, u := range uses {
		if !slices.ContainsFunc(have, func(x string) bool { return strings.EqualFold(x, u) }) {
			return false
		}
	}
	return len(have) > 0
}

// Metadata is an annotation of a mailbox or of the server (RFC 5490).
func (h *scriptHost) Metadata(mailbox *string, entry string) (string, bool) {
	var key annot.Key
	switch {
	case strings.HasPrefix(entry, "/private/"):
		key = annot.Key{Entry: strings.TrimPrefix(entry, "/private"), User: h.r.user}
	case strings.HasPrefix(entry, "/shared/"):
		key = annot.Key{Entry: strings.TrimPrefix(entry, "/shared")}
	default:
		return "", false
	}
	var scope annot.Scope
	if mailbox != nil {
		e := h.visible(*mailbox)
		if e == nil {
			return "", false
		}
		scope = annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.Owner()}
	}
	v, ok, err := h.s.site.Annot.Get(h.ctx, scope, key)
	return string(v), ok && err == nil && len(v) > 0
}

// Environment is an item of RFC 5183.
func (h *scriptHost) Environment(item string) (string, bool) {
	host := h.s.conf.ServerName()
	switch item {
	case "domain":
		_, domain, _ := strings.Cut(host, ".")
		return domain, true
	case "host":
		return host, true
	case "location":
		return "MDA", true
	case "name":
		return "Cyrus LMTP", true
	case "phase":
		return "during", true
	case "version":
		return version.Cyrus(), true
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
	return "", false
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
	n, err := h.fileIn(&a.Mailbox)
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
	if _, err := h.s.site.List.Lookup(h.ctx, h.r.name); err == nil {
		return h.r.name
	}
	return mboxname.Inbox(h.r.user)
}

// fileIn is the mailbox that fileinto means, which need not be there.
//
// Source: sieve_fileinto in Cyrus imap/lmtp_sieve.c.
func (h *scriptHost) fileIn(m *sieve.Mailbox) (mboxname.Name, error) {
	if m.ID != nil {
		if e := h.byID(*m.ID); e != nil {
			return e.Name, nil
		}
	}
	if m.SpecialUse != nil && h.r.user != "" {
		if e, err := h.s.site.List.SpecialUse(h.ctx, h.r.user, *m.SpecialUse); err == nil {
			return e.Name, nil
		}
	}
	return h.internal(m.Name)
}

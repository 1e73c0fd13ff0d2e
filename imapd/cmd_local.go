package main

import (
	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// parseLocalCreate reads a mailbox and a partition, if there is one.
func parseLocalCreate(r *imapwire.Reader) (a createArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	if a.partition = r.Word(); !imapwire.IsAtom(a.partition) {
		return a, orWrong(r, nil, "Invalid partition name in Localcreate")
	}
	return a, nil
}

// localDelete deletes a mailbox on this server alone, for good: of a user's
// INBOX only that. It is for admins.
//
// Source: cmd_delete in Cyrus imap/imapd.c, with Debian's fix: 3.6.1 asked for
// no right at all.
func (s *session) localDelete(name string) (string, error) {
	n, err := s.internal(name)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	if !s.who.Admin {
		if _, err = s.site.List.Need(s.ctx, s.who, n, acl.Lookup); err == nil {
			err = errs.New(errs.Denied, "imapd.localDelete", name, nil)
		}
		return "", err
	}
	return "", s.deleteMailbox(n, mboxlist.DeleteOptions{Force: true, Immediate: true, KeepUser: true})
}

// parseXfer reads a mailbox, a server and a partition, if there is one.
func parseXfer(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if _, err := argument(r); err != nil {
		return "", err
	}
	if r.Space() && !imapwire.IsAtom(r.Word()) {
		return "", orWrong(r, nil, "Missing required argument to Xfer")
	}
	return name, nil
}

// xfer would move a mailbox to another server of a murder; there is none.
//
// Source: cmd_xfer in Cyrus imap/imapd.c.
func (s *session) xfer(name string) (string, error) {
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.xfer", name, nil)
	}
	n, err := s.internal(name)
	if err == nil {
		_, err = s.site.List.Lookup(s.ctx, n)
	}
	if err != nil {
		return "", noSuchMailbox(err)
	}
	return "", errNoMurder
}

// mupdatePush would tell the other servers of a murder of a mailbox; there is
// none.
//
// Source: cmd_mupdatepush in Cyrus imap/imapd.c.
func (s *session) mupdatePush(name string) (string, error) {
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.mupdatePush", name, nil)
	}
	return "", errNoMurder
}

// errNoMurder is the answer to commands for a murder of servers. It is no
// failure of this server, which would be logged.
const errNoMurder = refusal("Server(s) unavailable to complete operation")

package mboxname

import (
	"errors"
	"strings"

	"gocyrus/libcyrus/errs"
)

// good has each byte that a name may hold, besides modified UTF-7.
const good = " #$'()*+,-.0123456789:=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz~"

// Valid returns nil if a mailbox of this name may be created, and an error
// of kind errs.BadName if not. Deleted mailboxes' names are always valid.
//
// Source: mboxname_policycheck in Cyrus imap/mboxname.c.
func (r Rules) Valid(n Name) error {
	if why := r.fault(n); why != "" {
		return errs.New(errs.BadName, "mboxname.Valid", string(n), errors.New(why))
	}
	return nil
}

// reserved is names that are no mailboxes, without domain.
var reserved = map[string]bool{"user": true, "user.anyone": true, "user.anonymous": true}

// fault says what is wrong with n, or nothing.
func (r Rules) fault(n Name) string {
	if strings.HasPrefix(string(n), "$") {
		return "begins with $"
	}
	if n.IsDeleted(r.DeletedPrefix) {
		return ""
	}
	if len(n) > MaxLength {
		return "is too long"
	}
	s := string(n)
	if i := strings.IndexByte(s, '!'); i >= 0 {
		if r.Virtual == VirtualOff {
			return "has a domain"
		}
		if !validDomain(s[:i]) {
			return "has a bad domain"
		}
		s = s[i+1:]
	}
	switch {
	case s == "":
		return "is empty"
	case s[0] == '.', s[0] == '~', s[len(s)-1] == '.', strings.Contains(s, ".."):
		return "has an empty component"
	case reserved[s], strings.HasPrefix(s, "user.%"):
		return "is reserved"
	}
	return faultyBytes(s)
}

// validDomain keeps a domain from leaving its directory.
func validDomain(d string) bool {
	return d != "" && d[0] != '.' && !strings.ContainsAny(d, "/!\x1d\x1f\x00\r\n\t \"\\")
}

// faultyBytes checks what a name is made of: good bytes and well-formed
// modified UTF-7.
func faultyBytes(s string) string {
	shifted := false // the last thing was a shifted sequence
	for i := 0; i < len(s); {
		if s[i] != '&' {
			if strings.IndexByte(good, s[i]) < 0 {
				return "has a forbidden character"
			}
			shifted = false
			i++
			continue
		}
		n, _, err := shiftedRun(s[i:])
		if err != nil && err != errSurrogate {
			return err.Error()
		}
		isAmpersand := n == 2
		if shifted && !isAmpersand {
			return "has two shifts in a row"
		}
		shifted = !isAmpersand
		i += n
	}
	return ""
}

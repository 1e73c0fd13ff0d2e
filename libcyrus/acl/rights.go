// Package acl holds access control lists: the rights of RFC 4314 as
// Cyrus reads, stores and prints them, and what somebody may do by a list.
package acl

import (
	"errors"
	"fmt"
)

// Rights is a set of access rights.
type Rights uint32

// The rights of RFC 4314 section 2.1 and the ten that a site may give a
// meaning of its own (Cyrus: ACL_USER0 to ACL_USER9).
const (
	Lookup        Rights = 1 << iota // l: the mailbox is visible
	Read                             // r
	Seen                             // s: keep \Seen
	Write                            // w: flags other than \Seen and \Deleted
	Insert                           // i: APPEND, COPY into
	Post                             // p: deliver to
	Create                           // k: make mailboxes below it
	DeleteMailbox                    // x
	DeleteMessage                    // t: set \Deleted
	Expunge                          // e
	Admin                            // a: change the list
	Annotate                         // n: annotate messages
	User0
	User1
	User2
	User3
	User4
	User5
	User6
	User7
	User8
	User9

	None Rights = 0
	// All is every right but the site's own; a user has it on the INBOX
	// that is made for him (Cyrus ACL_ALL).
	All = Lookup | Read | Seen | Write | Insert | Post | Create | DeleteMailbox |
		DeleteMessage | Expunge | Admin | Annotate
	// every is every bit that is a right.
	every = All | User0 | User1 | User2 | User3 | User4 | User5 | User6 | User7 | User8 | User9
)

// letters is each right's letter, in the order of the bits.
const letters = "lrswipkxtean0123456789"

// printed is the order in which Cyrus writes rights: the old macros c and
// d follow e (cyrus_acl_masktostr in lib/acl.c).
const printed = "lrswipkxtecdan0123456789"

// Text is a form of writing rights. DeleteRight is imapd.conf's
// deleteright: the old right that brings x along, 'c' if zero.
type Text struct {
	DeleteRight byte
}

// macros is what the old rights c and d stand for.
func (t Text) macros() (c, d Rights) {
	c, d = Create, DeleteMessage|Expunge
	switch t.DeleteRight {
	case 0, 'c':
		c |= DeleteMailbox
	case 'd':
		d |= DeleteMailbox
	}
	return c, d
}

// ErrBadRight means that a text holds a letter that is no right.
var ErrBadRight = errors.New("unknown right")

// Parse reads rights. c and d count only if none of the rights that they
// stand for is given by its own letter. With an unknown letter the error
// wraps ErrBadRight and names it; the known ones are returned all the same.
//
// Source: cyrus_acl_strtomask in Cyrus lib/acl.c.
func (t Text) Parse(s string) (Rights, error) {
	c, d := t.macros()
	var r, asC, asD Rights
	var err error
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == 'c':
			asC = c
		case b == 'd':
			asD = d
		case letter(b) != 0:
			r |= letter(b)
		case b == t.DeleteRight:
		case err == nil:
			err = fmt.Errorf("%w %q", ErrBadRight, rune(b))
		}
		if s[i] == t.DeleteRight && s[i] != 'c' && s[i] != 'd' {
			r |= DeleteMailbox
		}
	}
	given := r
	if given&asC == 0 {
		r |= asC
	}
	if r&asD == 0 {
		r |= asD
	}
	return r, err
}

// Check returns an error that names the first letter of s that SETACL may
// not use; a sign in front is allowed. The text of the error is Cyrus's.
//
// Source: cyrus_acl_checkstr in Cyrus lib/acl.c.
func Check(s string) error {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if s[i] != 'c' && s[i] != 'd' && letter(s[i]) == 0 {
			return fmt.Errorf("The %c right is not supported", s[i])
		}
	}
	return nil
}

// letter is the right that b stands for, or 0.
func letter(b byte) Rights {
	for i := 0; i < len(letters); i++ {
		if letters[i] == b {
			return 1 << i
		}
	}
	return 0
}

// Format writes rights as Cyrus stores and sends them, with the macros c
// and d if any of their members is set.
func (t Text) Format(r Rights) string {
	c, d := t.macros()
	out := make([]byte, 0, len(printed))
	for i := 0; i < len(printed); i++ {
		want := letter(printed[i])
		switch printed[i] {
		case 'c':
			want = c
		case 'd':
			want = d
		}
		if r&want != 0 {
			out = append(out, printed[i])
		}
	}
	return string(out)
}

// Parse reads rights with the default deleteright.
func Parse(s string) (Rights, error) { return Text{}.Parse(s) }

// String writes rights with the default deleteright.
func (r Rights) String() string { return Text{}.Format(r) }

// Has reports whether every right of want is in r.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Any reports whether some right of want is in r.
func (r Rights) Any(want Rights) bool { return r&want != 0 }

package main

import (
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/syslog"
	"gocyrus/libcyrus/version"
)

// Limits of RFC 2971 section 3.3.
const (
	maxIDField = 30
	maxIDValue = 1024
	maxIDPairs = 30
)

// idPair is a field of a client's ID with its value, nil for NIL.
type idPair struct {
	field string
	value *string
}

// parseID reads NIL or a list of pairs (RFC 2971 section 3.1).
//
// Source: cmd_id in Cyrus imap/imapd.c.
func parseID(r *imapwire.Reader) ([]idPair, error) {
	if !r.Space() {
		return nil, r.Missing()
	}
	if !r.Accept('(') {
		if !strings.EqualFold(r.Word(), "NIL") {
			return nil, imapwire.SyntaxError("Invalid parameter list in Id")
		}
		return nil, nil
	}
	var pairs []idPair
	for !r.Accept(')') {
		if len(pairs) > 0 && !r.Space() {
			if r.AtEOL() {
				return nil, orWrong(r, nil, "Invalid field-value pair in Id")
			}
			return nil, orWrong(r, nil, "Missing closing parenthesis in Id")
		}
		p, err := parseIDPair(r)
		if err != nil {
			return nil, err
		}
		if pairs = append(pairs, p); len(pairs) > maxIDPairs {
			return nil, imapwire.SyntaxError(fmt.Sprintf("too many (%d) field-value pairs in Id", maxIDPairs))
		}
	}
	return pairs, nil
}

// parseIDPair reads a field and its value.
func parseIDPair(r *imapwire.Reader) (p idPair, err error) {
	const wrong = imapwire.SyntaxError("Invalid field-value pair in Id")
	if p.field, err = r.String(); err != nil || !r.Space() {
		return p, orWrong(r, err, wrong)
	}
	if p.value, err = r.NString(); err != nil {
		return p, orWrong(r, err, wrong)
	}
	switch {
	case len(p.field) > maxIDField:
		err = imapwire.SyntaxError(fmt.Sprintf("field longer than %d octets in Id", maxIDField))
	case p.value != nil && len(*p.value) > maxIDValue:
		err = imapwire.SyntaxError(fmt.Sprintf("value longer than %d octets in Id", maxIDValue))
	}
	return p, err
}

// orWrong returns err if it is of the connection or a limit, else wrong.
func orWrong(r *imapwire.Reader, err error, wrong imapwire.SyntaxError) error {
	if r.Err() != nil {
		return r.Err()
	}
	if _, ok := err.(*imapwire.LimitError); ok {
		return err
	}
	return wrong
}

// idOnce is ID, whose arguments are not looked at when a client that has not
// logged in sends it again.
func (s *session) idOnce(r *imapwire.Reader) (string, error) {
	if s.user == nil && s.saidID {
		if !r.Space() {
			return "", r.Missing()
		}
		return "NIL", nil
	}
	return cmd(anyState, parseID, (*session).id).run(s, r)
}

// id tells client and server each other's name (RFC 2971).
func (s *session) id(pairs []idPair) (string, error) {
	s.saidID = true
	if len(pairs) > 0 {
		s.logID(pairs)
	}
	if config.Serverinfo.In(s.conf) == "off" {
		s.w.Line("* ID NIL")
		return "", nil
	}
	b := append(s.w.Buffer(), "* ID ("...)
	for i, word := range s.identity() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = imapwire.AppendString(b, word)
	}
	s.w.SetBuffer(append(b, ")\r\n"...))
	return "", nil
}

// identity is the server's names and values, one after the other.
func (s *session) identity() []string {
	on := config.Serverinfo.In(s.conf) == "on"
	words := []string{"name", "Cyrus IMAPD"}
	if on {
		words = append(words, "version", version.Cyrus())
	}
	words = append(words, "vendor", "gocyrus")
	if !on || !config.Imapidresponse.In(s.conf) {
		return words
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		words = append(words, "os", unix.ByteSliceToString(u.Sysname[:]), "os-version", unix.ByteSliceToString(u.Release[:]))
	}
	return append(words, "environment", "Built w/"+runtime.Version()+"; lock = fcntl (open file descriptions); idle = inotify")
}

// logID logs what the client says it is.
func (s *session) logID(pairs []idPair) {
	var b strings.Builder
	b.WriteString("client id sessionid=<" + s.conn.SessionID() + ">:")
	for _, p := range pairs {
		value := "NIL"
		if p.value != nil {
			value = `"` + syslog.Printable(*p.value) + `"`
		}
		b.WriteString(` "` + syslog.Printable(p.field) + `" ` + value)
	}
	s.log.Info(b.String())
}

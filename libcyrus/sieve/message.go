package sieve

import (
	"bytes"
	"io"
	"strings"

	"gocyrus/libcyrus/message"
)

// A Message is what a script is run on.
type Message struct {
	Header []byte // the header block with CR LF, up to the empty line
	Size   int64  // octets of the whole

	// From and To are the envelope: the return path ("" = null), and the
	// recipient as the MTA gave it. Auth is who the MTA said it is, or nil.
	From, To string
	Auth     *string

	// Content holds the message, for tests of the body; nil = there is none.
	Content io.ReaderAt
}

// fields are the header fields as the script has left them.
type fields struct {
	list   []field
	edited bool
}

type field struct {
	name, value string // value is unfolded
	raw         string // all of it with its line end
}

// parseFields splits a header block.
func parseFields(header []byte) *fields {
	f := &fields{}
	for len(header) > 0 && header[0] != '\r' && header[0] != '\n' {
		n := 0
		for {
			i := bytes.IndexByte(header[n:], '\n')
			if i < 0 {
				n = len(header)
				break
			}
			if n += i + 1; n == len(header) || header[n] != ' ' && header[n] != '\t' {
				break
			}
		}
		raw := string(header[:n])
		header = header[n:]
		name, value, ok := strings.Cut(raw, ":")
		if !ok {
			continue
		}
		value = strings.NewReplacer("\r", "", "\n", "").Replace(strings.TrimLeft(value, " \t"))
		if i := strings.IndexByte(value, 0); i >= 0 {
			value = value[:i]
		}
		f.list = append(f.list, field{strings.TrimRight(name, " \t"), value, raw})
	}
	return f
}

// all returns the values of a field in the order of the message; nil if it
// is not there.
func (f *fields) all(name string) (out []string) {
	for _, x := range f.list {
		if equalFold(x.name, name) {
			out = append(out, x.value)
		}
	}
	return out
}

// add puts a field first, or last.
func (f *fields) add(name, value string, last bool) {
	x := field{name, value, name + ": " + value + "\r\n"}
	if last {
		f.list = append(f.list, x)
	} else {
		f.list = append([]field{x}, f.list...)
	}
	f.edited = true
}

// remove takes out the n'th field of that name, from the end if n is
// negative, all if it is 0.
func (f *fields) remove(name string, n int) {
	total := len(f.all(name))
	if n < 0 {
		n += total + 1
		if n <= 0 {
			n = total + 1 // none
		}
	}
	var out []field
	count := 0
	for _, x := range f.list {
		if equalFold(x.name, name) {
			count++
			if n == 0 || count == n {
				continue
			}
		}
		out = append(out, x)
	}
	f.list = out
	f.edited = true
}

// block is the header block if it was edited, else nil.
func (f *fields) block() []byte {
	if !f.edited {
		return nil
	}
	var b []byte
	for _, x := range f.list {
		b = append(b, x.raw...)
	}
	return append(b, '\r', '\n')
}

// maxBodyPart bounds what the body test reads of each part.
const maxBodyPart = 64 << 20

// texts returns the contents of the parts of those types. The message is
// parsed once.
func (r *run) texts(types []string) ([]string, error) {
	if r.msg.Content == nil {
		return nil, nil
	}
	if r.parsed == nil {
		m, err := message.ParseReader(r.msg.Content, r.msg.Size, r.env.Options.Message)
		if err != nil {
			return nil, err
		}
		r.parsed = m
	}
	return r.parsed.Texts(r.msg.Content, types, maxBodyPart)
}

// envelope returns a part of the envelope.
func (r *run) envelope(part string) (string, bool) {
	switch {
	case equalFold(part, "from"):
		return r.msg.From, true
	case equalFold(part, "to"):
		return r.msg.To, true
	case equalFold(part, "auth") && r.msg.Auth != nil:
		return *r.msg.Auth, true
	}
	return "", false
}

// canonicalAddress is the first address in s with its domain in lower case;
// false if there is none (address_canonicalise in Cyrus lib/parseaddr.c).
func canonicalAddress(s string) (string, bool) {
	list := message.ParseAddresses([]byte(s))
	if len(list) == 0 {
		return "", false
	}
	local, domain := addressParts(list[0])
	return local + "@" + asciiLower(domain), true
}

func addressParts(a message.Address) (local, domain string) {
	local, domain = string(a.Mailbox), string(a.Host)
	if a.Mailbox == nil {
		local = "unknown-user"
	}
	if a.Host == nil {
		domain = "unspecified-domain"
	}
	return local, domain
}

// addressPart is the part of an address that a test looks at.
func addressPart(a message.Address, part int) string {
	mailbox := string(a.Mailbox)
	user, detail, _ := strings.Cut(mailbox, "+")
	switch part {
	case vLocalpart:
		return mailbox
	case vDomain:
		return string(a.Host)
	case vUser:
		return user
	case vDetail:
		return detail
	}
	if a.Mailbox == nil && a.Host == nil {
		return ""
	}
	local, domain := addressParts(a)
	return local + "@" + domain
}

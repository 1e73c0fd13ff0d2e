package mailbox

import (
	"bytes"
	"errors"
	"hash/crc32"
	"strings"

	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/mboxname"
)

// headerMagic starts cyrus.header (Cyrus imap/mailbox.c, MAILBOX_HEADER_MAGIC).
const headerMagic = "\xa1\x02\x8b\x0dCyrus mailbox header\n" +
	"\"The best thing about this system was that it had lots of goals.\"\n" +
	"\t--Jim Morris on Andrew\n"

var errBadHeader = errors.New("not a cyrus.header")

// header is the contents of cyrus.header. It is not changed once it is
// shared; changes are made on a clone.
type header struct {
	typ       string        // type letters: "e", "el"
	name      mboxname.Name // may be stale or "": the mailbox list is right
	uniqueID  string
	quotaRoot mboxname.Name
	acl       string   // id TAB rights TAB …
	flags     []string // names of user flags by number, "" = free
	crc       uint32   // of the whole file; not of changes made since
}

func (h *header) clone() *header {
	c := *h
	c.flags = append([]string(nil), h.flags...)
	return &c
}

// flagNumber looks a user flag up, ignoring case.
func (h *header) flagNumber(name string) (int, bool) {
	for i, f := range h.flags {
		if f != "" && strings.EqualFold(f, name) {
			return i, true
		}
	}
	return 0, false
}

// decodeHeader reads cyrus.header in both its forms. Flags beyond the 128
// slots are ignored.
func decodeHeader(b []byte) (*header, error) {
	rest, ok := bytes.CutPrefix(b, []byte(headerMagic))
	if !ok {
		return nil, errBadHeader
	}
	h := &header{crc: crc32.ChecksumIEEE(b)}
	if len(rest) > 0 && rest[0] == '%' {
		n, _, err := dlist.ParsePrefix(rest)
		if err != nil {
			return nil, err
		}
		h.fromList(n)
		return h, nil
	}
	return h, h.fromLines(rest)
}

// fromList reads the form of Cyrus 3.6.
func (h *header) fromList(n *dlist.Node) {
	h.typ = n.Text("T")
	h.name = mboxname.Name(n.Text("N"))
	h.uniqueID = n.Text("I")
	h.quotaRoot = mboxname.Name(n.Text("Q"))
	if a := n.Get("A"); a != nil {
		var acl strings.Builder
		for i := range a.Items {
			acl.WriteString(a.Items[i].Key + "\t" + a.Items[i].String() + "\t")
		}
		h.acl = acl.String()
	}
	if u := n.Get("U"); u != nil {
		for i := range u.Items[:min(len(u.Items), MaxUserFlags)] {
			h.flags = append(h.flags, u.Items[i].String())
		}
	}
}

// fromLines reads the form of Cyrus 3.4 and before: three lines.
func (h *header) fromLines(b []byte) error {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 {
		return errBadHeader
	}
	root, id, _ := strings.Cut(lines[0], "\t")
	h.quotaRoot = mboxname.Name(root)
	h.uniqueID, _, _ = strings.Cut(id, "\t")
	if lines[1] != "" {
		h.flags = strings.Split(lines[1], " ")
		h.flags = h.flags[:min(len(h.flags), MaxUserFlags)]
	}
	if len(lines) > 2 {
		h.acl = lines[2]
	}
	return nil
}

// encode returns the file in the form of Cyrus 3.6.
func (h *header) encode() []byte {
	n := dlist.NewKVList(dlist.Text("T", h.typ))
	if h.name == "" {
		n.Add(dlist.Null("N"))
	} else {
		n.Add(dlist.Text("N", string(h.name)))
	}
	n.Add(dlist.Text("I", h.uniqueID))
	if h.quotaRoot != "" {
		n.Add(dlist.Text("Q", string(h.quotaRoot)))
	}
	acl := dlist.NewKVList()
	words := strings.Split(h.acl, "\t")
	for i := 0; i+1 < len(words); i += 2 {
		acl.Add(dlist.Text(words[i], words[i+1]))
	}
	n.Add(dlist.Sub("A", acl))
	if last := h.lastFlag(); last > 0 {
		flags := dlist.NewList()
		for _, f := range h.flags[:last] {
			if f == "" {
				flags.Add(dlist.Null(""))
			} else {
				flags.Add(dlist.Text("", f))
			}
		}
		n.Add(dlist.Sub("U", flags))
	}
	return append(n.Append([]byte(headerMagic)), '\n')
}

// lastFlag is one more than the number of the last slot in use.
func (h *header) lastFlag() int {
	n := len(h.flags)
	for n > 0 && h.flags[n-1] == "" {
		n--
	}
	return n
}

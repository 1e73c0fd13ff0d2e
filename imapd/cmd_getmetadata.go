package main

import (
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// metadataArgs is the arguments of GETMETADATA.
type metadataArgs struct {
	mailboxes []string
	pattern   bool // the only one is a pattern
	options   metadataOptions
	query     annot.Query
}

// metadataOptions is the options of GETMETADATA (RFC 5464 section 4.2).
type metadataOptions struct {
	limited bool
	maxSize uint64 // longer values are left out, if limited
	depth   int    // how far below an entry: 0, 1, or -1 for all
}

// parseGetMetadata reads the arguments of GETMETADATA (RFC 5464 section 4.2):
// mailboxes and entries, and options before or between them.
//
// Source: cmd_getmetadata in Cyrus imap/imapd.c.
func parseGetMetadata(r *imapwire.Reader) (a metadataArgs, err error) {
	const missing = imapwire.SyntaxError("Missing arguments to Getmetadata")
	if !r.Space() {
		return a, r.Missing()
	}
	var lists [][]string
	var patterns []bool
	for more := true; more && len(lists) < 3; more = r.Space() {
		words, _, pattern, err := r.MetadataList()
		if err != nil {
			return a, err
		}
		lists, patterns = append(lists, words), append(patterns, pattern)
	}
	if len(lists) < 2 || !r.AtEOL() {
		return a, orWrong(r, nil, missing)
	}
	if len(lists) == 3 {
		first, ok1 := parseMetadataOptions(lists[0])
		second, ok2 := parseMetadataOptions(lists[1])
		switch {
		case ok1 && ok2:
			return a, imapwire.SyntaxError("Too many option lists for Getmetadata")
		case ok1:
			a.options = first
			lists, patterns = lists[1:], patterns[1:]
		case ok2:
			a.options = second
		default:
			return a, missing
		}
	}
	a.mailboxes, a.pattern = lists[0], patterns[0]
	var ok bool
	if a.query, ok = a.options.query(lists[len(lists)-1]); !ok {
		return a, imapwire.ErrNotMetadata
	}
	return a, nil
}

// parseMetadataOptions reads options; false if words are none, or wrong.
func parseMetadataOptions(words []string) (o metadataOptions, ok bool) {
	for pair := range slices.Chunk(words, 2) {
		if len(pair) < 2 {
			return o, false
		}
		switch strings.ToUpper(pair[0]) {
		case "MAXSIZE":
			n, err := strconv.ParseUint(pair[1], 10, 63)
			if err != nil {
				return o, false
			}
			o.limited, o.maxSize = true, n
		case "DEPTH":
			i := slices.Index([]string{"INFINITY", "0", "1"}, strings.ToUpper(pair[1]))
			if i < 0 {
				return o, false
			}
			o.depth = i - 1
		default:
			return o, false
		}
	}
	return o, len(words) > 0
}

// query is what the entries of a command ask for: as in Cyrus private and
// shared values of all, if there is one of each.
func (o *metadataOptions) query(entries []string) (q annot.Query, ok bool) {
	below := map[int]string{1: "/%", -1: "/*"}[o.depth]
	for _, e := range entries {
		name, attr, ok := imapwire.SplitMetadata(e)
		if !ok {
			return q, false
		}
		q.Attrs |= annot.ParseAttrs([]string{attr})
		q.Entries = append(q.Entries, name)
		if below != "" {
			q.Entries = append(q.Entries, name+below)
		}
	}
	return q, true
}

// getMetadata answers with annotations of the server or of mailboxes.
func (s *session) getMetadata(a metadataArgs) (string, error) {
	longest, err := s.sendMetadata(&a)
	if err != nil || longest == 0 {
		return "", err
	}
	return longEntries(longest), nil
}

// longEntries is the text for a client that was not sent all values.
func longEntries(longest int) string {
	return "[METADATA LONGENTRIES " + strconv.Itoa(longest) + "] Completed"
}

// sendMetadata sends what GETMETADATA asks for, and returns the length of
// the longest value that was left out.
func (s *session) sendMetadata(a *metadataArgs) (longest int, err error) {
	if a.mailboxes[0] == "" {
		as, err := s.metadata.Server(s.ctx, s.who, a.query)
		return s.metadataOf("", as, &a.options), err
	}
	boxes, err := s.namedMailboxes(a.mailboxes, a.pattern)
	for _, l := range boxes {
		as, err := s.metadata.Mailbox(s.ctx, s.who, l.Entry, a.query)
		if err != nil {
			return longest, err
		}
		longest = max(longest, s.metadataOf(l.External, as, &a.options))
	}
	return longest, err
}

// namedMailboxes returns the mailboxes with these names up to the first that
// does not exist, and its error; or those that fit a pattern.
func (s *session) namedMailboxes(names []string, pattern bool) (found []mboxlist.Listed, err error) {
	if pattern {
		return s.matchingMailboxes(names[0])
	}
	for _, name := range names {
		n, err := s.internal(name)
		if err != nil {
			return found, noSuchMailbox(err)
		}
		e, err := s.site.List.Need(s.ctx, s.who, n, acl.Lookup)
		if err != nil {
			return found, err
		}
		found = append(found, mboxlist.Listed{Entry: e, External: s.ns.ExternalOr(n)})
	}
	return found, nil
}

// matchingMailboxes returns the mailboxes that fit a pattern: errs.NotFound
// for none.
func (s *session) matchingMailboxes(pattern string) (found []mboxlist.Listed, err error) {
	o := mboxlist.ListOptions{Patterns: []mboxname.Matcher{s.ns.NewMatcher(pattern)}}
	err = s.site.List.Each(s.ctx, s.who, s.ns, o, func(l mboxlist.Listed) error {
		if l.Entry != nil && l.Entry.Exists() {
			found = append(found, l)
		}
		return nil
	})
	if err == nil && found == nil {
		err = errs.New(errs.NotFound, "imapd.metadata", pattern, nil)
	}
	return found, err
}

// metadataOf sends one METADATA response, unless there is nothing in it. It
// returns the length of the longest value that was left out.
//
// Source: getmetadata_response in Cyrus imap/imapd.c.
func (s *session) metadataOf(mailbox string, as []annot.Answer, o *metadataOptions) (longest int) {
	b := append(s.w.Buffer(), "* METADATA "...)
	b = append(s.appendName(b, mailbox), " ("...)
	start := len(b)
	for i := range as {
		for _, x := range as[i].Attrs {
			if o.limited && uint64(len(x.Value)) > o.maxSize {
				longest = max(longest, len(x.Value))
				continue
			}
			if len(b) > start {
				b = append(b, ' ')
			}
			prefix := "/shared"
			if x.Name == "value.priv" {
				prefix = "/private"
			}
			b = append(imapwire.AppendString(b, prefix+as[i].Entry), ' ')
			b = appendValue(b, x.Value)
		}
	}
	if len(b) > start {
		s.w.SetBuffer(append(b, ")\r\n"...))
	}
	return longest
}

// appendValue prints the value of an annotation; none is NIL.
func appendValue(b, value []byte) []byte {
	if len(value) == 0 {
		return append(b, "NIL"...)
	}
	return imapwire.AppendString(b, string(value))
}

package message

import (
	"bytes"
	"strings"
)

// AppendFields appends the fields of a header block to dst whose name is in
// names (any case), or with not those whose name is not, and the empty line,
// as BODY[HEADER.FIELDS (…)] and HEADER.FIELDS.NOT send them. maxLines is
// maxheaderlines as in Options: later fields are left out.
//
// Source: message_pruneheader and index_fetchheader in Cyrus.
func AppendFields(dst, header []byte, names []string, not bool, maxLines int) []byte {
	limit := limitOf(maxLines)
	var count int64
	for len(header) > 0 && header[0] != '\r' && header[0] != 0 {
		n := fieldLength(header)
		// The colon may be in a later line: such a line has no name, so it is
		// wanted only with not.
		colon := bytes.IndexByte(header, ':')
		if colon >= 0 && containsName(names, header[:colon]) != not {
			dst = append(dst, header[:n]...)
		}
		header = header[n:]
		if count++; limit > 0 && count > limit {
			break
		}
	}
	return append(dst, '\r', '\n')
}

// fieldLength is the length of the field at the start of h with its
// continuation lines and line end.
func fieldLength(h []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(h[at:], '\n')
		if i < 0 {
			return len(h)
		}
		at += i + 1
		if at == len(h) || h[at] != ' ' && h[at] != '\t' {
			return at
		}
	}
}

func containsName(names []string, name []byte) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return true
		}
	}
	return false
}

// maxCachedName is the length of names from which on they are not cached.
const maxCachedName = 32

// CachedSince returns the cache version from which the HEADERS item can be
// relied on for a field, and whether it ever can. A field that a record of
// that version does not show is not in the message.
func CachedSince(field string) (version int, ok bool) {
	if len(field) >= maxCachedName {
		return 0, false
	}
	v := cachedSince([]byte(strings.ToLower(field)))
	return v, v >= 0
}

// AllCached reports whether a record of that cache version has all these
// fields of its message in the HEADERS item.
func AllCached(fields []string, version int) bool {
	for _, f := range fields {
		if v, ok := CachedSince(f); !ok || v > version {
			return false
		}
	}
	return true
}

// cachedSince is CachedSince for a name in lower case; -1 for never.
//
// Source: is_cached_header in Cyrus imap/mailbox.c.
func cachedSince(name []byte) int {
	if len(name) >= maxCachedName {
		return -1
	}
	if v, ok := cachedFields[string(name)]; ok {
		return int(v)
	}
	if len(name) >= 2 && name[0] == 'x' && name[1] == '-' {
		return -1
	}
	return 1
}

// cachedFields has the cache version of each field that is no ordinary one;
// -1 for those that are not cached because other items have them, or because
// they are only long.
var cachedFields = func() map[string]int8 {
	m := map[string]int8{}
	for v, names := range map[int8]string{
		0: "priority references resent-from newsgroups followup-to",
		1: "x-mailer x-trace",
		2: "x-ref x-priority x-msmail-priority x-msoesrec",
		3: "x-spam-score x-resolved-to x-delivered-to x-mail-from x-truedomain-domain",
		4: "x-me-message-id x-cyrus-session-id",
		6: "x-universally-unique-identifier x-uniform-type-identifier x-apple-base-url x-apple-mail-remote-attachments",
		7: "reply-to sender",
		-1: "bcc cc date delivery-date envelope-to from in-reply-to mime-version received return-path subject to " +
			"message-id dkim-signature domainkey-signature domainkey-x509 arc-seal arc-message-signature " +
			"arc-authentication-results authentication-results received-spf archived-at listbox-message-date " +
			"topicbox-message-uuid topicbox-policy-reasoning",
	} {
		for _, n := range strings.Fields(names) {
			m[n] = v
		}
	}
	return m
}()

package imapwire

import "strings"

// A SortOp is what a sort key compares.
type SortOp uint8

// The sort keys of RFC 5256 and RFC 5957, and Cyrus's own.
const (
	SortArrival SortOp = iota
	SortCc
	SortDate
	SortDisplayFrom
	SortDisplayTo
	SortFrom
	SortSize
	SortSubject
	SortTo
	SortAnnotation // Entry, of the user if Private
	SortModseq
	SortUID
	SortHasFlag // Flag is set
	SortRelevancy
	SortFolder
	SortSpamScore
)

var sortOps = map[string]SortOp{
	"arrival": SortArrival, "cc": SortCc, "date": SortDate, "displayfrom": SortDisplayFrom, "displayto": SortDisplayTo,
	"from": SortFrom, "size": SortSize, "subject": SortSubject, "to": SortTo, "annotation": SortAnnotation,
	"modseq": SortModseq, "uid": SortUID, "hasflag": SortHasFlag, "relevancy": SortRelevancy, "folder": SortFolder,
	"spamscore": SortSpamScore,
}

// A SortKey is one criterion of SORT.
type SortKey struct {
	Op      SortOp
	Reverse bool
	Flag    string // as the client spelled it
	Entry   string // name of an annotation
	Private bool
}

// maxSortKeys bounds the criteria of one SORT: each costs memory per message.
const maxSortKeys = 32

// SortKeys takes the criteria of SORT with their parentheses.
//
// Source: getsortcriteria in Cyrus imap/imapd.c.
func (r *Reader) SortKeys() ([]SortKey, error) {
	if !r.Accept('(') {
		return nil, r.orSyntax(nil, "Missing Sort criteria")
	}
	var keys []SortKey
	if r.Accept(')') {
		return nil, r.orSyntax(nil, "Missing Sort criteria")
	}
	for {
		k, err := r.sortKey()
		if err != nil {
			return nil, err
		}
		if keys = append(keys, k); len(keys) > maxSortKeys {
			return nil, SyntaxError("[LIMIT] Too many Sort criteria")
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return nil, r.orSyntax(nil, "Missing close parenthesis in Sort")
	}
	return keys, r.err
}

// sortKey takes one criterion.
func (r *Reader) sortKey() (k SortKey, err error) {
	word := strings.ToLower(r.Word())
	for word == "reverse" {
		k.Reverse = true
		if !r.Space() {
			return k, r.orSyntax(nil, "Missing Sort criterion to reverse")
		}
		word = strings.ToLower(r.Word())
	}
	var ok bool
	if k.Op, ok = sortOps[word]; !ok {
		return k, r.orSyntax(nil, "Invalid Sort criterion "+word)
	}
	missing := func(word string) error { return r.orSyntax(nil, "Missing argument to Sort criterion "+word) }
	switch k.Op {
	case SortHasFlag:
		if !r.Space() {
			return k, missing(word)
		}
		if k.Flag = r.Word(); k.Flag == "" {
			return k, missing(word)
		}
	case SortAnnotation:
		if !r.Space() {
			return k, missing(word)
		}
		if k.Entry, err = r.AString(); err != nil || !r.Space() {
			return k, missing(k.Entry)
		}
		attribute := strings.ToLower(r.Word())
		if k.Private = attribute == "value.priv"; !k.Private && attribute != "value.shared" {
			return k, missing(attribute)
		}
	}
	return k, nil
}

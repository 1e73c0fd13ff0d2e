package main

import (
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/view"
)

// storeArgs is the arguments of STORE.
type storeArgs struct {
	set         imapwire.SeqSet
	change      view.FlagChange
	annotations []annot.Set // instead of flags
}

// storeOperations is the data items of STORE.
var storeOperations = map[string]view.Operation{
	"FLAGS": view.Replace, "FLAGS.SILENT": view.Replace,
	"+FLAGS": view.Add, "+FLAGS.SILENT": view.Add,
	"-FLAGS": view.Remove, "-FLAGS.SILENT": view.Remove,
}

// parseStore reads the arguments of STORE (RFC 3501 section 6.4.6).
//
// Source: cmd_store in Cyrus imap/imapd.c.
func parseStore(r *imapwire.Reader) (a storeArgs, err error) {
	if a.set, err = parseStoreSet(r); err != nil {
		return a, err
	}
	inner(r, "Store")
	if !r.Space() {
		return a, r.Missing()
	}
	if r.Accept('(') {
		if err = parseStoreModifiers(r, &a.change); err != nil {
			return a, err
		}
		if !r.Space() {
			return a, r.Missing()
		}
	}
	word := strings.ToUpper(r.Word())
	var ok bool
	if a.change.Operation, ok = storeOperations[word]; !ok && word != "ANNOTATION" {
		return a, orWrong(r, nil, imapwire.SyntaxError("Invalid "+r.Command+" attribute"))
	}
	a.change.Silent = strings.HasSuffix(word, ".SILENT")
	if !r.Space() {
		return a, r.Missing()
	}
	if !ok {
		as, err := r.AnnotationStore(false)
		a.annotations = annotSets(as)
		return a, err
	}
	return a, parseStoreFlags(r, &a.change)
}

// parseStoreModifiers reads what follows the parenthesis before the item (RFC
// 7162 section 3.1.3).
func parseStoreModifiers(r *imapwire.Reader, c *view.FlagChange) (err error) {
	for {
		word := strings.ToUpper(r.Word())
		if word != "UNCHANGEDSINCE" {
			return badModifier(r, word)
		}
		if c.UnchangedSince, err = parseModseq(r, word); err != nil {
			return err
		}
		c.Conditional = true
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
	}
	return nil
}

// parseStoreSet reads the sequence set; at the end of the line its error is
// another than that of FETCH.
func parseStoreSet(r *imapwire.Reader) (imapwire.SeqSet, error) {
	set, err := parseSequence(r)
	if err == nil && r.AtEOL() {
		err = imapwire.SyntaxError("Invalid sequence in " + r.Command)
	}
	return set, err
}

// parseStoreFlags reads flags, in parentheses or not.
func parseStoreFlags(r *imapwire.Reader, c *view.FlagChange) error {
	list := r.Accept('(')
	if list && r.Accept(')') {
		return nil
	}
	for {
		word := r.Word()
		f, system := view.Flag(word)
		switch {
		case system:
			c.Flags |= f
		case word == "" && !list:
			return missing(r, errMissing)
		case word == "":
			return orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
		case strings.HasPrefix(word, `\`):
			return orWrong(r, nil, imapwire.SyntaxError("Invalid system flag in "+r.Command+" command"))
		case !imapwire.IsAtom(word):
			return orWrong(r, nil, imapwire.SyntaxError("Invalid flag name "+word+" in "+r.Command+" command"))
		default:
			c.Keywords = append(c.Keywords, word)
		}
		if !r.Space() {
			break
		}
	}
	if list && !r.Accept(')') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
	}
	return nil
}

// errMissing stands for an argument that is not there.
const errMissing = refusal("missing")

// store changes flags of messages by sequence number.
func (s *session) store(a storeArgs) (string, error) {
	return s.changeFlags(&a, false)
}

// uidStore changes flags of messages by UID.
func (s *session) uidStore(a storeArgs) (string, error) {
	return s.changeFlags(&a, true)
}

// changeFlags does a STORE and tells the client what the flags are now.
func (s *session) changeFlags(a *storeArgs, uid bool) (string, error) {
	if a.change.Conditional {
		s.useCondstore("UNCHANGEDSINCE")
	}
	var modified imapwire.SeqSet
	var err error
	if a.annotations != nil {
		modified, err = s.view.StoreAnnotations(s.ctx, a.set, uid, view.AnnotationChange{
			Sets: a.annotations, UnchangedSince: a.change.UnchangedSince, Conditional: a.change.Conditional,
		})
		s.annotatedMyself(a.annotations)
	} else {
		changed := s.watchFlags(a.set, uid)
		if modified, err = s.view.Store(s.ctx, a.set, uid, a.change); err == nil {
			changed()
		}
	}
	if err != nil {
		return "", err
	}
	s.view.Report(s.w, uid, uid)
	if len(modified) > 0 {
		return "[MODIFIED " + modified.String() + "] Completed", nil
	}
	return "", nil
}

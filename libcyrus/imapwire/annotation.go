package imapwire

import "strings"

// An Annotation is an entry with values of its attributes, to be stored.
type Annotation struct {
	Entry  string
	Values []AttributeValue
}

// AttributeValue is one attribute of an Annotation; a nil Value is NIL.
type AttributeValue struct {
	Name  string
	Value *string
}

// AnnotationQuery is which attributes of which entries are asked for.
type AnnotationQuery struct {
	Entries    []string
	Attributes []string
}

// maxAnnotations bounds the entries and attributes of one command.
const maxAnnotations = 10000

// errManyAnnotations is the error of a command that exceeds it.
const errManyAnnotations = SyntaxError("[LIMIT] Too many annotations")

// MetadataList takes a string, or a list of them in parentheses, as
// GETMETADATA has them (RFC 5464 section 5). pattern is set for a single
// one that has wildcards.
//
// Source: parse_metadata_string_or_list in Cyrus imap/imapd.c.
func (r *Reader) MetadataList() (words []string, list, pattern bool, err error) {
	const none = "Missing metadata entry"
	if !r.Accept('(') {
		s, err := r.AString()
		if err != nil {
			return nil, false, false, r.orSyntax(err, none)
		}
		return []string{s}, false, strings.ContainsAny(s, "*%"), nil
	}
	words, err = r.closed(r.AString, none, "Missing close paren in metadata entry list ")
	return words, true, false, err
}

// closed takes strings up to a closing parenthesis.
func (r *Reader) closed(take func() (string, error), none, open string) (words []string, err error) {
	for {
		s, err := take()
		if err != nil {
			return nil, r.orSyntax(err, none)
		}
		if words = append(words, s); len(words) > maxAnnotations {
			return nil, errManyAnnotations
		}
		if r.Space() {
			continue
		}
		if !r.Accept(')') {
			return nil, r.orSyntax(nil, open)
		}
		return words, nil
	}
}

// MetadataStore takes the list of entries and values of SETMETADATA. Entries
// that begin with /shared get the attribute value.shared, those with /private
// value.priv.
//
// Source: parse_metadata_store_data in Cyrus imap/imapd.c.
func (r *Reader) MetadataStore() (as []Annotation, err error) {
	if !r.Accept('(') {
		return nil, r.orSyntax(nil, "Missing metadata entry list")
	}
	for n := 0; ; n++ {
		entry, err := r.AString()
		if err != nil || !r.Space() {
			return nil, r.orSyntax(err, "Missing metadata entry")
		}
		value, err := r.NString()
		if err != nil {
			return nil, r.orSyntax(err, "Missing metadata value")
		}
		name, attr, ok := SplitMetadata(entry)
		if !ok {
			return nil, ErrNotMetadata
		}
		if n == maxAnnotations {
			return nil, errManyAnnotations
		}
		as = append(as, Annotation{name, []AttributeValue{{attr, value}}})
		if r.Space() {
			continue
		}
		if !r.Accept(')') {
			return nil, r.orSyntax(nil, "Missing close paren in metadata entry list ")
		}
		return as, nil
	}
}

// ErrNotMetadata is what the client is told of an entry for which
// SplitMetadata reports false.
const ErrNotMetadata = SyntaxError("entry must begin with /shared or /private")

// SplitMetadata takes an entry of RFC 5464 apart: "/shared/comment" is
// "/comment" and "value.shared". Entries have no case.
func SplitMetadata(entry string) (name, attribute string, ok bool) {
	entry = strings.ToLower(entry)
	if name, ok = strings.CutPrefix(entry, "/private"); ok && (name == "" || name[0] == '/') {
		return name, "value.priv", true
	}
	if name, ok = strings.CutPrefix(entry, "/shared"); ok && (name == "" || name[0] == '/') {
		return name, "value.shared", true
	}
	return "", "", false
}

// AnnotationQuery takes an entry or a list of them, a blank, and an attribute
// or a list of them. With old, for GETANNOTATION, they are strings, else
// (RFC 5257) also atoms.
//
// Source: parse_annotate_fetch_data in Cyrus imap/imapd.c.
func (r *Reader) AnnotationQuery(old bool) (q AnnotationQuery, err error) {
	take := r.AString
	if old {
		take = r.String
	}
	const noEntry, noAttr = "Missing annotation entry", "Missing annotation attribute(s)"
	if r.Accept('(') {
		q.Entries, err = r.closed(take, noEntry, "Missing close paren in annotation entry list ")
	} else {
		q.Entries, err = r.one(take, noEntry)
	}
	if err != nil {
		return q, err
	}
	if !r.Space() {
		return q, r.orSyntax(nil, noAttr)
	}
	if r.Accept('(') {
		q.Attributes, err = r.closed(take, noAttr, "Missing close paren in annotation attribute list")
	} else {
		q.Attributes, err = r.one(take, "Missing annotation attribute")
	}
	return q, err
}

// one takes one string.
func (r *Reader) one(take func() (string, error), none string) ([]string, error) {
	s, err := take()
	if err != nil {
		return nil, r.orSyntax(err, none)
	}
	return []string{s}, nil
}

// AnnotationStore takes annotations to be stored. With old, for
// SETANNOTATION, names are strings, and the parentheses around all may be
// missing.
//
// Source: parse_annotate_store_data in Cyrus imap/imapd.c.
func (r *Reader) AnnotationStore(old bool) (as []Annotation, err error) {
	take := r.AString
	if old {
		take = r.String
	}
	list := r.Accept('(')
	if !list && !old {
		return nil, r.orSyntax(nil, "Missing paren for annotation entry")
	}
	for n := 0; ; {
		entry, err := take()
		if err != nil {
			return nil, r.orSyntax(err, "Missing annotation entry")
		}
		if !r.Space() || !r.Accept('(') {
			return nil, r.orSyntax(nil, "Missing annotation attribute-values list")
		}
		values, err := r.attributeValues(take)
		if err != nil {
			return nil, err
		}
		if n += 1 + len(values); n > maxAnnotations {
			return nil, errManyAnnotations
		}
		as = append(as, Annotation{entry, values})
		if !r.Space() {
			break
		}
	}
	if list && !r.Accept(')') {
		return nil, r.orSyntax(nil, "Missing close paren in annotation entry list ")
	}
	return as, nil
}

// attributeValues takes attributes and their values up to the closing
// parenthesis.
func (r *Reader) attributeValues(take func() (string, error)) (vs []AttributeValue, err error) {
	const noValue = "Missing annotation value"
	for {
		name, err := take()
		if err != nil {
			return nil, r.orSyntax(err, "Missing annotation attribute")
		}
		if !r.Space() {
			return nil, r.orSyntax(nil, noValue)
		}
		value, err := r.NString()
		if err != nil {
			return nil, r.orSyntax(err, noValue)
		}
		if vs = append(vs, AttributeValue{name, value}); len(vs) > maxAnnotations {
			return nil, errManyAnnotations
		}
		if r.Space() {
			continue
		}
		if !r.Accept(')') {
			return nil, r.orSyntax(nil, "Missing close paren in annotation attribute-values list")
		}
		return vs, nil
	}
}

// errBadAnnotation is what the client is told of a FETCH item ANNOTATION that
// has no list.
const errBadAnnotation = "invalid Annotation"

// annotationItem takes the argument of the FETCH item ANNOTATION (RFC 5257
// section 4.3).
func (r *Reader) annotationItem(f *Fetch) error {
	if !r.Space() || !r.Accept('(') {
		return r.orSyntax(nil, errBadAnnotation)
	}
	q, err := r.AnnotationQuery(false)
	if err != nil {
		return err
	}
	if !r.Accept(')') {
		return r.orSyntax(nil, errBadAnnotation)
	}
	f.Items |= FetchAnnotation
	f.Annotations.Entries = append(f.Annotations.Entries, q.Entries...)
	f.Annotations.Attributes = append(f.Annotations.Attributes, q.Attributes...)
	if len(f.Annotations.Entries)+len(f.Annotations.Attributes) > maxAnnotations {
		return errManyAnnotations
	}
	return nil
}

// annotation takes entry, attribute and value of the search key ANNOTATION
// (RFC 5257 section 4.5).
func (p *searchParser) annotation() (SearchKey, error) {
	k := SearchKey{Op: SearchAnnotation}
	for _, to := range []*string{&k.Field, &k.Attribute} {
		s, err := p.r.AString()
		if err != nil || !p.r.Space() {
			return k, p.r.orSyntax(err, string(errBadSearch))
		}
		*to = s
	}
	switch k.Attribute {
	case "value", "value.shared", "value.priv":
	default:
		return k, errBadSearch
	}
	value, err := p.r.NString()
	if err != nil {
		return k, p.r.orSyntax(err, string(errBadSearch))
	}
	if value != nil {
		k.Text = *value
	}
	return k, nil
}

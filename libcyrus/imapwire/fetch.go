package imapwire

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// FetchItem is a set of things that FETCH can be asked for, apart from
// sections of the message.
type FetchItem uint32

// The items, in the order in which Cyrus prints them.
const (
	FetchFlags FetchItem = 1 << iota
	FetchUID
	FetchGUID // DIGEST.SHA1
	FetchInternalDate
	FetchLastUpdated
	FetchModseq // RFC 7162
	FetchSize
	FetchAnnotation // RFC 5257
	FetchPreview    // RFC 8970
	FetchFileSize   // RFC822.FILESIZE
	FetchSHA1       // RFC822.SHA1
	FetchEmailID    // RFC 8474
	FetchCID
	FetchThreadID // RFC 8474
	FetchSaveDate // RFC 8514
	FetchCreatedModseq
	FetchBaseCID
	FetchFolder
	FetchUIDValidity
	FetchMailboxes
	FetchMailboxIDs // RFC 8474
	FetchEnvelope
	FetchBodyStructure
	FetchBody
	FetchRFC822Header // RFC822.HEADER
	FetchRFC822Text   // RFC822.TEXT
	FetchRFC822       // RFC822
	// FetchSetSeen is set when an item was asked for that sets \Seen.
	FetchSetSeen
)

// Macros of RFC 3501 section 6.4.5.
const (
	fetchFast = FetchFlags | FetchInternalDate | FetchSize
	fetchAll  = fetchFast | FetchEnvelope
	fetchFull = fetchAll | FetchBody
)

// fetchMacros may only stand alone.
var fetchMacros = map[string]FetchItem{"FAST": fetchFast, "ALL": fetchAll, "FULL": fetchFull}

// fetchWords is every item that is one word.
var fetchWords = map[string]FetchItem{
	"FLAGS":            FetchFlags,
	"UID":              FetchUID,
	"MODSEQ":           FetchModseq,
	"INTERNALDATE":     FetchInternalDate,
	"RFC822.SIZE":      FetchSize,
	"EMAILID":          FetchEmailID,
	"THREADID":         FetchThreadID,
	"CID":              FetchCID,
	"BASECID":          FetchBaseCID,
	"SAVEDATE":         FetchSaveDate,
	"DIGEST.SHA1":      FetchGUID,
	"LASTUPDATED":      FetchLastUpdated,
	"RFC822.FILESIZE":  FetchFileSize,
	"RFC822.SHA1":      FetchSHA1,
	"CREATEDMODSEQ":    FetchCreatedModseq,
	"FOLDER":           FetchFolder,
	"UIDVALIDITY":      FetchUIDValidity,
	"MAILBOXES":        FetchMailboxes,
	"MAILBOXIDS":       FetchMailboxIDs,
	"ENVELOPE":         FetchEnvelope,
	"BODYSTRUCTURE":    FetchBodyStructure,
	"BODY":             FetchBody,
	"RFC822":           FetchRFC822 | FetchSetSeen,
	"RFC822.PEEK":      FetchRFC822,
	"RFC822.HEADER":    FetchRFC822Header,
	"RFC822.TEXT":      FetchRFC822Text | FetchSetSeen,
	"RFC822.TEXT.PEEK": FetchRFC822Text,
}

// A Part is which piece of a message part a section means.
type Part uint8

// The pieces. PartAll is the whole part, or the whole message if the section
// has no part numbers.
const (
	PartAll        Part = iota
	PartHeader          // HEADER
	PartText            // TEXT
	PartMIME            // MIME
	PartFields          // HEADER.FIELDS
	PartFieldsNot       // HEADER.FIELDS.NOT
	PartLines           // RFC822.HEADER.LINES: fields of the message, printed under another name
	PartLinesNot        // RFC822.HEADER.LINES.NOT
	PartBinary          // BINARY[…]: decoded (RFC 3516)
	PartBinarySize      // BINARY.SIZE[…]
)

// maxFetchSections bounds the sections of one FETCH, and the header fields
// named in each.
const maxFetchSections = 10000

// maxPartNumbers bounds the depth of a section; Cyrus reads no deeper
// structures (boundary_limit is 1000, but nobody sends that).
const maxPartNumbers = 1000

// A Section is one BODY[…] item.
type Section struct {
	// Name is what is printed before the value:
	// "BODY[1.HEADER.FIELDS (Subject)]<0>".
	Name    string
	Numbers []uint32 // part numbers; empty is the message
	Part    Part
	Fields  []string // names of header fields as the client spelled them
	Partial bool     // only Length octets from Offset on
	Offset  int64
	Length  int64
}

// Fetch is the arguments of FETCH without the sequence set.
type Fetch struct {
	Items    FetchItem
	Sections []Section
	// Annotations is what is asked for with FetchAnnotation.
	Annotations AnnotationQuery
	// ChangedSince leaves out messages with this modseq or a lower one; 0
	// leaves out none (RFC 7162 section 3.1.4.1).
	ChangedSince uint64
	// Partial, if not zero, is which of the messages are meant (RFC 9394
	// section 3.3).
	Partial Partial
	// Vanished asks for the UIDs that were expunged after ChangedSince (RFC
	// 7162 section 3.2.6). Match is what a client that selects a mailbox knows
	// of it: sequence numbers and their UIDs.
	Vanished bool
	Match    [2]SeqSet
}

// Join adds to f what another one asks for of each message.
func (f *Fetch) Join(o *Fetch) {
	f.Items |= o.Items
	for i := range o.Sections {
		if !slices.ContainsFunc(f.Sections, func(s Section) bool { return s.Name == o.Sections[i].Name }) {
			f.Sections = append(f.Sections, o.Sections[i])
		}
	}
	f.Annotations.Entries = withAll(f.Annotations.Entries, o.Annotations.Entries)
	f.Annotations.Attributes = withAll(f.Annotations.Attributes, o.Annotations.Attributes)
}

// withAll is a list with what of another one it does not have.
func withAll(list, more []string) []string {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(slices.Clip(list), m)
		}
	}
	return list
}

// Fetch takes the items of a FETCH command: one, a macro, or a list. Errors
// are worded as Cyrus words them.
//
// Source: parse_fetch_args in Cyrus imap/imapd.c.
func (r *Reader) Fetch() (Fetch, error) {
	var f Fetch
	list := r.Accept('(')
	for {
		before := f.Items & FetchPreview
		if err := r.fetchItem(&f, list); err != nil {
			return f, err
		}
		if len(f.Sections) > maxFetchSections {
			return f, SyntaxError("[LIMIT] Too many items in " + r.Command)
		}
		if preview := f.Items & FetchPreview; preview != before {
			next, err := r.previewModifiers(list)
			if err != nil {
				return f, err
			}
			if next {
				continue
			}
		}
		if !list || !r.Space() {
			break
		}
	}
	if list && !r.Accept(')') {
		return f, SyntaxError("Missing close parenthesis in " + r.Command)
	}
	return f, r.err
}

// fetchItem takes one item and adds it to f.
func (r *Reader) fetchItem(f *Fetch, list bool) error {
	raw := r.Word()
	word := strings.ToUpper(raw)
	if items, ok := fetchWords[word]; ok {
		f.Items |= items
		return r.err
	}
	if items, ok := fetchMacros[word]; ok && !list {
		f.Items |= items
		return r.err
	}
	switch {
	case strings.HasPrefix(word, "BODY["):
		f.Items |= FetchSetSeen
		return r.section(f, word, word[len("BODY["):])
	case strings.HasPrefix(word, "BODY.PEEK["):
		return r.section(f, word, word[len("BODY.PEEK["):])
	case strings.HasPrefix(word, "BINARY["):
		f.Items |= FetchSetSeen
		return f.binary(word[len("BINARY["):])
	case strings.HasPrefix(word, "BINARY.PEEK["):
		return f.binary(word[len("BINARY.PEEK["):])
	case strings.HasPrefix(word, "BINARY.SIZE["):
		return f.binarySize(word[len("BINARY.SIZE["):])
	case word == "PREVIEW":
		f.Items |= FetchPreview
		return r.err
	case word == "ANNOTATION":
		return r.annotationItem(f)
	case word == "RFC822.HEADER.LINES":
		return r.headerLines(f, word, PartLines)
	case word == "RFC822.HEADER.LINES.NOT":
		return r.headerLines(f, word, PartLinesNot)
	}
	if r.err != nil {
		return r.err
	}
	return SyntaxError("Invalid " + r.Command + " attribute " + word)
}

// headerLines takes the list of an old RFC822.HEADER.LINES item.
func (r *Reader) headerLines(f *Fetch, word string, part Part) error {
	s := Section{Name: "RFC822.HEADER", Part: part}
	if !r.Space() {
		return r.Missing()
	}
	fields, err := r.fieldList(word)
	if err != nil {
		return err
	}
	s.Fields = fields
	f.Sections = append(f.Sections, s)
	return nil
}

// errBadSection is what a client is told of most wrong sections.
const errBadSection = SyntaxError("Invalid body section")

// section takes what follows "BODY[". item is the whole word, text what of
// it stands behind the bracket.
func (r *Reader) section(f *Fetch, item, text string) error {
	var s Section
	rest, ok := s.numbers(text)
	if !ok {
		return errBadSection
	}
	switch rest {
	case "HEADER.FIELDS":
		s.Part = PartFields
	case "HEADER.FIELDS.NOT":
		s.Part = PartFieldsNot
	default:
		tail, ok := s.piece(rest)
		if !ok {
			return errBadSection
		}
		s.Name = "BODY[" + strings.TrimSuffix(text, tail)
		return f.add(&s, tail)
	}
	return r.fieldSection(f, s, item, text)
}

// numbers reads the part numbers at the start of a section; "1.TEXT" leaves
// "TEXT". A number does not begin with zero, unless it is zero
// and the last.
func (s *Section) numbers(text string) (rest string, ok bool) {
	for text != "" && '0' <= text[0] && text[0] <= '9' {
		n := 0
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		if (text[0] == '0' && n > 1) || len(s.Numbers) == maxPartNumbers {
			return text, false
		}
		v, err := strconv.ParseUint(text[:n], 10, 32)
		if err != nil {
			v = math.MaxUint32 // no message has such a part
		}
		s.Numbers = append(s.Numbers, uint32(v))
		text = text[n:]
		if !strings.HasPrefix(text, ".") {
			return text, strings.HasPrefix(text, "]")
		}
		if v == 0 {
			return text, false
		}
		text = text[1:]
	}
	return text, true
}

// piece reads HEADER, TEXT, MIME or nothing, and the closing bracket.
func (s *Section) piece(text string) (tail string, ok bool) {
	word, tail, ok := strings.Cut(text, "]")
	if !ok {
		return "", false
	}
	switch word {
	case "":
	case "HEADER":
		s.Part = PartHeader
	case "TEXT":
		s.Part = PartText
	case "MIME":
		s.Part = PartMIME
		ok = len(s.Numbers) > 0
	default:
		ok = false
	}
	return tail, ok
}

// fieldSection takes the list of header fields and the closing bracket.
func (r *Reader) fieldSection(f *Fetch, s Section, item, text string) error {
	if !r.Space() {
		return errBadSection
	}
	fields, err := r.fieldList(item)
	if err != nil {
		return err
	}
	s.Fields = fields
	tail := r.Word()
	if !strings.HasPrefix(tail, "]") {
		return SyntaxError("Missing required close bracket after " + r.Command + " " + item)
	}
	b := append([]byte("BODY["), text...)
	b = append(b, " ("...)
	for i, name := range fields {
		if i > 0 {
			b = append(b, ' ')
		}
		b = AppendAString(b, name)
	}
	s.Name = string(append(b, ")]"...))
	return f.add(&s, tail[1:])
}

// fieldList takes a list of names of header fields in parentheses.
func (r *Reader) fieldList(item string) ([]string, error) {
	if !r.Accept('(') {
		return nil, SyntaxError("Missing required open parenthesis in " + r.Command + " " + item)
	}
	var fields []string
	for {
		name, err := r.AString()
		if r.err != nil {
			return nil, r.err
		}
		if err != nil || !validFieldName(name) {
			return nil, SyntaxError("Invalid field-name in " + r.Command + " " + item)
		}
		if fields = append(fields, name); len(fields) > maxFetchSections {
			return nil, SyntaxError("[LIMIT] Too many field-names in " + r.Command)
		}
		if r.Space() {
			continue
		}
		if !r.Accept(')') {
			return nil, SyntaxError("Missing required close parenthesis in " + r.Command + " " + item)
		}
		return fields, nil
	}
}

// validFieldName reports whether s can be the name of a header field
// (RFC 5322 section 2.2).
func validFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// add reads the partial range that may follow a section, "<0.5>", and adds
// the section.
func (f *Fetch) add(s *Section, tail string) error {
	if tail != "" {
		if len(tail) < 2 || tail[0] != '<' || tail[1] < '0' || tail[1] > '9' {
			return SyntaxError("Junk after body section")
		}
		rest, ok := s.partial(tail[1:])
		if !ok {
			return SyntaxError("Invalid body partial")
		}
		if rest != "" {
			return SyntaxError("Junk after body section")
		}
		origin, _, _ := strings.Cut(tail, ".")
		s.Name += origin + ">" // as the client wrote the number
	}
	f.Sections = append(f.Sections, *s)
	return nil
}

// partial reads "0.5>"; the length may not be zero, nor have a leading zero.
func (s *Section) partial(text string) (rest string, ok bool) {
	text, rest, ok = strings.Cut(text, ">")
	from, length, dot := strings.Cut(text, ".")
	if !ok || !dot || from == "" || length == "" || length[0] == '0' {
		return "", false
	}
	var okFrom, okLength bool
	s.Offset, okFrom = parseSize(from)
	s.Length, okLength = parseSize(length)
	s.Partial = true
	return rest, okFrom && okLength
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

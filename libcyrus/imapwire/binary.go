package imapwire

import "strings"

// binary takes what follows "BINARY[" (RFC 3516 section 4.2).
//
// Source: fetchattr BINARY in Cyrus imap/imapd.c.
func (f *Fetch) binary(text string) error {
	s, tail, err := binarySection(text, PartBinary, "BINARY[")
	if err != nil {
		return err
	}
	if tail != "" && (len(tail) < 2 || tail[0] != '<' || tail[1] < '0' || tail[1] > '9') {
		return errBinaryJunk
	}
	return f.add(&s, tail)
}

// binarySize takes what follows "BINARY.SIZE[".
func (f *Fetch) binarySize(text string) error {
	s, tail, err := binarySection(text, PartBinarySize, "BINARY.SIZE[")
	if err != nil {
		return err
	}
	if tail != "" {
		return errBinaryJunk
	}
	f.Sections = append(f.Sections, s)
	return nil
}

const errBinaryJunk = SyntaxError("Junk after binary section")

// binarySection reads part numbers and the closing bracket.
func binarySection(text string, part Part, name string) (s Section, tail string, err error) {
	rest, ok := s.numbers(text)
	if !ok || !strings.HasPrefix(rest, "]") || len(s.Numbers) > 0 && s.Numbers[len(s.Numbers)-1] == 0 {
		return s, "", SyntaxError("Invalid binary section")
	}
	s.Part = part
	s.Name = name + text[:len(text)-len(rest)] + "]"
	return s, rest[1:], nil
}

// previewModifiers takes the list that may follow PREVIEW, with the blank
// before it: only LAZY is known (RFC 8970 section 3.1). It returns whether
// the blank was that before the next item.
func (r *Reader) previewModifiers(list bool) (next bool, err error) {
	if !r.Space() {
		return false, r.err
	}
	if !r.Accept('(') {
		if !list {
			return false, r.orSyntax(nil, "Missing required open parenthesis in "+r.Command+" modifiers")
		}
		return true, r.err
	}
	word := r.Word()
	if !r.Accept(')') || !equalFold(word, "LAZY") {
		return false, r.orSyntax(nil, "FETCH contains invalid preview modifier ("+word+")")
	}
	return false, r.err
}

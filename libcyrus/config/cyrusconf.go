package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// CyrusConf is what a cyrus.conf says: what master starts. Each section
// has its entries in the order of the file.
type CyrusConf struct {
	Start, Services, Events, Daemon []Entry
}

// section returns the entries of the section with that name, in any case,
// or nil if Cyrus has none of the name.
func (c *CyrusConf) section(name string) *[]Entry {
	switch strings.ToUpper(name) {
	case "START":
		return &c.Start
	case "SERVICES":
		return &c.Services
	case "EVENTS":
		return &c.Events
	case "DAEMON":
		return &c.Daemon
	}
	return nil
}

// Entry is one line of a section of cyrus.conf.
type Entry struct {
	Name string // "imap"; ASCII letters and digits
	File string // where the entry stands
	Line int    // first is 1
	args []KeyValue
}

// maxArgs is how many key=value pairs an entry may have, as in Cyrus.
const maxArgs = 64

// Get returns the value of a key, and whether the entry has it. Of a key
// given twice the first counts.
func (e *Entry) Get(key string) (string, bool) {
	for _, a := range e.args {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

// Args returns the entry's pairs in the order of the file.
func (e *Entry) Args() []KeyValue { return e.args }

// String returns the value of a key, or def if the entry does not have it.
func (e *Entry) String(key, def string) string {
	if v, ok := e.Get(key); ok {
		return v
	}
	return def
}

// Int returns the number that the value of key begins with, as C's atoi
// does, or def if the entry does not have the key. If the value is no
// number, Int returns def, with which Cyrus goes on, and an *Error.
func (e *Entry) Int(key string, def int) (int, error) {
	v, ok := e.Get(key)
	if !ok {
		return def, nil
	}
	digits := strings.TrimPrefix(v, "-")
	end := 0
	for end < len(digits) && isDigit(digits[end]) {
		end++
	}
	n, err := strconv.Atoi(v[:len(v)-len(digits)+end])
	if end == 0 || err != nil {
		return def, e.Fault("value '%s' for '%s' does not look like a number", v, key)
	}
	return n, nil
}

// Switch returns the switch at key, or def if the entry does not have it or
// its value is no switch.
func (e *Entry) Switch(key string, def bool) bool {
	s, _ := e.Get(key)
	if v, ok := switchValue(s); ok {
		return v
	}
	return def
}

// Fault returns an error about the entry, with its file and line in front.
func (e *Entry) Fault(format string, args ...any) *Error {
	return confError(e.File, e.Line, format, args...)
}

// confError words an error as Cyrus's master does.
func confError(file string, line int, format string, args ...any) *Error {
	text := fmt.Sprintf("configuration file %s: %s on line %d", file, fmt.Sprintf(format, args...), line)
	return &Error{Text: text, File: file, Line: line}
}

// LoadCyrusConf reads the file at path, or at DefaultCyrusConf if path is
// "". A path that ends in .toml is read as TOML. The error is an *Error.
// What an entry needs, and which values are allowed, master checks.
func LoadCyrusConf(path string) (*CyrusConf, []Warning, error) {
	if path == "" {
		path = DefaultCyrusConf()
	}
	text, err := readPrefixed(path)
	if err != nil {
		return nil, nil, &Error{File: path, Text: fmt.Sprintf("can't open configuration file %s: %s", path, reason(err))}
	}
	if filepath.Ext(path) == ".toml" {
		return parseCyrusTOML(path, text)
	}
	return ParseCyrusConf(path, text)
}

// ParseCyrusConf is LoadCyrusConf for text in memory, in the spelling of
// cyrus.conf; name stands for its file in messages.
func ParseCyrusConf(name, text string) (*CyrusConf, []Warning, error) {
	r := &confReader{file: name, conf: &CyrusConf{}, seen: map[*[]Entry]bool{}}
	for line := range strings.Lines(text) {
		r.n++
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if line == "" {
			continue
		}
		if err := r.line(line); err != nil {
			return nil, nil, err
		}
	}
	if r.in != nil || r.depth > 0 {
		r.warn("section is not closed at the end of the file")
	}
	return r.conf, r.warnings, nil
}

// confReader goes through the lines of a cyrus.conf.
//
// Source: masterconf_getsection in Cyrus master/masterconf.c. Cyrus reads
// the file once per section and uses the first of each name only; whatever
// else stands outside of the four sections it skips by counting braces.
type confReader struct {
	file     string
	n        int // current line
	conf     *CyrusConf
	in       *[]Entry // the section we are in, or nil
	depth    int      // of braces, outside of the four sections
	seen     map[*[]Entry]bool
	warnings []Warning
}

func (r *confReader) warn(format string, args ...any) {
	r.warnings = append(r.warnings, Warning{r.file, r.n, fmt.Sprintf(format, args...)})
}

// line takes one line without its comment; it is not empty.
func (r *confReader) line(line string) error {
	switch {
	case r.in == nil:
		r.outside(line)
		return nil
	case line[0] == '}':
		r.in = nil
		return nil
	}
	e, err := r.entry(line)
	if err != nil {
		return err
	}
	*r.in = append(*r.in, e)
	return nil
}

// outside takes a line that stands in none of the four sections.
func (r *confReader) outside(line string) {
	end := 0
	for end < len(line) && isAlnum(line[end]) {
		end++
	}
	word := line[:end]
	opens := strings.Count(line, "{") - strings.Count(line, "}")
	s := r.conf.section(word)
	switch {
	case r.depth == 0 && s != nil && opens == 1:
		r.open(word, s)
		if _, rest, _ := strings.Cut(line, "{"); strings.TrimSpace(rest) != "" {
			r.warn("text after the opening brace of %s is not read", word)
		}
		return
	case r.depth == 0 && s != nil && opens == 0 && !strings.Contains(line, "{"):
		r.warn("%s is not followed by an opening brace on its line and is not read", word)
	case r.depth == 0 && s == nil && word != "" && opens > 0:
		r.warn("unknown section %s is not read", word)
	case r.depth == 0 && s == nil && word != "":
		r.warn("line outside of any section is not read")
	}
	r.depth = max(0, r.depth+opens)
}

// open begins a section. A second one of the same name is read, so that
// its mistakes are found, but not used.
func (r *confReader) open(word string, s *[]Entry) {
	if r.seen[s] {
		r.warn("section %s was there before; this one is not used", word)
		s = &[]Entry{}
	}
	r.seen[s] = true
	r.in = s
}

// entry reads "name key=value ...".
func (r *confReader) entry(line string) (Entry, error) {
	e := Entry{File: r.file, Line: r.n}
	end := 0
	for end < len(line) && isAlnum(line[end]) {
		end++
	}
	if end == 0 || end < len(line) && !isSpace(line[end]) {
		return e, e.Fault("bad character '%s' in name", line[end:end+1])
	}
	e.Name = line[:end]
	rest := strings.TrimLeft(line[end:], space)
	for rest != "" {
		if len(e.args) == maxArgs {
			return e, e.Fault("too many arguments")
		}
		var a KeyValue
		var fault *Error
		if a, rest, fault = e.cutArg(rest); fault != nil {
			return e, fault
		}
		if _, twice := e.Get(a.Key); twice {
			r.warn("%s: '%s' was there before; this one is not used", e.Name, a.Key)
		}
		e.args = append(e.args, a)
		rest = strings.TrimLeft(rest, space)
	}
	return e, nil
}

// cutArg takes the first key=value or key="value" from s, which is not
// empty.
func (e *Entry) cutArg(s string) (a KeyValue, rest string, fault *Error) {
	end := 0
	for end < len(s) && isAlnum(s[end]) {
		end++
	}
	if end == len(s) {
		return a, "", e.Fault("missing '=' after '%s' in argument", s)
	}
	if s[end] != '=' {
		return a, "", e.Fault("bad character '%s' in argument", s[end:end+1])
	}
	a.Key, rest = s[:end], s[end+1:]
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		if a.Value, rest, ok = strings.Cut(quoted, `"`); !ok {
			return a, "", e.Fault(`missing "`)
		}
		return a, rest, nil
	}
	i := strings.IndexAny(rest, space)
	if i < 0 {
		i = len(rest)
	}
	a.Value = rest[:i]
	return a, rest[i:], nil
}

func isAlnum(c byte) bool { return isKeyByte(c) && c != '-' && c != '_' }

func isSpace(c byte) bool { return strings.IndexByte(space, c) >= 0 }

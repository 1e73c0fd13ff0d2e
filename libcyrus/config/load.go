package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// loader collects one configuration from its files.
//
// Source: config_read and config_read_file in Cyrus lib/libconfig.c; the
// texts of errors are from there, with the file's name added where Cyrus
// leaves it out.
type loader struct {
	c        *Config
	ident    string // lower case
	included map[string]bool
}

func newLoader(path, ident string) *loader {
	return &loader{
		c: &Config{
			path: path, ident: ident,
			values:   make([]any, len(table)),
			source:   make([]source, len(table)),
			overflow: map[string]setting{},
		},
		ident:    strings.ToLower(ident),
		included: map[string]bool{},
	}
}

// readFile reads one file, in TOML if its name says so.
func (l *loader) readFile(path string) error {
	text, err := readPrefixed(path)
	if err != nil {
		return &Error{File: path, Text: fmt.Sprintf("can't open configuration file %s: %s", path, reason(err))}
	}
	if l.included[path] {
		return &Error{File: path, Text: fmt.Sprintf("configuration file %s included twice", path)}
	}
	l.included[path] = true
	if filepath.Ext(path) == ".toml" {
		return l.readTOML(path, text)
	}
	return l.read(path, text)
}

// readPrefixed reads $CYRUS_PREFIX followed by path if there is such a
// file, else path itself.
func readPrefixed(path string) (string, error) {
	if prefix := os.Getenv("CYRUS_PREFIX"); prefix != "" {
		if b, err := os.ReadFile(prefix + path); err == nil {
			return string(b), nil
		}
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// reason returns the text of the system's error number in err as C has it.
func reason(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return upperFirst(errno.Error())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "No such file or directory"
	}
	return err.Error()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// read reads the lines of one file in the spelling of imapd.conf.
func (l *loader) read(file, text string) error {
	for n, line := range joinedLines(text) {
		if line = strings.TrimLeft(line, space); line == "" || line[0] == '#' {
			continue
		}
		key, value, err := splitLine(file, n, line)
		if err != nil {
			return err
		}
		switch {
		case key == "@include":
			err = l.readFile(value)
		case key[0] == '@':
			err = lineError(file, n, "invalid directive on line %d of configuration file %s", n, file)
		default:
			err = l.set(file, n, key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// space is what C's isspace takes for white space.
const space = " \t\n\v\f\r"

// joinedLines yields the lines of text without their ends, and the number
// of the last line each came from: one that ends in a backslash is joined
// with the next. What the last line of the file ends in a backslash for
// never comes, so it is dropped, as in Cyrus.
func joinedLines(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		joined := ""
		for n := 1; text != ""; n++ {
			line, rest, ended := strings.Cut(text, "\n")
			text = rest
			joined += line
			if before, more := strings.CutSuffix(joined, `\`); more && ended {
				joined = before
				continue
			}
			if !yield(n, joined) {
				return
			}
			joined = ""
		}
	}
}

// splitLine takes "key: value" apart. The key is returned in lower case.
func splitLine(file string, n int, line string) (key, value string, err error) {
	i := 0
	if line[0] == '@' {
		i++
	}
	for i < len(line) && isKeyByte(line[i]) {
		i++
	}
	if i == len(line) || line[i] != ':' {
		return "", "", lineError(file, n, "invalid option name on line %d of configuration file %s", n, file)
	}
	if value = strings.Trim(line[i+1:], space); value == "" {
		return "", "", lineError(file, n, "empty option value on line %d of configuration file %s", n, file)
	}
	if i == 0 {
		// Cyrus keeps such a line under the empty key.
		return "", "", lineError(file, n, "invalid option name on line %d of configuration file %s", n, file)
	}
	return strings.ToLower(line[:i]), value, nil
}

func isKeyByte(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_'
}

func lineError(file string, line int, format string, args ...any) error {
	return &Error{File: file, Line: line, Text: fmt.Sprintf(format, args...)}
}

// set stores one key. The form with the program's name in front wins over
// the plain one, in whatever order they come.
func (l *loader) set(file string, n int, key, value string) error {
	row, specific := ByName(key), false
	if own, ok := strings.CutPrefix(key, l.ident+"_"); ok && l.ident != "" {
		if r := ByName(own); r != nil {
			row, specific = r, true
		}
	}
	if row == nil {
		return l.setOverflow(file, n, key, value)
	}
	s := &l.c.source[row.index]
	switch {
	case s.line != 0 && s.specific == specific:
		return l.twice(file, n, key)
	case s.line != 0 && s.specific:
		return nil
	}
	v, err := row.parse(row, value)
	if err != nil {
		return lineError(file, n, "%s in line %d of configuration file %s", err, n, file)
	}
	l.c.values[row.index] = v
	*s = source{file, n, specific, value}
	if outOfRange(row, value) {
		l.warn(file, n, "value '%s' for %s is out of range and taken as %v", value, row.Name, v)
	}
	l.warnAliases(row, file, n, value)
	if row.Deprecated != "" {
		return l.setOverflow(file, n, key, value)
	}
	return nil
}

func (l *loader) setOverflow(file string, n int, key, value string) error {
	if _, ok := l.c.overflow[key]; ok {
		return l.twice(file, n, key)
	}
	l.c.overflow[key] = setting{value, file, n}
	return nil
}

func (l *loader) twice(file string, n int, key string) error {
	return lineError(file, n, "option '%s' was specified twice in config file (second occurrence on line %d) of %s",
		key, n, file)
}

func (l *loader) warn(file string, n int, format string, args ...any) {
	l.c.warnings = append(l.c.warnings, Warning{file, n, fmt.Sprintf(format, args...)})
}

// warnAliases tells of deprecated names in the value of a bitfield.
func (l *loader) warnAliases(row *Row, file string, n int, value string) {
	if row.kind != Bitfield {
		return
	}
	for word := range strings.FieldsSeq(value) {
		if i, deprecated := row.bit(word); deprecated {
			l.warn(file, n, "Value '%s' for option '%s' is deprecated in favor of value '%s'",
				word, row.Name, row.bitNames()[i])
		}
	}
}

// finish fills in what the files left out.
func (l *loader) finish() (*Config, error) {
	if err := l.checkDirectory(); err != nil {
		return nil, err
	}
	for _, row := range table {
		if l.c.source[row.index].line == 0 {
			l.c.values[row.index] = defaultValue(row)
		}
	}
	dir := Configdirectory.In(l.c)
	for i, v := range l.c.values {
		if s, ok := v.(string); ok && table[i].kind == String && i != Configdirectory.row.index {
			l.c.values[i] = substitute(s, dir)
		}
	}
	for _, row := range table {
		l.replaceDeprecated(row)
	}
	if err := l.normalisePartition(); err != nil {
		return nil, err
	}
	return l.c, nil
}

// checkDirectory looks at the one option that must be there.
func (l *loader) checkDirectory() error {
	s := l.c.source[Configdirectory.row.index]
	switch {
	case s.line == 0:
		return &Error{File: l.c.path, Text: "configdirectory option not specified in configuration file " + l.c.path}
	case s.text[0] != '/' || s.text == "/":
		// Cyrus 3.6 takes it; later versions refuse it.
		l.warn(s.file, s.line, "configdirectory should be an absolute path, not '%s'", s.text)
	}
	return nil
}

// defaultValue returns the meaning of row.Default; a test sees to it that
// each has one.
func defaultValue(row *Row) any {
	v, err := row.parse(row, row.Default)
	if err != nil {
		panic("config: default of " + row.Name + ": " + err.Error())
	}
	return v
}

// substitute replaces {configdirectory}, in any case, at the start of s.
func substitute(s, dir string) string {
	const placeholder = "{configdirectory}"
	if hasPrefixFold(s, placeholder) {
		return dir + s[len(placeholder):]
	}
	return s
}

// replaceDeprecated warns of a deprecated option in the file, and copies
// its value to the one to use instead unless that is there too.
func (l *loader) replaceDeprecated(row *Row) {
	s := l.c.source[row.index]
	if s.line == 0 || row.Deprecated == "" {
		return
	}
	if row.Replacement == "" {
		l.warn(s.file, s.line, "Option '%s' is deprecated in version %s.", row.Name, row.Deprecated)
		return
	}
	l.warn(s.file, s.line, "Option '%s' is deprecated in favor of '%s' since version %s.",
		row.Name, row.Replacement, row.Deprecated)
	r := ByName(row.Replacement)
	if l.c.source[r.index].line == 0 {
		l.c.values[r.index], l.c.source[r.index] = l.c.values[row.index], s
	}
}

// normalisePartition puts defaultpartition into lower case.
func (l *loader) normalisePartition() error {
	i := Defaultpartition.row.index
	name := l.c.values[i].(string)
	for _, ch := range []byte(name) {
		if !isAlnum(ch) {
			s := l.c.source[i]
			return lineError(s.file, s.line,
				"defaultpartition option contains non-alnum character in line %d of configuration file %s", s.line, s.file)
		}
	}
	l.c.values[i] = strings.ToLower(name)
	return nil
}

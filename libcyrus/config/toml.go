package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// The TOML spelling says the same things as the classic files: a table
// [options] with the lines of imapd.conf, and tables [start.NAME],
// [services.NAME], [events.NAME] and [daemon.NAME] with the entries of
// cyrus.conf. One file may hold both; each reader takes its part. A value
// is a string, a number or a boolean; where imapd.conf has words separated
// by blanks it may be a list of strings.

// tomlFile is a TOML file of configuration.
type tomlFile struct {
	name  string
	root  map[string]any
	keys  []toml.Key     // in the order of the file
	lines map[string]int // by dotted key
}

func parseTOML(name, text string) (*tomlFile, error) {
	f := &tomlFile{name: name, lines: tomlLines(text)}
	md, err := toml.Decode(text, &f.root)
	if err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, confError(name, pe.Position.Line, "%s", pe.Message)
		}
		return nil, &Error{File: name, Text: fmt.Sprintf("configuration file %s: %s", name, err)}
	}
	f.keys = md.Keys()
	for _, key := range f.keys {
		if section := key[0]; section != "options" && (&CyrusConf{}).section(section) == nil {
			return nil, confError(name, f.line(key), "unknown table [%s]", section)
		}
	}
	return f, nil
}

// tomlLines finds the line of each key that is written in the plain way:
// a [header] and then key = value. Only messages use it.
func tomlLines(text string) map[string]int {
	lines, header, n := map[string]int{}, "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "["); ok {
			header, _, _ = strings.Cut(rest, "]")
			header = unquoteKey(header)
			lines[header] = n
			header += "."
			continue
		}
		if key, _, ok := strings.Cut(line, "="); ok {
			if key = header + unquoteKey(key); lines[key] == 0 {
				lines[key] = n
			}
		}
	}
	return lines
}

func unquoteKey(s string) string { return strings.Trim(s, " \t\"'") }

// line returns the line of key, or of the nearest table around it whose
// line is known, or 1.
func (f *tomlFile) line(key toml.Key) int {
	for ; len(key) > 0; key = key[:len(key)-1] {
		if n := f.lines[strings.Join(key, ".")]; n != 0 {
			return n
		}
	}
	return 1
}

// value returns what key is set to, in the spelling of the classic files,
// and false if it is a table.
func (f *tomlFile) value(key toml.Key) (string, bool, error) {
	var v any = f.root
	for _, k := range key {
		table, ok := v.(map[string]any)
		if !ok {
			return "", false, confError(f.name, f.line(key), "a list of tables is not allowed")
		}
		v = table[k]
	}
	if _, ok := v.(map[string]any); ok {
		return "", false, nil
	}
	s, ok := classicValue(v)
	if !ok {
		return "", false, confError(f.name, f.line(key), "value of %s is neither text nor number nor boolean", key)
	}
	return s, true, nil
}

// classicValue writes v as a classic file has it.
func classicValue(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), !strings.ContainsAny(v, "\n\r\x00")
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v], true
	case int64:
		return strconv.FormatInt(v, 10), true
	case []any:
		words := make([]string, len(v))
		for i, w := range v {
			s, ok := w.(string)
			if !ok || s == "" || strings.ContainsAny(s, space) {
				return "", false
			}
			words[i] = s
		}
		return strings.Join(words, " "), true
	}
	return "", false
}

// readTOML reads the [options] of a TOML file.
func (l *loader) readTOML(file, text string) error {
	f, err := parseTOML(file, text)
	if err != nil {
		return err
	}
	for _, key := range f.keys {
		if key[0] != "options" || len(key) == 1 {
			continue
		}
		value, plain, err := f.value(key)
		if err == nil && (!plain || len(key) != 2) {
			err = confError(file, f.line(key), "[%s] is not a table of options", key[:2])
		}
		if err == nil {
			err = l.setTOML(file, f.line(key), key[1], value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setTOML takes one line of [options] under the rules of imapd.conf.
func (l *loader) setTOML(file string, n int, key, value string) error {
	if value == "" {
		return lineError(file, n, "empty option value on line %d of configuration file %s", n, file)
	}
	if key == "@include" {
		return l.readFile(value)
	}
	key, _, err := splitLine(file, n, key+": "+value)
	if err != nil {
		return err
	}
	if key[0] == '@' {
		return lineError(file, n, "invalid directive on line %d of configuration file %s", n, file)
	}
	return l.set(file, n, key, value)
}

// parseCyrusTOML reads the entries for master of a TOML file.
func parseCyrusTOML(name, text string) (*CyrusConf, []Warning, error) {
	f, err := parseTOML(name, text)
	if err != nil {
		return nil, nil, err
	}
	conf := &CyrusConf{}
	for _, key := range f.keys {
		if section := conf.section(key[0]); section != nil {
			if err := f.add(section, key); err != nil {
				return nil, nil, err
			}
		}
	}
	return conf, nil, nil
}

// add takes [section.NAME] or one key of it into the entries.
func (f *tomlFile) add(entries *[]Entry, key toml.Key) error {
	n := f.line(key)
	switch len(key) {
	case 1:
		if _, ok := f.root[key[0]].(map[string]any); !ok {
			return confError(f.name, n, "[%s.NAME] must be a table", key[0])
		}
		return nil
	case 2:
		e, err := f.entry(key)
		if err != nil {
			return err
		}
		*entries = append(*entries, e)
		return nil
	}
	value, plain, err := f.value(key)
	if err == nil && (!plain || len(key) != 3) {
		err = confError(f.name, n, "[%s] has a table in it", key[:2])
	}
	if err != nil {
		return err
	}
	for i := range *entries {
		if e := &(*entries)[i]; e.Name == key[1] {
			e.args = append(e.args, KeyValue{key[2], value})
		}
	}
	return nil
}

// entry begins the entry of the table [section.NAME].
func (f *tomlFile) entry(key toml.Key) (Entry, error) {
	e := Entry{Name: key[1], File: f.name, Line: f.line(key)}
	if table, _ := f.root[key[0]].(map[string]any); table != nil {
		if _, ok := table[key[1]].(map[string]any); !ok {
			return e, e.Fault("[%s.%s] must be a table", key[0], key[1])
		}
	}
	for i := range len(e.Name) {
		if !isAlnum(e.Name[i]) {
			return e, e.Fault("bad character '%s' in name", e.Name[i:i+1])
		}
	}
	return e, nil
}

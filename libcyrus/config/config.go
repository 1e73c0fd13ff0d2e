package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// ExitCode is the exit status of a program whose configuration is wrong
// (EX_CONFIG of sysexits.h).
const ExitCode = 78

// Error is a configuration that cannot be used. The program prints it and
// exits with ExitCode.
type Error struct {
	Text string // in Cyrus's words; names file and line where there are such
	File string // "" if the fault is in no particular file
	Line int    // 1 is the first; 0 if the fault is in no particular line
}

// Error returns what the program prints before it exits.
func (e *Error) Error() string { return "fatal error: " + e.Text }

// Warning is something in a file that works but should be changed.
type Warning struct {
	File string
	Line int
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// A KeyValue is one line that no option declares.
type KeyValue struct{ Key, Value string }

// Config is what an imapd.conf says. It never changes.
type Config struct {
	path, ident string
	values      []any    // by Row.index
	source      []source // by Row.index; the zero value is: not in the file
	overflow    map[string]setting
	warnings    []Warning
}

// source is the place that set an option.
type source struct {
	file     string
	line     int
	specific bool   // by its name with the service in front
	text     string // as written, trimmed
}

// setting is the value of a key that no option declares.
type setting struct {
	value string
	file  string
	line  int
}

// Load reads the file at path, or at DefaultConf if path is "", for the
// program ident: the CYRUS_SERVICE of a service, the name of any other
// program. Options with ident_ in front are used before those without. A
// path that ends in .toml is read as TOML. Every error is an *Error.
func Load(path, ident string) (*Config, error) {
	if path == "" {
		path = DefaultConf()
	}
	l := newLoader(path, ident)
	if err := l.readFile(path); err != nil {
		return nil, err
	}
	return l.finish()
}

// Parse is Load for text in memory, in the spelling of imapd.conf; name
// stands for its file in messages.
func Parse(name, text, ident string) (*Config, error) {
	l := newLoader(name, ident)
	if err := l.read(name, text); err != nil {
		return nil, err
	}
	return l.finish()
}

// Path returns the file that was read, to be handed on with -C.
func (c *Config) Path() string { return c.path }

// Ident returns the name that c was loaded for.
func (c *Config) Ident() string { return c.ident }

// Warnings returns what Load found worth telling, in the order of the file.
func (c *Config) Warnings() []Warning { return c.warnings }

// Overflow returns the value of a key that no option declares:
// partition-NAME, sasl_OPTION, ... The same key with the program's name in
// front is used before it. The key is lower case. A deprecated option is
// found here too, under the name that the file uses.
func (c *Config) Overflow(key string) (string, bool) {
	if s, ok := c.overflow[strings.ToLower(c.ident)+"_"+key]; ok && c.ident != "" {
		return s.value, true
	}
	s, ok := c.overflow[key]
	return s.value, ok
}

// OverflowPrefix returns all keys that begin with prefix and that no
// option declares, sorted. A value for this program alone takes the place
// of the general one.
func (c *Config) OverflowPrefix(prefix string) []KeyValue {
	own := ""
	if c.ident != "" {
		own = strings.ToLower(c.ident) + "_"
	}
	found := map[string]string{}
	for key := range c.overflow {
		if own != "" && strings.HasPrefix(key, own+prefix) {
			key = key[len(own):]
		}
		if strings.HasPrefix(key, prefix) {
			found[key], _ = c.Overflow(key)
		}
	}
	var list []KeyValue
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list = append(list, KeyValue{key, found[key]})
	}
	return list
}

// Text returns the value of the option as one would write it: a duration
// as the file has it, everything else in its plain form, with
// {configdirectory} replaced.
func (c *Config) Text(r *Row) string {
	if s := c.source[r.index]; r.kind == Duration && s.line != 0 {
		return s.text
	}
	return r.text(c.values[r.index])
}

// DefaultText returns what Text would if the file did not have the option.
func (c *Config) DefaultText(r *Row) string {
	return substitute(r.text(defaultValue(r)), Configdirectory.In(c))
}

// text writes a value of the option; a duration is its default.
func (r *Row) text(v any) string {
	switch v := v.(type) {
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case time.Duration:
		return r.Default
	}
	return fmt.Sprint(v)
}

// ServerName returns the name of this server as clients are told it:
// servername, or the name of the host.
func (c *Config) ServerName() string {
	if name := Servername.In(c); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// CheckPartitions returns an error unless the default partition, or any
// partition if none is the default, has a directory. Programs that touch
// mail call it after Load. A murder frontend needs none.
//
// Source: config_read in Cyrus lib/libconfig.c, CONFIG_NEED_PARTITION_DATA.
func (c *Config) CheckPartitions() error {
	name := Defaultpartition.In(c)
	if name != "" {
		if _, ok := c.Overflow("partition-" + name); ok {
			return nil
		}
		return c.fault("partition-%s option not specified in configuration file", name)
	}
	frontend := MupdateServer.In(c) != "" && MupdateConfig.In(c) == "standard" && Proxyservers.In(c) == ""
	if frontend || len(c.OverflowPrefix("partition-")) > 0 {
		return nil
	}
	return c.fault("partition-<name> option not specified in configuration file")
}

// fault returns an error about the file as a whole.
func (c *Config) fault(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...) + " " + c.path, File: c.path}
}

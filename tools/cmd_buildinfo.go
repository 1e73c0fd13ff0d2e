package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

const buildinfoUse = `cyr_buildinfo [-C <file>] [format]
Where format is one of:

  * pretty        - pretty-print JSON (default)
  * dense         - print dense JSON
  * flat          - print as flattened properties

The -C option is accepted but ignored.
`

// buildSection is one object of cyr_buildinfo's answer.
type buildSection struct {
	name  string
	items []buildItem
}

type buildItem struct {
	name  string
	value any // bool or string
}

// buildSections is what this program can do, under the names and in the
// order of Cyrus 3.6.1. A dependency is true where ours can do what Cyrus
// needs that library for. Change a line when its part is built.
var buildSections = []buildSection{
	{"component", []buildItem{
		{"event_notification", true},
		{"gssapi", false},
		{"autocreate", true},
		{"idled", false}, // not needed: changes are seen at once
		{"httpd", false},
		{"kerberos_v4", false},
		{"murder", false},
		{"nntpd", false},
		{"replication", false},
		{"sieve", false},
		{"calalarmd", false},
		{"jmap", false},
		{"objectstore", false},
		{"backup", false},
	}},
	{"dependency", []buildItem{
		{"ldap", false},
		{"openssl", true},
		{"zlib", false},
		{"jansson", true},
		{"pcre", false},
		{"clamav", false},
		{"openio", false},
		{"nghttp2", false},
		{"wslay", false},
		{"brotli", false},
		{"xml2", false},
		{"ical", false},
		{"icu4c", true},
		{"shapelib", false},
		{"chardet", false},
		{"cld2", false},
	}},
	{"database", []buildItem{{"mysql", false}, {"pgsql", false}, {"sqlite", false}}},
	{"search", []buildItem{{"squat", false}, {"xapian", false}, {"xapian_cjk_tokens", "none"}}},
	{"hardware", nil},
}

func buildinfo(p *program) int { return p.end(p.buildinfo()) }

func (p *program) buildinfo() error {
	_, operands, err := p.options("C:", buildinfoUse, exMinusOne)
	if err != nil {
		return err
	}
	format := "pretty"
	if len(operands) > 0 {
		format = operands[0]
	}
	switch format {
	case "pretty":
		fmt.Fprintln(p.out, buildJSON("\n", "  "))
	case "dense":
		fmt.Fprintln(p.out, buildJSON(" ", ""))
	case "flat":
		for _, s := range buildSections {
			for _, i := range s.items {
				fmt.Fprintf(p.out, "%s.%s=%s\n", s.name, i.name, i.json())
			}
		}
	default:
		return p.misused(buildinfoUse, exMinusOne)
	}
	return nil
}

func (i buildItem) json() string {
	b, err := json.Marshal(i.value)
	if err != nil {
		panic(err) // the table holds only what can be written
	}
	return string(b)
}

// buildJSON writes the sections as Cyrus's JSON library does: between
// items a comma and then sep, and each level is indented by indent more.
func buildJSON(sep, indent string) string {
	var sections []string
	for _, s := range buildSections {
		var items []string
		for _, i := range s.items {
			items = append(items, fmt.Sprintf("%q: %s", i.name, i.json()))
		}
		sections = append(sections, fmt.Sprintf("%q: %s", s.name, jsonObject(items, sep, indent, indent)))
	}
	return jsonObject(sections, sep, indent, "")
}

// jsonObject puts braces around items; outer is the indentation of the
// closing one.
func jsonObject(items []string, sep, indent, outer string) string {
	if len(items) == 0 {
		return "{}"
	}
	if indent == "" {
		return "{" + strings.Join(items, ","+sep) + "}"
	}
	return "{" + sep + outer + indent + strings.Join(items, ","+sep+outer+indent) + sep + outer + "}"
}

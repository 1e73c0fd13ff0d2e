package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// orderedJSON is a JSON object whose members stay in the order in which they
// were put. It prints as Cyrus's JSON library does.
type orderedJSON struct {
	members []jsonMember
}

type jsonMember struct {
	key   string
	value any // string, integer, *orderedJSON or []*orderedJSON
}

// put adds a member, or replaces the value that it has.
func (o *orderedJSON) put(key string, value any) {
	for i := range o.members {
		if o.members[i].key == key {
			o.members[i].value = value
			return
		}
	}
	o.members = append(o.members, jsonMember{key, value})
}

// MarshalJSON is for package json.
func (o *orderedJSON) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		v, err := jsonBytes(m.value)
		if err != nil {
			return nil, err
		}
		key, err := jsonBytes(m.key)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), v...)
	}
	return append(b, '}'), nil
}

// jsonBytes is v without the escapes that only HTML wants.
func jsonBytes(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// indented is o on many lines, indented by two blanks.
func (o *orderedJSON) indented() string {
	var b bytes.Buffer
	raw, err := o.MarshalJSON()
	if err == nil {
		err = json.Indent(&b, raw, "", "  ")
	}
	if err != nil {
		panic("tools: value in JSON object: " + err.Error())
	}
	return b.String()
}

// line is o on one line, with a blank behind each comma and colon.
func (o *orderedJSON) line() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(jsonLine(m.key) + ": " + jsonLine(m.value))
	}
	b.WriteByte('}')
	return b.String()
}

func jsonLine(v any) string {
	switch v := v.(type) {
	case *orderedJSON:
		return v.line()
	case []*orderedJSON:
		all := make([]string, len(v))
		for i, o := range v {
			all[i] = o.line()
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	b, err := jsonBytes(v)
	if err != nil {
		panic("tools: value in JSON object: " + err.Error())
	}
	return string(b)
}

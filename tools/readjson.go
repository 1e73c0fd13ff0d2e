package main

import (
	"encoding/json"
	"errors"
	"io"
)

// readJSON reads one JSON value, with the members of objects in their order:
// *orderedJSON, []any, string, float64, bool or nil. The error says in which
// line it is.
func readJSON(r io.Reader) (any, *jsonError) {
	lines := &lineCounter{r: r}
	d := json.NewDecoder(lines)
	v, err := readValue(d)
	if err == nil {
		if _, extra := d.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("end of file expected")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, &jsonError{lines.line(d.InputOffset()), err}
	}
	return v, nil
}

// jsonError is what is wrong with JSON, and where.
type jsonError struct {
	line int // from 1
	err  error
}

func readValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &orderedJSON{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			o.put(key.(string), v) // the decoder lets no other key pass
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// lineCounter remembers where lines end.
type lineCounter struct {
	r    io.Reader
	read int64
	ends []int64 // offsets
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

// line is the number of the line with an octet.
func (c *lineCounter) line(offset int64) int {
	for i, end := range c.ends {
		if offset <= end {
			return i + 1
		}
	}
	return len(c.ends) + 1
}

// get returns the member of that key.
func (o *orderedJSON) get(key string) (any, bool) {
	for _, m := range o.members {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// text returns the string of that key.
func (o *orderedJSON) text(key string) (string, bool) {
	v, _ := o.get(key)
	s, ok := v.(string)
	return s, ok
}

package mboxlist

import (
	"bytes"
	"slices"
	"sync"
)

// parsed keeps entries that were read lately, with the bytes they were made
// of. Each command looks its mailbox up, and SELECT another one; parsing them
// was half of the memory that it took.
type parsed struct {
	mu      sync.Mutex
	entries map[string]parsedEntry // by key
}

type parsedEntry struct {
	raw   []byte
	entry Entry
}

// maxParsed is how many are kept, each of some 500 octets.
const maxParsed = 512

// entry is decode. What the entry refers to must not be changed.
func (p *parsed) entry(key, raw []byte) (*Entry, error) {
	p.mu.Lock()
	have, ok := p.entries[string(key)]
	p.mu.Unlock()
	if ok && bytes.Equal(have.raw, raw) {
		e := have.entry
		return &e, nil
	}
	e, err := decode(key, raw)
	if err != nil {
		return nil, err
	}
	e.ACL, e.History = slices.Clip(e.ACL), slices.Clip(e.History)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries == nil || len(p.entries) >= maxParsed {
		p.entries = make(map[string]parsedEntry)
	}
	p.entries[string(key)] = parsedEntry{bytes.Clone(raw), *e}
	return e, nil
}

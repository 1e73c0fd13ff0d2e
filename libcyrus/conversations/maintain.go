package conversations

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Zero sets all counts to zero and removes what Update makes anew, for a
// recount; modseqs, subjects and Message-IDs stay. A database with folders by
// name becomes one by unique id, unless keep.
//
// Source: conversations_zero_counts in Cyrus imap/conversations.c.
func (t *Txn) Zero(keep bool) error {
	wipe := t.byName && !keep
	err := t.each("B", func(key string, v []byte) error {
		c, err := parseConversation(v)
		if err != nil {
			t.put(key, nil)
			return nil
		}
		c.zero(wipe)
		t.put(key, c.encode(len(t.flags)))
		return nil
	})
	if err == nil {
		err = t.each("F", func(key string, v []byte) error {
			s, err := parseStatus(v)
			if err != nil || wipe {
				t.put(key, nil)
				return nil
			}
			t.putStatus(key, status{modseq: s.modseq})
			return nil
		})
	}
	for _, prefix := range []string{"G", useKey} {
		if err == nil {
			err = t.each(prefix, func(key string, _ []byte) error {
				t.put(key, nil)
				return nil
			})
		}
	}
	t.use = nil
	t.setFlags(t.store.o.CountedFlags)
	if len(t.flags) > 0 {
		t.put(flagsKey, []byte(t.store.o.CountedFlags))
	}
	if wipe {
		t.byName, t.folders = false, nil
		t.put(folderNames, nil)
		t.findTrash()
	}
	return err
}

func (c *conversation) zero(wipe bool) {
	c.version = newVersion
	c.records, c.exists, c.unseen, c.size = 0, 0, 0, 0
	c.counts, c.senders, c.emails = nil, nil, nil
	if wipe {
		c.folders = nil
	}
	for i := range c.folders {
		f := &c.folders[i]
		f.records, f.exists, f.unseen = 0, 0, 0
	}
}

// DropEmpty removes conversations without messages: the end of a recount.
//
// Source: conversations_cleanup_zero in Cyrus imap/conversations.c.
func (t *Txn) DropEmpty() error {
	return t.each("B", func(key string, v []byte) error {
		if c, err := parseConversation(v); err == nil && c.records == 0 {
			t.put(key, nil)
		}
		return nil
	})
}

// StartFolder begins the recount of a folder.
func (t *Txn) StartFolder(f Folder, modseq uint64) { t.putStatus("F"+t.key(f), status{modseq: modseq}) }

// Prune removes Message-IDs: those that belong to no conversation any more,
// or, unless keepExisting, those that were written before a time. It returns
// how many there were and how many it removed.
//
// Source: conversations_prune in Cyrus imap/conversations.c.
func (t *Txn) Prune(before int64, keepExisting bool) (seen, removed int, err error) {
	known := map[uint64]bool{}
	if keepExisting {
		err = t.each("B", func(key string, _ []byte) error {
			if cid, err := parseCID(key[1:]); err == nil {
				known[cid] = true
			}
			return nil
		})
	}
	if err != nil {
		return 0, 0, err
	}
	err = t.each("<", func(key string, v []byte) error {
		seen++
		m, err := parseMsgid(v)
		if err != nil || !validMsgid(key) {
			return nil
		}
		keep := !keepExisting && m.stamp >= before
		if keepExisting {
			keep = slices.ContainsFunc(m.cids, func(c uint64) bool { return known[c] })
		}
		if !keep {
			removed++
			t.put(key, nil)
		}
		return nil
	})
	return seen, removed, err
}

// Truncate removes all records.
func (t *Txn) Truncate() error {
	return t.each("", func(key string, _ []byte) error {
		t.put(key, nil)
		return nil
	})
}

// Put stores a record as it is.
func (t *Txn) Put(key, value []byte) { t.put(string(key), append([]byte{}, value...)) }

// Each calls fn for all records, in the order of their keys.
func (t *Txn) Each(fn func(key string, value []byte) error) error { return t.each("", fn) }

// Folders is the folders by their numbers, and whether they are names.
func (t *Txn) Folders() (keys []string, byName bool) { return t.folders, t.byName }

// Copy returns a Txn with all that t has, which is not stored anywhere.
func (t *Txn) Copy(ctx context.Context) (*Txn, error) {
	c := t.store.newTxn(ctx, t.user, nil)
	err := t.each("", func(key string, v []byte) error {
		c.put(key, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, c.begin()
}

// Compare says how the database differs from a copy that was recounted. With
// out, each difference is written there as Cyrus does. What a recount cannot
// know is taken over from t before: modseqs and senders of messages that are
// gone, and which copy of a message changed last.
//
// Source: do_audit in Cyrus imap/ctl_conversationsdb.c.
func (t *Txn) Compare(recounted *Txn, out io.Writer) (differences int, err error) {
	recounted.putUse()
	have, should, err := t.both(recounted)
	if err != nil {
		return 0, err
	}
	recounted.takeOver(have, should)
	var keys []string
	for k := range have {
		keys = append(keys, k)
	}
	for k := range should {
		if _, ok := have[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k[0] == '<' || k[0] == 'S' {
			continue
		}
		a, inA := have[k]
		b, inB := should[k]
		if inA && inB && bytes.Equal(a, b) {
			continue
		}
		differences++
		if out == nil {
			continue
		}
		switch {
		case !inB:
			fmt.Fprintf(out, "REALONLY: \"%s\" data \"%s\"\n", k, cString(a))
		case !inA:
			fmt.Fprintf(out, "TEMPONLY: \"%s\" data \"%s\"\n", k, cString(b))
		default:
			fmt.Fprintf(out, "REAL: \"%s\" data \"%s\"\nTEMP: \"%s\" data \"%s\"\n", k, cString(a), k, cString(b))
		}
	}
	return differences, nil
}

// cString is what printf prints of octets.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func (t *Txn) both(o *Txn) (a, b map[string][]byte, err error) {
	read := func(t *Txn) (m map[string][]byte) {
		m = map[string][]byte{}
		if err == nil {
			err = t.each("", func(k string, v []byte) error {
				m[k] = v
				return nil
			})
		}
		return m
	}
	a = read(t)
	return a, read(o), err
}

// takeOver changes recounted records.
func (t *Txn) takeOver(have, should map[string][]byte) {
	for k, v := range have {
		w, both := should[k]
		switch k[0] {
		case 'F':
			a, err := parseStatus(v)
			b, err2 := parseStatus(w)
			switch {
			case err != nil:
			case !both && a.threads == 0:
				should[k] = a.encode()
			case both && err2 == nil:
				b.modseq = max(a.modseq, b.modseq)
				should[k] = b.encode()
			}
		case 'B':
			a, err := parseConversation(v)
			b, err2 := parseConversation(w)
			if err == nil && err2 == nil {
				b.takeOver(a)
				should[k] = b.encode(len(t.flags))
			}
		}
	}
}

func (c *conversation) takeOver(old *conversation) {
	c.modseq = max(c.modseq, old.modseq)
	for i := range old.folders {
		f := c.folder(old.folders[i].number)
		f.modseq = max(f.modseq, old.folders[i].modseq)
	}
	for _, s := range old.senders {
		c.updateSender(s, s.last, 0)
	}
	// Of copies with several dates the one that changed last has its date here.
	for _, e := range old.emails {
		if slices.ContainsFunc(c.emails, func(x email) bool { return x.guid == e.guid }) {
			c.updateEmail(e.guid, e.date, 0)
		}
	}
}

// IsKey reports whether s is the key of a record.
func IsKey(s string) bool {
	switch {
	case s == useKey || s == folderIDs || s == folderNames || s == flagsKey:
		return true
	case s == "":
		return false
	}
	switch s[0] {
	case '<':
		return validMsgid(s)
	case 'B':
		_, err := parseCID(s[1:])
		return err == nil
	case 'F':
		return len(s) > 1
	case 'G':
		_, err := parsePlace([]byte(s), nil)
		return err == nil
	}
	return false
}

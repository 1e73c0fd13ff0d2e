package mboxlist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// OldList is the mailbox list of a Cyrus before 3.6, or as much of a newer
// one as it takes to see that it is newer. Its keys are internal names.
type OldList struct {
	Format  string // of the file: "twoskip", "skiplist" or "flat"; "" if there is none
	Old     bool   // false: it needs no conversion, and Entries is empty
	Entries []OldEntry
	Damaged []string // keys whose values cannot be read, with the reason
	Dropped int      // records of the old reverse index and of queues: $RACL…, $RUNQ…
}

// OldEntry is one of its entries.
type OldEntry struct {
	Entry
	Use string // what RFC 6154 calls its special use, which is an annotation now
}

// ReadOldList reads a mailbox list and says whether it is from before 3.6.
// The error is of kind errs.BadFormat if the file is none of Cyrus's
// formats; that there is no file is no error.
func ReadOldList(ctx context.Context, fsys disk.FS, locks *lock.Table, path string) (*OldList, error) {
	o := &OldList{}
	db, format, err := openOld(fsys, locks, path)
	if err != nil {
		return nil, err
	}
	if db == nil {
		return o, nil
	}
	defer db.Close()
	o.Format = format
	if o.Old, err = IsOld(ctx, db); err != nil || !o.Old {
		return o, err
	}
	return o, db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		o.add(string(k), bytes.Clone(v))
		return true, nil
	})
}

// openOld opens a list of Cyrus's. There is none where there is no file, or
// a marker, which says that it is in pebble: db is nil.
func openOld(fsys disk.FS, locks *lock.Table, path string) (db cyrusdb.DB, format string, err error) {
	if marker, err := cyrusdb.IsMarker(fsys, path); err != nil || marker {
		return nil, "", err
	}
	db, format, err = cyrusdb.OpenAny(fsys, locks, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return db, format, err
}

func (o *OldList) add(key string, value []byte) {
	if strings.HasPrefix(key, "$") {
		o.Dropped++
		return
	}
	e, err := decodeOld(mboxname.Name(key), value)
	if err != nil {
		o.Damaged = append(o.Damaged, fmt.Sprintf("%q: %v", key, err))
		return
	}
	o.Entries = append(o.Entries, *e)
}

// IsOld reports whether a mailbox list is from before Cyrus 3.6, so that it
// must be taken over before anybody uses it. It asks the first record from
// which that can be told, mostly the very first.
//
// Source: mboxlist_upgrade in Cyrus imap/mboxlist.c.
func IsOld(ctx context.Context, db cyrusdb.DB) (old bool, err error) {
	err = db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		if len(k) == 0 {
			return true, nil
		}
		if k[0] != nameKey && k[0] != idKey && k[0] != raclKey {
			old = true
			return false, nil
		}
		if bytes.ContainsAny(k, "\x1d\x1e\x1f") || isNew(k[0], v) {
			old = false
			return false, nil
		}
		old = true // a shared mailbox such as News, unless others say no
		return true, nil
	})
	return old, err
}

// isNew reports whether a value is one of 3.6: at an id it has the name, and
// every type begins with its kind, where before that of mail was left out.
func isNew(key byte, value []byte) bool {
	d, err := dlist.Parse(bytes.TrimRight(value, "\n"))
	if err != nil || d.Kind != dlist.KVList {
		return false
	}
	return key == idKey && d.Get("N") != nil || key == nameKey && strings.HasPrefix(d.Text("T"), string(rune(Email)))
}

// decodeOld reads a value of a list from before 3.6, of which there are two
// forms:
//
//	%(T t I id P partition …)                                 2.5 to 3.4
//	[(uniqueid X specialuse Y) ]TYPE [SERVER!]PARTITION ACL   before
//
// Source: mboxlist_parse_entry in Cyrus imap/mboxlist.c.
func decodeOld(n mboxname.Name, value []byte) (*OldEntry, error) {
	if n == "" || n[0] == '.' || strings.ContainsAny(string(n), "\t\r\n\x00\x1d\x1e\x1f") {
		return nil, errEntry
	}
	value = bytes.TrimRight(value, "\n")
	if len(value) > 0 && value[0] == '%' {
		e, err := decode(keyOf(n), value)
		if err != nil {
			return nil, err
		}
		e.Name = n
		e.Type = typeOf(e.Type)
		return &OldEntry{Entry: *e}, nil
	}
	o := &OldEntry{Entry: Entry{Name: n}}
	rest := o.extended(string(value))
	number, rest, ok := strings.Cut(strings.TrimLeft(rest, " "), " ")
	bits, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return nil, errEntry
	}
	o.Type = oldType(uint32(bits))
	place, list, _ := strings.Cut(rest, " ")
	if server, partition, ok := strings.Cut(place, "!"); ok {
		o.Server, place = server, partition
	}
	o.Partition = place
	o.ACL = slices.DeleteFunc(acl.ParseList(list), func(a acl.Entry) bool { return a.ID == "" })
	return o, nil
}

// extended reads what may stand in parentheses and returns the rest.
func (o *OldEntry) extended(s string) string {
	inner, ok := strings.CutPrefix(s, "(")
	if !ok {
		return s
	}
	inner, rest, ok := strings.Cut(inner, ")")
	if !ok {
		return s
	}
	words := strings.Fields(inner)
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "uniqueid":
			i++
			o.UniqueID = words[i]
		case "specialuse":
			i++
			from := i // there may be several: \Junk \Trash
			for i+1 < len(words) && strings.HasPrefix(words[i+1], `\`) {
				i++
			}
			o.Use = strings.Join(words[from:i+1], " ")
		}
	}
	return rest
}

// oldType is the type whose bits stood in lists of Cyrus 2.4 and before.
//
// Source: MBTYPE_* in Cyrus 2.4 imap/mboxlist.h.
func oldType(bits uint32) string {
	kind, set := string(Email), ""
	for i, f := range []string{string(Remote), string(Reserved), string(News), string(Moving), string(Tombstone), string(Calendar), string(Collection), string(AddressBook)} {
		switch {
		case bits&(1<<i) == 0:
		case strings.Contains(typeFlags, f):
			set += f
		default:
			kind = f
		}
	}
	return withFlags(kind, set, "")
}

// typeOf puts the letters of a type of Cyrus 2.5 to 3.4, where the kind
// could be left out or come behind, into today's order.
func typeOf(letters string) string {
	kind := string(Email)
	if i := strings.IndexAny(letters, "ecabspnf"); i >= 0 {
		kind = letters[i : i+1]
	}
	set := ""
	for _, f := range typeFlags {
		if strings.ContainsRune(letters, f) {
			set += string(f)
		}
	}
	return withFlags(kind, set, "")
}

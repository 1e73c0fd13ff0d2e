package mboxname

import (
	"cmp"
	"strings"
)

// The separators of the database form (FORMATS in Cyrus: DB_HIERSEP_CHAR
// and DB_DOMAINSEP_CHAR in imap/mboxlist.h). They sort below every byte of
// a name, so that children follow their parent.
const (
	hierSep   = "\x1f"
	domainSep = "\x1d"
)

var (
	toDB   = strings.NewReplacer(".", hierSep, "^", ".")
	fromDB = strings.NewReplacer(hierSep, ".", ".", "^")
)

// DBKey is the database form of n: "dom" GS "user" US "first.last". It is
// what stands in mailboxes.db after the N, and in subscriptions.
func (n Name) DBKey() string {
	d, r := n.split()
	if d == "" && r == string(n) {
		return toDB.Replace(r)
	}
	return d + domainSep + toDB.Replace(r)
}

// FromDB is the name of a database form. It never fails: what is not a
// proper key gives a name that is in no list.
func FromDB(key string) Name {
	if d, r, ok := strings.Cut(key, domainSep); ok {
		return Name(d + "!" + fromDB.Replace(r))
	}
	return Name(fromDB.Replace(key))
}

// Compare orders names as Cyrus lists them: by the bytes of their database
// form, so that a mailbox is followed by what is below it.
func Compare(a, b Name) int { return cmp.Compare(a.DBKey(), b.DBKey()) }

// Less reports whether n comes before o in Cyrus's order.
func (n Name) Less(o Name) bool { return Compare(n, o) < 0 }

// Package userdeny keeps the list of users who may not use a service.
package userdeny

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gocyrus/libcyrus/cyrusdb"
)

// Store is the list of a site. It may be used from many goroutines.
type Store struct {
	db  cyrusdb.DB
	log *slog.Logger
}

// New returns the list kept in db. A nil db is an empty list.
func New(db cyrusdb.DB, log *slog.Logger) *Store { return &Store{db, log} }

// Close closes the database.
func (s *Store) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// Entry is what is said of one user.
type Entry struct {
	Services string // patterns between commas: "imap,pop*,!sieve"
	Message  string // for the user
}

// version is the number that values begin with.
const version = "2"

// noMessage is what a user is told by an entry without a message.
const noMessage = "Access to this service has been blocked"

// Denied reports whether a user may not use a service (the name of its
// line in cyrus.conf), and what he is told. An entry that cannot be read
// denies nothing, as in Cyrus.
//
// Source: userdeny in Cyrus imap/userdeny_db.c.
func (s *Store) Denied(ctx context.Context, userID, service string) (message string, denied bool, err error) {
	e, ok, err := s.Get(ctx, userID)
	if err != nil || !ok || !matches(e.Services, service) {
		return "", false, err
	}
	if e.Message == "" {
		return noMessage, true, nil
	}
	return e.Message, true, nil
}

// Get returns a user's entry, and false if there is none.
func (s *Store) Get(ctx context.Context, userID string) (Entry, bool, error) {
	if s.db == nil {
		return Entry{}, false, nil
	}
	b, err := s.db.Get(ctx, []byte(userID))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, err
	}
	e, ok := decode(string(b))
	if !ok {
		s.log.Warn("DENYDB_ERROR: invalid entry", "user", userID)
	}
	return e, ok, nil
}

// decode reads "2 TAB services TAB message".
func decode(v string) (Entry, bool) {
	ver, rest, ok := strings.Cut(strings.TrimRight(v, "\n"), "\t")
	if !ok || ver != version {
		return Entry{}, false
	}
	services, message, _ := strings.Cut(rest, "\t")
	return Entry{services, message}, services != ""
}

// Set stores a user's entry, durably.
func (s *Store) Set(ctx context.Context, userID string, e Entry) error {
	var tx cyrusdb.Tx
	tx.Put([]byte(userID), []byte(version+"\t"+e.Services+"\t"+e.Message))
	return s.db.Commit(ctx, tx)
}

// Remove removes a user's entry.
func (s *Store) Remove(ctx context.Context, userID string) error {
	var tx cyrusdb.Tx
	tx.Delete([]byte(userID))
	return s.db.Commit(ctx, tx)
}

// Each calls fn for all entries.
func (s *Store) Each(ctx context.Context, fn func(userID string, e Entry) error) error {
	if s.db == nil {
		return nil
	}
	return s.db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		e, ok := decode(string(v))
		if !ok {
			return true, nil
		}
		return true, fn(string(k), e)
	})
}

// matches reports whether a service is meant by a list of patterns: the
// last one that fits counts, and '!' in front says no.
//
// Source: split_wildmats in Cyrus imap/global.c, lib/wildmat.c.
func matches(list, service string) bool {
	denied := false
	for p := range strings.SplitSeq(list, ",") {
		p = strings.TrimSpace(p)
		pattern, not := strings.CutPrefix(p, "!")
		if pattern != "" && wildmat(pattern, service) {
			denied = !not
		}
	}
	return denied
}

// wildmat matches '*', '?' and "[a-z]" sets. Only the last star may have to
// take more than it did, so that no pattern takes long.
func wildmat(p, s string) bool {
	star, rest := "", ""
	starred := false
	for {
		n, ok := matchOne(p, s)
		switch {
		case p != "" && p[0] == '*':
			p = p[1:]
			star, rest, starred = p, s, true
		case ok:
			p, s = p[n:], s[1:]
		case p == "" && s == "":
			return true
		case !starred || rest == "":
			return false
		default:
			rest = rest[1:]
			p, s = star, rest
		}
	}
}

// matchOne reports whether the first octet of s fits what p begins with,
// which has n octets.
func matchOne(p, s string) (n int, ok bool) {
	if p == "" || s == "" {
		return 0, false
	}
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		end := strings.IndexByte(p, ']')
		return end + 1, end >= 0 && inSet(p[1:end], s[0])
	}
	return 1, p[0] == s[0]
}

// inSet reports whether c is in a set such as "a-z0" or "^x".
func inSet(set string, c byte) bool {
	set, not := strings.CutPrefix(set, "^")
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if set[i] <= c && c <= set[i+2] {
				return !not
			}
			i += 2
		} else if set[i] == c {
			return !not
		}
	}
	return not
}

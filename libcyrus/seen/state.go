package seen

import (
	"errors"
	"strconv"
	"strings"
)

// State is what a user has seen of one mailbox that is not his. The zero
// value is nothing.
type State struct {
	LastRead   int64  // when he looked last, seconds since 1970
	LastUID    uint32 // messages above it are \Recent for him
	LastChange int64  // last append date of the mailbox as he knew it
	Seen       UIDs   // the messages that are \Seen
}

var errState = errors.New("seen state is damaged")

// version is the number that values begin with.
const version = "1"

// decode reads "1 <lastread> <lastuid> <lastchange> <uidset>".
//
// Source: parse_data in Cyrus imap/seen_db.c.
func decode(value []byte) (State, error) {
	f := strings.Split(strings.TrimRight(string(value), "\n"), " ")
	if len(f) < 4 || f[0] != version {
		return State{}, errState
	}
	read, err1 := strconv.ParseInt(f[1], 10, 64)
	uid, err2 := strconv.ParseUint(f[2], 10, 32)
	change, err3 := strconv.ParseInt(f[3], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return State{}, errState
	}
	s := State{LastRead: read, LastUID: uint32(uid), LastChange: change}
	if len(f) < 5 {
		return s, nil
	}
	set, err := ParseUIDs(f[4])
	s.Seen = set
	return s, err
}

// encode writes what decode reads. Without UIDs the value ends in a blank.
func (s State) encode() []byte {
	b := append([]byte(version), ' ')
	b = append(strconv.AppendInt(b, s.LastRead, 10), ' ')
	b = append(strconv.AppendUint(b, uint64(s.LastUID), 10), ' ')
	b = append(strconv.AppendInt(b, s.LastChange, 10), ' ')
	return append(b, s.Seen.String()...)
}

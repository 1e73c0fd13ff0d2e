package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"gocyrus/libcyrus/auth/bdb"
)

// defaultSasldb is the file of saslpasswd2(8) if sasl_sasldb_path is not
// set.
const defaultSasldb = "/etc/sasldb2"

// sasldb reads the passwords that saslpasswd2(8) has set: a Berkeley DB
// hash file with the key USER NUL REALM NUL "userPassword" and the
// password itself as value. saslpasswd2 goes on writing it; it is read
// again when it has changed.
type sasldb struct {
	path  string
	realm string // of users without one: servername
	log   *slog.Logger

	mu     sync.Mutex // guards what follows
	stamp  fileStamp
	values map[string][]byte
	err    error // of the last reading
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	inode uint64
	size  int64
	mtime time.Time
}

// stampOf returns the state of a file.
func stampOf(fi fs.FileInfo) fileStamp {
	s := fileStamp{size: fi.Size(), mtime: fi.ModTime()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s
}

func newSasldb(path, realm string, log *slog.Logger) *sasldb {
	return &sasldb{path: path, realm: realm, log: log}
}

// exists reports whether there is a file.
func (s *sasldb) exists() bool {
	_, err := os.Stat(s.path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (s *sasldb) verify(_ context.Context, a *Attempt) *Error {
	stored, e := s.secret(a.User, "")
	if e != nil {
		return e
	}
	// Sums, because a comparison of slices tells their lengths.
	x, y := sha256.Sum256(stored), sha256.Sum256([]byte(a.Password))
	if subtle.ConstantTimeCompare(x[:], y[:]) != 1 {
		return &Error{Code: BadAuth}
	}
	return nil
}

// secret returns a user's password, which is not empty. realm "" is that of
// users without one.
func (s *sasldb) secret(id, realm string) ([]byte, *Error) {
	user, own, found := strings.Cut(id, "@")
	switch {
	case found:
		realm = own
	case realm == "":
		realm = s.realm
	}
	values, err := s.load()
	if err != nil {
		return nil, &Error{Code: Fail, Err: err}
	}
	stored, ok := values[user+"\x00"+realm+"\x00userPassword"]
	switch {
	case !ok:
		return nil, &Error{Code: NoUser}
	case len(stored) == 0:
		return nil, &Error{Code: BadAuth}
	}
	return stored, nil
}

// load returns the content of the file as it is now. The map is not
// changed afterwards.
func (s *sasldb) load() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fi, err := os.Stat(s.path)
	if err != nil {
		return nil, s.fault(err)
	}
	stamp := stampOf(fi)
	// A file changed within the last second may change again without
	// another time stamp.
	if s.values != nil && stamp == s.stamp && time.Since(stamp.mtime) > time.Second {
		return s.values, nil
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return nil, s.fault(err)
	}
	values, err := bdb.Parse(data)
	if err != nil {
		if s.values != nil && time.Since(stamp.mtime) < time.Second {
			return s.values, nil // saslpasswd2 is writing
		}
		return nil, s.fault(err)
	}
	s.stamp, s.values, s.err = stamp, values, nil
	return values, nil
}

// fault logs err unless it is the same as last time, and returns it.
func (s *sasldb) fault(err error) error {
	if s.err == nil || s.err.Error() != err.Error() {
		s.log.Error("SASL unable to open Berkeley db " + s.path + ": " + sysText(err))
	}
	s.err = err
	return err
}

// sysText is the system's text of err without the operation and path in
// front, as C programs print it.
func sysText(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		t := no.Error()
		return strings.ToUpper(t[:1]) + t[1:]
	}
	return err.Error()
}

// sasldbOr asks the sasldb file if there is one, else another verifier.
type sasldbOr struct {
	db   *sasldb
	rest verifier
}

func (s *sasldbOr) verify(ctx context.Context, a *Attempt) *Error {
	if s.db.exists() {
		return s.db.verify(ctx, a)
	}
	return s.rest.verify(ctx, a)
}

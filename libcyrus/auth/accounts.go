package auth

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// Accounts is our own list of passwords, for sites that have neither
// saslauthd nor a sasldb file: a text file, one account in each line,
//
//	NAME:$pbkdf2-sha512$i=ROUNDS$SALT$HASH
//
// in the order of the names, with salt (16 bytes) and hash (64 bytes) in
// base64 without padding. Each line says how it was made, so that later
// versions can make better ones. Lines that begin with "#" and empty ones
// are comments; they are kept where no line is changed, and lost else.
//
// The file is replaced as a whole, so that a reader sees the old list or
// the new one. Writers exclude each other by a lock on NAME.lock. Its
// methods may be called by many goroutines.
type Accounts struct {
	fs     disk.FS
	path   string
	rounds int // of new records

	mu      sync.Mutex // guards what follows
	stamp   fileStamp
	records map[string]string // by name; not changed once it is here
}

// rounds is the cost of one check: about 0.1 s of one core, as OWASP's
// password storage sheet (2023) wants of PBKDF2-HMAC-SHA512.
const rounds = 210_000

// maxRounds bounds what a line may ask for, so that a damaged one cannot
// stop a worker.
const maxRounds = 10_000_000

const accountScheme = "$pbkdf2-sha512$"

// OpenAccounts returns the list at path, which need not exist.
func OpenAccounts(path string) *Accounts { return openAccounts(disk.OS(), path) }

func openAccounts(fsys disk.FS, path string) *Accounts {
	return &Accounts{fs: fsys, path: path, rounds: rounds}
}

// Lookup returns the record of a user: what follows the colon of its line.
func (a *Accounts) Lookup(user string) (record string, ok bool, err error) {
	records, err := a.load()
	if err != nil {
		return "", false, err
	}
	record, ok = records[user]
	return record, ok, nil
}

// List returns the names of all accounts in order.
func (a *Accounts) List() ([]string, error) {
	records, err := a.load()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(records)), nil
}

// Set gives a user a password; the account is made if need be. The user's
// name must be canonical. It fails with errs.BadIdentifier for a name that
// the file cannot hold and errs.BadArgument for an empty password.
func (a *Accounts) Set(user, password string) error {
	if user == "" || user[0] == '#' || strings.ContainsAny(user, ":\n\r\x00") {
		return errs.New(errs.BadIdentifier, "auth.Set", user, nil)
	}
	if password == "" || strings.ContainsRune(password, 0) {
		return errs.New(errs.BadArgument, "auth.Set", user, errors.New("the password is empty or has a NUL"))
	}
	record, err := newRecord(password, a.rounds)
	if err != nil {
		return err
	}
	return a.change(func(records map[string]string) error {
		records[user] = record
		return nil
	})
}

// Delete removes an account. It fails with errs.UserUnknown if there is
// none.
func (a *Accounts) Delete(user string) error {
	return a.change(func(records map[string]string) error {
		if _, ok := records[user]; !ok {
			return errs.New(errs.UserUnknown, "auth.Delete", user, nil)
		}
		delete(records, user)
		return nil
	})
}

// Verify reports whether this is the user's password. It takes about
// 0.1 s, also for a user that does not exist.
func (a *Accounts) Verify(user, password string) (bool, error) {
	record, ok, err := a.Lookup(user)
	if err != nil {
		return false, err
	}
	if !ok {
		_, _ = checkRecord(nobody, password)
		return false, nil
	}
	return checkRecord(record, password)
}

// nobody is a record that no password fits: its hash is too short.
var nobody = accountScheme + "i=" + strconv.Itoa(rounds) + "$AAAAAAAAAAAAAAAAAAAAAA$AAAA"

// change applies fn to a copy of the list and writes that.
func (a *Accounts) change(fn func(map[string]string) error) error {
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	a.mu.Lock()
	a.stamp = fileStamp{} // do not trust the clock
	a.mu.Unlock()
	records, err := a.load()
	if err != nil {
		return err
	}
	if records = maps.Clone(records); records == nil { // the first account
		records = map[string]string{}
	}
	if err := fn(records); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, user := range slices.Sorted(maps.Keys(records)) {
		fmt.Fprintf(&b, "%s:%s\n", user, records[user])
	}
	if err := disk.ReplaceSync(a.fs, a.path, b.Bytes(), 0o600); err != nil {
		return errs.New(errs.IO, "auth.Accounts", a.path, err)
	}
	return nil
}

// lock keeps other writers out until unlock is called.
func (a *Accounts) lock() (unlock func(), err error) {
	f, err := a.fs.OpenFile(a.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errs.New(errs.IO, "auth.Accounts", a.path, err)
	}
	if fd := f.Fd(); fd != ^uintptr(0) {
		for err = syscall.EINTR; err == syscall.EINTR; {
			err = syscall.Flock(int(fd), syscall.LOCK_EX)
		}
		if err != nil {
			f.Close()
			return nil, errs.New(errs.Locked, "auth.Accounts", a.path, err)
		}
	}
	return func() { f.Close() }, nil
}

// load returns the list as it is now in the file. The caller must not
// change it.
func (a *Accounts) load() (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fi, err := a.fs.Stat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errs.New(errs.IO, "auth.Accounts", a.path, err)
	}
	stamp := fileStamp{disk.Inode(fi), fi.Size(), fi.ModTime()}
	if a.records != nil && stamp == a.stamp && time.Since(stamp.mtime) > time.Second {
		return a.records, nil
	}
	data, err := disk.ReadFile(a.fs, a.path)
	if err != nil {
		return nil, errs.New(errs.IO, "auth.Accounts", a.path, err)
	}
	a.stamp, a.records = stamp, parseAccounts(string(data))
	return a.records, nil
}

// parseAccounts reads the file. A line without a colon is no account.
func parseAccounts(text string) map[string]string {
	records := make(map[string]string)
	for line := range strings.Lines(text) {
		name, record, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok && name != "" && name[0] != '#' {
			records[name] = record
		}
	}
	return records
}

// newRecord hashes a password with a new salt.
func newRecord(password string, rounds int) (string, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	hash, err := pbkdf2.Key(sha512.New, password, salt, rounds, sha512.Size)
	if err != nil {
		return "", err
	}
	e := base64.RawStdEncoding
	return fmt.Sprintf("%si=%d$%s$%s", accountScheme, rounds, e.EncodeToString(salt), e.EncodeToString(hash)), nil
}

// checkRecord reports whether password makes record. It fails for a record
// that it does not understand.
func checkRecord(record, password string) (bool, error) {
	rest, ok := strings.CutPrefix(record, accountScheme)
	f := strings.Split(rest, "$")
	if !ok || len(f) != 3 {
		return false, errors.New("auth: account with an unknown kind of password")
	}
	count, ok := strings.CutPrefix(f[0], "i=")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > maxRounds {
		return false, errors.New("auth: account with a bad number of rounds")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(f[1])
	want, err2 := base64.RawStdEncoding.DecodeString(f[2])
	if err := errors.Join(err1, err2); err != nil {
		return false, fmt.Errorf("auth: account: %w", err)
	}
	hash, err := pbkdf2.Key(sha512.New, password, salt, n, sha512.Size)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(hash, want) == 1, nil
}

package worker

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
)

// tickets shares the keys of TLS session tickets between all processes of
// a site, so that a client may resume its session with any of them.
//
// The keys are in {configdirectory}/tls_ticket_keys, mode 0600, one in each
// line: the time at which it was made, in seconds since 1970, and 32 bytes
// in hex; the newest first. Whoever finds the newest older than half of
// tls_session_timeout (12 hours) adds one under a lock; three are kept. So
// a session can be resumed for at least the time-out, and a stolen key
// opens no more than three times that.
type tickets struct {
	path    string
	timeout time.Duration
	log     *slog.Logger
	now     func() time.Time
	lastErr string
}

const (
	ticketKeysKept    = 3
	maxSessionTimeout = 24 * time.Hour
)

// ticketKey is one line of the file.
type ticketKey struct {
	made time.Time
	key  [32]byte
}

func newTickets(c *config.Config, log *slog.Logger) *tickets {
	return &tickets{
		path:    filepath.Join(config.Configdirectory.In(c), "tls_ticket_keys"),
		timeout: min(config.TlsSessionTimeout.In(c), maxSessionTimeout),
		log:     log, now: time.Now,
	}
}

// apply gives c the keys that are valid now. If they cannot be had,
// sessions can be resumed with this process only.
func (t *tickets) apply(c *tls.Config) {
	if t.timeout <= 0 {
		c.SessionTicketsDisabled = true
		return
	}
	keys, err := t.current()
	if err != nil {
		if err.Error() != t.lastErr {
			t.log.Warn("TLS sessions cannot be shared between processes", "error", err)
		}
		t.lastErr = err.Error()
		return
	}
	t.lastErr = ""
	raw := make([][32]byte, len(keys))
	for i, k := range keys {
		raw[i] = k.key
	}
	c.SetSessionTicketKeys(raw)
}

// current returns the keys of the file, newest first, after adding one if
// it is time.
func (t *tickets) current() ([]ticketKey, error) {
	keys, err := t.read()
	if err == nil && !t.due(keys) {
		return keys, nil
	}
	lock, err := os.OpenFile(t.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, err
	}
	if keys, err = t.read(); err == nil && !t.due(keys) {
		return keys, nil // another process was first
	}
	k := ticketKey{made: t.now()}
	_, _ = rand.Read(k.key[:]) // never fails
	keys = append([]ticketKey{k}, keys...)
	keys = keys[:min(len(keys), ticketKeysKept)]
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%d %x\n", k.made.Unix(), k.key)
	}
	return keys, disk.Replace(disk.OS(), t.path, []byte(b.String()), 0o600)
}

// due reports whether another key is needed: there is none, the newest is
// old, or from a future that a wrong clock had.
func (t *tickets) due(keys []ticketKey) bool {
	if len(keys) == 0 {
		return true
	}
	age := t.now().Sub(keys[0].made)
	return age >= t.timeout/2 || age < -time.Hour
}

// read reads the file; one that is not there, or that others could have
// read, has no keys.
func (t *tickets) read() ([]ticketKey, error) {
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(t.path); err == nil && st.Mode().Perm()&0o077 != 0 {
		return nil, nil
	}
	return parseTicketKeys(string(data)), nil
}

// parseTicketKeys reads the lines; wrong ones are left out.
func parseTicketKeys(text string) (keys []ticketKey) {
	for line := range strings.Lines(text) {
		made, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		seconds, err1 := strconv.ParseInt(made, 10, 64)
		raw, err2 := hex.DecodeString(key)
		if err1 != nil || err2 != nil || len(raw) != 32 || len(keys) == ticketKeysKept {
			continue
		}
		keys = append(keys, ticketKey{time.Unix(seconds, 0), [32]byte(raw)})
	}
	return keys
}

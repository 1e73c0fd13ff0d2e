package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"
)

// defaultMux is saslauthd's socket if sasl_saslauthd_path is not set.
// (/var/run of the library's built-in path is a link to /run.)
const defaultMux = "/run/saslauthd/mux"

// saslauthdWait is how long one check may take. PAM modules that ask a
// network may be slow; the library waits without an end.
const saslauthdWait = 30 * time.Second

// saslauthd asks the daemon of that name, on a connection for each check,
// as it wants.
type saslauthd struct {
	path string
	log  *slog.Logger
}

func newSaslauthd(path string, log *slog.Logger) *saslauthd { return &saslauthd{path, log} }

func (s *saslauthd) verify(ctx context.Context, a *Attempt) *Error {
	ok, err := s.ask(ctx, a)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			s.log.Error("SASL " + err.Error())
		}
		return &Error{Code: Fail, Err: err}
	case !ok:
		return &Error{Code: BadAuth}
	}
	return nil
}

// ask does one exchange: four strings with their lengths in two bytes,
// high byte first (user, password, service, realm), and one string back
// that begins with OK or NO. What follows an "@" in the user's name is the
// realm (checkpw.c of the SASL library).
func (s *saslauthd) ask(ctx context.Context, a *Attempt) (ok bool, err error) {
	user, realm := a.User, ""
	if i := strings.LastIndexByte(user, '@'); i >= 0 {
		user, realm = user[:i], user[i+1:]
	}
	var request []byte
	for _, s := range []string{user, a.Password, a.Service, realm} {
		if len(s) > 0xffff {
			return false, errors.New("saslauthd: a name or password is too long")
		}
		request = binary.BigEndian.AppendUint16(request, uint16(len(s)))
		request = append(request, s...)
	}
	ctx, cancel := context.WithTimeout(ctx, saslauthdWait)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", s.path)
	if err != nil {
		return false, errors.New("cannot connect to saslauthd server: " + sysText(err))
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := c.Write(request); err != nil {
		return false, errors.New("write failed: " + sysText(err))
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return false, errors.New("size read failed: " + sysText(err))
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return false, errors.New("read failed: " + sysText(err))
	}
	return len(answer) >= 2 && string(answer[:2]) == "OK", nil
}

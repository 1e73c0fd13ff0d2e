package dbwire

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Paths is where the server and its data are.
type Paths struct {
	Data   string // the directory of pebble
	Lock   string // locked by whoever serves, has its pid
	Socket string
	Page   string // generations
}

// PathsOf returns the paths for a configdirectory.
func PathsOf(configDir string) Paths {
	return Paths{
		Data:   filepath.Join(configDir, "db.pebble"),
		Lock:   filepath.Join(configDir, "db.pebble.lock"),
		Socket: filepath.Join(configDir, "socket", "cyrusdbd"),
		Page:   filepath.Join(configDir, "socket", "cyrusdbd.page"),
	}
}

// maxSocketPath is what fits into sockaddr_un.
const maxSocketPath = 107

// short calls fn with a path for a socket that is not too long: through its
// directory's descriptor if need be.
func short(path string, fn func(string) error) error {
	if len(path) <= maxSocketPath {
		return fn(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return fn(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

// Dial connects to a socket.
func Dial(path string, timeout time.Duration) (conn *net.UnixConn, err error) {
	err = short(path, func(p string) error {
		c, err := net.DialTimeout("unix", p, timeout)
		if err == nil {
			conn = c.(*net.UnixConn)
		}
		return err
	})
	return conn, err
}

// Listen makes a socket in place of what was at path. Clients find the old
// one or the new one.
func Listen(path string) (l *net.UnixListener, err error) {
	tmp := path + ".new"
	os.Remove(tmp)
	err = short(tmp, func(p string) error {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(tmp, 0o600); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		l.Close()
		os.Remove(tmp)
		return nil, err
	}
	return l, nil
}

package dbd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gocyrus/libcyrus/cyrusdb/dbwire"
)

// Program is the name of the server's program.
const Program = "cyrusdbd"

// startWait is how long a started server may take until it answers.
const startWait = 10 * time.Second

// refusedStatus is the exit status of a server that may not work with the
// configuration and databases it finds (EX_CONFIG).
const refusedStatus = 78

// Starter returns a function that starts a temporary server, which leaves
// 10 seconds after its last client, and waits until it answers. The program
// is looked for beside our own and in binDir. Conf is the path of
// imapd.conf, or "" for the default.
func Starter(conf, binDir string, paths dbwire.Paths) func() error {
	return func() error {
		program, err := find(binDir)
		if err != nil {
			return &StartError{"cannot find " + Program + ": " + err.Error()}
		}
		args := []string{"-t", "10"}
		if conf != "" {
			args = append(args, "-C", conf)
		}
		return StartCommand(exec.Command(program, args...), paths.Socket)
	}
}

// find returns the path of the server's program.
func find(binDir string) (string, error) {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
		if real, err := filepath.EvalSymlinks(self); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if prefix := os.Getenv("CYRUS_PREFIX"); prefix != "" {
		dirs = append(dirs, filepath.Join(prefix, binDir))
	}
	var last error = os.ErrNotExist
	for _, dir := range append(dirs, binDir) {
		path := filepath.Join(dir, Program)
		fi, err := os.Stat(path)
		if err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return path, nil
		}
		last = &os.PathError{Op: "start", Path: path, Err: os.ErrNotExist}
	}
	return "", last
}

// StartCommand starts a server with this command, in a session of its own
// and with nothing of ours but a pipe for what it says before it serves. It
// waits until the server answers at the socket.
func StartCommand(cmd *exec.Cmd, socket string) error {
	var said bytes.Buffer
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = environment()
	r, w, err := os.Pipe()
	if err != nil {
		return nil // another attempt will be made
	}
	defer r.Close()
	cmd.Stderr = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return &StartError{"cannot start " + Program + ": " + err.Error()}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	read := make(chan struct{})
	go func() {
		said.ReadFrom(r)
		close(read)
	}()
	for deadline := time.Now().Add(startWait); time.Now().Before(deadline); time.Sleep(backOff) {
		if conn, err := dbwire.Dial(socket, time.Second); err == nil {
			conn.Close()
			return nil
		}
		select {
		case err := <-ended:
			var status *exec.ExitError
			if errors.As(err, &status) && status.ExitCode() == refusedStatus {
				select {
				case <-read:
				case <-time.After(time.Second):
				}
				return &StartError{strings.TrimSpace(said.String())}
			}
			return nil // another one serves, or will be started
		default:
		}
	}
	return nil
}

// environment is ours without what master has told us about ourselves.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "CYRUS_SERVICE", "CYRUS_ISDAEMON", "CYRUS_ID", "CYRUS_MAXCLIENTS":
		default:
			env = append(env, e)
		}
	}
	return env
}

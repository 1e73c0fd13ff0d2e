package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
)

// cyrusPrograms is what may stand in cyrus.conf and be no part of this
// version: master leaves such lines out if there is no such program.
var cyrusPrograms = []string{
	"backupd", "calalarmd", "fud", "httpd", "idled", "lmtpproxyd", "mupdate", "nntpd", "pop3proxyd", "promstatsd",
	"proxyd", "ptloader", "squatter", "sync_client", "sync_server", "ctl_zoneinfo", "cyr_synclog",
	"fetchnews", "ptexpire", "sync_reset", "dav_reconstruct", "cyr_virusscan", "ctl_backups",
}

// surroundings looks at what is around the store: cyrus.conf, a master that
// runs, and the space that a take-over needs.
func (r *takeoverCheck) surroundings() {
	running := r.master()
	r.cyrusConf(!running)
	r.space()
	r.oldUserFiles()
}

// master looks for a master that runs: by the lock on its pid file, and by
// lmtpd's socket.
func (r *takeoverCheck) master() bool {
	if pid := lockHolder(r.pidFile); pid != 0 {
		r.problem("master runs (%s is locked by process %d): stop it first", r.pidFile, pid)
		return true
	}
	for _, option := range []config.Option[string]{config.Lmtpsocket, config.Idlesocket, config.Notifysocket} {
		path := option.In(r.c)
		for _, network := range []string{"unix", "unixgram"} {
			c, err := net.DialTimeout(network, path, time.Second)
			if err != nil {
				continue
			}
			c.Close()
			r.problem("somebody listens at %s: stop Cyrus first", path)
			return true
		}
	}
	r.line("master", "does not run")
	return false
}

// lockHolder is the process that has a file locked, 0 if there is none.
func lockHolder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	q := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &q); err != nil || q.Type == unix.F_UNLCK {
		return 0
	}
	if q.Pid > 0 {
		return int(q.Pid)
	}
	b, _ := os.ReadFile(path)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return max(pid, 1) // a lock of an open file has no owner
}

// cyrusConf looks at the lines of cyrus.conf: which programs are there, and
// with ports whether somebody has their ports.
func (r *takeoverCheck) cyrusConf(ports bool) {
	conf, warnings, err := config.LoadCyrusConf(r.masterConf)
	if err != nil {
		if r.masterConf == "" && errors.Is(statErr(config.DefaultCyrusConf()), fs.ErrNotExist) {
			r.line("cyrus.conf", "is not there")
			return
		}
		r.problem("%s", strings.TrimPrefix(err.Error(), "fatal error: "))
		return
	}
	r.line("cyrus.conf", "%d services, %d lines of START, %d events, %d daemons", len(conf.Services), len(conf.Start), len(conf.Events), len(conf.Daemon))
	for _, w := range warnings {
		r.line("warning", "%s", w.String())
	}
	for _, section := range [][]config.Entry{conf.Start, conf.Services, conf.Events, conf.Daemon} {
		for i := range section {
			r.command(&section[i])
		}
	}
	for i := range conf.Services {
		if ports {
			r.port(&conf.Services[i])
		}
	}
}

func statErr(path string) error {
	_, err := os.Stat(path)
	return err
}

// command looks whether the program of a line is there.
func (r *takeoverCheck) command(e *config.Entry) {
	if _, err := os.Stat(filepath.Join(r.bin, "master")); err != nil {
		return // not installed: nothing can be said
	}
	cmd := strings.Fields(e.String("cmd", ""))
	if len(cmd) == 0 {
		r.problem("%s:%d: '%s' has no cmd", e.File, e.Line, e.Name)
		return
	}
	path := cmd[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.bin, path)
	}
	name := filepath.Base(path)
	if _, err := os.Stat(path); err == nil && (name != "cyrus" || len(cmd) < 2) {
		return
	}
	if name == "cyrus" && len(cmd) > 1 {
		name = cmd[1]
		for _, try := range []string{name, "cyr_" + name, "ctl_" + name} {
			if try == "check" || statErr(filepath.Join(r.bin, try)) == nil { // each command has a link
				return
			}
		}
	}
	if slices.Contains(cyrusPrograms, name) {
		r.line("left out", "%s:%d: '%s', as %s is not in this version", e.File, e.Line, e.Name, name)
		return
	}
	r.problem("%s:%d: '%s': there is no program %s", e.File, e.Line, e.Name, path)
}

// port looks whether a service will be able to listen.
func (r *takeoverCheck) port(e *config.Entry) {
	listen, proto := e.String("listen", ""), e.String("proto", "tcp")
	if listen == "" || strings.HasPrefix(listen, "/") || !strings.HasPrefix(proto, "tcp") {
		return
	}
	host, port := "", listen
	if i := strings.LastIndexByte(listen, ':'); i >= 0 && !strings.HasSuffix(listen, "]") {
		host, port = strings.Trim(listen[:i], "[]"), listen[i+1:]
	}
	l, err := net.Listen(proto, net.JoinHostPort(host, port))
	if err == nil {
		l.Close()
		return
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		r.problem("%s:%d: '%s': somebody else listens at %s", e.File, e.Line, e.Name, listen)
	case errors.Is(err, syscall.EACCES): // a port for root; master is root when it listens
	default:
		r.line("warning", "%s:%d: '%s' will not listen at %s: %v", e.File, e.Line, e.Name, listen, err)
	}
}

// space compares what the copies of the databases need with what is free.
func (r *takeoverCheck) space() {
	var need int64
	for _, f := range takeoverFiles(r.c) {
		if fi, err := r.fsys.Stat(f.path); err == nil {
			need += fi.Size()
		}
	}
	need *= 4 // the original, the new form, pebble and its log
	dir := config.Configdirectory.In(r.c)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		r.problem("%s: %v", dir, err)
		return
	}
	free := int64(st.Bavail) * int64(st.Frsize)
	if free < need {
		r.problem("%s: about %d MiB are needed, %d MiB are free", dir, need>>20, free>>20)
		return
	}
	r.line("space", "about %d MiB are needed in %s, %d MiB are free", need>>20+1, dir, free>>20)
	if st.Files > 0 && st.Ffree < 1000 {
		r.problem("%s: only %d files can be made there", dir, st.Ffree)
	}
}

// oldUserFiles looks at the files of users for what cannot be read any more:
// what Cyrus 2.x kept in Berkeley DB or another kind.
func (r *takeoverCheck) oldUserFiles() {
	bad := map[string]int{}
	dir := filepath.Join(config.Configdirectory.In(r.c), "user")
	err := walkDirs(r.fsys, dir, func(dir string, entries []fs.DirEntry) {
		for _, e := range entries {
			suffix := filepath.Ext(e.Name())
			if suffix != "."+string(mboxname.SeenState) || !e.Type().IsRegular() {
				continue
			}
			if f, err := r.fsys.Open(filepath.Join(dir, e.Name())); err == nil {
				var b [16]byte
				n, _ := f.ReadAt(b[:], 0)
				f.Close()
				if n == len(b) && strings.HasPrefix(string(b[:]), "\x00\x00\x00\x00") {
					bad[suffix]++
				}
			}
		}
	})
	if err != nil {
		r.line("warning", "%s: %v", dir, err)
	}
	for _, suffix := range sortedKeys(bad) {
		r.line("warning", "%d files *%s of users are of Berkeley DB: they count as empty; convert them with the cvt_cyrusdb of the Cyrus that wrote them", bad[suffix], suffix)
	}
}

// programDir is the directory of this program.
func programDir() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Dir(self)
}

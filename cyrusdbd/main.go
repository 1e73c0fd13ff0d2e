// Cyrusdbd owns the databases of a site in own mode: the mailbox list,
// annotations, delivered messages and denied users. All other programs ask
// it, over a unix socket.
//
// Usage: cyrusdbd [-C imapd.conf] [-t seconds] [-D]
//
//	-C  configuration to use in place of /etc/imapd.conf
//	-t  be temporary: leave so many seconds after the last client
//	-D  copy the log to standard error
//
// master starts it before all others, without any line in cyrus.conf. A
// program that finds no server starts a temporary one, which hands over
// when master starts another. One whose master has died is temporary from
// then on.
//
// Files: {configdirectory}/db.pebble, db.pebble.lock, socket/cyrusdbd,
// socket/cyrusdbd.page.
//
// Diagnostics: exit status 78 means that configuration and databases do not
// go together; what to do is in the message. 75 is a temporary failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/osuser"
	"gocyrus/libcyrus/syslog"
)

// Exit statuses (sysexits.h).
const (
	exitUsage    = 64
	exitOS       = 71
	exitTempFail = 75
	exitConfig   = config.ExitCode
)

// readyFD is where a program that master waits for says that it is ready.
const readyFD = 3

func main() { os.Exit(run(os.Args)) }

// flags is the command line.
type flags struct {
	conf      string
	temporary bool
	idle      time.Duration
	debug     bool
}

func parse(args []string) (f flags, err error) {
	opts, rest, err := getopt.Parse(args, "C:t:D")
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%s: unexpected argument %q", getopt.Name(args), rest[0])
	}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			f.conf = o.Arg
		case 't':
			n, nerr := strconv.ParseFloat(o.Arg, 64)
			if nerr != nil || n <= 0 {
				err = fmt.Errorf("%s: -t needs a number of seconds", getopt.Name(args))
			}
			f.temporary, f.idle = true, time.Duration(n*float64(time.Second))
		case 'D':
			f.debug = true
		}
	}
	return f, err
}

// run is main; it returns the exit status.
func run(args []string) int {
	ready := statusPipe()
	f, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Fprintln(os.Stderr, "usage: cyrusdbd [-C imapd.conf] [-t seconds] [-D]")
		return exitUsage
	}
	conf, err := config.Load(f.conf, "cyrusdbd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitConfig
	}
	log := newLog(conf, f)
	if err := osuser.BecomeCyrus(conf); err != nil {
		log.Error(err.Error())
		fmt.Fprintln(os.Stderr, err)
		return exitOS
	}
	syscall.Umask(0o077)
	// Before anything else of the databases is looked at: what the owner
	// before us is about to write counts.
	err = serve(conf, f, log, ready)
	var mode *cyrusdb.ModeError
	switch {
	case errors.Is(err, errOther) && f.temporary:
		return 0
	case errors.As(err, &mode):
		log.Error(err.Error())
		fmt.Fprintln(os.Stderr, err)
		return exitConfig
	case err != nil:
		log.Error("DBERROR: " + err.Error())
		fmt.Fprintln(os.Stderr, err)
		return exitTempFail
	}
	if f.temporary {
		return 0
	}
	return exitTempFail // master asked for it, and does not call that a failure
}

func newLog(conf *config.Config, f flags) *slog.Logger {
	o := syslog.Options{
		Ident:    syslog.Ident(config.SyslogPrefix.In(conf), "cyrusdbd"),
		Facility: strings.ToUpper(config.SyslogFacility.In(conf)),
		Debug:    config.Debug.In(conf),
	}
	if f.debug {
		o.Copy = os.Stderr
	}
	return slog.New(syslog.New(o))
}

// serve opens the databases and serves until a signal comes.
func serve(conf *config.Config, f flags, log *slog.Logger, ready *os.File) error {
	parent := 0
	if os.Getenv("CYRUS_ISDAEMON") != "" {
		parent = os.Getppid()
	}
	paths := dbwire.PathsOf(config.Configdirectory.In(conf))
	if err := cyrusdb.CheckOwn(conf, disk.OS()); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(paths.Lock), filepath.Dir(paths.Socket)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	defer stop()
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE)
	lock, err := own(ctx, paths, f.temporary, log)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	st, err := openStore(paths.Data, paths.Page, log)
	if err != nil {
		return explain(paths.Data, err)
	}
	defer st.close()
	if err := agree(conf, st); err != nil {
		return err
	}
	l, err := dbwire.Listen(paths.Socket)
	if err != nil {
		return err
	}
	v := newServer(st, paths, f.idle, log)
	v.parent = parent
	log.Log(ctx, syslog.LevelNotice, "serving the databases", "directory", paths.Data, "temporary", f.temporary)
	sayReady(ready, f)
	return v.serve(ctx, l)
}

// agree compares the databases with the markers at the places where Cyrus
// has its files, and makes the markers of a new site.
func agree(conf *config.Config, st *store) error {
	empty, err := st.empty()
	if err != nil {
		return err
	}
	return cyrusdb.Agree(conf, disk.OS(), cyrusdb.Data{
		Site: st.site, Epoch: st.epoch.Load(), Empty: empty, SetEpoch: st.setEpoch,
	})
}

// statusPipe returns the descriptor on which master waits for our word, or
// nil. It must be called before anything else opens a file.
func statusPipe() *os.File {
	if os.Getenv("CYRUS_ISDAEMON") == "" && os.Getenv("CYRUS_SERVICE") == "" {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(readyFD, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil
	}
	unix.CloseOnExec(readyFD)
	return os.NewFile(readyFD, "status")
}

// sayReady tells master that clients are served. A temporary server has
// nobody to read its errors any more.
func sayReady(ready *os.File, f flags) {
	if ready != nil {
		io.WriteString(ready, "ok\r\n")
		ready.Close()
	}
	if f.temporary && !f.debug {
		if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
			unix.Dup3(int(null.Fd()), 2, 0)
			null.Close()
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

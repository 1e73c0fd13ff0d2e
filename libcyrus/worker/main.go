package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/osuser"
	"gocyrus/libcyrus/syslog"
)

// Exit statuses that master and admins know (sysexits.h).
const (
	exitUsage    = 64
	exitSoftware = 70
	exitOS       = 71
	exitTempFail = 75 // was told to end: master does not call that a failure
	exitConfig   = config.ExitCode
)

// Descriptors that master hands to each worker (master/service.h).
const (
	statusFD = 3
	listenFD = 4
)

// Defaults of the flags -U and -T (MAX_USE, REUSE_TIMEOUT in Cyrus).
const (
	defaultUses = 250
	defaultIdle = 60 // seconds
)

// Main is the main function of a worker. It never returns.
func Main(s Service) {
	// Before anything opens a file: a descriptor that master did not give
	// must not be taken for one that it did.
	inherited := checkInherited()
	os.Exit(run(s, os.Args, inherited))
}

// checkInherited marks the two descriptors close-on-exec and returns an
// error if they are not there.
func checkInherited() error {
	for _, fd := range []int{listenFD, statusFD} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags|unix.FD_CLOEXEC)
		}
		if err != nil {
			return fmt.Errorf("unable to set close on exec: %s", sysText(err))
		}
	}
	return nil
}

// run is Main without its end.
func run(s Service, args []string, inherited error) int {
	early := slog.New(syslog.New(syslog.Options{Ident: syslog.Ident("", getopt.Name(args))}))
	f, code := parseFlags(s, args, early)
	if code != 0 {
		return code
	}
	waitForDebugger(early)
	for _, name := range []string{"CYRUS_SERVICE", "CYRUS_ID"} {
		if _, ok := os.LookupEnv(name); !ok {
			early.Error("could not getenv(" + name + "); exiting")
			return exitSoftware
		}
	}
	ident := os.Getenv("CYRUS_SERVICE")
	conf, err := config.Load(f.config, ident)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		early.Error(err.Error())
		return exitConfig
	}
	osuser.SetUmask(conf)
	log := newLog(conf, ident)
	slog.SetDefault(log) // for what is deep down, such as repairs of databases
	for _, w := range conf.Warnings() {
		log.Warn(w.String())
	}
	if f.debug {
		runDebugger(conf, ident, log)
	}
	log.Debug("executed")
	if inherited != nil && !f.stdio {
		log.Error(inherited.Error())
		return 1
	}
	heap := tune()
	profileOnSignal(log)
	env := &Env{Config: conf, Log: log, Service: ident, MaxClients: maxClients(f.stdio), Stdio: f.stdio, Args: f.args, flags: f.own}
	p := newProcess(s, env, f)
	p.heap = heap
	return p.run()
}

// newLog returns the log of the service.
func newLog(conf *config.Config, ident string) *slog.Logger {
	return slog.New(syslog.New(logOptions(conf, ident)))
}

// logOptions is what imapd.conf says of the log.
func logOptions(conf *config.Config, ident string) syslog.Options {
	return syslog.Options{
		Ident:    syslog.Ident(config.SyslogPrefix.In(conf), ident),
		Facility: strings.ToUpper(config.SyslogFacility.In(conf)),
		Debug:    config.Debug.In(conf),
	}
}

// maxClients is how many clients master wants this process to take at a
// time. Without word from it: one, as Cyrus's workers.
func maxClients(stdio bool) int {
	n, err := strconv.Atoi(os.Getenv("CYRUS_MAXCLIENTS"))
	if err != nil || n < 1 || stdio {
		return 1
	}
	return n
}

// flags is a worker's command line.
type flags struct {
	config string        // -C
	uses   int           // -U: clients before it leaves; 0 is one
	idle   time.Duration // -T: how long it waits for the next client; 0 is without end
	debug  bool          // -D
	stdio  bool          // -X
	own    map[byte]string
	args   []string
}

// parseFlags reads the command line by the rules of Cyrus's service.c: its
// flags and the service's own, each a word of its own. An unknown flag is
// complained about and skipped.
func parseFlags(s Service, args []string, log *slog.Logger) (f *flags, code int) {
	spec := "C:U:T:DX" + s.Flags
	words := args[:1:1]
	for i := 1; i < len(args); i++ {
		w := args[i]
		if len(w) > 2 && w[0] == '-' {
			const text = "options and arguments MUST be separated by whitespace"
			log.Error(text)
			fmt.Fprintln(os.Stderr, getopt.Name(args)+": "+text)
			return nil, exitUsage
		}
		if len(w) < 2 || w[0] != '-' || w == "--" {
			words = append(words, w)
			continue
		}
		at := strings.IndexByte(spec, w[1])
		if at < 0 || w[1] == ':' {
			fmt.Fprintf(os.Stderr, "%s: invalid option -- '%c'\n", args[0], w[1])
			continue
		}
		words = append(words, w)
		if strings.HasPrefix(spec[at+1:], ":") && i+1 < len(args) {
			i++
			words = append(words, args[i])
		}
	}
	opts, operands, err := getopt.Parse(words, spec)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	f = &flags{uses: defaultUses, own: make(map[byte]string), args: operands}
	idle := defaultIdle
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			f.config = o.Arg
		case 'U':
			f.uses = max(0, atoi(o.Arg))
		case 'T':
			idle = max(0, atoi(o.Arg))
		case 'D':
			f.debug = true
		case 'X':
			f.stdio = true
		default:
			f.own[o.Letter] = o.Arg
		}
	}
	if idle > 0 {
		// Not all workers at once, when clients stay away.
		idle += rand.IntN(idle)
	}
	f.idle = time.Duration(idle) * time.Second
	return f, 0
}

// atoi is C's: the number at the beginning of s, or 0.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// waitForDebugger gives 15 seconds to attach one, if CYRUS_VERBOSE asks.
func waitForDebugger(log *slog.Logger) {
	if atoi(os.Getenv("CYRUS_VERBOSE")) >= 30 {
		log.Debug("waiting 15 seconds for debugger")
		time.Sleep(15 * time.Second)
	}
}

// runDebugger runs debug_command, in which %s, %d and %s stand for the
// program, the process id and the service, in that order.
func runDebugger(conf *config.Config, ident string, log *slog.Logger) {
	command := config.DebugCommand.In(conf)
	if command == "" {
		return
	}
	values := []string{os.Args[0], strconv.Itoa(os.Getpid()), ident}
	var b strings.Builder
	for i := 0; i < len(command); i++ {
		if command[i] != '%' || i+1 == len(command) {
			b.WriteByte(command[i])
			continue
		}
		i++
		switch {
		case command[i] == '%':
			b.WriteByte('%')
		case len(values) > 0:
			b.WriteString(values[0])
			values = values[1:]
		}
	}
	log.Debug("running external debugger: " + b.String())
	err := exec.Command("/bin/sh", "-c", b.String()).Run()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	log.Debug("debugger returned exit status: " + strconv.Itoa(code))
}

// program is the file that runs, to see when it is replaced.
type program struct {
	path  string
	inode uint64
	size  int64
	mtime unix.Timespec
}

// thisProgram looks at the file of this process.
func thisProgram() program {
	path, err := os.Executable()
	if err != nil {
		path, _ = filepath.Abs(os.Args[0])
	}
	p := program{path: path}
	if st, err := p.stat(); err == nil {
		p.inode, p.size, p.mtime = st.Ino, st.Size, st.Mtim
	}
	return p
}

func (p *program) stat() (st unix.Stat_t, err error) {
	err = unix.Stat(p.path, &st)
	return st, err
}

// replaced reports whether the file is another one now, and what Cyrus
// logs then.
func (p *program) replaced() (text string, yes bool) {
	st, err := p.stat()
	switch {
	case err != nil:
		return "cannot stat process file: " + sysText(err), true
	case st.Ino != p.inode || st.Size != p.size || st.Mtim != p.mtime:
		return "process file has changed", true
	}
	return "", false
}

// sysText is the system's text of err as C programs print it.
func sysText(err error) string {
	var no unix.Errno
	if errors.As(err, &no) {
		if t := no.Error(); t != "" {
			return strings.ToUpper(t[:1]) + t[1:]
		}
	}
	return err.Error()
}

// quietEnd reports whether err is only the client's leaving or our own
// ending of the session.
func quietEnd(err error) bool {
	var e *Ending
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &e) ||
		errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ETIMEDOUT) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) || errors.Is(err, context.Canceled)
}

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/getopt"
)

// options is the command line.
type options struct {
	conf, cyrusConf string // "" is the default; otherwise absolute, for -d changes the directory
	pidFile         string
	backlog         int // of listening sockets
	sweeps          int // of the janitor, per second
	daemon, debug   bool
	output          string // file for standard output and error, "" is none
	verbose         int
	version         bool
	complaints      []string // about options that do not exist; they are ignored
}

const (
	errJanitor = fault("The janitor period must be at least 1 second")
	errBoth    = fault("Unable to be both debug and daemon mode")
)

// parseOptions reads the command line, and $CYRUS_VERBOSE. As in Cyrus an
// unknown option is told of and otherwise ignored.
func parseOptions(args []string) (options, error) {
	o := options{pidFile: config.DefaultPidFile(), backlog: 32, sweeps: 1}
	if v, ok := os.LookupEnv("CYRUS_VERBOSE"); ok {
		o.verbose = atoi(v) + 1
	}
	list, complaints := parseLenient(args, "C:L:M:p:l:Ddj:vV")
	o.complaints = complaints
	for _, opt := range list {
		switch opt.Letter {
		case 'C':
			o.conf = absolute(opt.Arg)
		case 'M':
			o.cyrusConf = absolute(opt.Arg)
		case 'l':
			o.backlog = atoi(opt.Arg)
		case 'p':
			o.pidFile = opt.Arg
		case 'd':
			o.daemon = true
		case 'D':
			o.debug = true
		case 'L':
			o.output = opt.Arg
		case 'j':
			if o.sweeps = atoi(opt.Arg); o.sweeps < 1 {
				return o, errJanitor
			}
		case 'v':
			o.verbose++
		case 'V':
			o.version = true
			return o, nil
		}
	}
	if o.daemon && o.debug {
		return o, errBoth
	}
	return o, nil
}

// absolute returns the absolute form of a path, or the path if the current
// directory is not known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// args is a command line that parseOptions reads as o, under the name that
// args[0] is. $CYRUS_VERBOSE is counted in o and must not be again.
func (o options) args(name string) []string {
	a := []string{name}
	if o.conf != "" {
		a = append(a, "-C", o.conf)
	}
	if o.cyrusConf != "" {
		a = append(a, "-M", o.cyrusConf)
	}
	a = append(a, "-l", strconv.Itoa(o.backlog), "-p", o.pidFile, "-j", strconv.Itoa(o.sweeps))
	if o.output != "" {
		a = append(a, "-L", o.output)
	}
	if o.daemon {
		a = append(a, "-d")
	}
	if o.debug {
		a = append(a, "-D")
	}
	verbose := o.verbose
	if v, ok := os.LookupEnv("CYRUS_VERBOSE"); ok {
		verbose -= atoi(v) + 1
	}
	for range verbose {
		a = append(a, "-v")
	}
	return a
}

// parseLenient is getopt.Parse that goes on after an option it does not
// know, as C's getopt does.
func parseLenient(args []string, spec string) (list []getopt.Opt, complaints []string) {
	for {
		list, _, err := getopt.Parse(args, spec)
		if err == nil {
			return list, complaints
		}
		complaints = append(complaints, err.Error())
		_, letter, unknown := strings.Cut(err.Error(), "invalid option -- '")
		if !unknown {
			return list, complaints // an argument is missing: it was the last word
		}
		spec += strings.TrimSuffix(letter, "'")
	}
}

// atoi is C's: the number at the beginning of s, or 0.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
)

// logger writes lines in Cyrus's words.
type logger struct{ *slog.Logger }

func wrapLogger(h slog.Handler) *logger { return &logger{slog.New(h)} }

func (l *logger) logf(level slog.Level, format string, args ...any) {
	l.Log(context.Background(), level, fmt.Sprintf(format, args...))
}

func (l *logger) errorf(format string, args ...any) { l.logf(slog.LevelError, format, args...) }

func (l *logger) warnf(format string, args ...any) { l.logf(slog.LevelWarn, format, args...) }

func (l *logger) noticef(format string, args ...any) { l.logf(syslog.LevelNotice, format, args...) }

func (l *logger) infof(format string, args ...any) { l.logf(slog.LevelInfo, format, args...) }

func (l *logger) debugf(format string, args ...any) { l.logf(slog.LevelDebug, format, args...) }

// critf is for what ends the program.
func (l *logger) critf(format string, args ...any) { l.logf(syslog.LevelCritical, format, args...) }

// facility is the one compiled in: master ignores syslog_facility, as
// Cyrus's does.
func facility() string { return strings.ToUpper(config.DefaultFacility()) }

// text words an error as C's %m does if the system made it, and as Cyrus's
// fatal does if the configuration is at fault.
func text(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		s := no.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	}
	if ce, ok := errors.AsType[*config.Error](err); ok {
		return ce.Text
	}
	return err.Error()
}

// sysFault is an error of the system, told in Cyrus's words.
type sysFault struct {
	msg string
	err error
}

func (e *sysFault) Error() string { return e.msg }
func (e *sysFault) Unwrap() error { return e.err }

// startError tells whoever starts master why it does not. Cyrus writes to
// the system log alone.
type startError struct{ stderr *os.File }

// fatal logs why master ends, and returns code.
//
// Source: fatal in Cyrus master/master.c.
func (e *startError) fatal(log *logger, msg string, code int) int {
	log.critf("%s", msg)
	log.noticef("exiting")
	e.say(msg)
	return code
}

// done ends the telling: the start is over.
func (e *startError) done() {
	if e.stderr != nil {
		e.stderr.Close()
		e.stderr = nil
	}
}

// say tells whoever starts master something that is already logged.
func (e *startError) say(msg string) {
	if e.stderr != nil {
		fmt.Fprintf(e.stderr, "fatal error: %s\n", msg)
	}
}

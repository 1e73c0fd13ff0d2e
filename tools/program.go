package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/getopt"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/syslog"
)

// exit is an error that ends the program with a status, after err has been
// printed unless it is nil.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// fatal is an exit with Cyrus's prefix to its text.
func fatal(status int, format string, args ...any) error {
	return &exit{status, fmt.Errorf("fatal error: "+format, args...)}
}

// end prints what err has to say and returns the exit status: that of an
// exit in its chain, or else 75, as most of Cyrus's tools have it for a
// store that does not work. Only the latter is logged, as in Cyrus.
func (p *program) end(err error) int {
	if err == nil {
		return exOK
	}
	e, ok := errors.AsType[*exit](err)
	if !ok {
		p.log.Error(err.Error())
		fmt.Fprintf(p.err, "fatal error: %v\n", err)
		return exTempFail
	}
	if e.err != nil {
		fmt.Fprintln(p.err, e.err)
	}
	return e.status
}

// options reads the command line. On an error it prints it and the text of
// use, if there is any, to standard error, and returns an exit with that
// status.
func (p *program) options(spec, use string, status int) ([]getopt.Opt, []string, error) {
	opts, operands, err := getopt.Parse(append([]string{p.called}, p.args[1:]...), spec)
	if err != nil {
		fmt.Fprintln(p.err, err)
		return nil, nil, p.misused(use, status)
	}
	return opts, operands, nil
}

// misused prints how to call the command and returns an exit.
func (p *program) misused(use string, status int) error {
	fmt.Fprint(p.err, use)
	return &exit{status, nil}
}

// configure loads imapd.conf (path "" is the default), begins to log, and
// makes the process the Cyrus user's.
func (p *program) configure(path string) (*config.Config, error) {
	c, err := config.Load(path, p.args[0])
	if err != nil {
		return nil, &exit{exConfig, err}
	}
	p.log = p.dial(c, p.args[0])
	for _, w := range c.Warnings() {
		p.log.Warn(w.String())
	}
	if err := p.become(c); err != nil {
		p.log.Error(err.Error())
		return nil, fatal(exUsage, "must run as the Cyrus user")
	}
	return c, nil
}

// notice logs a line at syslog's level "notice".
func (p *program) notice(format string, args ...any) {
	p.log.Log(context.Background(), syslog.LevelNotice, fmt.Sprintf(format, args...))
}

// systemLog returns the log of a program of that name.
func systemLog(c *config.Config, name string) *slog.Logger {
	return slog.New(syslog.New(syslog.Options{
		Ident:    syslog.Ident(config.SyslogPrefix.In(c), name),
		Facility: config.SyslogFacility.In(c),
		Debug:    config.Debug.In(c),
	}))
}

// openSite is configure and openStore.
func (p *program) openSite(conf string) (*site.Site, error) {
	c, err := p.configure(conf)
	if err != nil {
		return nil, err
	}
	return p.openStore(c)
}

// openStore opens the mail store of a configuration.
func (p *program) openStore(c *config.Config) (*site.Site, error) {
	if err := c.CheckPartitions(); err != nil {
		return nil, &exit{exConfig, err}
	}
	s, err := site.Open(c, p.log)
	if e, ok := errors.AsType[*config.Error](err); ok {
		return nil, &exit{exConfig, e}
	}
	return s, err
}

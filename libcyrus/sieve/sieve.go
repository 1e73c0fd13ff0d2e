// Package sieve is the mail filtering language Sieve (RFC 5228) as Cyrus
// 3.6.1 has it: Parse checks a script and compiles it to Cyrus's byte code,
// Decode reads byte code, Run runs it on a message and says what is to be
// done, Perform does it in Cyrus's order.
//
// The package knows neither mailboxes nor the network: what a script asks
// about the store goes to a Host, what it wants done is a list of Actions.
package sieve

import (
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/message"
)

// Options are the rules by which a script is checked and run. The zero value has
// Cyrus's defaults.
type Options struct {
	// Extensions are the words of sieve_extensions; nil stands for all.
	Extensions []string
	// AddressBooks allows extlists (httpmodules has carddav).
	AddressBooks bool
	// NoSnooze, NoIMIP and NoJMAPQuery are what the host cannot do; require
	// refuses it then, whatever Extensions says.
	NoSnooze, NoIMIP, NoJMAPQuery bool
	// IMAPSieve allows imapsieve (RFC 6785), which Cyrus has not.
	IMAPSieve bool
	// AnyHeader is rfc3028_strict: no. The address and envelope tests then
	// take any header and part.
	AnyHeader bool
	// VacationMin and VacationMax bound the time between two responses
	// (sieve_vacation_min_response, sieve_vacation_max_response), to the
	// second; 0 = 3 and 90 days.
	VacationMin, VacationMax time.Duration
	// Message says how the parts of a message are found, for the test body.
	Message message.Options
	// ValidList reports whether an external list (RFC 6134) may be named in
	// redirect :list; nil = any.
	ValidList func(string) bool
}

// OptionsFrom returns the options that imapd.conf has.
func OptionsFrom(c *config.Config) Options {
	return Options{
		Extensions:   config.SieveExtensions.In(c).Names(),
		IMAPSieve:    config.Imapsieve.In(c),
		AddressBooks: config.Httpmodules.In(c).Has("carddav"),
		AnyHeader:    !config.Rfc3028Strict.In(c),
		VacationMin:  config.SieveVacationMinResponse.In(c),
		VacationMax:  config.SieveVacationMaxResponse.In(c),
		Message:      message.OptionsFrom(c),
	}
}

func (o *Options) vacationBounds() (lo, hi int) {
	lo, hi = int(o.VacationMin/time.Second), int(o.VacationMax/time.Second)
	if lo == 0 {
		lo = 3 * daySeconds
	}
	if hi == 0 {
		hi = 90 * daySeconds
	}
	return lo, hi
}

const daySeconds = 86400

// An Error is one fault of a script, in Cyrus's words.
type Error struct {
	Line int // from 1: where the parser stood, which may be behind the fault
	Text string
}

// Error is the form in which ManageSieve and sievec show it.
func (e Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Errors are the faults of a script, in the order in which Cyrus finds them.
type Errors []Error

// Error is all of them, each ended by CR LF, as Cyrus hands them out.
func (e Errors) Error() string {
	var b strings.Builder
	for _, x := range e {
		b.WriteString(x.Error() + "\r\n")
	}
	return b.String()
}

// A Script is a compiled script. It does not change and may be run by many
// goroutines at once.
type Script struct {
	code     []byte
	version  int
	requires uint32
	program  []command
	end      int // word behind the last command
}

// Code is the script in byte code. The caller must not change it.
func (s *Script) Code() []byte { return s.code }

// Version is the version of the byte code: 31 for what Parse made.
func (s *Script) Version() int { return s.version }

// Parse checks a script and compiles it. The error is an Errors with at
// least one entry.
//
// As in Cyrus the rest of the script is read after a fault, words of the
// language are in lower case only, and octets behind a NUL in a string are
// lost.
//
// Source: Cyrus sieve/sieve.y and sieve/sieve-lex.l.
func Parse(text []byte, o Options) (*Script, error) {
	p := newParser(text, &o)
	commands := p.script()
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return Decode(encode(commands, p.support&capVariables != 0))
}

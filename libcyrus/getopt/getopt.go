// Package getopt reads command lines by the rules of the C library's
// getopt and getopt_long, with the same error texts, because scripts and
// administrators of Cyrus rely on both.
package getopt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Opt is one option of a command line.
type Opt struct {
	Letter byte   // as in the spec; of a long option: its Long.Letter
	Long   string // the long name, where the long form was used
	Arg    string // "" if the option takes none
	HasArg bool   // tells an empty argument from none
}

// Argument says whether a long option takes an argument.
type Argument uint8

// The values of Argument.
const (
	None     Argument = iota
	Required          // --name=arg or --name arg
	Optional          // --name=arg only
)

// Long is one long option.
type Long struct {
	Name   string
	Arg    Argument
	Letter byte // what Opt.Letter shall be, often the short form
}

// Parse reads args, of which args[0] is the name of the program, and
// returns the options in their order and then the operands. In spec each
// letter is an option; one colon behind it: it takes an argument; two: it
// may have one, in the same word. As glibc does, Parse finds options behind
// operands, unless spec begins with '+' or POSIXLY_CORRECT is set: then it
// stops at the first operand. "--" ends the options. A long option may be
// cut short while it stays unique.
//
// The error is glibc's text, "prog: invalid option -- 'x'". What was read
// before it is returned too.
func Parse(args []string, spec string, long ...Long) (opts []Opt, operands []string, err error) {
	if len(args) == 0 {
		return nil, nil, errors.New("no program name")
	}
	spec, posix := strings.CutPrefix(spec, "+")
	if _, set := os.LookupEnv("POSIXLY_CORRECT"); set {
		posix = true
	}
	p := &parser{prog: args[0], rest: args[1:], spec: spec, long: long}
	for len(p.rest) > 0 && err == nil {
		word := p.rest[0]
		switch {
		case word == "--":
			return p.opts, append(operands, p.rest[1:]...), nil
		case len(word) < 2 || word[0] != '-':
			if posix {
				return p.opts, p.rest, nil
			}
			operands = append(operands, word)
			p.rest = p.rest[1:]
		case strings.HasPrefix(word, "--") && len(long) > 0:
			p.rest = p.rest[1:]
			err = p.longOption(word[2:])
		default:
			p.rest = p.rest[1:]
			err = p.letters(word[1:])
		}
	}
	return p.opts, operands, err
}

// Name returns what the program is called: the last part of args[0].
func Name(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return filepath.Base(args[0])
}

type parser struct {
	prog string
	rest []string // words not yet looked at
	spec string
	long []Long
	opts []Opt
}

func (p *parser) fault(format string, args ...any) error {
	return fmt.Errorf("%s: %s", p.prog, fmt.Sprintf(format, args...))
}

// letters reads a word of short options without its dash.
func (p *parser) letters(word string) error {
	for i := range len(word) {
		arg, known := p.wants(word[i])
		if !known {
			return p.fault("invalid option -- '%c'", rune(word[i]))
		}
		o := Opt{Letter: word[i]}
		if arg == None {
			p.opts = append(p.opts, o)
			continue
		}
		switch tail := word[i+1:]; {
		case tail != "":
			o.Arg, o.HasArg = tail, true
		case arg == Required && len(p.rest) == 0:
			return p.fault("option requires an argument -- '%c'", rune(word[i]))
		case arg == Required:
			o.Arg, o.HasArg, p.rest = p.rest[0], true, p.rest[1:]
		}
		p.opts = append(p.opts, o)
		return nil
	}
	return nil
}

// wants returns whether the letter is in the spec and takes an argument.
func (p *parser) wants(letter byte) (Argument, bool) {
	if letter == ':' || letter == ';' {
		return None, false
	}
	_, behind, found := strings.Cut(p.spec, string(rune(letter)))
	switch {
	case !found:
		return None, false
	case strings.HasPrefix(behind, "::"):
		return Optional, true
	case strings.HasPrefix(behind, ":"):
		return Required, true
	}
	return None, true
}

// longOption reads a long option without its dashes.
func (p *parser) longOption(word string) error {
	name, arg, hasArg := strings.Cut(word, "=")
	l, err := p.find(name, word)
	if err != nil {
		return err
	}
	switch {
	case hasArg && l.Arg == None:
		return p.fault("option '--%s' doesn't allow an argument", l.Name)
	case !hasArg && l.Arg == Required && len(p.rest) == 0:
		return p.fault("option '--%s' requires an argument", l.Name)
	case !hasArg && l.Arg == Required:
		arg, hasArg, p.rest = p.rest[0], true, p.rest[1:]
	}
	p.opts = append(p.opts, Opt{Letter: l.Letter, Long: l.Name, Arg: arg, HasArg: hasArg})
	return nil
}

// find looks up a long option, of the given word, by its name or a beginning of it that fits
// only one, or only ones that mean the same.
func (p *parser) find(name, word string) (Long, error) {
	var fit []Long
	for _, l := range p.long {
		if l.Name == name {
			return l, nil
		}
		if strings.HasPrefix(l.Name, name) {
			fit = append(fit, l)
		}
	}
	if len(fit) == 0 {
		return Long{}, p.fault("unrecognized option '--%s'", word)
	}
	for _, l := range fit[1:] {
		if l.Arg != fit[0].Arg || l.Letter != fit[0].Letter {
			return Long{}, p.ambiguous(word, fit)
		}
	}
	return fit[0], nil
}

func (p *parser) ambiguous(word string, fit []Long) error {
	var b strings.Builder
	for _, l := range fit {
		fmt.Fprintf(&b, " '--%s'", l.Name)
	}
	return p.fault("option '--%s' is ambiguous; possibilities:%s", word, b.String())
}

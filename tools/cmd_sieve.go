package main

import (
	"fmt"
	"io"
	"os"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sieve"
)

// sievec compiles a script to byte code. Nothing is written if it has
// faults, or if the output cannot be written completely.
//
// Source: Cyrus sieve/sievec.c.
func sievec(p *program) int {
	opts, operands, err := p.options("C:", "", exFailure)
	if err != nil || len(operands) < 2 {
		fmt.Fprintf(p.err, "Syntax: %s [-C <altconfig>] <filename> <outputfile>\n", p.called)
		return exFailure
	}
	text, err := p.readOperand(operands[0])
	if err != nil {
		fmt.Fprintf(p.err, "Unable to open %s for reading\n", operands[0])
		return exFailure
	}
	conf := ""
	for _, o := range opts {
		conf = o.Arg
	}
	c, err := config.Load(conf, p.args[0])
	if err != nil {
		return p.end(&exit{exConfig, err})
	}
	s, err := sieve.Parse(text, sieve.OptionsFrom(c))
	if err != nil {
		fmt.Fprintf(p.err, "Unable to parse script: script errors:\r\n%s\n", err)
		return exFailure
	}
	if err := os.WriteFile(operands[1], s.Code(), 0o644); err != nil {
		fmt.Fprintf(p.err, "couldn't open bytecode output file: %v\n", err)
		return exFailure
	}
	return exOK
}

// readOperand reads the file of an operand; "-" is standard input.
func (p *program) readOperand(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(p.in)
	}
	return os.ReadFile(name)
}

// sieved shows byte code: command by command, with -s as a script.
//
// Source: Cyrus sieve/sieved.c.
func sieved(p *program) int {
	opts, operands, err := p.options("s", "", exFailure)
	if err != nil || len(operands) < 1 {
		fmt.Fprintf(p.err, "Syntax: %s [-s] <bytecode-file>\n", p.called)
		return exFailure
	}
	code, err := os.ReadFile(operands[0])
	if err != nil {
		fmt.Fprintf(p.err, "can not open script '%s'\n", operands[0])
		return exFailure
	}
	fmt.Fprintln(p.out)
	s, err := sieve.Decode(code)
	if err != nil {
		fmt.Fprintf(p.out, "not a bytecode file [magic number test failed]\n")
		fmt.Fprintln(p.err, err)
		return exFailure
	}
	if len(opts) > 0 {
		fmt.Fprint(p.out, s.Text())
	} else {
		fmt.Fprint(p.out, s.Dump())
	}
	return exOK
}

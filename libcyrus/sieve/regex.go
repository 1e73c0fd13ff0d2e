package sieve

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"strings"
)

// compileRegex compiles a pattern of :regex. Cyrus uses PCRE, so patterns
// are Perl's, and the leftmost match is the one that Perl would find. Go's
// engine runs in time linear to the text; what it cannot do (references
// back, looking around) is refused, and "$" is the very end only.
//
// The error has the form of PCRE's.
func compileRegex(text string, fold bool) (*pattern, error) {
	expr := text
	if fold {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, regexError(text, err)
	}
	return &pattern{re, steps(expr)}, nil
}

// A pattern is a compiled regular expression. An octet of the text may take as
// many steps as it has.
type pattern struct {
	re    *regexp.Regexp
	steps int
}

// steps is the number of states of an expression that compiles.
func steps(expr string) int {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// quickSteps is what is done without a look at the time: less than a second.
const quickSteps = 1 << 24

// find is re.FindStringSubmatchIndex. Where that may take long the text ends
// when ctx does.
func (p *pattern) find(ctx context.Context, text string) []int {
	if p.steps*len(text) <= quickSteps {
		return p.re.FindStringSubmatchIndex(text)
	}
	return p.re.FindReaderSubmatchIndex(&timedText{Reader: strings.NewReader(text), ctx: ctx})
}

// timedText is a text that ends when a context does.
type timedText struct {
	*strings.Reader
	ctx context.Context
}

// ReadRune reads a character.
func (t *timedText) ReadRune() (rune, int, error) {
	if t.ctx.Err() != nil {
		return 0, 0, io.EOF
	}
	return t.Reader.ReadRune()
}

// regexError words an error as pcreposix does.
func regexError(pattern string, err error) error {
	text, offset := "pattern error", len(pattern)
	if se, ok := err.(*syntax.Error); ok {
		switch se.Code {
		case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
			text = "unbalanced ()"
		case syntax.ErrMissingBracket:
			text = "unbalanced []"
		case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
			text = "? * + invalid"
			offset = max(strings.Index(pattern, se.Expr), 0)
		case syntax.ErrInvalidRepeatSize:
			text = "invalid repeat counts in {}"
		case syntax.ErrInvalidCharRange:
			text = "bad range inside []"
		case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash:
			text = "bad escape sequence"
		}
	}
	return fmt.Errorf("%s at offset %-6d", text, offset)
}

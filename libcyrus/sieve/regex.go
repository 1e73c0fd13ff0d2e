package sieve

import (
	"fmt"
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
func compileRegex(pattern string, fold bool) (*regexp.Regexp, error) {
	expr := pattern
	if fold {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, regexError(pattern, err)
	}
	return re, nil
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

package getopt

import (
	"fmt"
	"strings"
	"testing"
)

var long = []Long{{"incremental", None, 'i'}, {"index", Required, 'x'}, {"verbose", Optional, 'v'}}

// show writes the result of Parse on one line.
func show(opts []Opt, operands []string, err error) string {
	var b strings.Builder
	for _, o := range opts {
		fmt.Fprintf(&b, "%c", o.Letter)
		if o.HasArg {
			fmt.Fprintf(&b, "=%s", o.Arg)
		}
		b.WriteByte(' ')
	}
	b.WriteString(strings.TrimRight("| "+strings.Join(operands, " "), " ") + " ")
	if err != nil {
		b.WriteString("! " + err.Error())
	}
	return b.String()
}

// The expected texts are those of glibc 2.36 (the error of a long option
// with an argument it doesn't allow names the full option).
func TestParse(t *testing.T) {
	for _, tt := range []struct{ args, spec, want string }{
		{"", "ab:", "| "},
		{"-a -b x y z", "ab:", "a b=x | y z"},
		{"-abx y", "ab:", "a b=x | y"},
		{"y -a z", "ab:", "a | y z"},
		{"y -a z", "+ab:", "| y -a z"},
		{"-a -- -b", "ab:", "a | -b"},
		{"- -a", "ab:", "a | -"},
		{"-b", "ab:", "| ! prog: option requires an argument -- 'b'"},
		{"-b -- x", "ab:", "b=-- | x"},
		{"-q", "ab:", "| ! prog: invalid option -- 'q'"},
		{"-a-", "a", "a | ! prog: invalid option -- '-'"},
		{"-:", "a:", "| ! prog: invalid option -- ':'"},
		{"-c x", "c::", "c | x"},
		{"-cx y", "c::", "c=x | y"},
		{"--inc -i", "i", "i i | "},
		{"--index=3 --ind 4", "i", "x=3 x=4 | "},
		{"--in", "i", "| ! prog: option '--in' is ambiguous; possibilities: '--incremental' '--index'"},
		{"--nope", "i", "| ! prog: unrecognized option '--nope'"},
		{"--nope=3", "i", "| ! prog: unrecognized option '--nope=3'"},
		{"--index", "i", "| ! prog: option '--index' requires an argument"},
		{"--incremental=x", "i", "| ! prog: option '--incremental' doesn't allow an argument"},
		{"--verbose x --verbose=y", "i", "v v=y | x"},
	} {
		args := append([]string{"prog"}, strings.Fields(tt.args)...)
		var l []Long
		if strings.Contains(tt.args, "--i") || strings.Contains(tt.args, "--n") || strings.Contains(tt.args, "--v") {
			l = long
		}
		if got := strings.TrimRight(show(Parse(args, tt.spec, l...)), " "); got != strings.TrimRight(tt.want, " ") {
			t.Errorf("%q with %q: got %q, want %q", tt.args, tt.spec, got, tt.want)
		}
	}
}

func TestPosixlyCorrect(t *testing.T) {
	t.Setenv("POSIXLY_CORRECT", "1")
	if got := show(Parse([]string{"prog", "-a", "y", "-a"}, "a")); got != "a | y -a " {
		t.Error(got)
	}
}

func TestName(t *testing.T) {
	if Name([]string{"/usr/sbin/cyrus"}) != "cyrus" || Name(nil) != "" {
		t.Error("wrong name")
	}
	if _, _, err := Parse(nil, "a"); err == nil {
		t.Error("no error without a program name")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-a\x00-b\x00x", "ab:c::")
	f.Add("--index\x00--\x00-", "+a")
	f.Fuzz(func(t *testing.T, words, spec string) {
		args := append([]string{"prog"}, strings.Split(words, "\x00")...)
		opts, operands, err := Parse(args, spec, long...)
		if err == nil && len(opts)+len(operands) > len(words)+1 {
			t.Errorf("more came out than went in: %v %v", opts, operands)
		}
	})
}

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// record makes the tests write testdata anew, from what Cyrus's own programs
// print. It needs them, and root.
var record = flag.Bool("record", false, "run Cyrus's programs and keep what they print")

const cyrusBin = "/usr/lib/cyrus/bin"

// A recording is a file in testdata with command lines and what Cyrus's
// programs printed for them, one after the other on one sample spool:
//
//	# comment
//	$ quota -f            a command; -C is added
//	< {                   a line of its standard input
//	* fresh               a new copy of the sample
//	* show conf/quota/*/* the content of files
//	* write PATH TEXT     replace a file (\n, \t and \x are Go's)
//	* remove PATH         remove files
//	! text                what it printed to standard error
//	= 64                  its exit status, unless 0
//	text                  what it printed to standard output
//
// A line that ends in "%" had no newline there.
type recording struct {
	t      *testing.T
	sample string
	lines  string // added to imapd.conf
	masks  []mask
	sorted bool // the lines of output: Cyrus's come in no order
	root   string
	got    bytes.Buffer
}

// mask replaces what is different with each run.
type mask struct {
	re   *regexp.Regexp
	with string
}

func masking(re, with string) mask { return mask{regexp.MustCompile(re), with} }

// replay runs the command lines of testdata/NAME.txt and compares.
func (r *recording) replay(name string) {
	r.t.Helper()
	path := filepath.Join("testdata", name+".txt")
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	steps := strings.Split(string(text), "\n")
	r.fresh()
	for i := 0; i < len(steps); i++ {
		line := steps[i]
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&r.got, line)
		case strings.HasPrefix(line, "* "):
			fmt.Fprintln(&r.got, line)
			r.do(line[2:])
		case strings.HasPrefix(line, "$ "):
			fmt.Fprintln(&r.got, line)
			var in strings.Builder
			for ; i+1 < len(steps) && strings.HasPrefix(steps[i+1], "< "); i++ {
				fmt.Fprintln(&r.got, steps[i+1])
				in.WriteString(steps[i+1][2:] + "\n")
			}
			r.command(strings.Fields(line[2:]), in.String())
		}
	}
	if *record {
		if err := os.WriteFile(path, r.got.Bytes(), 0o644); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	if got := r.got.String(); got != string(text) {
		r.t.Errorf("%s:\n%s", path, difference(string(text), got))
	}
}

// fresh unpacks the sample.
func (r *recording) fresh() {
	r.t.Helper()
	r.root = data.Unpack(r.t, r.sample)
	f, err := os.OpenFile(r.conf(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := f.WriteString(shared + r.lines); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.own()
}

// own gives the sample to the user that Cyrus's programs become.
func (r *recording) own() {
	if !*record {
		return
	}
	for _, dir := range []string{filepath.Dir(filepath.Dir(r.root)), filepath.Dir(r.root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "-R", "cyrus:mail", r.root).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
}

func (r *recording) conf() string { return filepath.Join(r.root, "etc", "imapd.conf") }

// command runs one command line and notes what it prints.
func (r *recording) command(args []string, in string) {
	r.t.Helper()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@ROOT@", r.root)
	}
	args = slices.Insert(args, 1, "-C", r.conf())
	var res result
	if *record {
		var out, errs bytes.Buffer
		c := exec.Cmd{Path: filepath.Join(cyrusBin, args[0]), Args: args, Stdin: strings.NewReader(in), Stdout: &out, Stderr: &errs,
			Env: append(os.Environ(), "TZ=UTC")}
		err := c.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			res.status = exit.ExitCode()
		} else if err != nil {
			r.t.Fatal(err)
		}
		res.out, res.err = out.String(), errs.String()
	} else {
		res = call(in, args...)
	}
	if r.sorted {
		lines := strings.SplitAfter(res.out, "\n")
		slices.Sort(lines)
		res.out = strings.Join(lines, "")
	}
	r.note("", res.out)
	r.note("! ", res.err)
	if res.status != 0 {
		fmt.Fprintf(&r.got, "= %d\n", res.status)
	}
}

// note adds masked text to what was got, each line behind a prefix.
func (r *recording) note(prefix, text string) {
	if text == "" {
		return
	}
	text = strings.ReplaceAll(text, r.root, "@ROOT@")
	for _, m := range r.masks {
		text = m.re.ReplaceAllString(text, m.with)
	}
	whole, ended := strings.CutSuffix(text, "\n")
	for line := range strings.SplitSeq(whole, "\n") {
		if prefix == "" && line != "" && strings.ContainsRune("#*$<!=|", rune(line[0])) {
			line = "|" + line
		}
		r.got.WriteString(prefix + line + "\n")
	}
	if !ended {
		r.got.Truncate(r.got.Len() - 1)
		r.got.WriteString("%\n")
	}
}

// do carries out a line that is not a command.
func (r *recording) do(line string) {
	r.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	arg, text, _ := strings.Cut(rest, " ")
	names, err := filepath.Glob(filepath.Join(r.root, arg))
	if err != nil {
		r.t.Fatal(err)
	}
	switch word {
	case "fresh":
		r.fresh()
	case "show":
		for _, name := range names {
			if fi, err := os.Stat(name); err == nil && fi.Mode().IsRegular() {
				b, err := os.ReadFile(name)
				if err != nil {
					r.t.Fatal(err)
				}
				r.note("", name+": "+string(b))
			}
		}
	case "remove":
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				r.t.Fatal(err)
			}
		}
	case "write":
		name := filepath.Join(r.root, arg)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			r.t.Fatal(err)
		}
		text = strings.NewReplacer(`\n`, "\n", `\t`, "\t", "@ROOT@", r.root).Replace(text)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
		r.own()
	default:
		if !r.damage(word, names, text) {
			r.t.Fatalf("unknown step: %s", line)
		}
	}
}

// difference shows where two texts begin to differ, with the command before.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	step, i := "", 0
	for ; i < len(w) && i < len(g) && w[i] == g[i]; i++ {
		if strings.HasPrefix(w[i], "$ ") || strings.HasPrefix(w[i], "* ") {
			step = w[i]
		}
	}
	some := func(l []string) string { return strings.Join(l[min(i, len(l)):min(i+12, len(l))], "\n") }
	return fmt.Sprintf("line %d, after %s\ngot\n%s\nwant\n%s", i+1, step, some(g), some(w))
}

func matches(re, text string) bool { return regexp.MustCompile(re).MatchString(text) }

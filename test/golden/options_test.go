package golden

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/test/transcript"
)

// TestEveryOption looks where each option that matters (testdata/options.tsv)
// is checked at another value than Cyrus's default: in a recording, in a test
// that is named, or by imapd.conf(5) saying that it has no effect.
func TestEveryOption(t *testing.T) {
	text, err := os.ReadFile("testdata/options.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := recordedOptions(t)
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 || seen[f[0]] {
			t.Fatalf("bad line, or twice: %q", line)
		}
		o := option{name: f[0], def: f[2]}
		seen[o.name] = true
		if wrong := o.check(f[3], lines); wrong != "" {
			t.Errorf("%s: %s", o.name, wrong)
		}
	}
	if len(seen) < 400 {
		t.Errorf("the table has %d options", len(seen))
	}
}

// option is one line of the table.
type option struct{ name, def string }

// setting is a line of imapd.conf.
type setting struct{ name, value string }

// recordedOptions is the "# config:" lines of all recordings.
func recordedOptions(t *testing.T) (lines []setting) {
	t.Helper()
	files, err := filepath.Glob("*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, name := range files {
		d, err := transcript.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, settings(d.Config)...)
	}
	return lines
}

func settings(config []string) (all []setting) {
	for _, line := range config {
		name, value, _ := strings.Cut(line, ":")
		all = append(all, setting{name, strings.TrimSpace(value)})
	}
	return all
}

// check returns what is wrong with the last field of an option's line, "" if
// nothing is.
func (o option) check(where string, recorded []setting) string {
	row := config.ByName(o.name)
	file, test, isTest := strings.Cut(where, ":")
	told, isTold := strings.CutPrefix(where, "told ")
	switch {
	case where == "recorded":
		if !o.among(recorded) {
			return "no recording has another value than " + o.def
		}
	case where == "site":
		if !o.among(siteOptions()) {
			return "the site of the recordings has no other value than " + o.def
		}
	case where == "alias":
		if row == nil || row.Replacement == "" {
			return "is no old name of another option"
		}
	case where == "no effect":
		if doc := o.doc(); doc != "" && !strings.HasPrefix(doc, "No effect") {
			return "imapd.conf(5) says that it has an effect: name the test"
		}
	case isTold:
		return holds(told, `["`+"`]"+regexp.QuoteMeta(o.name)+`["`+"`]")
	case isTest:
		if wrong := holds(file, `(\\n|[^a-z0-9_])`+regexp.QuoteMeta(o.name)+`[^a-z0-9_]`); wrong != "" {
			return wrong
		}
		if !hasTest(file, test) {
			return "there is no " + test + " beside " + file
		}
	default:
		return "unknown place " + where
	}
	return ""
}

// doc is what imapd.conf(5) says of the option.
func (o option) doc() string {
	if row := config.ByName(o.name); row != nil {
		return row.Doc
	}
	for _, p := range config.Patterns() {
		if p.Name == o.name {
			return p.Doc
		}
	}
	return "there is no such option"
}

// among reports whether a line sets the option, by one of its names, to
// another value than Cyrus's default.
func (o option) among(lines []setting) bool {
	family := regexp.MustCompile(`^` + regexp.MustCompile(`<[a-z]+>`).ReplaceAllString(regexp.QuoteMeta(o.name), `[a-z0-9_]+`) + `$`)
	for _, l := range lines {
		name := l.name
		if row := config.ByName(name); row != nil && row.Replacement == o.name {
			name = row.Replacement
		}
		_, rest, _ := strings.Cut(name, "_")
		service := config.ByName(name) == nil && config.ByName(rest) != nil
		if l.value != o.def && (name == o.name || strings.Contains(o.name, "<") && service == (o.name == "<service>_<option>") && family.MatchString(name)) {
			return true
		}
	}
	return false
}

// siteOptions is what each recorded server has in its imapd.conf
// (test/bin/reference-server), and ours as well.
func siteOptions() []setting {
	text, err := os.ReadFile("../bin/reference-server")
	if err != nil {
		panic(err)
	}
	_, conf, _ := strings.Cut(string(text), `cat > "$D/etc/imapd.conf" <<X`+"\n")
	conf, _, _ = strings.Cut(conf, "\nX\n")
	return settings(strings.Split(conf, "\n"))
}

// holds returns "" if a file of the module has something that fits a pattern.
func holds(file, pattern string) string {
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		return err.Error()
	}
	if !regexp.MustCompile(pattern).Match(text) {
		return file + " does not name it"
	}
	return ""
}

// hasTest reports whether a test is in the folder of a file of the module, in
// one above (for data of tests), or in test/reference or test/golden, which
// use what others have.
func hasTest(file, test string) bool {
	dirs := []string{"test/reference", "test/golden"}
	for d := filepath.Dir(file); d != "."; d = filepath.Dir(d) {
		dirs = append(dirs, d)
	}
	for _, d := range dirs {
		files, _ := filepath.Glob(filepath.Join("../..", d, "*_test.go"))
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), "\nfunc "+test+"(") {
				return true
			}
		}
	}
	return false
}

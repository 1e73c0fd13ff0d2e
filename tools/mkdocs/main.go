// Mkdocs writes the manual pages that are made from the source: today
// imapd.conf(5), from the table of options.
//
// Usage: go run ./tools/mkdocs (at the root of the module)
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gocyrus/libcyrus/config"
)

// page is where imapd.conf(5) is kept, from the root of the module.
const page = "docs/man/imapd.conf.5"

func main() {
	text, err := imapdConf(".")
	if err == nil {
		err = os.WriteFile(page, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mkdocs:", err)
		os.Exit(1)
	}
}

// imapdConf returns imapd.conf(5); root is that of the module.
func imapdConf(root string) (string, error) {
	used, err := usedOptions(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, r := range config.Options() {
		b.WriteString(option(r, used[variable(r)]))
	}
	b.WriteString(patternsHead)
	for _, p := range config.Patterns() {
		fmt.Fprintf(&b, ".TP\n.BI %s\n%s\n", quote(p.Name+":"), escape(p.Doc))
	}
	b.WriteString(foot)
	return b.String(), nil
}

var use = regexp.MustCompile(`\bconfig\.([A-Z]\w*)\.(?:In|Given)\(`)

// usedOptions returns the variables of the options that programs read.
func usedOptions(root string) (map[string]bool, error) {
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range use.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
		return err
	})
	for _, r := range own {
		used[r] = true
	}
	return used, err
}

// own is the options that package config itself reads.
var own = []string{"Configdirectory", "Defaultpartition", "MupdateServer", "MupdateConfig", "Proxyservers", "Servername"}

// variable returns the name of the variable that stands for an option.
func variable(r *config.Row) string {
	var b strings.Builder
	for piece := range strings.SplitSeq(r.Name, "_") {
		b.WriteString(strings.ToUpper(piece[:1]) + piece[1:])
	}
	return b.String()
}

// option returns the entry of one option.
func option(r *config.Row, used bool) string {
	var b strings.Builder
	value := r.Default
	if value == "" {
		value = "(none)"
	}
	fmt.Fprintf(&b, ".TP\n.BI %s \" %s\"\n", quote(r.Name+":"), escape(value))
	fmt.Fprintf(&b, "%s%s.\n", upper(r.Kind().String()), details(r))
	switch {
	case r.Deprecated != "" && r.Replacement != "":
		fmt.Fprintf(&b, "Deprecated since %s: use\n.BR %s .\n", r.Deprecated, r.Replacement)
	case r.Deprecated != "":
		fmt.Fprintf(&b, "Deprecated since %s, without effect.\n", r.Deprecated)
	case r.Doc != "":
		b.WriteString(escape(r.Doc) + "\n")
	}
	if !used && r.Deprecated == "" {
		b.WriteString("No program that is built here reads it yet.\n")
	}
	return b.String()
}

// details returns what belongs to the type: unit and allowed values.
func details(r *config.Row) string {
	switch r.Kind() {
	case config.Duration:
		return ", without a unit in " + map[string]string{"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}[r.Unit]
	case config.Int:
		if r.Unit != "" {
			return " (" + r.Unit + ")"
		}
	case config.Enum, config.StringList:
		return ": " + escape(strings.Join(r.Values, ", "))
	case config.Bitfield:
		names := make([]string, len(r.Values))
		for i, v := range r.Values {
			names[i], _, _ = strings.Cut(v, "=")
		}
		return ", any of: " + escape(strings.Join(names, ", "))
	}
	return ""
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// escape makes text safe for roff.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "~", `\(ti`, "^", `\(ha`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// quote makes text one argument of a macro.
func quote(s string) string { return `"` + escape(s) + `"` }

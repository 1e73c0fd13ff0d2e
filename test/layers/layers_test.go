// Package layers holds the picture of which package may import which, and
// checks it by reading the files themselves.
package layers

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers lists our packages from the bottom up; those of one line do not
// import each other. A package may import what stands above it here.
var layers = [][]string{
	{"libcyrus/errs", "libcyrus/getopt", "libcyrus/version"},
	{"libcyrus/syslog", "libcyrus/disk", "libcyrus/dlist", "libcyrus/config"},
	{"libcyrus/lock", "libcyrus/osuser", "libcyrus/proc", "libcyrus/notify"},
	{"libcyrus/mboxname", "libcyrus/imapwire", "libcyrus/linewire", "libcyrus/message"},
	{"libcyrus/cyrusdb", "libcyrus/event"},
	{"libcyrus/acl", "libcyrus/sieve"},
	{"libcyrus/seen", "libcyrus/subs", "libcyrus/mboxkey", "libcyrus/annot", "libcyrus/quota", "libcyrus/duplicate", "libcyrus/userdeny", "libcyrus/counters", "libcyrus/conversations"},
	{"libcyrus/mailbox"},
	{"libcyrus/mboxlist"},
	{"libcyrus/site"},
	{"libcyrus/scripts"},
	{"libcyrus/snapshot"},
	{"libcyrus/restore"},
	{"libcyrus/annotator", "libcyrus/auth", "libcyrus/outgoing", "libcyrus/view", "libcyrus/metadata"},
	{"libcyrus/sasl"},
	{"libcyrus/worker"},
	{"master", "imapd", "pop3d", "lmtpd", "timsieved", "notifyd", "smmapd", "cyrusdbd", "deliver", "davindex", "tools"},
}

// noMail are packages that must not know of mail: they may import only
// what is listed.
var noMail = map[string][]string{
	"libcyrus/imapwire": {"libcyrus/errs"},
	"libcyrus/linewire": {"libcyrus/errs"},
	"master":            {"libcyrus/errs", "libcyrus/config", "libcyrus/getopt", "libcyrus/osuser", "libcyrus/syslog", "libcyrus/version"},
}

// onlyIn names libraries that one folder alone may link.
var onlyIn = map[string]string{
	"github.com/cockroachdb/pebble": "cyrusdbd",
	"modernc.org/sqlite":            "davindex",
}

func TestImportsGoDown(t *testing.T) {
	for _, f := range sources(t, "../..") {
		from, at := f.pkg, level(f.pkg)
		for _, imp := range f.imports {
			for lib, home := range onlyIn {
				if strings.HasPrefix(imp, lib) && from != home && !strings.HasPrefix(from, home+"/") {
					t.Errorf("%s imports %s, which only %s may", f.name, imp, home)
				}
			}
			to, ok := strings.CutPrefix(imp, "gocyrus/")
			if !ok || at < 0 || inside(from, to) {
				continue
			}
			if level(to) < 0 {
				t.Errorf("%s imports %s, which has no place in the picture", f.name, to)
			} else if level(to) >= at {
				t.Errorf("%s imports %s: arrows go down only", f.name, to)
			}
			if allowed, ok := noMail[from]; ok && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: it may import only %v", f.name, to, allowed)
			}
		}
	}
}

func TestEveryPackageHasAPlace(t *testing.T) {
	for _, f := range sources(t, "../..") {
		if level(f.pkg) < 0 && !strings.HasPrefix(f.pkg, "test/") {
			t.Errorf("package %s has no place in the picture", f.pkg)
		}
	}
}

// inside reports whether both are in one folder of the picture, such as a
// package and its own subpackage.
func inside(a, b string) bool {
	return home(a) != "" && home(a) == home(b)
}

// home is the entry of the picture that pkg belongs to: itself, or the
// folder that it lies in.
func home(pkg string) string {
	for p := pkg; p != "."; p = filepath.Dir(p) {
		for _, line := range layers {
			if slices.Contains(line, p) {
				return p
			}
		}
	}
	return ""
}

func level(pkg string) int {
	h := home(pkg)
	return slices.IndexFunc(layers, func(line []string) bool { return h != "" && slices.Contains(line, h) })
}

type source struct {
	name, pkg string
	imports   []string
}

// sources parses the imports of every Go file but tests.
func sources(t *testing.T, root string) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || path != root && strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, data, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s := source{name: rel, pkg: filepath.ToSlash(filepath.Dir(rel))}
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 5 {
		t.Fatalf("only %d source files found", len(out))
	}
	return out
}

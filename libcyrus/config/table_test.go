package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	if len(table) < 526 {
		t.Errorf("only %d options", len(table))
	}
	name := regexp.MustCompile(`^[a-z0-9_]+$`)
	since := regexp.MustCompile(`^([23]\.\d+\.\d+|gocyrus)$`)
	for i, r := range table {
		if !name.MatchString(r.Name) || !since.MatchString(r.Since) || r.Group == "" || r.index != i || ByName(r.Name) != r {
			t.Errorf("%s: bad name, version or group, or declared twice", r.Name)
		}
		if _, err := r.parse(r, r.Default); err != nil {
			t.Errorf("%s: default: %v", r.Name, err)
		}
		if hasUnit := strings.Contains("dhms", r.Unit) && len(r.Unit) == 1; r.kind == Duration && !hasUnit {
			t.Errorf("%s: unit %q", r.Name, r.Unit)
		}
		choice := r.kind == Enum || r.kind == StringList || r.kind == Bitfield
		if choice != (len(r.Values) > 0) || len(r.Values) > 64 {
			t.Errorf("%s: values do not fit the type %s", r.Name, r.kind)
		}
		if r.Replacement == "" {
			continue
		}
		if to := ByName(r.Replacement); to == nil || to.kind != r.kind || to.Deprecated != "" || r.Deprecated == "" {
			t.Errorf("%s: bad replacement %q", r.Name, r.Replacement)
		}
	}
}

var declaration = regexp.MustCompile(`(?m)^var (\w+) = new\w+\(Row\{\s*Name:\s*"(\w+)"`)

// variables returns the name of the option that each exported variable of
// this package stands for, as its source has it.
func variables(t *testing.T) map[string]string {
	files, err := filepath.Glob("options_*.go")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			vars[m[1]] = m[2]
		}
	}
	return vars
}

// TestOrder checks that the table is in the order of the source, which is
// that of imapd.conf(5). Go declares a variable late whose parser needs
// another one.
func TestOrder(t *testing.T) {
	files, err := filepath.Glob("options_*.go")
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			if i < len(table) && table[i].Name != m[2] {
				t.Fatalf("option %d is %s, want %s", i, table[i].Name, m[2])
			}
			i++
		}
	}
}

// TestNames checks that a variable can be told from its option: each piece
// between underscores has its first letter made upper case.
func TestNames(t *testing.T) {
	vars := variables(t)
	if len(vars) != len(table) {
		t.Errorf("%d variables for %d options", len(vars), len(table))
	}
	for v, name := range vars {
		want := ""
		for piece := range strings.SplitSeq(name, "_") {
			want += upperFirst(piece)
		}
		if v != want {
			t.Errorf("%s is %s, want %s", name, v, want)
		}
	}
}

// TestDocumented fails when code of this module reads an option that
// imapd.conf(5) does not explain, and when imapd.conf(5) says what an option
// does that no code reads.
func TestDocumented(t *testing.T) {
	vars := variables(t)
	use := regexp.MustCompile(`\bconfig\.(\w+)\b(\.(?:In|Given|Row)\()?`)
	var missing []string
	read := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // another test's file
		}
		for _, m := range use.FindAllStringSubmatch(string(text), -1) {
			r := ByName(vars[m[1]])
			if r == nil {
				continue
			}
			read[r.Name] = true
			if m[2] != "" && r.Doc == "" && !slices.Contains(missing, r.Name) {
				missing = append(missing, r.Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("options that are read but have no Doc: %s", strings.Join(missing, " "))
	}
	for _, r := range table {
		none := strings.HasPrefix(r.Doc, "No effect")
		switch {
		case none && read[r.Name]:
			t.Errorf("%s is read, though its Doc says that it has no effect", r.Name)
		case r.Doc != "" && r.Replacement == "" && !none && !read[r.Name]:
			t.Errorf("nothing reads %s: its Doc has to begin with \"No effect\"", r.Name)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, key := range []string{
		"partition-default", "metapartition-x1", "t1searchpartition-default", "xlist-junk", "sasl_mech_list",
		"backend1_password", "c_sync_host", "host_client_key", "autocreate_acl", "timeout",
	} {
		if !known(key) {
			t.Errorf("%s is unknown", key)
		}
	}
	for _, key := range []string{"partition-", "partition-a-b", "newsspool", "c_sync_foo", "timeouts", ""} {
		if known(key) {
			t.Errorf("%s is known", key)
		}
	}
	for _, p := range Patterns() {
		if p.Name == "" || p.Doc == "" {
			t.Errorf("pattern %q has no text", p.Name)
		}
	}
}

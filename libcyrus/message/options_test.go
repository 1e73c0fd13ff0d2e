package message

import (
	"os"
	"path/filepath"
	"testing"

	"gocyrus/libcyrus/config"
)

func TestOptionsFrom(t *testing.T) {
	for text, want := range map[string]struct {
		o Options
		f Folding
	}{
		"": {Options{MaxHeaderLines: 1000, BoundaryLimit: 1000}, Folding{}},
		"maxheaderlines: 0\nboundary_limit: 7\nrfc2046_strict: yes\nrfc2047_utf8: yes\nsearch_whitespace: skip\n" +
			"search_skipdiacrit: no\nsearch_skiphtml: yes\n": {
			Options{MaxHeaderLines: -1, BoundaryLimit: 7, RFC2046Strict: true, RFC2047UTF8: true},
			Folding{Whitespace: SkipWhitespace, KeepDiacritics: true, SkipHTML: true, UTF8: true}},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, "imapd.conf")
		text = "configdirectory: " + dir + "\ndefaultpartition: default\npartition-default: " + dir + "\n" + text
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(name, "test")
		if err != nil {
			t.Fatal(err)
		}
		if o, f := OptionsFrom(c), FoldingFrom(c); o != want.o || f != want.f {
			t.Errorf("%q: %+v, %+v; want %+v", text, o, f, want)
		}
	}
}

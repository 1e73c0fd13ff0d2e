package scripts

import (
	"errors"
	"path"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

// code compiles a text.
func code(t *testing.T, text string) []byte {
	t.Helper()
	s, err := sieve.Parse([]byte(text), sieve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Code()
}

// put writes a file, with its directory.
func put(t *testing.T, fsys disk.FS, name string, data []byte) {
	t.Helper()
	if err := fsys.MkdirAll(name[:strings.LastIndexByte(name, '/')], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := disk.ReplaceSync(fsys, name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sieveDir is the directory of user "a".
func sieveDir(t *testing.T, s *site.Site) string {
	t.Helper()
	id, legacy, err := s.List.HomeOf(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return s.Layout.UserSieveDir("a", id, legacy)
}

// oldFiles lays down what Cyrus 3.4 keeps: texts, byte code, link.
func oldFiles(t *testing.T, s *site.Site) string {
	t.Helper()
	dir := sieveDir(t, s)
	for name, text := range map[string]string{"one": "keep;", "two": "stop;"} {
		put(t, s.FS, dir+"/"+name+".script", []byte(text))
		put(t, s.FS, dir+"/"+name+".bc", code(t, text))
	}
	put(t, s.FS, dir+"/bad.script", []byte("nonsense"))
	if err := link(s.FS, dir, "two.bc"); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != "/"; d = path.Dir(d) {
		if err := s.FS.SyncDir(d); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAdopt takes the scripts over that Cyrus 3.4 has left.
func TestAdopt(t *testing.T) {
	t.Parallel()
	_, s := newSite(t)
	defer s.Close()
	dir := oldFiles(t, s)
	const want = "one=keep; two=stop;* ->two.bc"
	for range 2 {
		if got := shown(t, open(t, s)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for name, there := range map[string]bool{"one.script": false, "two.script": false, "bad.script": true, adopting: false} {
		if _, err := s.FS.Stat(dir + "/" + name); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What another program writes later stays as it is, and works.
	put(t, s.FS, dir+"/ext.script", []byte("discard;"))
	put(t, s.FS, dir+"/ext.bc", code(t, "discard;"))
	if err := link(s.FS, dir, "ext.bc"); err != nil {
		t.Fatal(err)
	}
	const theirs = "one=keep; two=stop;* ->ext.bc"
	if got := shown(t, open(t, s)); got != theirs {
		t.Errorf("%q, want %q", got, theirs)
	}
	if got, key, err := NewLibrary(s).Active(t.Context(), "a"); err != nil || key != dir+"/ext.bc" || string(got.Code()) != string(code(t, "discard;")) {
		t.Errorf("%s, %v", key, err)
	}
	if err := open(t, s).Activate(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, open(t, s)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAdoptFaults lets each step of the take-over fail, with a power cut.
func TestAdoptFaults(t *testing.T) {
	t.Parallel()
	base, s := newSite(t)
	oldFiles(t, s)
	s.Close()
	for i := 0; ; i++ {
		m := base.Crash(uint64(i))
		s, err := openSite(t, disk.FailFrom(m, i))
		if err == nil {
			_, err = Open(t.Context(), s, "a")
			s.Close()
		}
		again, oerr := openSite(t, m.Crash(uint64(i)))
		if oerr != nil {
			t.Fatal(oerr)
		}
		if got, want := shown(t, open(t, again)), "one=keep; two=stop;* ->two.bc"; got != want {
			t.Errorf("fault %d (%v): %q, want %q", i, err, got, want)
		}
		again.Close()
		if err == nil {
			if i < 20 {
				t.Errorf("only %d steps", i)
			}
			return
		}
	}
}

// TestLibrary loads byte code, makes it anew when it is lost or damaged, and
// leaves what somebody has taken away on purpose.
func TestLibrary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(t *testing.T, s *site.Site, dir string)
		want   string // byte code of this text; "" none
	}{
		"whole": {func(*testing.T, *site.Site, string) {}, "stop;"},
		"all lost": {func(t *testing.T, s *site.Site, dir string) {
			for _, f := range []string{"defaultbc", "x.bc", "y.bc"} {
				if err := s.FS.Remove(dir + "/" + f); err != nil {
					t.Fatal(err)
				}
			}
		}, "stop;"},
		"byte code lost": {func(t *testing.T, s *site.Site, dir string) {
			if err := s.FS.Remove(dir + "/y.bc"); err != nil {
				t.Fatal(err)
			}
		}, "stop;"},
		"damaged":    {func(t *testing.T, s *site.Site, dir string) { put(t, s.FS, dir+"/y.bc", []byte("CyrSBy")) }, "stop;"},
		"taken away": {func(t *testing.T, s *site.Site, dir string) { _ = s.FS.Remove(dir + "/defaultbc") }, ""},
		"another's": {func(t *testing.T, s *site.Site, dir string) {
			put(t, s.FS, dir+"/z.bc", code(t, "discard;"))
			if err := link(s.FS, dir, "z.bc"); err != nil {
				t.Fatal(err)
			}
		}, "discard;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := newSite(t)
			defer s.Close()
			u := open(t, s)
			for _, err := range []error{
				u.Put(t.Context(), "x", []byte("keep;")), u.Put(t.Context(), "y", []byte("stop;")), u.Activate(t.Context(), "y"),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			c.damage(t, s, u.dir)
			got, _, err := NewLibrary(s).Active(t.Context(), "a")
			switch {
			case err != nil:
				t.Fatal(err)
			case c.want == "":
				if got != nil {
					t.Error("there is a script")
				}
			case got == nil || string(got.Code()) != string(code(t, c.want)):
				t.Errorf("not the byte code of %q", c.want)
			}
		})
	}
}

// TestGlobal does everything with global scripts, and includes them.
func TestGlobal(t *testing.T) {
	t.Parallel()
	_, s := newSite(t)
	defer s.Close()
	ctx := t.Context()
	g, err := OpenGlobal(s, "")
	if err != nil {
		t.Fatal(err)
	}
	show := func() string {
		all, err := g.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, x := range all {
			y, err := g.Get(ctx, x.Name)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(x.Name + "=" + string(y.Text))
			if x.Active {
				b.WriteString("*")
			}
			got, _, err := NewLibrary(s).Named(ctx, "a", "dom.example", x.Name, true)
			if err != nil || string(got.Code()) != string(code(t, string(y.Text))) {
				t.Errorf("include of %s: %v", x.Name, err)
			}
		}
		return b.String()
	}
	for i, step := range []struct {
		do   func() error
		fail error
		want string
	}{
		{func() error { return g.Put(ctx, "b", []byte("keep;")) }, nil, "b=keep;"},
		{func() error { return g.Put(ctx, "a", []byte("stop;")) }, nil, "a=stop;b=keep;"},
		{func() error { return g.Put(ctx, "c", []byte("keep;")) }, nil, "a=stop;b=keep;c=keep;"},
		{func() error { return g.Put(ctx, "d", []byte("keep;")) }, ErrTooMany, "a=stop;b=keep;c=keep;"},
		{func() error { return g.Put(ctx, "x/y", []byte("keep;")) }, ErrName, "a=stop;b=keep;c=keep;"},
		{func() error { return g.Activate(ctx, "c") }, nil, "a=stop;b=keep;c=keep;*"},
		{func() error { return g.Delete(ctx, "c") }, ErrActive, "a=stop;b=keep;c=keep;*"},
		{func() error { return g.Rename(ctx, "c", "a") }, ErrExists, "a=stop;b=keep;c=keep;*"},
		{func() error { return g.Rename(ctx, "c", "e") }, nil, "a=stop;b=keep;e=keep;*"},
		{func() error { return g.Activate(ctx, "") }, nil, "a=stop;b=keep;e=keep;"},
		{func() error { return g.Delete(ctx, "e") }, nil, "a=stop;b=keep;"},
		{func() error { return g.Delete(ctx, "e") }, ErrNotFound, "a=stop;b=keep;"},
	} {
		if err := step.do(); !errors.Is(err, step.fail) {
			t.Fatalf("step %d: %v", i, err)
		}
		if got := show(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	// Those of a domain come before those of the site.
	d, err := OpenGlobal(s, "dom.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Put(ctx, "a", []byte("discard;")); err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{"": "stop;", "dom.example": "discard;", "other.example": "stop;"} {
		got, _, err := NewLibrary(s).Named(ctx, "a", domain, "a", true)
		if err != nil || string(got.Code()) != string(code(t, want)) {
			t.Errorf("%q: %v", domain, err)
		}
	}
	for _, name := range []string{"../a", "", "a\x00", "none"} {
		if _, _, err := NewLibrary(s).Named(ctx, "a", "", name, true); !errors.Is(err, sieve.ErrNoScript) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestAutocreate gives a new user the first script, once.
func TestAutocreate(t *testing.T) {
	t.Parallel()
	m, s := newSite(t)
	s.Close()
	put(t, m, "/etc/first.sieve", []byte("keep;"))
	c, err := config.Parse("/imapd.conf", conf+"autocreate_sieve_script: /etc/first.sieve\nautocreate_sieve_script_compile: yes\n"+
		"autocreate_sieve_script_compiled: /etc/first.bc\n", "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err = site.OpenOn(m, c, s.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := Autocreate(t.Context(), s, "a"); err != nil {
		t.Fatal(err)
	}
	const want = "first.sieve=keep;* ->first.sieve.bc"
	if got := shown(t, open(t, s)); got != want {
		t.Errorf("%q", got)
	}
	if b, err := disk.ReadFile(m, "/etc/first.bc"); err != nil || string(b) != string(code(t, "keep;")) {
		t.Errorf("saved: %v", err)
	}
	put(t, m, "/etc/first.sieve", []byte("stop;"))
	if err := Autocreate(t.Context(), s, "a"); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, open(t, s)); got != want {
		t.Errorf("again: %q", got)
	}
}

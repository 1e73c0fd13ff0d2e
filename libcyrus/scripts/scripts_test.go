package scripts

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
)

const conf = "configdirectory: /conf\npartition-default: /spool\ndefaultpartition: default\nsievedir: /sieve\nadmins: admin\n" +
	"sieve_maxscripts: 3\nmboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\nservername: h.example\n"

func openSite(t *testing.T, fsys disk.FS) (*site.Site, error) {
	t.Helper()
	c, err := config.Parse("/imapd.conf", conf, "test")
	if err != nil {
		t.Fatal(err)
	}
	return site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
}

// newSite is a site in memory with the user "a".
func newSite(t *testing.T) (*disk.Mem, *site.Site) {
	t.Helper()
	m := disk.NewMem()
	for _, dir := range []string{"/conf", "/spool", "/sieve"} {
		if err := m.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openSite(t, m)
	if err != nil {
		t.Fatal(err)
	}
	who := mboxlist.Actor{}
	who.User, who.Admin = "admin", true
	if _, err := s.List.Create(t.Context(), who, mboxname.Name("user.a"), mboxlist.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return m, s
}

func open(t *testing.T, s *site.Site) *User {
	t.Helper()
	u, err := Open(t.Context(), s, "a")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// shown is all scripts in one line, and what the directory says of them.
func shown(t *testing.T, u *User) string {
	t.Helper()
	all, err := u.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, x := range all {
		code, err := sieve.Parse(x.Text, u.rules)
		if err != nil {
			t.Fatal(err)
		}
		on, err := disk.ReadFile(u.site.FS, u.dir+"/"+x.Name+".bc")
		if err != nil || string(on) != string(code.Code()) {
			t.Errorf("byte code of %s: %q, %v", x.Name, on, err)
		}
		fmt.Fprintf(&b, "%s=%s", x.Name, x.Text)
		if x.Active {
			b.WriteString("*")
		}
		b.WriteString(" ")
	}
	link, err := u.site.FS.Readlink(u.dir + "/defaultbc")
	if err == nil {
		b.WriteString("->" + link)
	}
	return b.String()
}

func TestOperations(t *testing.T) {
	t.Parallel()
	_, s := newSite(t)
	defer s.Close()
	u := open(t, s)
	ctx := t.Context()
	put := func(name, text string) func() error { return func() error { return u.Put(ctx, name, []byte(text)) } }
	activate := func(name string) func() error { return func() error { return u.Activate(ctx, name) } }
	for i, step := range []struct {
		do   func() error
		want string
	}{
		{put("x", "keep;"), "x=keep; "},
		{activate("x"), "x=keep;* ->x.bc"},
		{put("x", "stop;"), "x=stop;* ->x.bc"},
		{put("ä b", "keep;"), "x=stop;* ä b=keep; ->x.bc"},
		{func() error { return u.Rename(ctx, "x", "y") }, "ä b=keep; y=stop;* ->y.bc"},
		{activate("ä b"), "ä b=keep;* y=stop; ->ä b.bc"},
		{func() error { return u.Delete(ctx, "y") }, "ä b=keep;* ->ä b.bc"},
		{activate(""), "ä b=keep; "},
		{func() error { return u.Delete(ctx, "ä b") }, ""},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got := shown(t, u); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	_, s := newSite(t)
	defer s.Close()
	u := open(t, s)
	ctx := t.Context()
	for _, name := range []string{"1", "2", "3"} {
		if err := u.Put(ctx, name, []byte("keep;")); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Activate(ctx, "2"); err != nil {
		t.Fatal(err)
	}
	_, missing := u.Get(ctx, "no")
	for i, c := range []struct{ got, want error }{
		{u.Put(ctx, "4", []byte("keep;")), ErrTooMany},
		{u.HaveSpace(ctx, "4"), ErrTooMany},
		{u.HaveSpace(ctx, "1"), nil},
		{u.Put(ctx, "a/b", []byte("keep;")), ErrName},
		{u.Put(ctx, strings.Repeat("n", 300), []byte("keep;")), ErrName},
		{u.Delete(ctx, "2"), ErrActive},
		{u.Delete(ctx, "no"), ErrNotFound},
		{u.Activate(ctx, "no"), ErrNotFound},
		{u.Rename(ctx, "1", "3"), ErrExists},
		{u.Rename(ctx, "no", "x"), ErrNotFound},
		{missing, ErrNotFound},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%d: %v, want %v", i, c.got, c.want)
		}
	}
	var faults sieve.Errors
	if err := u.Put(ctx, "1", []byte("kep;")); !errors.As(err, &faults) {
		t.Errorf("%v", err)
	}
	if got, want := shown(t, u), "1=keep; 2=keep;* 3=keep; ->2.bc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOthersLink leaves a defaultbc alone that another program has set.
func TestOthersLink(t *testing.T) {
	t.Parallel()
	_, s := newSite(t)
	defer s.Close()
	u := open(t, s)
	if err := s.FS.Symlink("theirs.bc", u.dir+"/defaultbc"); err != nil {
		t.Fatal(err)
	}
	if err := u.Put(t.Context(), "x", []byte("keep;")); err != nil {
		t.Fatal(err)
	}
	if got, want := shown(t, open(t, s)), "x=keep; ->theirs.bc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFaults lets every step of every operation fail in turn, with a power
// cut after it: the scripts are then what they were or what they were to be,
// and directory and messages say the same once they are opened again.
func TestFaults(t *testing.T) {
	t.Parallel()
	const before = "x=keep;* y=stop; ->x.bc"
	for name, op := range map[string]struct {
		do   func(*testing.T, *User) error
		want string
	}{
		"put":      {func(t *testing.T, u *User) error { return u.Put(t.Context(), "x", []byte("discard;")) }, "y=stop; x=discard;* ->x.bc"},
		"rename":   {func(t *testing.T, u *User) error { return u.Rename(t.Context(), "x", "z") }, "y=stop; z=keep;* ->z.bc"},
		"activate": {func(t *testing.T, u *User) error { return u.Activate(t.Context(), "y") }, "x=keep; y=stop;* ->y.bc"},
		"delete":   {func(t *testing.T, u *User) error { return u.Delete(t.Context(), "y") }, "x=keep;* ->x.bc"},
		"off":      {func(t *testing.T, u *User) error { return u.Activate(t.Context(), "") }, "x=keep; y=stop; "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, s := newSite(t)
			u := open(t, s)
			for _, err := range []error{
				u.Put(t.Context(), "x", []byte("keep;")), u.Put(t.Context(), "y", []byte("stop;")), u.Activate(t.Context(), "x"),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := shown(t, u); got != before {
				t.Fatalf("%q", got)
			}
			s.Close()
			for i := 0; ; i++ {
				m := base.Crash(uint64(i))
				failing := disk.FailFrom(m, i)
				s, err := openSite(t, failing)
				if err == nil {
					var v *User
					if v, err = Open(t.Context(), s, "a"); err == nil {
						err = op.do(t, v)
					}
					s.Close()
				}
				again, oerr := openSite(t, m.Crash(uint64(i)))
				if oerr != nil {
					t.Fatal(oerr)
				}
				got := shown(t, open(t, again))
				again.Close()
				switch {
				case err == nil && got != op.want:
					t.Errorf("fault %d: done, but %q", i, got)
				case got != op.want && got != before:
					t.Errorf("fault %d (%v): %q", i, err, got)
				}
				if err == nil {
					if i < 20 {
						t.Errorf("only %d steps", i)
					}
					return
				}
			}
		})
	}
}

package mboxname

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gocyrus/libcyrus/errs"
	"gocyrus/test/data"
)

// recorded is what a real server with one configuration answered.
type recorded struct {
	Config struct {
		Altnamespace, Unixhierarchysep bool
		Virtdomains                    string
	}
	Setup [][]string
	Names [][2]string
	List  []struct {
		User, Pattern string
		Answer        [][2]string
	}
}

// recordings calls fn for each recording, with its rules.
func recordings(t *testing.T, fn func(t *testing.T, r Rules, rec *recorded)) {
	for i := 1; i <= 8; i++ {
		name := fmt.Sprintf("list/list-%d.json", i)
		t.Run(name, func(t *testing.T) {
			var rec recorded
			if err := json.Unmarshal(data.Read(t, name), &rec); err != nil {
				t.Fatal(err)
			}
			r := DefaultRules()
			r.AltNamespace, r.UnixHierarchySep = rec.Config.Altnamespace, rec.Config.Unixhierarchysep
			r.DefaultDomain = "reference.example.org"
			if rec.Config.Virtdomains == "userid" {
				r.Virtual = VirtualUserID
			}
			fn(t, r, &rec)
		})
	}
}

// TestRecordedNames turns every name that a real server has listed into its
// internal form and back.
func TestRecordedNames(t *testing.T) {
	recordings(t, func(t *testing.T, r Rules, rec *recorded) {
		for _, l := range rec.List {
			ns := NewNamespace(r, l.User, l.User == "cyrus")
			m := ns.NewMatcher(l.Pattern)
			for _, a := range l.Answer {
				if strings.Contains(a[0], "Noselect") {
					continue // no mailbox
				}
				n, err := ns.Internal(a[1])
				if err != nil {
					t.Errorf("%s: %q: %v", l.User, a[1], err)
				}
				if back, ok := ns.External(n); !ok || back != a[1] {
					t.Errorf("%s: %q -> %q -> %q", l.User, a[1], n, back)
				}
				if m.Longest(a[1]) < 0 {
					t.Errorf("%q does not match %q", l.Pattern, a[1])
				}
			}
		}
		for _, n := range rec.Names {
			ns := NewNamespace(r, n[0], n[0] == "cyrus")
			for _, p := range []string{ns.Personal(), ns.Others(), ns.Shared()} {
				if !strings.Contains(n[1], `(("`+p+`" "`+string(ns.Separator())+`"))`) {
					t.Errorf("%s: prefix %q is not in %s", n[0], p, n[1])
				}
			}
		}
	})
}

func TestNamespace(t *testing.T) {
	alt, std := DefaultRules(), DefaultRules()
	std.AltNamespace = false
	dots := std
	dots.UnixHierarchySep = false
	virt := std
	virt.Virtual, virt.DefaultDomain = VirtualUserID, "example.com"
	cross := virt
	cross.CrossDomains = true
	other := cross
	other.CrossDomainsOther = true
	for _, c := range []struct {
		rules    Rules
		user     string
		admin    bool
		external string
		want     Name   // "" = bad name
		back     string // "" = the same; "-" = none
	}{
		{std, "alice", false, "INBOX", "user.alice", ""},
		{std, "alice", false, "InBox", "user.alice", "INBOX"},
		{std, "alice", false, "inbox/Work", "user.alice.Work", "INBOX/Work"},
		{std, "alice", false, "INBOX/a.b", "user.alice.a^b", ""},
		{std, "alice", false, "user/bob/x", "user.bob.x", ""},
		{std, "alice", false, "user/alice/x", "user.alice.x", "INBOX/x"},
		{std, "alice", false, "shared", "shared", ""},
		{std, "alice", false, "a^b", "", ""},
		{std, "alice", false, "", "", ""},
		{virt, "alice", false, "INBOX/x!user.bob", "", ""},
		{std, "alice", false, "/x//y/", "x.y", "x/y"},
		{std, "alice", false, "/", "", ""},
		{std, "alice", false, "DELETED/user/alice/x/6B042C65", "DELETED.user.alice.x.6B042C65", ""},
		{std, "cyrus", true, "DELETED/user/alice/x/6B042C65", "DELETED.user.alice.x.6B042C65", ""},
		{std, "cyrus", true, "DELETED/foo/bar", "DELETED.foo.bar", ""},
		{dots, "alice", false, "INBOX.a^b", "user.alice.a^b", ""},
		{dots, "alice", false, "INBOX.a/b", "", ""},
		{dots, "first.last", false, "INBOX", "user.first^last", ""},
		{dots, "alice", false, "user.first^last.x", "user.first^last.x", ""},
		{alt, "alice", false, "Inbox", "user.alice", "INBOX"},
		{alt, "alice", false, "inbox/sub", "user.alice.INBOX.sub", "INBOX/sub"},
		{alt, "alice", false, "Work", "user.alice.Work", ""},
		{alt, "alice", false, "Alt Folders/INBOX", "user.alice.INBOX", ""},
		{alt, "alice", false, "Alt Folders", "user.alice", "INBOX"},
		{alt, "alice", false, "Alt Folders/Work", "user.alice.Work", "Work"},
		{alt, "alice", false, "Other Users/bob", "user.bob", ""},
		{alt, "alice", false, "Other Users/alice/x", "user.alice.x", "x"},
		{alt, "alice", false, "Shared Folders/shared/team", "shared.team", ""},
		{alt, "alice", false, "Shared Folders", "", ""},
		{alt, "alice", false, "user/bob", "user.alice.user.bob", ""},
		{alt, "cyrus", true, "user/alice", "user.alice", ""},
		{virt, "erin@other.test", false, "INBOX/x", "other.test!user.erin.x", ""},
		{virt, "erin@other.test", false, "shared", "other.test!shared", ""},
		{virt, "alice@example.com", false, "INBOX", "user.alice", ""},
		{virt, "cyrus", true, "user/erin/x@other.test", "other.test!user.erin.x", ""},
		{virt, "cyrus", true, "user/alice@example.com", "user.alice", "user/alice"},
		{virt, "admin@other.test", true, "user/erin", "other.test!user.erin", "user/erin@other.test"},
		{cross, "alice", false, "user/erin@other.test/x", "other.test!user.erin.x", ""},
		{cross, "alice", false, "user/bob@example.com", "user.bob", ""},
		{cross, "erin@other.test", false, "user/bob", "user.bob", "user/bob@example.com"},
		{other, "erin@other.test", false, "user/fred", "other.test!user.fred", ""},
		{other, "erin@other.test", false, "user/bob@example.com", "user.bob", ""},
	} {
		ns := NewNamespace(c.rules, c.user, c.admin)
		n, err := ns.Internal(c.external)
		if n != c.want || (err != nil) != (c.want == "") || err != nil && !errs.Is(err, errs.BadName) {
			t.Errorf("%s: Internal(%q) = %q, %v; want %q", c.user, c.external, n, err, c.want)
		}
		if c.back == "" {
			c.back = c.external
		}
		if got, ok := ns.External(n); c.want != "" && (!ok || got != c.back) {
			t.Errorf("%s: External(%q) = %q, %v; want %q", c.user, n, got, ok, c.back)
		}
	}
}

func TestExternalNone(t *testing.T) {
	virt := sampleRules()
	alt := DefaultRules()
	alt.Virtual = VirtualUserID
	for _, c := range []struct {
		rules Rules
		user  string
		n     Name
	}{
		{virt, "alice", "other.test!shared"},
		{virt, "alice", "other.test!user.erin"},
		{virt, "erin@other.test", "shared"},
		{virt, "alice", "INBOX"},
		{virt, "alice", ""},
		{alt, "alice", "DELETED.user.alice.x.6B042C65"},
		{alt, "alice", "other.test!shared"},
	} {
		if got, ok := NewNamespace(c.rules, c.user, false).External(c.n); ok {
			t.Errorf("%s: External(%q) = %q", c.user, c.n, got)
		}
	}
}

func TestPrefixCheck(t *testing.T) {
	r := DefaultRules()
	if err := NewNamespace(r, "x", false).Check(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*Rules){
		func(r *Rules) { r.UserPrefix = "" },
		func(r *Rules) { r.UserPrefix = "a/b" },
		func(r *Rules) { r.SharedPrefix = "Other" },
		func(r *Rules) { r.SharedPrefix = strings.Repeat("x", 40) },
	} {
		bad := DefaultRules()
		change(&bad)
		if NewNamespace(bad, "x", false).Check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestMatcher(t *testing.T) {
	ns := NewNamespace(Rules{UnixHierarchySep: true}, "x", false)
	for _, c := range []struct {
		pattern, name string
		want          int
	}{
		{"*", "a/b/c", 5},
		{"%", "a/b/c", 1},
		{"%%", "a/b", 1},
		{"%/%", "a/b/c", 3},
		{"%/%", "a", -1},
		{"a/*", "a/b/c", 5},
		{"a*", "ab/c", 4},
		{"*%", "a/b", 3},
		{"a", "a/b", 1},
		{"a", "ab", -1},
		{"a/", "a/b", -1},
		{"*b*", "abc", 3},
		{"*/b/*", "a/b/c", 5},
		{"", "a", -1},
		{"", "", 0},
		{"%", "", 0},
		{"W*k", "Work/x", 4},
		{"a.b", "axb", -1},
		{strings.Repeat("*a", 50), strings.Repeat("a", 49), -1},
	} {
		if got := ns.NewMatcher(c.pattern).Longest(c.name); got != c.want {
			t.Errorf("%q on %q: %d, want %d", c.pattern, c.name, got, c.want)
		}
	}
	m := ns.NewMatcher("a/b%c")
	if m.Prefix() != "a/b" || ns.NewMatcher("abc").Prefix() != "abc" || m.String() != "a/b%c" {
		t.Error("Prefix")
	}
}

func FuzzMatcher(f *testing.F) {
	f.Add("a%/*b", "ax/y/b")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		ns := NewNamespace(Rules{UnixHierarchySep: true}, "x", false)
		m := ns.NewMatcher(pattern)
		n := m.Longest(name)
		if n > len(name) || n < -1 || n >= 0 && n < len(name) && name[n] != '/' {
			t.Errorf("%q on %q: %d", pattern, name, n)
		}
		if len(pattern) < 12 && len(name) < 20 {
			if slow := slowMatch(pattern, name); slow != m.Matches(name) {
				t.Errorf("%q on %q: %v, want %v", pattern, name, !slow, slow)
			}
		}
	})
}

// slowMatch is the definition of a match.
func slowMatch(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*' || p[0] == '%':
		return slowMatch(p[1:], s) || s != "" && (p[0] == '*' || s[0] != '/') && slowMatch(p, s[1:])
	}
	return s != "" && s[0] == p[0] && slowMatch(p[1:], s[1:])
}

// validUser reports whether a user id can be one: its INBOX would have a
// valid name, and its files stay in their directories.
func validUser(id string) bool {
	local, domain, hasDomain := strings.Cut(id, "@")
	if hasDomain && !validDomain(domain) || strings.ContainsAny(local, "/!^") {
		return false
	}
	r := Rules{Virtual: VirtualUserID}
	return local != "" && !strings.Contains(domain, "@") && r.Valid(Inbox(id)) == nil
}

func FuzzInternal(f *testing.F) {
	for _, s := range []string{"INBOX", "user/x/y@other.test", "Other Users/a.b/c", "DELETED/user/a/6B042C65", "a^b/c", "INBOX/a.b/c", "INBOX.a^b", "user/first.last/x.y"} {
		f.Add(s, "erin@other.test", uint8(0))
	}
	f.Fuzz(func(t *testing.T, external, user string, bits uint8) {
		if !validUser(user) {
			return
		}
		r := DefaultRules()
		r.AltNamespace, r.UnixHierarchySep, r.CrossDomains = bits&1 != 0, bits&2 != 0, bits&4 != 0
		r.CrossDomainsOther = bits&8 != 0
		r.Virtual = Virtual(bits >> 4 % 3)
		ns := NewNamespace(r, user, bits&0x40 != 0)
		n, err := ns.Internal(external)
		if err != nil {
			return
		}
		if n == "" {
			t.Fatalf("%q gives no name", external)
		}
		if r.Valid(n) != nil {
			return
		}
		if FromDB(n.DBKey()) != n {
			t.Errorf("%q in the database is %q", n, FromDB(n.DBKey()))
		}
		ext, ok := ns.External(n)
		if slow, sok := ns.apart(n); slow != ext || sok != ok {
			t.Errorf("%q is shown to %q as %q, %v, want %q, %v", n, user, ext, ok, slow, sok)
		}
		if n.Owner() != n.Parts("").UserID() || n.OwnerOf("DELETED") != n.Parts("DELETED").UserID() {
			t.Errorf("%q is %q's, or %q's", n, n.Owner(), n.OwnerOf("DELETED"))
		}
		if !ok || n.IsDeleted("DELETED") && !ns.Admin || strings.Contains(string(n.Local()), "@") {
			return // "@" may be taken for a domain's
		}
		if back, err := ns.Internal(ext); err != nil || back != n {
			t.Errorf("%q -> %q -> %q -> %q, %v", external, n, ext, back, err)
		}
	})
}

// TestInternalRoot: quota roots of domains, which only admins can name.
func TestInternalRoot(t *testing.T) {
	virtual := Rules{Virtual: VirtualUserID, DefaultDomain: "example.com", UnixHierarchySep: true}
	admin := NewNamespace(virtual, "cyrus", true)
	for _, c := range []struct {
		ns   *Namespace
		name string
		want Name // "": refused
	}{
		{admin, "@other.test", "other.test!"},
		{admin, "user/a@other.test", "other.test!user.a"},
		{admin, "@example.com", ""},
		{admin, "@", ""},
		{admin, "@a@b", ""},
		{admin, "@a/b", ""},
		{admin, "@a!b", ""},
		{NewNamespace(virtual, "x@other.test", true), "@third.test", ""},
	} {
		if got, err := c.ns.InternalRoot(c.name); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("InternalRoot(%q) = %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for _, ns := range []*Namespace{NewNamespace(virtual, "x@other.test", false), NewNamespace(Rules{UnixHierarchySep: true}, "cyrus", true)} {
		if got, _ := ns.InternalRoot("@other.test"); got == "other.test!" {
			t.Errorf("%+v: names the root of a domain", ns)
		}
	}
	if got, ok := admin.External("other.test!"); got != "@other.test" || !ok {
		t.Errorf("External of a domain's root: %q, %v", got, ok)
	}
}

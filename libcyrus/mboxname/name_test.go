package mboxname

import (
	"encoding/json"
	"slices"
	"testing"

	"gocyrus/test/data"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		n                  Name
		key, owner, domain string
		parent             Name
		user, inbox        bool
	}{
		{"user.alice", "user\x1falice", "alice", "", "user", true, true},
		{"user.alice.a^b.c", "user\x1falice\x1fa.b\x1fc", "alice", "", "user.alice.a^b", true, false},
		{"user.first^last", "user\x1ffirst.last", "first.last", "", "user", true, true},
		{"other.test!user.erin", "other.test\x1duser\x1ferin", "erin@other.test", "other.test", "other.test!user", true, true},
		{"shared", "shared", "", "", "", false, false},
		{"other.test!shared", "other.test\x1dshared", "", "other.test", "", false, false},
		{"shared.team", "shared\x1fteam", "", "", "shared", false, false},
		{"user", "user", "", "", "", false, false},
		{"", "", "", "", "", false, false},
	} {
		if got := c.n.DBKey(); got != c.key {
			t.Errorf("%q.DBKey() = %q, want %q", c.n, got, c.key)
		}
		if got := FromDB(c.key); got != c.n {
			t.Errorf("FromDB(%q) = %q, want %q", c.key, got, c.n)
		}
		if got := c.n.Owner(); got != c.owner {
			t.Errorf("%q.Owner() = %q, want %q", c.n, got, c.owner)
		}
		if got := c.n.Domain(); got != c.domain {
			t.Errorf("%q.Domain() = %q", c.n, got)
		}
		if got := c.n.Parent(); got != c.parent {
			t.Errorf("%q.Parent() = %q, want %q", c.n, got, c.parent)
		}
		if c.n.IsUser() != c.user || c.n.IsInbox() != c.inbox {
			t.Errorf("%q: user %v inbox %v", c.n, c.n.IsUser(), c.n.IsInbox())
		}
		if c.inbox && Inbox(c.owner) != c.n {
			t.Errorf("Inbox(%q) = %q", c.owner, Inbox(c.owner))
		}
		if got := c.n.Parts("").Name(""); got != c.n {
			t.Errorf("%q taken apart and put together: %q", c.n, got)
		}
	}
}

func TestDeletedNames(t *testing.T) {
	for _, c := range []struct {
		n, want Name
		owner   string
	}{
		{"user.alice.ToDelete", "DELETED.user.alice.ToDelete.6B042C65", "alice"},
		{"user.dave", "DELETED.user.dave.6B042C65", "dave"},
		{"other.test!user.erin.x", "other.test!DELETED.user.erin.x.6B042C65", "erin@other.test"},
		{"shared", "DELETED.shared.6B042C65", ""},
	} {
		got := c.n.Deleted("DELETED", 0x6B042C65)
		if got != c.want {
			t.Errorf("%q.Deleted = %q", c.n, got)
		}
		if at, ok := got.DeletedAt("DELETED"); !ok || at != 0x6B042C65 {
			t.Errorf("%q.DeletedAt = %x, %v", got, at, ok)
		}
		if got.Undeleted("DELETED") != c.n || got.OwnerOf("DELETED") != c.owner || got.Owner() != "" {
			t.Errorf("%q: was %q of %q", got, got.Undeleted("DELETED"), got.OwnerOf("DELETED"))
		}
		if got.IsUser() || got.IsInbox() || !got.IsDeleted("DELETED") || got.IsDeleted("GONE") {
			t.Errorf("%q is taken for a user's", got)
		}
	}
	for _, n := range []Name{"DELETED", "DELETED.user", "DELETED.6B042C65", "DELETED.user.bob", "DELETED.user.bob.6b042c65", "DELETED.x.0", "user.DELETED.x.6B042C65"} {
		if n.IsDeleted("DELETED") || n.Undeleted("DELETED") != n {
			t.Errorf("%q counts as deleted", n)
		}
		if got := n.Parts("DELETED").Name("DELETED"); got != n {
			t.Errorf("%q becomes %q", n, got)
		}
	}
}

func TestTree(t *testing.T) {
	n := Name("user.alice")
	if !n.Contains(n) || !n.Contains("user.alice.x") || n.Contains("user.alicex") || n.Below(n) {
		t.Error("Contains")
	}
	if got := Name("user.alice.a.b").Move("user.alice.a", "user.bob.z"); got != "user.bob.z.b" {
		t.Errorf("Move = %q", got)
	}
	if got := n.Child("x"); got != "user.alice.x" || got.Base() != "x" || Name("d!x").Base() != "x" {
		t.Errorf("Child = %q", got)
	}
}

// TestOrder has the order in which Cyrus keeps and lists names: children
// follow their parent.
func TestOrder(t *testing.T) {
	want := []Name{"A", "A.b", "A-b", "A^b", "a", "user.alice", "user.alice.Z", "user.alice.a", "user.alice-b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("order %q", got)
	}
}

// TestSampleNames reads every name of both samples and compares the paths
// with those of the real mbpath.
func TestSampleNames(t *testing.T) {
	for _, dir := range []string{"tools-output", "tools-output-legacy"} {
		var list map[string]struct {
			Name, Mbtype, Uniqueid, Partition string
		}
		if err := json.Unmarshal(data.Read(t, dir+"/ctl_mboxlist-d.txt"), &list); err != nil {
			t.Fatal(err)
		}
		if len(list) < 30 {
			t.Fatalf("%s: %d names", dir, len(list))
		}
		for _, e := range list {
			n := Name(e.Name)
			if FromDB(n.DBKey()) != n {
				t.Errorf("%q <- %q", FromDB(n.DBKey()), n)
			}
			if got := n.Parts("DELETED").Name("DELETED"); got != n {
				t.Errorf("%q -> %q", n, got)
			}
			r := sampleRules()
			if err := r.Valid(n); err != nil {
				t.Error(err)
			}
			admin := NewNamespace(r, "cyrus", true)
			ext, ok := admin.External(n)
			if back, err := admin.Internal(ext); !ok || err != nil || back != n {
				t.Errorf("%q -> %q -> %q, %v", n, ext, back, err)
			}
		}
	}
}

func sampleRules() Rules {
	r := DefaultRules()
	r.AltNamespace, r.Virtual, r.DefaultDomain = false, VirtualUserID, "example.com"
	return r
}

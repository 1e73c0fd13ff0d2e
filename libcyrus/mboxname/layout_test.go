package mboxname

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/test/data"
)

func TestDirHash(t *testing.T) {
	for _, c := range []struct{ s, plain, full string }{
		{"alice", "a", "L"},
		{"Alice", "a", ""},
		{"1234", "q", ""},
		{"", "q", "A"},
		{"*U*", "q", ""},
		{"first.last", "f", fullHash("first")},
		{"user", "u", "C"},
	} {
		if got := DirHash(c.s, false); got != c.plain {
			t.Errorf("DirHash(%q) = %q, want %q", c.s, got, c.plain)
		}
		if got := DirHash(c.s, true); c.full != "" && got != c.full {
			t.Errorf("full DirHash(%q) = %q, want %q", c.s, got, c.full)
		}
	}
}

func TestLayout(t *testing.T) {
	plain := Layout{ConfigDir: "/c", Partitions: map[string]string{"p": "/s"}, SieveDir: "/v", DeletedPrefix: "DELETED"}
	hashed := plain
	hashed.HashSpool = true
	for _, c := range []struct {
		l    *Layout
		n    Name
		want string
	}{
		{&plain, "user.alice", "/s/user/alice"},
		{&hashed, "user.alice", "/s/a/user/alice"},
		{&hashed, "user.first^last.a^b", "/s/f/user/first^last/a^b"},
		{&hashed, "shared", "/s/s/shared"},
		{&hashed, "DELETED.user.alice.x.6B042C65", "/s/u/DELETED/user/alice/x/6B042C65"},
		{&hashed, "other.test!user.erin", "/s/domain/o/other.test/e/user/erin"},
		{&plain, "other.test!user.erin", "/s/domain/other.test/user/erin"},
		{&hashed, "user.1", "/s/q/user/1"},
	} {
		if got, err := c.l.MailboxDir("p", c.n, "", true); err != nil || got != c.want {
			t.Errorf("MailboxDir(%q) = %q, %v; want %q", c.n, got, err, c.want)
		}
		if got, err := c.l.MailboxDir("p", c.n, "97x3pn", false); err != nil || got != "/s/uuid/9/7/97x3pn" {
			t.Errorf("MailboxDir(%q) by id = %q, %v", c.n, got, err)
		}
	}
	if _, err := plain.MailboxDir("q", "x", "abc", false); !errs.Is(err, errs.BadPartition) {
		t.Errorf("unknown partition: %v", err)
	}
	for _, id := range []string{"", "a", "../..", "a/b", "ab\x00"} {
		if _, err := plain.MailboxDir("p", "x", id, false); !errs.Is(err, errs.BadFormat) {
			t.Errorf("unique id %q: %v", id, err)
		}
	}
}

func TestMetaDir(t *testing.T) {
	l := Layout{
		Partitions:        map[string]string{"p": "/s", "q": "/q"},
		MetaPartitions:    map[string]string{"p": "/m"},
		ArchivePartitions: map[string]string{"p": "/a"},
		MetaDirs:          map[string]string{"cache-p": "/ssd"},
		MetaFiles:         map[MetaFile]bool{Header: true, Index: true},
	}
	for m, want := range map[MetaFile]string{
		Header: "/m/uuid/a/b/abc/cyrus.header", Index: "/m/uuid/a/b/abc/cyrus.index",
		Cache: "/ssd/uuid/a/b/abc/cyrus.cache", Annotations: "/s/uuid/a/b/abc/cyrus.annotations",
		ArchiveCache: "/a/uuid/a/b/abc/cyrus.cache",
	} {
		if got, err := l.MetaPath(m, "p", "x", "abc", false); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", m, got, err, want)
		}
	}
	dirs, err := l.Dirs("p", "x", "abc", false)
	if want := "/s/uuid/a/b/abc /a/uuid/a/b/abc /m/uuid/a/b/abc /ssd/uuid/a/b/abc"; err != nil || strings.Join(dirs, " ") != want {
		t.Errorf("Dirs = %q, %v", dirs, err)
	}
	if dirs, err := l.Dirs("q", "x", "abc", false); err != nil || len(dirs) != 1 {
		t.Errorf("Dirs = %q, %v", dirs, err)
	}
}

func TestUserPaths(t *testing.T) {
	l := Layout{ConfigDir: "/c", SieveDir: "/v", HashSpool: true}
	for _, c := range []struct{ got, want string }{
		{l.UserFile(SeenState, "alice", "97v3", false), "/c/user/uuid/9/7/97v3/seen.db"},
		{l.UserFile(XapianActive, "alice", "97v3", false), "/c/user/uuid/9/7/97v3/xapianactive"},
		{l.UserFile(SeenState, "alice", "97v3", true), "/c/user/a/alice.seen"},
		{l.UserFile(Subscriptions, "first.last", "", false), "/c/user/f/first.last.sub"},
		{l.UserFile(Counters, "erin@other.test", "x1", true), "/c/domain/o/other.test/user/e/erin.counters"},
		{l.UserFile(Counters, "", "", false), "/c/shared.counters"},
		{l.UserFile(SeenState, "../../etc/x", "", false), "/c/user/q/..^..^etc^x.seen"},
		{l.SharedFile(Counters, "other.test"), "/c/domain/o/other.test/shared.counters"},
		{l.UserSieveDir("alice", "97v3", false), "/v/uuid/9/7/97v3"},
		{l.UserSieveDir("alice", "97v3", true), "/v/a/alice"},
		{l.UserSieveDir("erin@other.test", "97v3", true), "/v/domain/o/other.test/e/erin"},
		{l.UserSieveDir("", "", true), "/v/global"},
		{l.LockPath(UserLock("erin@other.test")), "/c/lock/q/*U*erin@other^test.lock"},
		{l.LockPath(UserLock("")), "/c/lock/q/*U*.lock"},
		{l.LockPath("$QUOTACHANGE"), "/c/lock/q/$QUOTACHANGE.lock"},
		{l.LockPath(MailboxLock("user.x", "97v3", false)), "/c/lock/q/97v3.lock"},
		{l.LockPath(MailboxLock("dom!user.x", "97v3", true)), "/c/lock/domain/d/dom/x/user/x.lock"},
		{l.QuotaPath("user.alice.Archive"), "/c/quota/a/user.alice.Archive"},
		{l.QuotaPath("shared"), "/c/quota/s/shared"},
		{l.QuotaPath("other.test!user.erin"), "/c/domain/o/other.test/quota/e/user.erin"},
		{l.QuotaPath("other.test!"), "/c/domain/o/other.test/quota/root"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	l.LockDir, l.DeletedPrefix = "/run/lock", "DELETED"
	if got := l.LockPath(l.NamespaceLock("DELETED.user.bob.x.6B042C65")); got != "/run/lock/q/*U*bob.lock" {
		t.Errorf("namespace lock of a deleted mailbox: %s", got)
	}
}

// TestSamplePaths finds the directory of every mailbox, and every quota
// root, lock and file of a user, of two real spools.
func TestSamplePaths(t *testing.T) {
	for sample, tools := range map[string]string{data.ByID: "tools-output", data.Legacy: "tools-output-legacy"} {
		t.Run(sample, func(t *testing.T) {
			t.Parallel()
			root := data.Unpack(t, sample)
			c, err := config.Load(filepath.Join(root, "etc/imapd.conf"), "test")
			if err != nil {
				t.Fatal(err)
			}
			l, r := LayoutFrom(c), RulesFrom(c)
			var list map[string]struct {
				Name, Mbtype, Uniqueid, Partition string
			}
			if err := json.Unmarshal(data.Read(t, tools+"/ctl_mboxlist-d.txt"), &list); err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if strings.ContainsAny(e.Mbtype, "di") {
					continue
				}
				n, legacy := Name(e.Name), strings.Contains(e.Mbtype, "l")
				path, err := l.MetaPath(Header, e.Partition, n, e.Uniqueid, legacy)
				if err != nil {
					t.Error(err)
				}
				mustExist(t, path)
				if n.IsInbox() {
					mustExist(t, l.UserFile(SeenState, n.Owner(), e.Uniqueid, legacy))
				}
			}
			for _, q := range []Name{"user.alice", "user.alice.Archive", "user.bob", "user.carol", "shared", "other.test!user.erin"} {
				mustExist(t, l.QuotaPath(q))
			}
			for _, u := range []string{"alice", "first.last", "erin@other.test", ""} {
				mustExist(t, l.LockPath(UserLock(u)))
			}
			if r.DefaultDomain != "example.com" || r.Virtual != VirtualUserID || r.AltNamespace || !r.UnixHierarchySep {
				t.Errorf("rules %+v", r)
			}
		})
	}
}

func mustExist(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

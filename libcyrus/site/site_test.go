package site

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/test/data"
)

// sharedMode are the lines that choose Cyrus's own files.
const sharedMode = "mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n"

// openSample opens one of the spools that a real Cyrus has written.
func openSample(t *testing.T, sample string) *Site {
	t.Helper()
	root := data.Unpack(t, sample)
	path := filepath.Join(root, "etc/imapd.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, sharedMode...), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func samples(t *testing.T, fn func(t *testing.T, s *Site, sample string)) {
	for _, sample := range []string{data.ByID, data.Legacy} {
		t.Run(sample, func(t *testing.T) {
			t.Parallel()
			fn(t, openSample(t, sample), sample)
		})
	}
}

// suffix is that of the files that belong to a sample.
func suffix(sample string) string {
	if sample == data.Legacy {
		return "-legacy"
	}
	return ""
}

// TestSampleList compares every entry with what ctl_mboxlist -d of a real
// Cyrus says.
func TestSampleList(t *testing.T) {
	samples(t, func(t *testing.T, s *Site, sample string) {
		var want map[string]struct {
			Name, Mtime, Uidvalidity, Createdmodseq, Foldermodseq string
			Mbtype, Partition, Uniqueid                           string
			ACL                                                   map[string]string
		}
		if err := json.Unmarshal(data.Read(t, "tools-output"+suffix(sample)+"/ctl_mboxlist-d.txt"), &want); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
			w, ok := want[string(e.Name)]
			delete(want, string(e.Name))
			if !ok || e.Type != w.Mbtype || e.UniqueID != w.Uniqueid || e.Partition != w.Partition ||
				num(e.UIDValidity) != w.Uidvalidity || num(e.CreatedModseq) != w.Createdmodseq ||
				num(e.FolderModseq) != w.Foldermodseq || num(e.Mtime) != w.Mtime || len(e.ACL) != len(w.ACL) {
				t.Errorf("%s: %+v, want %+v", e.Name, e, w)
			}
			for _, a := range e.ACL {
				if w.ACL[a.ID] != a.Rights {
					t.Errorf("%s: %s has %s, want %s", e.Name, a.ID, a.Rights, w.ACL[a.ID])
				}
			}
			if e.Exists() {
				if byID, err := s.List.LookupID(ctx, e.UniqueID); err != nil || byID.Name != e.Name {
					t.Errorf("%s by its id: %+v, %v", e.Name, byID, err)
				}
			}
			return true, nil
		})
		if err != nil || len(want) > 0 {
			t.Errorf("%v; missing %v", err, want)
		}
	})
}

func num[T int64 | uint64 | uint32](n T) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// answers is what the real server answered to one user, as lines.
type answers struct {
	List, Lsub []string
	Mailboxes  map[string]struct{ Getacl, Myrights, Quotaroot lines }
}

// lines is untagged responses; an error is a text instead, and counts as
// none.
type lines []string

func (l *lines) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(l))
	}
	return nil
}

// TestSampleUsers compares LIST, LSUB, rights and quota roots with the
// answers of the real server.
func TestSampleUsers(t *testing.T) {
	samples(t, func(t *testing.T, s *Site, sample string) {
		var want struct{ Users map[string]json.RawMessage }
		if err := json.Unmarshal(data.Read(t, "expected"+suffix(sample)+".json"), &want); err != nil {
			t.Fatal(err)
		}
		if len(want.Users) < 5 {
			t.Fatal("users are missing")
		}
		for user, raw := range want.Users {
			var a answers
			if err := json.Unmarshal(raw, &a); err != nil {
				t.Fatal(err)
			}
			who := mboxlist.Actor{Identity: acl.Identity{User: s.Names.UserID(user), Admin: user == "cyrus"}}
			ns := s.Namespace(user, who.Admin)
			opts := mboxlist.ListOptions{Patterns: []mboxname.Matcher{ns.NewMatcher("*")}}
			compareList(t, s, who, ns, opts, user+" LIST", a.List)
			opts.Subscribed = true
			compareList(t, s, who, ns, opts, user+" LSUB", a.Lsub)
			for ext, m := range a.Mailboxes {
				compareMailbox(t, s, who, ns, ext, m.Myrights, m.Getacl, m.Quotaroot)
			}
		}
	})
}

// quoted writes a name as Cyrus does in most answers.
func quoted(s string) string {
	if strings.ContainsAny(s, " *%()\"\\{") {
		return `"` + s + `"`
	}
	return s
}

// compareMailbox compares rights, access control list and quota roots.
func compareMailbox(t *testing.T, s *Site, who mboxlist.Actor, ns *mboxname.Namespace, ext string, myrights, getacl, quotaroot []string) {
	t.Helper()
	ctx := context.Background()
	n, err := ns.Internal(ext)
	if err != nil {
		t.Error(err)
		return
	}
	e, err := s.List.Need(ctx, who, n, acl.Lookup)
	if err != nil {
		t.Errorf("%s %s: %v", who.User, ext, err)
		return
	}
	rights := "* MYRIGHTS " + quoted(ext) + " " + s.Rights.Format(s.List.Rights(who, e))
	if len(myrights) != 1 || myrights[0] != rights {
		t.Errorf("%s: %q, want %q", who.User, rights, myrights)
	}
	if len(getacl) == 1 {
		line := "* ACL " + quoted(ext)
		for _, a := range e.ACL {
			line += " " + a.ID + " " + a.Rights
		}
		if line != getacl[0] {
			t.Errorf("%s: %q, want %q", who.User, line, getacl[0])
		}
	}
	if len(quotaroot) > 0 {
		compareQuota(t, s, ns, n, ext, quotaroot)
	}
}

func compareQuota(t *testing.T, s *Site, ns *mboxname.Namespace, n mboxname.Name, ext string, want []string) {
	t.Helper()
	ctx := context.Background()
	root, err := s.Quota.FindRoot(ctx, n)
	got := []string{"* QUOTAROOT " + quoted(ext)}
	if root != "" {
		got[0] += " " + quoted(ns.ExternalOr(root))
		r, err := s.Quota.Get(ctx, root)
		if err != nil {
			t.Error(err)
			return
		}
		var parts []string
		for res := range quota.Resource(quota.Resources) {
			if r.Limit[res] != quota.Unlimited {
				parts = append(parts, fmt.Sprintf("%s %d %d", res, r.Used[res]/res.Unit(), r.Limit[res]))
			}
		}
		got = append(got, "* QUOTA "+quoted(ns.ExternalOr(root))+" ("+strings.Join(parts, " ")+")")
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: got %q, want %q", err, got, want)
	}
}

// compareList compares the lines, in order.
func compareList(t *testing.T, s *Site, who mboxlist.Actor, ns *mboxname.Namespace, o mboxlist.ListOptions, what string, want []string) {
	t.Helper()
	var got []string
	err := s.List.Each(context.Background(), who, ns, o, func(l mboxlist.Listed) error {
		switch {
		case l.Entry == nil:
			return nil
		case o.Subscribed && l.ChildSubscribed:
			got = append(got, `* LSUB (\HasChildren) "/" `+quoted(l.External))
		case o.Subscribed:
			got = append(got, `* LSUB () "/" `+quoted(l.External))
		default:
			flags := `\HasNoChildren`
			if l.HasChildren {
				flags = `\HasChildren`
			}
			if l.Name.Owner() == who.User {
				uses, err := s.List.SpecialUses(context.Background(), l.Entry)
				if err != nil {
					return err
				}
				flags = strings.Join(append([]string{flags}, uses...), " ")
			}
			got = append(got, "* LIST ("+flags+`) "/" `+quoted(l.External))
		}
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %v\ngot  %q\nwant %q", what, err, got, want)
	}
}

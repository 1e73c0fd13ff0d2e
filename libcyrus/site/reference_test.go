//go:build reference

package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/test/data"
)

// cyrus runs a tool of the real Cyrus as its user and returns what it says.
func cyrus(t *testing.T, s *Site, tool string, args ...string) string {
	t.Helper()
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	root := filepath.Dir(s.Layout.ConfigDir)
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/lib/cyrus/bin/"+tool, append([]string{"-C", s.Config.Path()}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v\n%s", tool, args, err, errOut.String())
	}
	return out.String()
}

// changeSite changes a real spool in every way that the list can.
func changeSite(t *testing.T, s *Site) {
	t.Helper()
	ctx := context.Background()
	alice := mboxlist.Actor{Identity: acl.Identity{User: "alice"}}
	admin := mboxlist.Actor{Identity: acl.Identity{User: "cyrus", Admin: true}}
	l := s.List
	create := func(who mboxlist.Actor, n mboxname.Name) error {
		_, err := l.Create(ctx, who, n, mboxlist.CreateOptions{})
		return err
	}
	limit := quota.NoLimits()
	limit[quota.Storage] = 5000
	for i, err := range []error{
		create(alice, "user.alice.deep.er.still"),
		create(alice, "user.alice.ToDelete"), // a tombstone's name
		create(admin, "user.newone"),
		create(admin, "other.test!user.newone.x"),
		create(admin, "other.test!user.newone"),
		create(admin, "other.test!user.newone.x"),
		l.Rename(ctx, alice, "user.alice.Projects", "user.alice.Pro", mboxlist.RenameOptions{}),
		l.Rename(ctx, alice, "user.alice.deep", "user.alice.Pro.deep", mboxlist.RenameOptions{}),
		l.Delete(ctx, alice, "user.alice.Empty", mboxlist.DeleteOptions{}),
		l.Delete(ctx, alice, "user.alice.Filed", mboxlist.DeleteOptions{Immediate: true}),
		l.SetACL(ctx, alice, "user.alice.Pro", "carol", "lrswi"),
		l.SetACL(ctx, alice, "user.alice.Pro", "-bob", "w"),
		l.SetQuota(ctx, admin, "user.alice.Pro", limit, false),
		l.SetQuota(ctx, admin, "user.newone", limit, false),
		l.Rename(ctx, admin, "second", "second", mboxlist.RenameOptions{Partition: "default"}),
		l.Rename(ctx, admin, "user.bob", "user.bob", mboxlist.RenameOptions{Partition: "second"}),
		l.Subscribe(ctx, alice, "user.alice.Pro.deep.er"),
		s.Seen.Set(ctx, "bob", "4ud6hgwusp3cdrnqak4aih0u", seen.State{LastRead: 5, LastUID: 3, Seen: seen.UIDs{{First: 1, Last: 2}}}),
		l.SetACL(ctx, admin, "user.carol", "cyrus", "x"),
		l.Delete(ctx, admin, "user.carol", mboxlist.DeleteOptions{}),
	} {
		if err != nil && i != 3 {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if _, err := s.Annot.Set(ctx, annot.Scope{}, annot.Key{Entry: annot.Comment}, []byte("ours")); err != nil {
		t.Error(err)
	}
}

// TestRealCyrusAgrees changes a real spool and lets real tools read it.
func TestRealCyrusAgrees(t *testing.T) {
	for _, sample := range []string{data.ByID, data.Legacy} {
		t.Run(sample, func(t *testing.T) {
			s := openSample(t, sample)
			before := cyrus(t, s, "reconstruct", "-n", "*")
			changeSite(t, s)
			for _, db := range []string{"mailboxes.db", "annotations.db", "deliver.db"} {
				if out := cyrus(t, s, "cyr_dbtool", "-n", s.Layout.ConfigDir+"/"+db, "twoskip", "consistent"); !strings.Contains(out, "Yes, consistent") {
					t.Errorf("%s: %s", db, out)
				}
			}
			compareDump(t, s)
			comparePaths(t, s)
			used := cyrus(t, s, "quota")
			cyrus(t, s, "quota", "-f")
			if again := cyrus(t, s, "quota"); again != used {
				t.Errorf("quota -f changed what we had counted:\n%s\n%s", used, again)
			}
			if after := cyrus(t, s, "reconstruct", "-n", "*"); news(before, after) != "" {
				t.Errorf("reconstruct -n: %s", news(before, after))
			}
		})
	}
}

// news is the lines of after that are not in before, also not about the
// name that a deleted mailbox had; lines without a complaint do not count.
func news(before, after string) string {
	known := map[string]bool{}
	for line := range strings.Lines(before) {
		known[line] = true
	}
	var out []string
	deleted := regexp.MustCompile(`DELETED\.(\S+?)\.[0-9A-F]{8}\b`)
	for line := range strings.Lines(after) {
		if !known[line] && !known[deleted.ReplaceAllString(line, "$1")] && strings.ContainsAny(line, ":!") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// compareDump compares the list with what ctl_mboxlist -d makes of it.
func compareDump(t *testing.T, s *Site) {
	t.Helper()
	var dump map[string]struct {
		Mbtype, Partition, Uniqueid, Uidvalidity, Foldermodseq string
		ACL                                                    map[string]string
	}
	if err := json.Unmarshal([]byte(cyrus(t, s, "ctl_mboxlist", "-d")), &dump); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := s.List.Scan(context.Background(), "", func(e *mboxlist.Entry) (bool, error) {
		n++
		d, ok := dump[string(e.Name)]
		if !ok || d.Mbtype != e.Type || d.Partition != e.Partition || d.Uniqueid != e.UniqueID ||
			d.Uidvalidity != num(e.UIDValidity) || d.Foldermodseq != num(e.FolderModseq) || len(d.ACL) != len(e.ACL) {
			t.Errorf("%s: %+v, Cyrus says %+v", e.Name, e, d)
		}
		return true, nil
	})
	if err != nil || n != len(dump) {
		t.Errorf("%d entries, Cyrus has %d, %v", n, len(dump), err)
	}
}

// comparePaths compares the directories with what mbpath says.
func comparePaths(t *testing.T, s *Site) {
	t.Helper()
	ns := s.Namespace("cyrus", true)
	err := s.List.Scan(context.Background(), "", func(e *mboxlist.Entry) (bool, error) {
		if !e.Exists() {
			return true, nil
		}
		dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
		if err != nil {
			return false, err
		}
		if got := strings.TrimSpace(cyrus(t, s, "mbpath", ns.ExternalOr(e.Name))); got != dir {
			t.Errorf("%s: %s, Cyrus says %s", e.Name, dir, got)
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

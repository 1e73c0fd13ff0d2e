package mboxlist_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/site"
)

// TestDialogs repeats what was said to a real server, and compares each
// answer. A line of testdata/*.txt is who says what; the indented lines
// behind it are the real answer.
func TestDialogs(t *testing.T) {
	for file, conf := range map[string]string{
		"delayed.txt":   "",
		"immediate.txt": "delete_mode: immediate\nallowusermoves: yes\n",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			s := openOn(t, newDisk(t), conf)
			defer s.Close()
			for i := 1; i <= 8; i++ {
				create(t, s, admin, mboxname.Inbox(fmt.Sprintf("user%d", i)))
			}
			var want []string
			said := ""
			check := func() {
				if said == "" || strings.HasPrefix(said, "#") {
					return
				}
				if ours, ok := differs[said]; ok {
					want = ours
				}
				if got := answer(t, s, said); !slices.Equal(got, want) {
					t.Errorf("%s:\ngot  %q\nwant %q", said, got, want)
				}
			}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(line, "  ") {
					want = append(want, line[2:])
					continue
				}
				check()
				said, want = line, nil
			}
			check()
		})
	}
}

// differs is what we answer otherwise than Cyrus, on purpose.
var differs = map[string][]string{
	// "nosuch" is no time, so that this is no name of a deleted mailbox;
	// Cyrus takes it for user/newuser.
	"cyrus DELETE DELETED/user/newuser/nosuch": {"NO Mailbox does not exist"},
	// Cyrus leaves the mailbox with the quota root of its old name.
	"user6 GETQUOTAROOT INBOX/out": {"* QUOTAROOT INBOX/out INBOX", "* QUOTA INBOX (STORAGE 0 2000)", "OK Completed"},
}

var words = regexp.MustCompile(`"([^"]*)"|\(([^)]*\)?)\)|(\S+)`)

// answer does one command and words the result as the real server.
func answer(t *testing.T, s *site.Site, line string) []string {
	t.Helper()
	var w []string
	for _, m := range words.FindAllStringSubmatch(line, -1) {
		w = append(w, m[1]+m[2]+m[3])
	}
	d := &dialog{t: t, s: s, who: user(w[0])}
	if w[0] == "cyrus" {
		d.who = admin
	}
	d.ns = s.Namespace(d.who.User, d.who.Admin)
	err := d.command(w[1], w[2:])
	reply := tagged(err)
	switch {
	case w[1] == "CREATE" && (errors.Is(err, mboxlist.ErrUseTaken) || errors.Is(err, mboxlist.ErrUseUnknown)):
		reply = strings.Replace(reply, "NO ", "NO [USEATTR] ", 1)
	case w[1] == "SUBSCRIBE" && err != nil:
		reply = strings.Replace(reply, "NO ", "NO Subscribe: ", 1)
	case w[1] == "APPEND":
		reply, _, _ = strings.Cut(reply, " ")
	}
	return append(d.lines, reply)
}

// tagged words an error as imapd does.
func tagged(err error) string {
	switch {
	case err == nil:
		return "OK Completed"
	case errors.Is(err, mboxlist.ErrUseTaken):
		return "NO SPECIAL-USE flag conflict"
	case errors.Is(err, mboxlist.ErrUseUnknown):
		return "NO Invalid annotation entry"
	case errors.Is(err, mboxlist.ErrMoveAndRename):
		return "NO " + mboxlist.ErrMoveAndRename.Error()
	case errs.Is(err, errs.HasChildren):
		return "NO [HASCHILDREN] Mailbox has inferior hierarchical names"
	case errs.Is(err, errs.BadRights):
		return "BAD " + errors.Unwrap(err).Error()
	}
	return "NO " + errs.KindOf(err).String()
}

type dialog struct {
	t     *testing.T
	s     *site.Site
	who   mboxlist.Actor
	ns    *mboxname.Namespace
	lines []string
}

func (d *dialog) say(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *dialog) command(name string, w []string) error {
	l := d.s.List
	n, err := d.ns.Internal(w[0])
	if err != nil && name != "LIST" {
		return err
	}
	switch name {
	case "CREATE":
		_, err = l.Create(ctx, d.who, n, createOptions(w[1:]))
	case "DELETE":
		err = l.Delete(ctx, d.who, n, mboxlist.DeleteOptions{})
	case "RENAME":
		err = d.rename(n, w)
	case "SUBSCRIBE":
		err = l.Subscribe(ctx, d.who, n)
	case "UNSUBSCRIBE":
		err = l.Unsubscribe(ctx, d.who, n)
	case "SETACL":
		err = l.SetACL(ctx, d.who, n, w[1], w[2])
	case "DELETEACL":
		err = l.SetACL(ctx, d.who, n, w[1], "")
	case "LIST":
		for _, item := range list(d.t, d.s, d.who, w[1]) {
			name := regexp.MustCompile("/6B[0-9A-F]{6}$").ReplaceAllString(item[1], "/TIME")
			d.say(`* LIST (%s) "/" %s`, item[0], quote(name))
		}
		return nil
	case "GETACL", "MYRIGHTS", "LISTRIGHTS":
		err = d.rights(name, n, w)
	case "SETQUOTA":
		err = l.SetQuota(ctx, d.who, n, limits(w[1]), false)
	case "GETQUOTA":
		err = d.getQuota(n, w[0])
	case "GETQUOTAROOT":
		err = d.getQuotaRoot(n, w[0])
	case "APPEND":
		return d.append(n)
	default:
		d.t.Fatalf("no command %s", name)
	}
	return err
}

func createOptions(w []string) (o mboxlist.CreateOptions) {
	if len(w) == 0 {
		return o
	}
	if uses, ok := strings.CutPrefix(w[0], "USE ("); ok {
		o.SpecialUse = strings.Fields(strings.TrimSuffix(uses, ")"))
		return o
	}
	o.Partition = w[0]
	return o
}

func (d *dialog) rename(n mboxname.Name, w []string) error {
	to, err := d.ns.Internal(w[1])
	if err != nil {
		return err
	}
	o := mboxlist.RenameOptions{Moved: func(from, to mboxname.Name) {
		d.say("* OK rename %s %s", d.ns.ExternalOr(from), d.ns.ExternalOr(to))
	}}
	if len(w) > 2 {
		o.Partition = w[2]
	}
	return d.s.List.Rename(ctx, d.who, n, to, o)
}

func (d *dialog) rights(name string, n mboxname.Name, w []string) error {
	var e *mboxlist.Entry
	var err error
	if name == "MYRIGHTS" {
		e, err = d.s.List.NeedAny(ctx, d.who, n, ^acl.None)
	} else {
		e, err = d.s.List.Need(ctx, d.who, n, acl.Admin)
	}
	if err != nil {
		return err
	}
	switch name {
	case "MYRIGHTS":
		d.say("* MYRIGHTS %s %s", quote(w[0]), d.s.Rights.Format(d.s.List.Rights(d.who, e)))
	case "GETACL":
		line := "* ACL " + quote(w[0])
		for _, a := range e.ACL {
			line += " " + quote(a.ID) + " " + a.Rights
		}
		d.say("%s", line)
	case "LISTRIGHTS":
		required, optional, err := d.s.List.ListRights(ctx, d.who, n, w[1], true)
		if err != nil {
			return err
		}
		if required == "" {
			required = `""`
		}
		d.say("* LISTRIGHTS %s %s %s %s", quote(w[0]), w[1], required, strings.Join(optional, " "))
	}
	return nil
}

func quote(s string) string {
	if strings.Contains(s, " ") {
		return `"` + s + `"`
	}
	return s
}

func limits(words string) quota.Limits {
	l := quota.NoLimits()
	f := strings.Fields(words)
	for i := 0; i+1 < len(f); i += 2 {
		r, _ := quota.ByName(f[i])
		fmt.Sscan(f[i+1], &l[r])
	}
	return l
}

func (d *dialog) getQuota(root mboxname.Name, ext string) error {
	if !d.who.Admin {
		return errs.New(errs.Denied, "test", "", nil)
	}
	return d.showQuota(root, ext)
}

func (d *dialog) showQuota(root mboxname.Name, ext string) error {
	r, err := d.s.Quota.Get(ctx, root)
	if err != nil {
		return err
	}
	var parts []string
	for res := range quota.Resource(quota.Resources) {
		if r.Limit[res] >= 0 {
			parts = append(parts, fmt.Sprintf("%s %d %d", res, r.Used[res]/res.Unit(), r.Limit[res]))
		}
	}
	d.say("* QUOTA %s (%s)", quote(ext), strings.Join(parts, " "))
	return nil
}

func (d *dialog) getQuotaRoot(n mboxname.Name, ext string) error {
	e, err := d.s.List.Need(ctx, d.who, n, acl.Lookup)
	if err != nil {
		return err
	}
	box, err := d.s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	root := box.QuotaRoot()
	box.Close()
	if root == "" {
		d.say("* QUOTAROOT %s", quote(ext))
		return nil
	}
	d.say("* QUOTAROOT %s %s", quote(ext), d.ns.ExternalOr(root))
	return d.showQuota(root, d.ns.ExternalOr(root))
}

// append puts a mail of 20 octets into a mailbox.
func (d *dialog) append(n mboxname.Name) error {
	e, err := d.s.List.Need(ctx, d.who, n, acl.Insert)
	if err != nil {
		return err
	}
	st, err := d.s.Store.Stage(e.Partition)
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte("Subject: x\r\n\r\nbody\r\n")); err != nil {
		return err
	}
	_, err = d.s.Store.Append(ctx, e.Ref(), []mailbox.AppendMessage{{Staged: st}}, mailbox.AppendOptions{})
	if err == nil {
		return nil
	}
	return err
}

package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"

	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/userdeny"
)

// damages is what is done to a file. other is the same file of somebody else.
var damages = map[string]func(b, other []byte) []byte{
	"removed":   nil,
	"empty":     func(b, _ []byte) []byte { return []byte{} },
	"cut":       func(b, _ []byte) []byte { return b[:len(b)*2/3] },
	"cut short": func(b, _ []byte) []byte { return b[:min(len(b), 10)] },
	"zeroed":    func(b, _ []byte) []byte { return make([]byte, len(b)) },
	"noise": func(b, _ []byte) []byte {
		x := uint32(2463534242)
		for i := range b {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b[i] = byte(x)
		}
		return b
	},
	"a hole": func(b, _ []byte) []byte {
		clear(b[len(b)/2 : min(len(b), len(b)/2+64)])
		return b
	},
	"a bit": func(b, _ []byte) []byte {
		b[len(b)/2] ^= 0x40
		return b
	},
	"tail of ones": func(b, _ []byte) []byte {
		for i := len(b) - min(len(b), 40); i < len(b); i++ {
			b[i] = 0xff
		}
		return b
	},
	"later version": func(b, _ []byte) []byte {
		for _, off := range []int{11, 23} { // index; twoskip
			if off < len(b) {
				b[off] += 2
			}
		}
		return b
	},
	"another's": func(_, other []byte) []byte { return other },
}

// table is a site on a disk in memory, with two users that have the same, but
// not quite.
type table struct {
	*testing.T
	fs  *disk.Mem
	s   *Site
	log *bytes.Buffer
}

func (d *table) open() error {
	c, err := config.Parse("imapd.conf", good+"hashimapspool: yes\n", "test")
	if err != nil {
		d.Fatal(err)
	}
	d.log = &bytes.Buffer{}
	d.s, err = OpenOn(d.fs, c, slog.New(slog.NewTextHandler(d.log, nil)))
	return err
}

func (d *table) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *table) text(user string, n int) string {
	return fmt.Sprintf("From: %s@example.org\r\nMessage-ID: <%s-%d>\r\nSubject: message %d\r\n\r\nbody of %s %s\r\n", user, user, n, n, user, strings.Repeat("x", n))
}

// add appends a message.
func (d *table) add(e *mboxlist.Entry, user string, n int) error {
	st, err := d.s.Store.Stage(e.Partition)
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(d.text(user, n))); err != nil {
		return err
	}
	_, err = d.s.Store.Append(context.Background(), e.Ref(), []mailbox.AppendMessage{{Staged: st, InternalDate: time.Unix(1e9+int64(n), 0)}}, mailbox.AppendOptions{})
	return err
}

// fill makes the two users.
func newTable(t *testing.T) *table {
	d := &table{T: t, fs: newMem(t)}
	d.must(d.open())
	ctx := context.Background()
	who := mboxlist.Actor{}
	who.Admin = true
	for i, user := range []string{"ann", "bea"} {
		inbox := d.s.Names.Inbox(user)
		e, err := d.s.List.Create(ctx, who, inbox, mboxlist.CreateOptions{})
		d.must(err)
		limits := quota.NoLimits()
		limits[quota.Storage] = 1000
		d.must(d.s.List.SetQuota(ctx, who, inbox, limits, false))
		for n := range 6 + i {
			d.must(d.add(e, user, n))
		}
		m, err := d.s.Store.Open(ctx, e.Ref(), mailbox.Write)
		d.must(err)
		r, err := m.Record(2)
		d.must(err)
		flag, err := m.AddFlag("kw"+user, mailbox.ClientUserFlags)
		d.must(err)
		r.User.Set(flag)
		r.Flags |= mailbox.Seen | mailbox.Flagged
		d.must(m.Rewrite(&r))
		r3, err := m.Record(3)
		d.must(err)
		d.must(m.AnnotateMessage(ctx, &r3, []annot.Change{{Key: annot.Key{Entry: "/comment"}, Value: []byte("of " + user), Allowed: true}}))
		d.must(m.Commit(ctx))
		m.Close()
		_, err = d.s.Subs.Add(ctx, user, inbox)
		d.must(err)
		d.must(d.s.Seen.Set(ctx, user, "0123456789", seen.State{LastUID: 3, Seen: seen.UIDs{}.Add(1, 3)}))
		_, err = d.s.Annot.Set(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: user}, annot.Key{Entry: "/comment"}, []byte("mailbox of "+user))
		d.must(err)
		d.must(d.s.UserDeny.Set(ctx, "nobody"+user, userdeny.Entry{Services: "imap", Message: "no"}))
		d.must(d.s.Duplicate.Mark(ctx, duplicate.Key{ID: "<x>", To: user, Date: "today"}, duplicate.Mark{Time: time.Unix(1e9, 0), UID: 1}))
	}
	d.must(d.s.Close())
	return d
}

// files is the files of a user, and those of the site, by what they are.
func (d *table) files(e *mboxlist.Entry, user string) map[string]string {
	dir, err := d.s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	d.must(err)
	subs, err := d.s.Subs.Path(context.Background(), user)
	d.must(err)
	seen, err := d.s.Seen.Path(context.Background(), user)
	d.must(err)
	return map[string]string{
		"header": dir + "/cyrus.header", "index": dir + "/cyrus.index", "cache": dir + "/cyrus.cache",
		"annotations": dir + "/cyrus.annotations", "message": dir + "/4.",
		"subscriptions": subs, "seen": seen, "quota": d.s.Layout.QuotaPath(e.Name),
		"mailboxes.db": "/conf/mailboxes.db", "annotations.db": "/conf/annotations.db",
		"deliver.db": "/conf/deliver.db", "user_deny.db": "/conf/user_deny.db", "statuscache.db": "/conf/statuscache.db",
	}
}

// session does what a client and an MTA make a server do. Each thing may
// fail, but it has to say why.
func (d *table) session(user string) map[string]error {
	ctx := context.Background()
	got := map[string]error{}
	inbox := d.s.Names.Inbox(user)
	e, err := d.s.List.Lookup(ctx, inbox)
	got["list"] = err
	if err != nil {
		return got
	}
	m, err := d.s.Store.Open(ctx, e.Ref(), mailbox.Read)
	got["select"] = err
	if err == nil {
		var buf mailbox.CacheBuffer
		err := m.Each(1, func(r *mailbox.Record) bool {
			if _, err := m.Cache(r, &buf); err != nil {
				got["fetch"] = err
			}
			if f, err := m.OpenMessage(r); err != nil {
				got["fetch body"] = err
			} else {
				f.Close()
			}
			return true
		})
		got["each"] = err
		buf.Free()
		m.Close()
	}
	m, err = d.s.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err == nil {
		if r, ok, err := m.FindUID(2, 0); err == nil && ok {
			r.Flags |= mailbox.Answered
			if err = m.Rewrite(&r); err == nil {
				err = m.Commit(ctx)
			}
			got["store"] = err
		}
		m.Close()
	}
	got["append"] = d.add(e, user, 50)
	_, got["lsub"] = d.s.Subs.List(ctx, user)
	_, got["subscribe"] = d.s.Subs.Add(ctx, user, inbox)
	_, got["seen"] = d.s.Seen.Get(ctx, user, "0123456789")
	_, got["quota"] = d.s.Quota.Get(ctx, inbox)
	_, _, got["getmetadata"] = d.s.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: user}, annot.Key{Entry: "/comment"})
	_, _, got["deny"] = d.s.UserDeny.Denied(ctx, user, "imap")
	_, _, got["duplicate"] = d.s.Duplicate.Check(ctx, duplicate.Key{ID: "<x>", To: user, Date: "today"})
	return got
}

// telling is the kinds of failure that say what is the matter.
var telling = []errs.Kind{errs.BadFormat, errs.IO, errs.NotFound, errs.Unavailable, errs.QuotaNotFound}

// TestDamageTable damages each file of a site in each way. Nothing panics,
// whoever is not concerned is served, what fails says with which file, and
// after reconstruct all messages are there again.
func TestDamageTable(t *testing.T) {
	d := newTable(t)
	d.must(d.open())
	ctx := context.Background()
	e, err := d.s.List.Lookup(ctx, "user.ann")
	d.must(err)
	other, err := d.s.List.Lookup(ctx, "user.bea")
	d.must(err)
	files, others := d.files(e, "ann"), d.files(other, "bea")
	d.must(d.s.Close())
	for _, file := range slices.Sorted(maps.Keys(files)) {
		for _, how := range slices.Sorted(maps.Keys(damages)) {
			t.Run(file+" "+how, func(t *testing.T) {
				t.Parallel()
				d := &table{T: t, fs: d.fs.Crash(1)}
				d.damage(files[file], others[file], damages[how])
				d.check(e, file, strings.HasSuffix(file, ".db"))
			})
		}
	}
}

func (d *table) damage(file, other string, change func(b, other []byte) []byte) {
	d.Helper()
	b, err := disk.ReadFile(d.fs, file)
	if errors.Is(err, errNotExist) {
		return // nobody has made it yet
	}
	d.must(err)
	if change == nil {
		d.must(d.fs.Remove(file))
		return
	}
	foreign, err := disk.ReadFile(d.fs, other)
	d.must(err)
	d.must(disk.ReplaceSync(d.fs, file, change(bytes.Clone(b), bytes.Clone(foreign)), 0o600))
}

// check serves both users, repairs, and serves again.
func (d *table) check(e *mboxlist.Entry, file string, ofAll bool) {
	ctx := context.Background()
	if err := d.open(); err != nil {
		var ce *config.Error
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), "/conf/"+file) {
			d.Fatalf("open: %v", err)
		}
		d.relist()
		d.must(d.open())
	}
	defer func() { d.must(d.s.Close()) }()
	for user, concerned := range map[string]bool{"bea": ofAll, "ann": true} {
		for what, err := range d.session(user) {
			switch {
			case err == nil:
			case !concerned:
				d.Errorf("%s of another user: %v", what, err)
			case !slices.Contains(telling, errs.KindOf(err)):
				d.Errorf("%s: %v (%s)", what, err, errs.KindOf(err))
			case errs.KindOf(err) == errs.BadFormat && !strings.Contains(err.Error(), path.Base(file)) && !strings.Contains(err.Error(), "/"):
				d.Errorf("%s does not name the file: %v", what, err)
			}
		}
	}
	if file == "mailboxes.db" {
		if err := d.s.List.Sound(ctx); err != nil {
			d.must(d.s.Close())
			d.relist()
			d.must(d.open())
		}
	}
	d.reconstructed(e, file)
}

// relist makes the mailbox list anew.
func (d *table) relist() {
	d.Helper()
	c, err := config.Parse("imapd.conf", good+"hashimapspool: yes\n", "test")
	d.must(err)
	r, err := Relist(context.Background(), d.fs, c, slog.New(slog.DiscardHandler), false)
	d.must(err)
	if len(r.Found)+len(r.Kept) < 2 || len(r.Rest) > 0 {
		d.Errorf("relist: %+v", r)
	}
}

// reconstructed checks that everything of the mailbox is there after a
// reconstruct. Of a damaged message only that it is told.
func (d *table) reconstructed(e *mboxlist.Entry, file string) {
	ctx := context.Background()
	var said []string
	e, err := d.s.List.Lookup(ctx, e.Name)
	d.must(err)
	o := mailbox.ReconstructOptions{
		ACL: e.ACL.String(), UIDValidity: e.UIDValidity, CreatedModseq: e.CreatedModseq, FolderModseq: e.FolderModseq,
		QuotaRoot: "user.ann", Contents: true, Say: func(l string) { said = append(said, l) },
		Keywords: func() []string { return []string{"kwbea", "kwann", "other"} },
	}
	_, err = d.s.Store.Reconstruct(ctx, e.Ref(), o)
	if err != nil {
		if file == "index" && strings.Contains(err.Error(), "newer program") {
			return // it is not ours to judge
		}
		d.Fatalf("reconstruct: %v\n%s", err, strings.Join(said, "\n"))
	}
	m, err := d.s.Store.Open(ctx, e.Ref(), mailbox.Read)
	d.must(err)
	defer m.Close()
	texts := map[string]bool{}
	d.must(m.Each(1, func(r *mailbox.Record) bool {
		if f, err := m.OpenMessage(r); err == nil {
			b := make([]byte, r.Size)
			f.ReadAt(b, 0)
			f.Close()
			texts[string(b)] = true
		}
		if r.UID == 2 && file == "header" {
			if names := m.Flags(); !r.User.Any() || !slices.Contains(names, "kwann") || r.Flags&mailbox.Flagged == 0 {
				d.Errorf("flags of uid 2: %v, names %q", r.Flags, names)
			}
		}
		return true
	}))
	for n := range 6 {
		if n == 3 && file == "message" {
			continue
		}
		if !texts[d.text("ann", n)] {
			d.Errorf("message %d is lost: %s", n, strings.Join(said, "\n"))
		}
	}
	if m.Header().UIDValidity != e.UIDValidity || m.ACL() != e.ACL.String() {
		d.Errorf("UIDVALIDITY %d, want %d; ACL %q", m.Header().UIDValidity, e.UIDValidity, m.ACL())
	}
}

var errNotExist = fs.ErrNotExist

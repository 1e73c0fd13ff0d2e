package mailbox

import (
	"errors"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/quota"
)

// withSiteAnnotations gives e annotations of mailboxes too.
func (e *env) withSiteAnnotations() *env {
	e.Helper()
	locks := lock.NewTable(e.fs, nil)
	db, err := cyrusdb.Open(e.fs, locks, "twoskip", e.l.ConfigDir+"/annotations.db", cyrusdb.Create)
	if errors.Is(err, disk.ErrInjected) {
		e.broken = err
	} else if err != nil {
		e.Fatal(err)
	}
	e.annot = annot.New(annot.Options{DB: db, FS: e.fs, Locks: locks, Log: slog.New(slog.DiscardHandler), Kind: "twoskip"})
	e.s.o.Annotations = e.annot
	return e
}

// TestAnnotateBox changes annotations of a mailbox and of messages at once.
func TestAnnotateBox(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir()).withSiteAnnotations()
	someMail(2)(e)
	set := func(user, value string) error {
		m := e.open(inbox, Write)
		defer m.Close()
		_, err := m.AnnotateBox(ctx, []annot.Change{{Definition: &annot.Definition{}, Key: annot.Key{Entry: "/comment", User: user}, Value: []byte(value), Allowed: user != "bob"}})
		if err != nil {
			return err
		}
		return errors.Join(annotate(m, note(1, user, value)), m.Commit(ctx))
	}
	before := e.open(inbox, Read)
	first := before.Header().HighestModseq
	before.Close()
	for _, c := range []struct {
		user, value string
		used        uint64
		modseq      uint64
		ok          bool
	}{
		{"", "shared", 12, 3, true},    // one of the mailbox, two of the message
		{"", "shared", 12, 4, true},    // the message changes in any case
		{"alice", "hers", 20, 7, true}, //
		{"", "", 8, 10, true},          //
		{"bob", "", 8, 11, true},       // nothing changes that he may not
		{"bob", "x", 8, 11, false},     //
	} {
		err := set(c.user, c.value)
		m := e.open(inbox, Read)
		h := m.Header()
		rows, rerr := m.BoxAnnotations(ctx)
		m.Close()
		if (err == nil) != c.ok || rerr != nil || h.AnnotUsed != c.used || h.HighestModseq != first+c.modseq || e.quota.used["user.alice"][quota.AnnotStorage] != int64(c.used) {
			t.Errorf("%q %q: %v; %d octets, modseq %d, quota %v, %v", c.user, c.value, err, h.AnnotUsed, h.HighestModseq-first, e.quota.used, rows)
		}
		if m := e.open(inbox, Write); !mustSound(t, m) {
			t.Errorf("%q %q: not sound", c.user, c.value)
		}
	}
}

// TestAnnotateBoxFull: an annotation of the mailbox is as it was if something
// else of the change has found no room.
func TestAnnotateBoxFull(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir()).withSiteAnnotations()
	e.create(inbox)
	e.quota.full = errs.New(errs.DiskFull, "quota", "", nil)
	m := e.open(inbox, Write)
	_, err := m.AnnotateBox(ctx, []annot.Change{{Definition: &annot.Definition{}, Key: annot.Key{Entry: "/comment"}, Value: []byte("x"), Allowed: true}})
	if err == nil {
		err = m.Commit(ctx)
	}
	m.Close()
	if !errs.Is(err, errs.DiskFull) {
		t.Errorf("no room for the quota root: %v", err)
	}
	m = e.open(inbox, Write)
	if rows, err := m.BoxAnnotations(ctx); err != nil || len(rows) > 0 {
		t.Errorf("%v, %v", rows, err)
	}
	if !mustSound(t, m) {
		t.Error("not sound")
	}
}

// mustSound closes the mailbox.
func mustSound(t *testing.T, m *Mailbox) bool {
	t.Helper()
	defer m.Close()
	ok, err := m.sound(ctx)
	if err != nil {
		t.Error(err)
	}
	return ok
}

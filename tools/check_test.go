package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

// found is a message whose record is lost.
const found = "From: a@example.org\r\nSubject: found\r\n\r\nbody\r\n"

func openMem(fsys disk.FS) (*site.Site, error) {
	c, err := config.Parse("imapd.conf", "configdirectory: /conf\npartition-default: /spool\ndefaultpartition: default\nadmins: cyrus\n"+shared, "test")
	if err != nil {
		return nil, err
	}
	return site.OpenOn(fsys, c, slog.New(slog.DiscardHandler))
}

// lostMessage is a disk with a mailbox that has a message file too many.
func lostMessage(t *testing.T) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	for _, d := range []string{"/conf", "/spool"} {
		if err := m.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openMem(m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	e, err := s.List.Create(ctx, admin, "user.a", mboxlist.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.ReplaceSync(m, dir+"/9.", []byte(found), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// rebuild does what reconstruct does on a disk.
func rebuild(fsys disk.FS) error {
	s, err := openMem(fsys)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	e, err := s.List.Lookup(ctx, "user.a")
	if err != nil {
		return err
	}
	c := &boxCheck{site: s, out: io.Discard}
	f, err := c.run(ctx, e)
	if err != nil {
		return err
	}
	return c.repair(ctx, e, f)
}

// copies counts where the message is: as a message, and as a file.
func copies(t *testing.T, fsys disk.FS) (messages, files int) {
	t.Helper()
	s, err := openMem(fsys)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	e, err := s.List.Lookup(ctx, "user.a")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	messages = int(m.Header().Exists)
	m.Close()
	dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		f, err := fsys.Open(dir + "/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err == nil && bytes.Equal(b, []byte(found)) {
			files++
		}
	}
	return messages, files
}

// TestRepairFaults makes each operation of a repair fail in turn, with and
// without a power cut after it: the message is never lost.
func TestRepairFaults(t *testing.T) {
	for i := 0; ; i++ {
		m := lostMessage(t)
		err := rebuild(disk.FailAt(m, i))
		for _, d := range []*disk.Mem{m.Crash(uint64(i)), m} {
			if messages, files := copies(t, d); files == 0 {
				t.Errorf("fault %d: %v: %d messages, no file", i, err, messages)
			}
		}
		if err == nil {
			if messages, files := copies(t, m); messages != 1 || files != 1 {
				t.Errorf("no fault: %d messages, %d files", messages, files)
			}
			return
		}
		if i > 2000 {
			t.Fatal("it never ends")
		}
	}
}

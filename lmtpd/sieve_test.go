package main

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"path"
	"strings"
	"testing"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/outgoing"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/worker"
)

// Nobody listens at smtp_host.
const testConf = "configdirectory: /conf\npartition-default: /spool\ndefaultpartition: default\nsievedir: /sieve\nadmins: admin\nunixhierarchysep: yes\naltnamespace: no\n" +
	"mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\nservername: h.example\nsmtp_backend: host\nsmtp_host: 127.0.0.1:1\n"

// testServer is a server on a file system; its site is to be closed.
func testServer(t *testing.T, fsys disk.FS) (*server, error) {
	t.Helper()
	c, err := config.Parse("/imapd.conf", testConf, "test")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	st, err := site.OpenOn(fsys, c, log)
	if err != nil {
		return nil, err
	}
	return &server{env: &worker.Env{Service: "lmtp"}, conf: c, log: log, site: st, maxSize: math.MaxInt32, auth: auth.New(c, log),
		scripts: scripts.NewLibrary(st), notify: notify.NewQueue(notify.NewSender(c), log), outgoing: outgoing.NewSender(c, log)}, nil
}

// sieveUser is a file system with the user "a", his folders and his script.
func sieveUser(t *testing.T, script string) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	for _, dir := range []string{"/conf", "/spool", "/sieve"} {
		if err := m.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := testServer(t, m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	who := mboxlist.Actor{}
	who.User, who.Admin = "admin", true
	for _, n := range []mboxname.Name{"user.a", "user.a.x", "user.a.y", "user.a.full"} {
		if _, err := s.site.List.Create(t.Context(), who, n, mboxlist.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	full, err := s.site.List.Lookup(t.Context(), "user.a.full")
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.site.Store.Stage("default")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Remove()
	fmt.Fprint(st, "Subject: x\r\n\r\n")
	if _, err := s.site.Store.Append(t.Context(), full.Ref(), []mailbox.AppendMessage{{Staged: st}}, mailbox.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	limits := quota.NoLimits()
	limits[quota.Message] = 0
	if err := s.site.List.SetQuota(t.Context(), who, "user.a.full", limits, false); err != nil {
		t.Fatal(err)
	}
	u, err := scripts.Open(t.Context(), s.site, "a")
	if err == nil {
		err = u.Put(t.Context(), "main", []byte(script))
	}
	if err == nil {
		err = u.Activate(t.Context(), "main")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, at, err := s.scripts.Active(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for d := path.Dir(at); d != "/"; d = path.Dir(d) {
		if err := m.SyncDir(d); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// deliverTo delivers a message to user "a".
func deliverTo(t *testing.T, s *server) error {
	n := &session{server: s, conn: &worker.Conn{}, lhlo: "test"}
	n.mail.returnPath = "sender@example.org"
	st, err := s.site.Store.Stage("default")
	if err != nil {
		return err
	}
	defer st.Remove()
	m, err := n.newIncoming(st)
	if err != nil {
		return err
	}
	if _, err := m.Write([]byte("From: sender@example.org\r\nTo: a@h.example\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x>\r\nSubject: x\r\n\r\nbody\r\n")); err != nil {
		return err
	}
	if err := m.close(); err != nil {
		return err
	}
	if _, err := st.Parse(); err != nil {
		return err
	}
	r, err := n.findRecipient(t.Context(), "<a@h.example>", false)
	if err != nil {
		return err
	}
	return n.deliver(t.Context(), m, r)
}

// filed is what the user has got: mailboxes with the number of messages.
func filed(t *testing.T, s *server) string {
	t.Helper()
	var out []string
	err := s.site.List.User(t.Context(), "a", false, func(e *mboxlist.Entry) (bool, error) {
		if e.Kind() != mboxlist.Email {
			return true, nil
		}
		m, err := s.site.Store.Open(t.Context(), e.Ref(), mailbox.Read)
		if err != nil {
			return false, err
		}
		defer m.Close()
		n := m.Header().Exists
		if e.Name == "user.a.full" {
			n-- // what fills it
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%s=%d", e.Name, n))
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// faultScripts do several things, some of which fail; what is there in the
// end if the disk works.
var faultScripts = map[string]struct{ text, want string }{
	"two":      {`require "fileinto"; fileinto "INBOX/x"; fileinto "INBOX/y";`, "user.a.x=1 user.a.y=1"},
	"create":   {`require ["fileinto", "mailbox"]; fileinto :create "INBOX/new";`, "user.a.new=1"},
	"edit":     {`require ["fileinto", "editheader", "imap4flags"]; addheader "X-A" "b"; fileinto :flags "\\Flagged mine" "INBOX/x"; keep;`, "user.a=1 user.a.x=1"},
	"redirect": {`require ["fileinto", "copy"]; fileinto "INBOX/x"; redirect "b@example.net";`, "user.a=1 user.a.x=1"},
	"vacation": {`require ["fileinto", "vacation"]; vacation :addresses "a@h.example" "away"; fileinto "INBOX/x";`, "user.a=1"},
	"quota":    {`require "fileinto"; fileinto "INBOX/x"; fileinto "INBOX/full"; fileinto "INBOX/y";`, "user.a=1 user.a.x=1"},
	"include":  {`require ["fileinto", "include"]; fileinto "INBOX/x"; include "gone";`, "user.a=1"},
	"error":    {`require ["fileinto", "ihave"]; fileinto "INBOX/x"; error "no";`, "user.a=1"},
}

// TestSieveFails delivers through scripts of which something fails in the
// middle: the message is kept besides.
func TestSieveFails(t *testing.T) {
	t.Parallel()
	for name, c := range faultScripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := testServer(t, sieveUser(t, c.text))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := deliverTo(t, s); err != nil {
				t.Fatal(err)
			}
			if got := filed(t, s); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestSieveScriptDeleted has a script deleted while it runs, as its mail goes
// out: that run does all that the script says; the next mail has no script.
func TestSieveScriptDeleted(t *testing.T) {
	t.Parallel()
	s, err := testServer(t, sieveUser(t, `require ["fileinto", "copy"]; redirect :copy "b@example.net"; fileinto "INBOX/x";`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	deleted := make(chan error, 1)
	c, err := config.Parse("/imapd.conf", strings.Replace(testConf, "127.0.0.1:1", transport(t, func() {
		u, err := scripts.Open(t.Context(), s.site, "a")
		if err == nil {
			err = errors.Join(u.Activate(t.Context(), ""), u.Delete(t.Context(), "main"))
		}
		deleted <- err
	}), 1), "test")
	if err != nil {
		t.Fatal(err)
	}
	s.outgoing = outgoing.NewSender(c, s.log)
	for i, want := range []string{"user.a.x=1", "user.a=1 user.a.x=1"} {
		if err := deliverTo(t, s); err != nil {
			t.Fatal(err)
		}
		if got := filed(t, s); got != want {
			t.Errorf("after mail %d: %q, want %q", i+1, got, want)
		}
	}
	if err := <-deleted; err != nil {
		t.Error(err)
	}
}

// TestSieveMarks: that a script has run is remembered once, with the delivery
// where there is but one.
func TestSieveMarks(t *testing.T) {
	t.Parallel()
	for script, deliveries := range map[string]int{
		`keep;`: 1, ``: 1, `discard;`: 0, `require "fileinto"; fileinto "INBOX/x";`: 1, faultScripts["two"].text: 2,
	} {
		s, err := testServer(t, sieveUser(t, script))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := deliverTo(t, s); err != nil {
			t.Fatal(err)
		}
		kinds := map[bool]int{}
		err = s.site.Duplicate.Each(t.Context(), func(k duplicate.Key, m duplicate.Mark) error {
			ran := k == duplicate.Key{ID: "<1@x>", To: duplicate.SieveTo("a@internal"), Date: "Mon, 23 Nov 2026 10:00:00 +0000"}
			if ran == (m.UID != 0) {
				t.Errorf("%s: %+v is %+v", script, k, m)
			}
			kinds[ran]++
			return nil
		})
		if err != nil || kinds[true] != 1 || kinds[false] != deliveries {
			t.Errorf("%s: %d marks of the script, %d of deliveries, %v", script, kinds[true], kinds[false], err)
		}
	}
}

// transport takes one mail, for which it calls fn, and returns where it
// listens.
func transport(t *testing.T, fn func()) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "220 hello\r\n")
		for r := bufio.NewScanner(c); r.Scan(); {
			switch line := r.Text(); {
			case line == "DATA":
				fmt.Fprint(c, "354 go\r\n")
			case line == ".":
				fn()
				fmt.Fprint(c, "250 taken\r\n")
			case line == "QUIT" || strings.HasPrefix(line, "EHLO") || strings.HasPrefix(line, "MAIL") || strings.HasPrefix(line, "RCPT"):
				fmt.Fprint(c, "250 ok\r\n")
			}
		}
	}()
	return l.Addr().String()
}

// TestSieveFaults lets each operation on the disk fail in turn while a script
// files a message, that one alone or all from it on with a power cut. What
// was accepted is there, somewhere; what was not may come again.
func TestSieveFaults(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"two", "create", "edit"} {
		c := faultScripts[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := sieveUser(t, c.text)
			steps := 0
			for steps < 2000 && !faultAt(t, base, disk.FailFrom, steps, c.want) {
				steps++
			}
			if steps < 50 || steps == 2000 {
				t.Fatalf("%d steps", steps)
			}
			for i := range steps {
				faultAt(t, base, disk.FailAt, i, c.want)
			}
		})
	}
}

// faultAt delivers with a fault at the i'th operation; done means that all
// went well.
func faultAt(t *testing.T, base *disk.Mem, fail func(disk.FS, int) disk.FS, i int, want string) (done bool) {
	m := base.Crash(uint64(i))
	s, err := testServer(t, fail(m, i))
	if err == nil {
		err = errors.Join(deliverTo(t, s), s.Close())
	}
	again, aerr := testServer(t, m.Crash(uint64(i)))
	if aerr != nil {
		t.Fatal(aerr)
	}
	defer again.Close()
	got := filed(t, again)
	if err == nil {
		if got == "" {
			t.Errorf("fault %d: accepted, and lost", i)
		}
		return got == want
	}
	if aerr := deliverTo(t, again); aerr != nil { // as an MTA sends it
		t.Errorf("fault %d: again: %v", i, aerr)
	}
	first := got
	if got := filed(t, again); !strings.Contains(got, want) {
		t.Errorf("fault %d (%v): %q, then %q, want %q", i, err, first, got, want)
	}
	return false
}

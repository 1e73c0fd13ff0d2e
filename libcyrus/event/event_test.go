package event

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/notify"
)

// newNotifier is a notifier of a configuration, and where its events come in.
func newNotifier(t *testing.T, conf ...string) (*Notifier, func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "e") // short: a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	lines := append([]string{
		"configdirectory: " + dir, "servername: mail.example.org", "unixhierarchysep: yes", "altnamespace: yes", "event_notifier: x",
		"notifysocket: " + path,
	}, conf...)
	c, err := config.Parse("imapd.conf", strings.Join(lines, "\n")+"\n", "imap")
	if err != nil {
		t.Fatal(err)
	}
	n := New(c, slog.New(slog.DiscardHandler))
	if n != nil {
		t.Cleanup(func() { n.Close() })
		n.pid = 7
	}
	return n, func() string {
		b := make([]byte, notify.MaxSize)
		if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		k, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		m, err := notify.Parse(b[:k])
		if err != nil || m.Class != "EVENT" || m.Method != "x" || !json.Valid([]byte(m.Text)) {
			t.Fatalf("%+v, %v", m, err)
		}
		return m.Text
	}
}

var (
	noon = time.Date(2026, 11, 23, 13, 0, 0, 5e6, time.FixedZone("", 3600))
	box  = &Mailbox{Name: "user.fred.A&-B", UniqueID: "id", UIDValidity: 5, Type: "e", ACL: "fred\tlr\t", Exists: 3, Unseen: 2, UIDNext: 9}
)

func allGroups(extra string) []string {
	return []string{"event_groups: message quota flags access mailbox subscription", "event_extra_params: " + extra}
}

// TestLine: what the recordings of a real Cyrus cannot show, because it stops
// there, or because it has not got it.
func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, extra string
		e           Event
		want        string
	}{
		{"time", "timestamp", Event{Type: Login, User: "fred"},
			`{"event":"Login","timestamp":"2026-11-23T12:00:00.005Z","uri":"imap://mail.example.org","pid":7,"user":"fred","serverFQDN":"mail.example.org"}`},
		{"one limit", "service", Event{Type: QuotaExceed, User: "fred", Quota: &Quota{Root: "user.fred", Messages: true, MaxMessages: 3, MessagesThere: 3}},
			`{"event":"QuotaExceed","service":"imap","uri":"imap://mail.example.org/user/fred","maxMessages":3,"messages":3,"pid":7,"user":"fred","serverFQDN":"mail.example.org"}`},
		{"no limit", "service", Event{Type: QuotaChange, Quota: &Quota{Root: "shared", Storage: true, DiskQuota: -1, DiskUsed: 4, Messages: true, MaxMessages: -1}},
			`{"event":"QuotaChange","service":"imap","uri":"imap://mail.example.org/shared","maxMessages":-1,"messages":0,"pid":7,"user":"","serverFQDN":"mail.example.org"}`},
		{"content", "messageContent messageSize", Event{Type: MessageNew, Mailbox: box, User: "fred", UIDs: []Message{{UID: 8, Size: 9, Content: "Subject: \u00e4 \"\\/\x01\r\n\t\x7f\u2028<&"}}},
			`{"event":"MessageNew","mailboxID":"id","uri":"imap://mail.example.org/user/fred/A%26B;UIDVALIDITY=5/;UID=8","pid":7,"user":"fred","messageSize":9,"vnd.cmu.mbtype":"e","serverFQDN":"mail.example.org","vnd.cmu.mailboxACL":"fred\tlr\t","messageContent":"Subject: ä \"\\/\u0001\r\n\t` + "\x7f\u2028" + `<&"}`},
		{"content that is no text", "messageContent", Event{Type: MessageNew, Mailbox: box, UIDs: []Message{{UID: 8, Content: "\xff"}}},
			`{"event":"MessageNew","mailboxID":"id","uri":"imap://mail.example.org/user/fred/A%26B;UIDVALIDITY=5/;UID=8","pid":7,"user":"","vnd.cmu.mbtype":"e","serverFQDN":"mail.example.org","vnd.cmu.mailboxACL":"fred\tlr\t"}`},
		{"modseq of three", "modseq vnd.cmu.midset", Event{Type: MessageExpunge, Mailbox: box, UIDs: []Message{{UID: 1, Modseq: 4, ID: "<a@b>"}, {UID: 2, Modseq: 5, ID: "<A@B>"}, {UID: 4, Modseq: 6}}},
			`{"event":"MessageExpunge","mailboxID":"id","uri":"imap://mail.example.org/user/fred/A%26B;UIDVALIDITY=5","uidset":"1:2,4","vnd.cmu.midset":["<a@b>","NIL"],"pid":7,"user":"","vnd.cmu.mbtype":"e","serverFQDN":"mail.example.org","vnd.cmu.mailboxACL":"fred\tlr\t"}`},
		{"conversations", "vnd.fastmail.convExists vnd.fastmail.convUnseen vnd.fastmail.cid vnd.cmu.emailid vnd.cmu.threadid vnd.fastmail.counters",
			Event{Type: MessageAppend, Mailbox: box, UIDs: []Message{{UID: 8, CID: 0xabc, GUID: [20]byte{1, 2, 3}}}, Conv: &Conversations{Exists: 3, Unseen: 1, Counters: slices.Repeat([]uint64{6}, 35), UIDValidity: 77}},
			`{"event":"MessageAppend","mailboxID":"id","uri":"imap://mail.example.org/user/fred/A%26B;UIDVALIDITY=5/;UID=8","pid":7,"user":"","vnd.cmu.mbtype":"e","serverFQDN":"mail.example.org","vnd.cmu.mailboxACL":"fred\tlr\t","vnd.fastmail.convExists":3,"vnd.fastmail.convUnseen":1,"vnd.fastmail.cid":"0000000000000abc","vnd.fastmail.counters":"9 6 6 6 6 6 6 6 6 6 6 6 77","vnd.cmu.emailid":"M010203000000000000000000","vnd.cmu.threadid":"T0000000000000abc"}`},
	} {
		n, next := newNotifier(t, allGroups(c.extra)...)
		e := c.e
		e.Time = noon
		n.Send(&e)
		if got := next(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	n, next := newNotifier(t, allGroups("vnd.fastmail.jmapStates")...)
	counters := make([]uint64, 35)
	for i := range counters {
		counters[i] = uint64(i)
	}
	n.Conversations = func(context.Context, mboxname.Name, string) (*Conversations, error) {
		return &Conversations{Counters: counters}, nil
	}
	n.Send(&Event{Type: MailboxModseq, Mailbox: box})
	want := `"vnd.fastmail.jmapStates":{"Mailbox":"5","Email":"1","EmailSubmission":"11","Calendar":"6","CalendarEvent":"2","Contact":"3","ContactGroup":"3","Note":"4","SieveScript":"31","Quota":"9","Racl":"10"}}`
	if got := next(); !strings.HasSuffix(got, want) {
		t.Errorf("%s\nwant at its end\n%s", got, want)
	}
}

// TestTooLarge: what has no room in a datagram goes without the message.
func TestTooLarge(t *testing.T) {
	n, next := newNotifier(t, allGroups("messageContent")...)
	n.Send(&Event{Type: MessageNew, Mailbox: box, UIDs: []Message{{UID: 8, Content: strings.Repeat("x", notify.MaxSize)}}})
	if got := next(); strings.Contains(got, "messageContent") || !strings.Contains(got, `"event":"MessageNew"`) {
		t.Errorf("%.200s", got)
	}
}

func TestContentRange(t *testing.T) {
	for _, c := range []struct {
		mode         string
		limit        string
		size, header int64
		start, end   int64
	}{
		{"standard", "0", 100, 40, 0, 100},
		{"standard", "99", 100, 40, 0, 0},
		{"standard", "100", 100, 40, 0, 100},
		{"message", "30", 100, 40, 0, 30},
		{"header", "0", 100, 40, 0, 40},
		{"header", "30", 100, 40, 0, 30},
		{"header", "0", 100, 400, 0, 100},
		{"body", "0", 100, 40, 40, 100},
		{"body", "30", 100, 40, 40, 70},
		{"headerbody", "30", 100, 40, 0, 70},
		{"message", "0", notify.MaxSize + 1, 40, 0, 0},
	} {
		n, _ := newNotifier(t, "event_extra_params: messageContent", "event_content_inclusion_mode: "+c.mode, "event_content_size: "+c.limit)
		if start, end := n.ContentRange(c.size, c.header); start != c.start || end != c.end {
			t.Errorf("%+v: %d, %d", c, start, end)
		}
	}
}

// TestExcluded: groups, special uses, and ALL.
func TestExcluded(t *testing.T) {
	inbox := &Mailbox{Name: "user.fred", UniqueID: "inbox"}
	for _, c := range []struct {
		conf []string
		e    Event
		sent bool
	}{
		{[]string{"event_groups: flags"}, Event{Type: MailboxDelete, Mailbox: inbox}, false},
		{[]string{"event_groups: access"}, Event{Type: AclChange, Mailbox: inbox}, true},
		{nil, Event{Type: Login}, false},
		{nil, Event{Type: MailboxDelete, Mailbox: box}, false}, // \Junk, by default
		{nil, Event{Type: MailboxCreate, Mailbox: box}, true},
		{nil, Event{Type: MailboxDelete, Mailbox: inbox}, true},
		{[]string{`event_exclude_specialuse: \Sent`}, Event{Type: MailboxDelete, Mailbox: box}, true},
		{[]string{"event_exclude_specialuse: ALL"}, Event{Type: MailboxDelete, Mailbox: inbox}, true},
		{[]string{"event_exclude_specialuse: ALL"}, Event{Type: MailboxDelete, Mailbox: &Mailbox{Name: "shared"}}, false},
		{[]string{"event_exclude_specialuse: ALL", "event_groups: subscription mailbox"}, Event{Type: MailboxSubscribe, Mailbox: box}, true},
	} {
		n, next := newNotifier(t, c.conf...)
		n.Uses = func(_ context.Context, _ mboxname.Name, id string) ([]string, error) {
			if id == box.UniqueID {
				return []string{`\Junk`}, nil
			}
			return nil, nil
		}
		n.Send(&c.e)
		n.Send(&Event{Type: AclChange, Subject: "end", Mailbox: inbox}) // in all groups but flags
		n.Send(&Event{Type: FlagsSet, Flags: []string{"end"}, Mailbox: inbox})
		if got := next(); strings.Contains(got, "end") == c.sent {
			t.Errorf("%q, %+v: %s", c.conf, c.e, got)
		}
	}
}

func TestSplit(t *testing.T) {
	n, next := newNotifier(t, "event_groups: flags")
	n.Send(&Event{Type: FlagsSet, Flags: []string{`\Deleted`, `\Flagged`, `\Seen`, "$Foo"}, Mailbox: box, UIDs: []Message{{UID: 1}}})
	n.Send(&Event{Type: FlagsSet, Flags: []string{`\Seen`}, Mailbox: box, UIDs: []Message{{UID: 1}}})
	n.Send(&Event{Type: FlagsClear, Mailbox: box, UIDs: []Message{{UID: 1}}}) // of flags that are excluded
	n.Send(&Event{Type: FlagsClear, Flags: []string{`\Seen`, `\Deleted`}, Mailbox: box, UIDs: []Message{{UID: 1}}})
	for _, want := range []string{`{"event":"MessageTrash"`, `{"event":"MessageRead"`, `{"event":"FlagsSet"`, `{"event":"MessageRead"`, `{"event":"FlagsClear"`} {
		got := next()
		if !strings.HasPrefix(got, want) || strings.Contains(got, "flagNames") != strings.Contains(want, "Flags") {
			t.Errorf("%s, want %s", got, want)
		}
		if strings.Contains(want, "FlagsSet") && !strings.Contains(got, `"flagNames":"\\Flagged $Foo"`) {
			t.Error(got)
		}
	}
}

// TestOff: without event_notifier, or without groups, nothing is done, and
// nothing costs memory.
func TestOff(t *testing.T) {
	if n, _ := newNotifier(t, "event_groups: calendar"); n != nil {
		t.Errorf("without groups: %+v", n)
	}
	c, err := config.Parse("imapd.conf", "configdirectory: /nonexistent\n", "imap")
	if err != nil {
		t.Fatal(err)
	}
	if n := New(c, slog.New(slog.DiscardHandler)); n != nil {
		t.Errorf("without event_notifier: %+v", n)
	}
	var n *Notifier
	if a := testing.AllocsPerRun(100, func() {
		if n.Wants(MessageNew) || n.WantsExtra(MessageNew, "modseq") {
			t.Error("it wants")
		}
		n.Send(nil)
		if s, e := n.ContentRange(1, 1); s != e {
			t.Error("content")
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
	if n.Close() != nil || n.Queue() != nil {
		t.Error("of nothing")
	}
}

func TestUsesFail(t *testing.T) {
	n, next := newNotifier(t)
	n.Uses = func(context.Context, mboxname.Name, string) ([]string, error) { return nil, errors.New("no") }
	n.Send(&Event{Type: MailboxDelete, Mailbox: box})
	if got := next(); !strings.Contains(got, "MailboxDelete") {
		t.Error(got)
	}
}

func FuzzString(f *testing.F) {
	f.Add("\x00\x1f \"\\/\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Errorf("%q became %q, %v", s, back, err)
		}
	})
}

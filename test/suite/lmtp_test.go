package suite

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// lmtpDialog sends lines and returns the last line of the answer to each;
// one that ends in "\n.\n" is a message, answered once per recipient.
func lmtpDialog(t *testing.T, network, addr string, lines ...string) []string {
	t.Helper()
	conn, err := net.DialTimeout(network, addr, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	answer := func() string {
		for {
			if err := conn.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
				t.Fatal(err)
			}
			line, err := r.ReadString('\n')
			if err != nil {
				return "<" + err.Error() + ">"
			}
			if len(line) < 4 || line[3] != '-' {
				return strings.TrimRight(line, "\r\n")
			}
		}
	}
	answer()
	var out []string
	recipients := 0
	for _, l := range lines {
		fmt.Fprint(conn, strings.ReplaceAll(l, "\n", "\r\n")+"\r\n")
		n := 1
		if strings.HasSuffix(l, "\n.") {
			n, recipients = recipients, 0
		}
		for range n {
			a := answer()
			if strings.HasPrefix(l, "RCPT") && strings.HasPrefix(a, "250") {
				recipients++
			}
			out = append(out, a)
		}
	}
	return out
}

// deliverTo delivers one message over TCP and returns the replies to RCPT
// and, if it was good, to the dot.
func deliverTo(t *testing.T, s *server.Site, from, rcpt, text string) (atRcpt, atDot string) {
	t.Helper()
	got := lmtpDialog(t, "tcp", s.LMTP, "LHLO t", "MAIL FROM:"+from, "RCPT TO:"+rcpt)
	if atRcpt = got[2]; !strings.HasPrefix(atRcpt, "250") {
		return atRcpt, ""
	}
	got = lmtpDialog(t, "tcp", s.LMTP, "LHLO t", "MAIL FROM:"+from, "RCPT TO:"+rcpt, "DATA", text+"\n.")
	return atRcpt, got[4]
}

// where says in which of the mailboxes a message with this subject is.
func where(c *server.IMAP, subject string, boxes ...string) string {
	for _, b := range boxes {
		c.Must("EXAMINE " + b)
		if got := strings.TrimSpace(strings.Join(c.Must("SEARCH SUBJECT "+subject), "")); got != "* SEARCH" {
			return b
		}
	}
	return ""
}

// TestLMTPAddresses: details, rights to post, shared mailboxes.
func TestLMTPAddresses(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"postuser: bb", "lmtp_catchall_mailbox: user3"}})
	admin, user1, user3 := s.Login("cyrus"), s.Login("user1"), s.Login("user3")
	for _, c := range []string{"CREATE shared", "CREATE shared/open", "CREATE shared/closed", "SETACL shared/open anyone lrsp", "SETACL shared/closed anyone lrs",
		"SETACL shared/closed user2 lrsp"} {
		admin.Must(c)
	}
	for _, c := range []string{"CREATE INBOX/open", "CREATE INBOX/closed", `CREATE "INBOX/two words"`, "CREATE INBOX/Case",
		"SETACL INBOX/open anyone p", `SETACL "INBOX/two words" anyone p`, "SETACL INBOX/Case anyone p"} {
		user1.Must(c)
	}
	for i, c := range []struct {
		from, rcpt string
		rcptReply  string // beginning
		dotReply   string
		who        *server.IMAP
		box        string // where it arrives
	}{
		{"<a@b>", "<user1>", "250", "250 2.1.5", user1, "INBOX"},
		{"<a@b>", "<USER1@anything.example>", "250", "250 2.1.5", user1, "INBOX"},
		{"<a@b>", "<user1+open>", "250", "250 2.1.5", user1, "INBOX/open"},
		{"<a@b>", "<user1+Case>", "250", "250 2.1.5", user1, "INBOX/Case"},
		{"<a@b>", "<user1+closed>", "250", "250 2.1.5", user1, "INBOX"},
		{"<a@b> AUTH=user1", "<user1+closed>", "250", "250 2.1.5", user1, "INBOX/closed"},
		{"<a@b>", `<user1+two\ words>`, "250", "250 2.1.5", user1, `"INBOX/two words"`},
		{"<a@b>", "<user1+nosuch>", "250", "250 2.1.5", user1, "INBOX"},
		{"<a@b>", "<bb+shared/open>", "250", "250 2.1.5", user1, "shared/open"},
		{"<a@b>", "<bb+shared/closed>", "250", "250 2.1.5", user3, "INBOX"}, // may not post there: the catch-all
		{"<a@b> AUTH=user2", "<bb+shared/closed>", "250", "250 2.1.5", user1, "shared/closed"},
		{"<a@b>", "<bb+shared/none>", "250", "250 2.1.5", user3, "INBOX"}, // the catch-all
		{"<a@b>", "<nobody>", "250", "250 2.1.5", user3, "INBOX"},
	} {
		subject := fmt.Sprintf("message-%d-end", i)
		rcpt, dot := deliverTo(t, s, c.from, c.rcpt, "Subject: "+subject+"\n\nbody")
		if !strings.HasPrefix(rcpt, c.rcptReply) || !strings.HasPrefix(dot, c.dotReply) {
			t.Errorf("%s to %s: %q, %q; want %s, %s", c.from, c.rcpt, rcpt, dot, c.rcptReply, c.dotReply)
		}
		if c.who == nil {
			continue
		}
		if got := where(c.who, subject, "INBOX", "INBOX/open", "INBOX/closed", "INBOX/Case", `"INBOX/two words"`, "shared/open", "shared/closed"); got != c.box && c.who == user1 ||
			c.who == user3 && where(user3, subject, "INBOX") == "" {
			t.Errorf("%s to %s arrived in %q, want %q", c.from, c.rcpt, got, c.box)
		}
	}
}

// TestLMTPRecipients: each of several recipients gets a reply of his own, in
// the order of RCPT, and the message once, from one file.
func TestLMTPRecipients(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin := s.Login("cyrus")
	admin.Must("SETQUOTA user/user2 (STORAGE 1)")
	user1 := s.Login("user1")
	user1.Must("CREATE INBOX/work")
	user1.Must("SETACL INBOX/work anyone p")
	fill := "Subject: fill\n\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 20)
	if _, dot := deliverTo(t, s, "<a@b>", "<user2>", fill); !strings.HasPrefix(dot, "250") {
		t.Fatalf("filling user2: %q", dot)
	}
	got := lmtpDialog(t, "tcp", s.LMTP, "LHLO t", "MAIL FROM:<a@b>", "RCPT TO:<user1>", "RCPT TO:<user2>", "RCPT TO:<nobody>",
		"RCPT TO:<user2> IGNOREQUOTA", "RCPT TO:<user3>", "RCPT TO:<user1+work>", "DATA", "Subject: everybody\nMessage-ID: <all@example.org>\n\nbody\n.")
	want := []string{"250", "250", "250", "452 4.2.2", "550 5.1.1", "250", "250", "250", "354", "250 2.1.5", "250 2.1.5", "250 2.1.5", "250 2.1.5"}
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], w) {
			t.Fatalf("replies %q, want beginnings %q", got, want)
		}
	}
	for user, boxes := range map[string][]string{"user1": {"INBOX", "INBOX/work"}, "user2": {"INBOX"}, "user3": {"INBOX"}} {
		c := s.Login(user)
		for _, b := range boxes {
			c.Must("EXAMINE " + b)
			if found := strings.Fields(strings.Join(c.Must("SEARCH SUBJECT everybody"), "")); len(found) != 3 {
				t.Errorf("%s has it in %s as %q, want it once", user, b, found)
			}
		}
	}
}

// TestLMTPQuota: a mailbox over its quota takes no more, unless the MTA
// says IGNOREQUOTA.
func TestLMTPQuota(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%v", strict), func(t *testing.T) {
			s := server.Start(t, server.Options{Config: []string{fmt.Sprintf("lmtp_strict_quota: %v", strict)}})
			admin := s.Login("cyrus")
			admin.Must("SETQUOTA user/user1 (STORAGE 5)")
			big := "Subject: big\n\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 60)
			_, first := deliverTo(t, s, "<a@b>", "<user1>", big)
			if want := map[bool]string{false: "250", true: "452 4.2.2"}[strict]; !strings.HasPrefix(first, want) {
				t.Errorf("a message larger than the quota: %q, want %s", first, want)
			}
			if strict {
				return
			}
			if rcpt, _ := deliverTo(t, s, "<a@b>", "<user1>", big); !strings.HasPrefix(rcpt, "452 4.2.2") {
				t.Errorf("over quota: %q", rcpt)
			}
			if rcpt, dot := deliverTo(t, s, "<a@b>", "<user1> IGNOREQUOTA", big); !strings.HasPrefix(dot, "250") {
				t.Errorf("IGNOREQUOTA: %q, %q", rcpt, dot)
			}
			if rcpt, dot := deliverTo(t, s, "<a@b>", "<user2>", big); !strings.HasPrefix(dot, "250") {
				t.Errorf("another user: %q, %q", rcpt, dot)
			}
		})
	}
}

// TestLMTPAuthentication: a client on TCP is nobody until it has given an
// admin's password; one on the unix socket is trusted.
func TestLMTPAuthentication(t *testing.T) {
	s := server.Start(t, server.Options{
		Config: []string{"failedloginpause: 0"},
		Services: []string{
			`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s"`,
			`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[3]s"`,
			`lmtpunix cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[1]s/run/lmtp"`,
		},
	})
	const admin, user, wrong = "AGN5cnVzAHBhc3M=", "AHVzZXIxAHBhc3M=", "AGN5cnVzAHdyb25n" // cyrus pass, user1 pass, cyrus wrong
	for i, c := range []struct {
		network, addr string
		lines         []string
		want          string // beginning of the last answer
	}{
		{"tcp", s.LMTP, []string{"LHLO t", "MAIL FROM:<a@b>"}, "430 Authentication required"},
		{"tcp", s.LMTP, []string{"LHLO t", "RCPT TO:<user1>"}, "503"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN " + wrong}, "501 5.5.4 authentication failure"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN " + user}, "501"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH EXTERNAL ="}, "504"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN", "*"}, "501 5.5.4 client canceled authentication"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN", "!!"}, "501 5.5.4"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN " + admin}, "235 Authenticated!"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN", admin, "MAIL FROM:<a@b>", "RCPT TO:<user1>", "DATA", "Subject: x\n\ny\n."}, "250 2.1.5"},
		{"tcp", s.LMTP, []string{"LHLO t", "AUTH PLAIN " + admin, "AUTH PLAIN " + admin}, "503 5.5.0 already authenticated"},
		{"unix", s.Sock, []string{"LHLO t", "MAIL FROM:<a@b>", "RCPT TO:<user1>", "DATA", "Subject: x\n\ny\n."}, "250 2.1.5"},
		{"unix", s.Sock, []string{"LHLO t", "AUTH EXTERNAL =", "MAIL FROM:<a@b>"}, "250 2.1.0"},
	} {
		got := lmtpDialog(t, c.network, c.addr, c.lines...)
		if last := got[len(got)-1]; !strings.HasPrefix(last, c.want) {
			t.Errorf("%d: %q is answered %q, want %q", i, c.lines, last, c.want)
		}
	}
}

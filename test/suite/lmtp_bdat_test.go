package suite

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestLMTPChunks: BDAT (RFC 3030) out of order, refused, of odd sizes, and cut
// off. Whatever is refused, its octets are no commands.
func TestLMTPChunks(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"maxmessagesize: 2000"}})
	const begin = "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user1>\r\n"
	const begun = "250 2.0.0|250 2.1.0|250 2.1.5|"
	head := func(id string) string { return "Message-ID: <" + id + "@example.org>\r\n" }
	chunk := func(text, last string) string { return fmt.Sprintf("BDAT %d%s\r\n%s", len(text), last, text) }
	big := strings.Repeat("x", 1500)
	for _, c := range []struct{ name, send, want, there string }{
		{"one", begin + chunk(head("one")+"\r\n.\r\nRSET\r\n", " LAST"), begun + "250 2.1.5", "one"},
		{"small letters", begin + strings.Replace(chunk(head("small")+"\r\nx", " last"), "BDAT", "bdat", 1), begun + "250 2.1.5", "small"},
		{"two", begin + chunk(head("two"), "") + chunk("\r\nx", " LAST"), begun + "250 2.0.0 31 octets|250 2.1.5", "two"},
		{"nothing", begin + "BDAT 0\r\n" + chunk(head("zero"), "") + "BDAT 0\r\nBDAT 0 LAST\r\n", begun + "250 2.0.0 0|250 2.0.0 32|250 2.0.0 0|250 2.1.5", "zero"},
		{"two recipients", begin + "RCPT TO:<user2>\r\nRCPT TO:<nobody>\r\n" + chunk(head("both"), "") + "BDAT 0 LAST\r\n",
			begun + "250|550-|550-|550 5.1.1|250 2.0.0|250 2.1.5|250 2.1.5", "both"},
		{"no transaction", "RSET\r\n" + chunk("QUIT\r\n", "") + chunk("QUIT\r\n", " LAST"), "250|503 5.5.1 No recipients|503 5.5.1 No recipients", ""},
		{"no recipient", "RSET\r\nMAIL FROM:<a@b>\r\n" + chunk("QUIT\r\n", " LAST") + "RCPT TO:<user1>\r\n" + chunk(head("after"), " LAST"),
			"250|250|503 5.5.1 No recipients|250|250 2.1.5", "after"},
		{"after the last", begin + chunk(head("last"), " LAST") + chunk("QUIT\r\n", " LAST"), begun + "250 2.1.5|503 5.5.1 No recipients", "last"},
		{"DATA", begin + chunk(head("data"), "") + "DATA\r\nNOOP\r\nVRFY x\r\n" + "BDAT 0 LAST\r\n", begun + "250|503 5.5.1|250|252|250 2.1.5", "data"},
		{"RCPT and MAIL", begin + chunk(head("rcpt"), "") + "RCPT TO:<user2>\r\nMAIL FROM:<x>\r\n" + "BDAT 0 LAST\r\n", begun + "250|503 5.5.1|503 5.5.1 Nested|250 2.1.5", "rcpt"},
		{"RSET", begin + chunk(head("gone"), "") + "RSET\r\nBDAT 0 LAST\r\n", begun + "250|250 2.0.0 Ok|503 5.5.1 No recipients", "-gone"},
		{"too big at once", begin + chunk(head("big")+"\r\n"+big+big, "") + chunk("QUIT\r\n", "") + chunk("QUIT\r\n", " LAST") + "NOOP\r\n", begun + "552 5.2.3|503 5.5.1 An earlier|503 5.5.1 An earlier|250 2.0.0 ok", "-big"},
		{"too big in two", begin + chunk(head("big2")+"\r\n"+big, "") + chunk(big, " LAST"), begun + "250|552 5.2.3 Message size", "-big2"},
		{"too big for two", begin + "RCPT TO:<user2>\r\n" + chunk(head("big3")+"\r\n"+big+big, " LAST"), begun + "250|552 5.2.3|552 5.2.3", "-big3"},
		{"NUL", begin + chunk(head("nul")+"\r\n\x00", "") + chunk("x", " LAST"), begun + "250|554 5.6.0 Message contains NUL", "-nul"},
		{"a header that is none", begin + chunk("no header\r\n", " LAST"), begun + "554 5.6.0", ""},
		{"no number", begin + "BDAT x\r\nQUIT\r\n", begun + "501 5.5.4|<EOF>", ""},
		{"negative", begin + "BDAT -1 LAST\r\n", begun + "501 5.5.4|<EOF>", ""},
		{"no LAST", begin + "BDAT 3 FIRST\r\nabc", begun + "501 5.5.4|<EOF>", ""},
		{"a blank more", begin + "BDAT 3 LAST \r\nabc", begun + "501 5.5.4|<EOF>", ""},
		{"nothing said", begin + "BDAT\r\nNOOP\r\n", begun + "500 5.5.2|250 2.0.0", ""},
		{"2^63-1", begin + "BDAT 9223372036854775807 LAST\r\nQUIT\r\n", begun + "552 5.2.3|<EOF>", ""},
		{"2^63", begin + "BDAT 9223372036854775808 LAST\r\nQUIT\r\n", begun + "552 5.2.3|<EOF>", ""},
		{"2^64", begin + "BDAT 18446744073709551616\r\nQUIT\r\n", begun + "552 5.2.3|<EOF>", ""},
		{"cut off", begin + chunk(head("cut"), "") + "BDAT 10 LAST\r\n12345", begun + "250|<EOF>", "-cut"},
		{"cut off after a chunk", begin + chunk(head("cut2"), ""), begun + "250|<EOF>", "-cut2"},
	} {
		checkReplies(t, c.name, s.LMTP, c.send, strings.Split(c.want, "|"))
		c1 := s.Login("user1")
		want := 1
		id, not := strings.CutPrefix(c.there, "-")
		if not {
			want = 0
		}
		if n := has(c1, "INBOX", id+"@example.org"); id != "" && n != want {
			t.Errorf("%s: %d messages in the mailbox, want %d", c.name, n, want)
		}
		c1.Close()
	}
	// Without a place for the message its octets are read nevertheless.
	stage := s.Dir + "/spool/stage."
	if err := errors.Join(os.Rename(stage, stage+"away"), os.WriteFile(stage, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	checkReplies(t, "no stage directory", s.LMTP, begin+"RCPT TO:<user2>\r\n"+chunk("QUIT\r\n", "")+chunk("QUIT\r\n", " LAST")+
		begin+"RCPT TO:<user2>\r\n"+chunk("QUIT\r\n", " LAST")+"NOOP\r\n", strings.Split(begun+"250|451 4.3|503 5.5.1|"+begun+"250|451 4.3|451 4.3|250 2.0.0 ok", "|"))
	if err := errors.Join(os.Remove(stage), os.Rename(stage+"away", stage)); err != nil {
		t.Fatal(err)
	}
	checkReplies(t, "with it again", s.LMTP, begin+chunk(head("again"), " LAST"), strings.Split(begun+"250 2.1.5", "|"))
	left, err := os.ReadDir(s.Dir + "/spool/stage.")
	if err != nil || len(left) > 0 {
		t.Errorf("in the stage directory are %v (%v)", left, err)
	}
}

// checkReplies sends what a client says in one go, ends its sending, and
// compares the beginnings of the lines that come back.
func checkReplies(t *testing.T, name, addr, send string, want []string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for i, w := range append([]string{"220"}, want...) {
		got, err := r.ReadString('\n')
		if w == "<EOF>" {
			if err != io.EOF {
				t.Errorf("%s: the connection goes on: %q, %v", name, got, err)
			}
			return
		}
		if !strings.HasPrefix(got, w) {
			t.Errorf("%s: line %d is %q (%v), want %q", name, i, got, err, w)
			return
		}
	}
	if got, err := r.ReadString('\n'); err != io.EOF {
		t.Errorf("%s: more than was asked for: %q, %v", name, got, err)
	}
}

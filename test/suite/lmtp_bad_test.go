package suite

import (
	"bufio"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// lmtpTo delivers a text, which is read as it is sent, to some recipients and
// returns the reply for each.
func lmtpTo(t *testing.T, s *server.Site, text io.Reader, to ...string) []string {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.LMTP, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	reply := func() (last string) {
		for {
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if last, err = r.ReadString('\n'); err != nil {
				return "<" + err.Error() + ">"
			}
			if len(last) < 4 || last[3] != '-' {
				return strings.TrimRight(last, "\r\n")
			}
		}
	}
	reply()
	steps := []string{"LHLO test", "MAIL FROM:<a@example.org>"}
	for _, rcpt := range to {
		steps = append(steps, "RCPT TO:<"+rcpt+">")
	}
	for _, step := range append(steps, "DATA") {
		fmt.Fprint(c, step+"\r\n")
		if got := reply(); got[0] != '2' && got[0] != '3' {
			t.Fatalf("%s: %s", step, got)
		}
	}
	w := bufio.NewWriterSize(c, 64<<10)
	if _, err := io.Copy(w, text); err != nil {
		return []string{"<" + err.Error() + ">"}
	}
	fmt.Fprint(w, "\r\n.\r\n")
	if err := w.Flush(); err != nil {
		return []string{"<" + err.Error() + ">"}
	}
	var all []string
	for range to {
		all = append(all, reply())
	}
	return all
}

// repeat reads a text again and again, up to some octets.
func repeat(text string, size int64) io.Reader {
	return io.LimitReader(&endless{text: text}, size/int64(len(text))*int64(len(text)))
}

type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.text[e.at:])
		n += k
		e.at = (e.at + k) % len(e.text)
	}
	return n, nil
}

// mostMemory is the most memory that any process of a program has had, in KiB.
func mostMemory(t *testing.T, s *server.Site, program string) (most int) {
	t.Helper()
	for _, pid := range s.Processes(program) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(b), "\n") {
			var kib int
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
				most = max(most, kib)
			}
		}
	}
	return most
}

// has is how many messages with a Message-ID are in a mailbox.
func has(c *server.IMAP, box, id string) int {
	c.Must("EXAMINE " + box)
	return len(strings.Fields(strings.Join(c.Must("UID SEARCH HEADER Message-ID "+id), ""))) - 2
}

// hugeMB is the size of the largest body.
var hugeMB = flag.Int64("huge-mb", 40, "MiB of the largest message of TestLMTPHuge")

func hugeBody() string { return fmt.Sprintf("%d MB", *hugeMB) }

// TestLMTPHuge delivers what is large in one way or another. It arrives
// whole, and the memory of lmtpd stays bounded.
func TestLMTPHuge(t *testing.T) {
	s := server.Start(t, server.Options{})
	const head = "From: a@example.org\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s>\r\nSubject: huge\r\n"
	parts := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		b.WriteString("\r\ntext\r\n")
		for i := n - 1; i >= 0; i-- {
			fmt.Fprintf(&b, "--b%d--\r\n", i)
		}
		return b.String()
	}
	c := s.Login("user1")
	defer c.Close()
	for _, m := range []struct {
		name string
		text io.Reader
	}{
		{"100,000 fields", io.MultiReader(repeat("X-Field: one of many\r\n", 100000*22), strings.NewReader("\r\nbody"))},
		{"one field of 900 KB", strings.NewReader("X-Long: " + strings.Repeat("x", 900<<10) + "\r\n\r\nbody")},
		{"50,000 addresses", io.MultiReader(strings.NewReader("To: a@b"), repeat(",\r\n a@example.org", 50000*17), strings.NewReader("\r\n\r\nbody"))},
		{"1,000 nested parts", strings.NewReader(parts(1000))},
		{"1,000 nested messages", strings.NewReader(strings.Repeat("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n", 1000) + "\r\nend")},
		{"50,000 parts", io.MultiReader(strings.NewReader("Content-Type: multipart/mixed; boundary=x\r\n\r\n"), repeat("--x\r\n\r\na\r\n", 50000*10), strings.NewReader("--x--"))},
		{hugeBody(), io.MultiReader(strings.NewReader("\r\n"), repeat("A line of the body, of sixty-four octets, as they stand there.\r\n", *hugeMB<<20))},
		{"a line of 10 MB", io.MultiReader(strings.NewReader("\r\n"), repeat("no end ", 10<<20))},
	} {
		id := strings.NewReplacer(" ", "-", ",", "").Replace(m.name) + "@example.org"
		got := lmtpTo(t, s, io.MultiReader(strings.NewReader(fmt.Sprintf(head, id)), m.text), "user1")
		if !strings.HasPrefix(got[0], "250") {
			t.Errorf("%s: %q", m.name, got)
			continue
		}
		if n := has(c, "INBOX", id); n != 1 {
			t.Errorf("%s: there %d times", m.name, n)
		}
	}
	long := strings.NewReader("X-Long: " + strings.Repeat("x", 2<<20) + "\r\n\r\nbody")
	if got := lmtpTo(t, s, long, "user1", "user2"); got[0] != "554 5.6.0 Message contains invalid header" || got[1] != got[0] {
		t.Errorf("a field that is too long: %q", got)
	}
	most := mostMemory(t, s, "lmtpd")
	t.Logf("lmtpd had at most %d MiB", most>>10)
	if most > 150<<10 {
		t.Errorf("lmtpd needed %d MiB", most>>10)
	}
}

// TestLMTPCut ends connections in the middle of a message: nobody gets it.
func TestLMTPCut(t *testing.T) {
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	for i, end := range []string{"", "\r\n", "\r\n.", "\r\n.\r", "\n.\n"} {
		id := fmt.Sprintf("cut-%d@example.org", i)
		conn, err := net.Dial("tcp", s.LMTP)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user1>\r\nDATA\r\nMessage-ID: <%s>\r\n\r\nbody%s", id, end)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		all, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || strings.Contains(string(all), "Success") {
			t.Errorf("after %q: %v, %q", end, err, all)
		}
		if n := has(c, "INBOX", id); n != 0 {
			t.Errorf("after %q it is there %d times", end, n)
		}
	}
}

// TestLMTPFullAtEachStep lets the files of lmtpd grow to ever larger sizes
// and no further, so that the disk seems full at each step of a delivery. A
// recipient who is told that he has the message has it whole, the others do
// not, and are told to try again.
func TestLMTPFullAtEachStep(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(mode(shared), func(t *testing.T) {
			s := server.Start(t, server.Options{Shared: shared})
			user3 := s.Login("user3")
			for _, box := range []string{"a", "b"} {
				user3.Must("CREATE INBOX/" + box)
			}
			user3.Close()
			sieveScript(t, s, "user3", `require ["fileinto", "copy"]; fileinto :copy "INBOX/a"; fileinto :copy "INBOX/b"; keep;`)
			boxes := [][2]string{{"user1", "INBOX"}, {"user2", "INBOX"}, {"user3", "INBOX"}}
			lmtpTo(t, s, strings.NewReader("Subject: first\r\n\r\nx"), "user1", "user2", "user3")
			refused, taken := 0, 0
			for i, size := range []uint64{0, 1, 100, 200, 300, 500, 700, 900, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 8000, 100000} {
				id := fmt.Sprintf("full-%d@example.org", i)
				limitFiles(t, s, "lmtpd", size)
				got := lmtpTo(t, s, strings.NewReader(fmt.Sprintf("From: a@b\r\nMessage-ID: <%s>\r\n\r\n%send", id, strings.Repeat("text\r\n", 100))), "user1", "user2", "user3")
				limitFiles(t, s, "lmtpd", ^uint64(0))
				for j, reply := range got {
					c := s.Login(boxes[j][0])
					n := has(c, boxes[j][1], id)
					switch {
					case strings.HasPrefix(reply, "250 2.1.5"):
						taken++
						if n != 1 {
							t.Errorf("with %d octets %s was told %q and has it %d times", size, boxes[j][0], reply, n)
						}
					case strings.HasPrefix(reply, "451 4.3.") || strings.HasPrefix(reply, "452 4."):
						refused++
						if n != 0 {
							t.Errorf("with %d octets %s was told %q and has it %d times", size, boxes[j][0], reply, n)
						}
					default:
						t.Errorf("with %d octets %s was told %q", size, boxes[j][0], reply)
					}
					for _, line := range c.Must("FETCH 1:* BODY.PEEK[TEXT]<0.4>") {
						if strings.Contains(line, "BODY[TEXT]<0> {") && !strings.Contains(line, "{4}") && !strings.Contains(line, "{3}") && !strings.Contains(line, "{1}") {
							t.Errorf("with %d octets: %s has a message without its text: %s", size, boxes[j][0], line)
						}
					}
					c.Close()
				}
			}
			t.Logf("%d deliveries taken, %d refused", taken, refused)
			if taken == 0 || refused == 0 {
				t.Errorf("%d deliveries taken, %d refused: this shows nothing", taken, refused)
			}
			// The same again with room: who was refused gets it now, the others
			// have it already.
			for i := range 18 {
				id := fmt.Sprintf("full-%d@example.org", i)
				got := lmtpTo(t, s, strings.NewReader(fmt.Sprintf("From: a@b\r\nMessage-ID: <%s>\r\nDate: x\r\n\r\nx", id)), "user1")
				if !strings.HasPrefix(got[0], "250") {
					t.Errorf("with room again: %q", got)
				}
			}
		})
	}
}

// sieveScript stores a script and makes it active.
func sieveScript(t *testing.T, s *server.Site, user, text string) {
	t.Helper()
	if err := trySieveScript(s, user, text); err != nil {
		t.Fatal(err)
	}
}

// TestLMTPScriptChanges has a user store and take away his script all the
// time: each mail is delivered once, by the script or without it.
func TestLMTPScriptChanges(t *testing.T) {
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	c.Must("CREATE INBOX/a")
	stop := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			text := `require "fileinto"; fileinto "INBOX/a";`
			if i%2 == 1 {
				text = ""
			}
			if err := trySieveScript(s, "user1", text); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const mails = 60
	for i := range mails {
		got := lmtpTo(t, s, strings.NewReader(fmt.Sprintf("Message-ID: <changes-%d@example.org>\r\n\r\nx", i)), "user1")
		if !strings.HasPrefix(got[0], "250") {
			t.Errorf("mail %d: %q", i, got)
		}
	}
	close(stop)
	changes.Wait()
	where := map[string]int{}
	for i := range mails {
		id := fmt.Sprintf("changes-%d@example.org", i)
		inbox, a := has(c, "INBOX", id), has(c, "INBOX/a", id)
		if inbox+a != 1 {
			t.Errorf("mail %d is %d times in the INBOX and %d times in the folder", i, inbox, a)
		}
		where["INBOX"] += inbox
		where["a"] += a
	}
	t.Log(where)
}

// TestLMTPQuotaInTheMiddle: of several recipients below one quota root those
// for whom there is room get the message, the others are told.
func TestLMTPQuotaInTheMiddle(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"lmtp_strict_quota: yes"}})
	c := s.Login("user1")
	defer c.Close()
	var to []string
	for i := range 10 {
		c.Must(fmt.Sprintf("CREATE INBOX/q%d", i))
		c.Must(fmt.Sprintf("SETACL INBOX/q%d anyone p", i))
		to = append(to, fmt.Sprintf("user1+q%d", i))
	}
	admin := s.Login("cyrus")
	admin.Must("SETQUOTA user/user1 (STORAGE 20)")
	admin.Close()
	got := lmtpTo(t, s, strings.NewReader("Message-ID: <quota@example.org>\r\n\r\n"+strings.Repeat("x", 4000)), to...)
	good, there := 0, has(c, "INBOX", "quota@example.org")
	for _, reply := range got {
		switch {
		case strings.HasPrefix(reply, "250 2.1.5"):
			good++
		case !strings.HasPrefix(reply, "452 4.2.2"):
			t.Errorf("reply %q", reply)
		}
	}
	for i := range 10 {
		there += has(c, fmt.Sprintf("INBOX/q%d", i), "quota@example.org")
	}
	if good != there || good < 3 || good > 4 {
		t.Errorf("%d were told that they have it, %d have it: %q", good, there, got)
	}
}

// TestLMTPWithoutNotifyd: nobody waits for notifications that nobody takes.
func TestLMTPWithoutNotifyd(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"mailnotifier: log"}, Services: []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=1`, `lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s"`}})
	for i := range 20 {
		if got := lmtpTo(t, s, strings.NewReader(fmt.Sprintf("Message-ID: <quiet-%d@example.org>\r\n\r\nx", i)), "user1", "user2"); !strings.HasPrefix(got[0], "250") || !strings.HasPrefix(got[1], "250") {
			t.Fatalf("%q", got)
		}
	}
}

// trySieveScript stores a script by ManageSieve and makes it active; with ""
// none is active.
func trySieveScript(s *server.Site, user, text string) error {
	conn, err := net.Dial("tcp", s.Sieve)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	steps := []string{"", fmt.Sprintf("AUTHENTICATE \"PLAIN\" \"%s\"\r\n", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00pass")))}
	if text == "" {
		steps = append(steps, "SETACTIVE \"\"\r\n", "DELETESCRIPT \"s\"\r\n")
	} else {
		steps = append(steps, fmt.Sprintf("PUTSCRIPT \"s\" {%d+}\r\n%s\r\n", len(text), text), "SETACTIVE \"s\"\r\n")
	}
	for _, step := range steps {
		fmt.Fprint(conn, step)
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
				return fmt.Errorf("%.20s: %s%w", step, line, err)
			}
			if strings.HasPrefix(line, "OK") {
				break
			}
		}
	}
	return nil
}

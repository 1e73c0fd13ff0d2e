//go:build reference

package reference

import (
	"bufio"
	"crypto/sha1"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/sieve"
	"gocyrus/test/corpus"
	"gocyrus/test/server"
)

// sievec is what the real sievec says of a script: "ok" with the byte code, or
// the faults.
func sievec(t *testing.T, dir, script string) string {
	t.Helper()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	os.Remove(out)
	if err := os.WriteFile(in, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	msg, err := exec.Command(filepath.Join(cyrusBin, "sievec"), "-C", filepath.Join(dir, "imapd.conf"), in, out).CombinedOutput()
	if err == nil {
		code, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("ok %x", code)
	}
	if e := (*exec.ExitError)(nil); errors.As(err, &e) && !e.Exited() {
		return "sievec: " + err.Error()
	}
	text := strings.TrimPrefix(string(msg), "Unable to parse script: script errors:\r\n")
	return strings.TrimSuffix(text, "\n")
}

type sieveCode struct {
	name string
	code []byte
}

// A sieveSide is one of the servers of a pair.
type sieveSide struct {
	*server.Site
	sink  *corpus.Sink
	notes <-chan string // what is sent to notifyd
	texts map[string]string
	codes []sieveCode
	admin *server.IMAP
	conn  net.Conn // LMTP
	in    *bufio.Reader
}

// notesAt takes the place of notifyd.
func notesAt(t *testing.T, path string) <-chan string {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	notes := make(chan string, 100)
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			notes <- string(b[:n])
		}
	}()
	return notes
}

// write puts byte code where lmtpd looks for it.
func (s *sieveSide) write(t *testing.T, dir, name string, code []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+".bc"), code, 0o644); err != nil {
		t.Fatal(err)
	}
}

// global puts the global scripts into place.
func (s *sieveSide) global(t *testing.T) {
	dir := filepath.Join(s.Dir, "sieve/global")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.codes {
		if strings.HasPrefix(c.name, "global") {
			s.write(t, dir, c.name, c.code)
		}
	}
}

// as logs in as a user.
func (s *sieveSide) as(t *testing.T, user string) *server.IMAP {
	c := s.DialIMAP()
	c.Must("AUTHENTICATE PLAIN " + authAs(user))
	return c
}

// prepare makes a user with his folders and scripts.
func (s *sieveSide) prepare(t *testing.T, who, script string) *server.IMAP {
	t.Helper()
	for _, box := range []string{"", "/a", "/b", "/Junk"} {
		s.admin.Must("CREATE user/" + who + box)
	}
	c := s.as(t, who)
	c.Must(`SETMETADATA INBOX/Junk (/private/specialuse "\\Junk")`)
	c.Must(`SETMETADATA INBOX/a (/private/comment "hello")`)
	id := uniqueID.FindStringSubmatch(strings.Join(c.Must(`GETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/uniqueid)`), ""))
	if id == nil {
		t.Fatal("no unique id")
	}
	uid := id[1] + id[2]
	dir := filepath.Join(s.Dir, "sieve/uuid", uid[:1], uid[1:2], uid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, inc := range s.codes {
		s.write(t, dir, inc.name, inc.code)
	}
	code, err := sieve.Parse([]byte(script), sieve.Options{VacationMin: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, dir, "script", code.Code())
	if err := os.Symlink("script.bc", filepath.Join(dir, "defaultbc")); err != nil {
		t.Fatal(err)
	}
	s.own(t, dir)
	return c
}

// own gives the files below a folder to the user cyrus.
func (s *sieveSide) own(t *testing.T, dir string) {
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	names, _ := filepath.Glob(dir + "/*")
	for _, name := range append(names, dir, filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))) {
		if err := os.Lchown(name, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *sieveSide) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// lmtp sends a line, or with "" nothing, and returns the reply.
func (s *sieveSide) lmtp(line string) string {
	if line != "" {
		fmt.Fprint(s.conn, line+"\r\n")
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Minute))
	all := ""
	for {
		got, err := s.in.ReadString('\n')
		if err != nil {
			s.hangUp()
			return "<" + all + err.Error() + ">"
		}
		all += got
		if len(got) < 4 || got[3] != '-' {
			return all
		}
	}
}

// send is one transaction; the result is the last reply.
func (s *sieveSide) send(t *testing.T, to string, c mailCase) string {
	t.Helper()
	if s.conn == nil {
		conn, err := net.Dial("tcp", s.LMTP)
		if err != nil {
			t.Fatal(err)
		}
		s.conn, s.in = conn, bufio.NewReader(conn)
		s.lmtp("")
		s.lmtp("LHLO test")
	}
	for _, line := range []string{"RSET", "MAIL FROM:" + c.from, "RCPT TO:<" + to + c.detail + ">", "DATA"} {
		if reply := s.lmtp(line); reply[0] != '2' && reply[0] != '3' {
			return line + " -> " + reply
		}
	}
	text := strings.ReplaceAll("\r\n"+c.mail, "\r\n.", "\r\n..")[2:]
	if !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	return s.lmtp(text + ".")
}

var onlyHere = regexp.MustCompile(`[^\s\\"]*/spool/stage\.?/[-0-9]*|Reporting-UA: [^\r]*|boundary="\d+/|--\d+/|sieve-\d+-\d+`)

// hidden is a text without what is particular to a delivery.
func hidden(text, who string) string {
	text = corpus.Mask(text)
	text = strings.ReplaceAll(text, who, "USER")
	return onlyHere.ReplaceAllString(text, "$$here")
}

// sum keeps a text and returns what stands for it.
func (s *sieveSide) sum(text string) string {
	sum := fmt.Sprintf("%x", sha1.Sum([]byte(text)))[:12]
	s.texts[sum] = text
	return sum
}

// deliver delivers a case to a new user and says what became of it.
func (s *sieveSide) deliver(t *testing.T, who string, c mailCase) (lines []string) {
	t.Helper()
	imap := s.prepare(t, who, c.script)
	defer imap.Close()
	add := func(format string, args ...any) { lines = append(lines, hidden(fmt.Sprintf(format, args...), who)) }
	add("%s", s.send(t, who, c))
	var mails []string
	for _, m := range s.sink.Take() { // ours ends all lines of what it sends with CR LF
		mails = append(mails, strings.ReplaceAll(hidden(m, who), "\r\n", "\n"))
	}
	slices.Sort(mails)
	for _, m := range mails {
		first, _, _ := strings.Cut(m, "\n")
		add("mailed %s %s", s.sum(m), first)
	}
	for _, line := range imap.Must(`LIST "" "*"`) {
		_, box, _ := strings.Cut(line, `"/" `)
		if box = strings.TrimSpace(box); strings.Contains(line, `\Noselect`) {
			continue
		}
		s.look(imap, box, who, add)
	}
	return lines
}

// notified is what notifyd was told since the last call. The real lmtpd has sent
// all of it by then; ours may still do so, and is waited for until there are so
// many as the real one has sent.
func (s *sieveSide) notified(who string, wait int) (lines []string) {
	for {
		late := time.Millisecond * 20
		if len(lines) < wait {
			late = 20 * time.Second
		}
		select {
		case n := <-s.notes:
			lines = append(lines, hidden(fmt.Sprintf("notified %q", n), who))
		case <-time.After(late):
			return lines
		}
	}
}

var theirFlags = regexp.MustCompile(`FLAGS \(([^)]*)\)`)

// look adds what is in a mailbox.
func (s *sieveSide) look(c *server.IMAP, box, who string, add func(string, ...any)) {
	if slices.Contains(c.Must("EXAMINE "+box), "* 0 EXISTS\r\n") {
		add("in %s nothing", box)
		return
	}
	all := strings.Join(c.Must("FETCH 1:* (FLAGS BODY.PEEK[])"), "")
	for all != "" {
		head, rest, _ := strings.Cut(all, "{")
		n, text, ok := strings.Cut(rest, "}\r\n")
		size, err := strconv.Atoi(n)
		if !ok || err != nil || size > len(text) {
			add("in %s %q", box, all)
			return
		}
		flags := ""
		if m := theirFlags.FindStringSubmatch(head); m != nil {
			list := slices.DeleteFunc(strings.Fields(m[1]), func(s string) bool { return s == `\Recent` })
			slices.Sort(list)
			flags = strings.Join(list, " ")
		}
		stored := hidden(text[:size], who)
		if strings.Contains(stored, "X-Sieve-Action: vacation") { // a copy of it
			stored = strings.ReplaceAll(stored, "\r\n", "\n")
		}
		add("in %s [%s] %s", box, flags, s.sum(stored))
		_, all, _ = strings.Cut(text[size:], "\r\n")
	}
}

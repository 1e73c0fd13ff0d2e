package transcript

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const dialog = `# go run ./test/record x.txt
# config: altnamespace: yes
S: * OK hello
C: a1 NOOP
S: a1 OK done
CX: "a2 \x00\r\n"
SX: "\x00 odd\n"
C2: b1 NOOP
S2: * OK hello
T: 1ms
C: bye
S: <closed>
`

func TestParseAndPrint(t *testing.T) {
	d, err := Parse("x", []byte(dialog))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.String(); got != dialog {
		t.Errorf("printed as\n%s", got)
	}
	if !slices.Equal(d.Config, []string{"altnamespace: yes"}) {
		t.Errorf("config %q", d.Config)
	}
	for _, bad := range []string{"# file: ../x \"y\"", "no colon", "Q: x", "Cx: y", `CX: not quoted`, "T: soon"} {
		if _, err := Parse("x", []byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// echo answers each line "x" with "x yes", and ends after "bye".
func echo(t *testing.T, answer string) Dialer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "* OK hello\r\n")
				for s := bufio.NewScanner(c); s.Scan() && s.Text() != "bye"; {
					fmt.Fprint(c, s.Text(), " ", answer, "\r\n")
				}
			}()
		}
	}()
	return func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
}

func TestRecordAndReplay(t *testing.T) {
	script, err := Parse("x", []byte("C: a\nS: stale\nC2: b\nC: bye\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Record(script, echo(t, "yes"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "S: * OK hello\nC: a\nS: a yes\nS2: * OK hello\nC2: b\nS2: b yes\nC: bye\nS: <closed>\n"
	if d.String() != want {
		t.Errorf("recorded\n%s", d)
	}
	if d, err = Parse("x", []byte(d.String())); err != nil {
		t.Fatal(err)
	}
	same := NewMasker(nil)
	if err := Replay(d, echo(t, "yes"), same); err != nil {
		t.Errorf("the same server: %v", err)
	}
	if err := Replay(d, echo(t, "no"), same); err == nil || !strings.Contains(err.Error(), "x:3:") {
		t.Errorf("another server: %v", err)
	}
}

func TestMask(t *testing.T) {
	m := NewMasker([]string{"SORT", "NEVER"})
	for _, c := range [][2]string{
		{"* OK [CAPABILITY IMAP4rev1 SORT ACL] h Cyrus IMAP 3.6.1-Debian-x server ready\r\n", "* OK [CAPABILITY IMAP4rev1 ACL] h Cyrus IMAP 3.6.1-gocyrus-0.1.0 server ready\r\n"},
		{"250 Ok SESSIONID=<a-1>\r\n", "250 Ok SESSIONID=<b-2>\r\n"},
		{"a OK [APPENDUID 1795449398 7] Completed\r\n", "a OK [APPENDUID 5 7] Completed\r\n"},
	} {
		if a, b := string(m.Mask([]byte(c[0]))), string(m.Mask([]byte(c[1]))); a != b {
			t.Errorf("%q and %q differ", a, b)
		}
	}
	if a, b := string(m.Mask([]byte("a OK [APPENDUID 5 7]\r\n"))), string(m.Mask([]byte("a OK [APPENDUID 5 8]\r\n"))); a == b {
		t.Errorf("different UIDs are the same: %q", a)
	}
	if !m.Equal([]byte("a NO No\r\n"), []byte("a NO [CODE] No\r\n")) || m.Equal([]byte("a NO [X] No\r\n"), []byte("a NO [Y] No\r\n")) {
		t.Error("codes that Cyrus does not send")
	}
	if got := m.Unused(); !slices.Equal(got, []string{"NEVER"}) {
		t.Errorf("Unused = %q", got)
	}
}

// TestAddedCapabilities: what ours has and the recorded server has not is
// forgiven if it is named, and only in our list.
func TestAddedCapabilities(t *testing.T) {
	m := NewMasker([]string{"OLD"})
	m.Adds([]string{"NEW", "MORE", "NEVER", "ACL"})
	for _, c := range []struct {
		recorded, got string
		same          bool
	}{
		{"* CAPABILITY IMAP4rev1 OLD ACL", "* CAPABILITY IMAP4rev1 NEW ACL MORE", true},
		{"* CAPABILITY IMAP4rev1 ACL", "* CAPABILITY IMAP4rev1 ACL OTHER", false},
		{"* CAPABILITY IMAP4rev1 NEW", "* CAPABILITY IMAP4rev1", false},
		{"* CAPABILITY IMAP4rev1 ACL", "* CAPABILITY IMAP4rev1", false},
		{"* LIST NEW", "* LIST", false},
		{"* QUOTA a (X-NUM-FOLDERS 1 2)", "* QUOTA a (X-NUM-FOLDERS 1 2 MAILBOX 1 2)", false},
	} {
		if got := m.Equal([]byte(c.recorded+"\r\n"), []byte(c.got+"\r\n")); got != c.same {
			t.Errorf("%q, %q: %v", c.recorded, c.got, got)
		}
	}
	if got := m.Unused(); !slices.Equal(got, []string{"ACL", "NEVER"}) {
		t.Errorf("Unused = %q", got)
	}
}

func TestWildcards(t *testing.T) {
	m := NewMasker(nil)
	m.Wildcards()
	for want, same := range map[string]bool{"a $any (x)\r\n": true, "$any\r\n": true, "a $any (y)\r\n": false, "a . (x)\r\n": false} {
		if m.Equal([]byte(want), []byte("a b (x)\r\n")) != same {
			t.Errorf("%q: %v", want, !same)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(dialog)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse("x", []byte(text))
		if err != nil {
			return
		}
		again, err := Parse("x", []byte(d.String()))
		if err != nil || again.String() != d.String() {
			t.Fatalf("%q is printed as %q, %v", text, d, err)
		}
	})
}

func TestAppendLines(t *testing.T) {
	const line = `# append: user1 INBOX.Work (\Seen \Deleted) "a: b\r\n\r\nc\r\n"`
	d, err := Parse("x", []byte(line+"\nC: QUIT\n"))
	want := Message{"user1", "INBOX.Work", `\Seen \Deleted`, "a: b\r\n\r\nc\r\n"}
	if err != nil || len(d.Append) != 1 || d.Append[0] != want {
		t.Errorf("%+v, %v", d, err)
	}
	if d.String() != line+"\nC: QUIT\n" {
		t.Errorf("written as %q", d.String())
	}
	for _, bad := range []string{"# append: user1", "# append: user1 INBOX () x", `# append: user1 INBOX "x"`} {
		if _, err := Parse("x", []byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestRecorderWaits records from a server whose answers take longer than the
// pause that ends them: each belongs to its line.
func TestRecorderWaits(t *testing.T) {
	slowly := func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			fmt.Fprint(theirs, "* OK hello\r\n")
			for s := bufio.NewScanner(theirs); s.Scan(); {
				tag, _, _ := strings.Cut(s.Text(), " ")
				fmt.Fprint(theirs, "* 1 EXISTS\r\n")
				time.Sleep(quiet * 3 / 2)
				fmt.Fprint(theirs, tag+" OK done\r\n")
			}
		}()
		return ours, nil
	}
	script, err := Parse("x", []byte("C: a1 NOOP\nC2: b1 NOOP\nC: a2 NOOP\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Record(script, slowly)
	if err != nil {
		t.Fatal(err)
	}
	const want = "S: * OK hello\nC: a1 NOOP\nS: * 1 EXISTS\nS: a1 OK done\n" +
		"S2: * OK hello\nC2: b1 NOOP\nS2: * 1 EXISTS\nS2: b1 OK done\nC: a2 NOOP\nS: * 1 EXISTS\nS: a2 OK done\n"
	if d.String() != want {
		t.Errorf("recorded\n%s", d)
	}
}

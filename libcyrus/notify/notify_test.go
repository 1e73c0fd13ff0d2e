package notify

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
)

var sample = Message{
	Method: "log", Class: "MAIL", User: "fred", Mailbox: "INBOX",
	Options: []string{"a", "b"}, Text: "You have new mail", File: "/spool/1.",
}

// wire is the datagram of sample as notifyd.c of Cyrus takes it apart.
const wire = "log\x00MAIL\x00\x00fred\x00INBOX\x002\x00a\x00b\x00You have new mail\x00/spool/1.\x00"

func TestEncode(t *testing.T) {
	b, err := sample.Encode(MaxSize)
	if err != nil || string(b) != wire {
		t.Errorf("Encode = %q, %v; want %q", b, err, wire)
	}
	if _, err := sample.Encode(len(wire) - 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one octet over the limit: %v", err)
	}
	bad := Message{User: "a\x00b"}
	if _, err := bad.Encode(MaxSize); !errors.Is(err, ErrMalformed) {
		t.Errorf("a field with NUL: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want *Message // nil: malformed
	}{
		{wire, &sample},
		{"\x00\x00\x00\x00\x000\x00hi\x00", &Message{Text: "hi"}},
		{"\x00\x00\x00\x00\x000\x00hi", &Message{Text: "hi"}}, // Cyrus takes it without the last NUL
		{"", nil},
		{"log\x00MAIL\x00\x00fred\x00INBOX\x00", nil},
		{"log\x00MAIL\x00\x00fred\x00INBOX\x003\x00a\x00b\x00text\x00", nil}, // an option short: no text is left
		{"log\x00MAIL\x00\x00fred\x00INBOX\x00-1\x00text\x00", nil},
		{"log\x00MAIL\x00\x00fred\x00INBOX\x0099999999999999999999\x00text\x00", nil},
	} {
		got, err := Parse([]byte(c.in))
		if c.want == nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("Parse(%q) = %+v, %v; want ErrMalformed", c.in, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
}

func TestLimit(t *testing.T) {
	for buffer, want := range map[int]int{0: 0, 320: 0, 212992: 21267, 10 << 20: MaxSize} {
		if got := Limit(buffer); got != want {
			t.Errorf("Limit(%d) = %d, want %d", buffer, got, want)
		}
	}
}

func sender(t *testing.T, socket string) *Sender {
	t.Helper()
	c, err := config.Parse("imapd.conf", "configdirectory: "+t.TempDir()+"\nnotifysocket: "+socket+"\n", "lmtpd")
	if err != nil {
		t.Fatal(err)
	}
	return NewSender(c)
}

// socketDir is short: the path of a socket has at most 107 bytes.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestSend(t *testing.T) {
	path := filepath.Join(socketDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := sender(t, path)
	if err := s.Send(&sample); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, MaxSize)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != wire {
		t.Errorf("received %q, %v", b[:n], err)
	}
	big := sample
	big.Text = strings.Repeat("x", MaxSize)
	if err := s.Send(&big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a text over the limit: %v", err)
	}
}

func TestSendNobodyThere(t *testing.T) {
	if err := sender(t, filepath.Join(socketDir(t), "none")).Send(&sample); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
}

func TestSendList(t *testing.T) {
	path := filepath.Join(socketDir(t), "notify")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = c.Write([]byte("OK %()\r\n"))
		got <- line
	}()
	if err := sender(t, "dlist:"+path).Send(&sample); err != nil {
		t.Fatal(err)
	}
	want := `NOTIFY %(METHOD log CLASS MAIL PRIORITY "" USER fred MAILBOX INBOX OPTIONS (a b) MESSAGE "You have new mail" FILEPATH /spool/1.)` + "\r\n"
	if line := <-got; line != want {
		t.Errorf("sent %q, want %q", line, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wire))
	f.Add([]byte("\x00\x00\x00\x00\x000\x00hi"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		again, err := m.Encode(len(b) + 20)
		if err != nil {
			t.Fatalf("Encode of what was parsed: %v", err)
		}
		m2, err := Parse(again)
		if err != nil || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%+v became %+v, %v", m, m2, err)
		}
	})
}

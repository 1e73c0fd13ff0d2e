package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/site"
)

// newServer serves a site with a few mailboxes.
func newServer(t testing.TB, conf ...string) *server {
	t.Helper()
	dir := t.TempDir()
	lines := []string{
		"servername: reference.example.org", "configdirectory: " + dir + "/conf", "defaultpartition: default",
		"partition-default: " + dir + "/spool", "mboxname_lockpath: " + dir + "/lock", "admins: cyrus", "unixhierarchysep: yes",
		"mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat",
	}
	for _, d := range []string{"conf/db", "conf/quota", "spool", "lock"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Parse("imapd.conf", strings.Join(append(lines, conf...), "\n")+"\n", "smmap")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	admin := mboxlist.Actor{Identity: acl.Identity{Admin: true}}
	ctx := t.Context()
	boxes := []mboxname.Name{"user.user1", "user.user1.Sub", "user.user2", "user.user3", "user.us^er", "open", "shared", "hidden"}
	if config.Virtdomains.In(c) != "off" {
		boxes = append(boxes, "other.org!user.user1")
	}
	for _, n := range boxes {
		if _, err := st.List.Create(ctx, admin, n, mboxlist.CreateOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	for n, rights := range map[mboxname.Name]string{"open": "lrsp", "shared": "lrs", "hidden": ""} {
		if err := st.List.SetACL(ctx, admin, n, "anyone", rights); err != nil {
			t.Fatal(err)
		}
	}
	full, room := quota.NoLimits(), quota.NoLimits()
	full[quota.Message], room[quota.Storage] = 0, 0
	for n, l := range map[mboxname.Name]quota.Limits{"user.user2": full, "user.user3": room} {
		if err := st.List.SetQuota(ctx, admin, n, l, false); err != nil {
			t.Fatal(err)
		}
	}
	return &server{conf: c, log: slog.New(slog.DiscardHandler), site: st}
}

// TestAnswers: most of these were asked of a real Cyrus 3.6.1.
func TestAnswers(t *testing.T) {
	const none, denied = "NOTFOUND Mailbox does not exist", "PERM Permission denied"
	domains := []string{"virtdomains: userid", "defaultdomain: reference.example.org"}
	servers := map[string]*server{} // by configuration
	for _, c := range []struct {
		key, want string
		conf      []string
		skip      bool
	}{
		{key: "user1", want: "OK user1"},
		{key: "USER1", want: "OK USER1"},
		{key: "USER1", want: none, conf: []string{"lmtp_downcase_rcpt: no"}},
		{key: "user1@reference.example.org", want: "OK user1@reference.example.org"},
		{key: "user1@elsewhere.org", want: "OK user1@elsewhere.org"},
		{key: "user1@elsewhere.org", want: none, conf: domains},
		{key: "user1@other.org", want: "OK user1@other.org", conf: domains},
		{key: "user1@Reference.example.org", want: "OK user1@Reference.example.org", conf: domains},
		{key: "user1+Sub", want: "OK user1+Sub"},
		{key: "User1+Sub", want: "OK User1+Sub"},
		{key: "user1+sub", want: none},
		{key: "user1+Sub@x.org", want: "OK user1+Sub@x.org"},
		{key: "user1+nothere", want: none},
		{key: "user1+nothere", want: "OK user1+nothere", skip: true},
		{key: "user1+a/b", want: none},
		{key: "user1+", want: "OK user1+"},
		{key: "user2", want: "TEMP Over quota"},
		{key: "user2", want: "PERM Over quota", conf: []string{"lmtp_over_quota_perm_failure: yes"}},
		{key: "user3", want: "OK user3"}, // nothing is stored: not over its limit
		{key: "us.er", want: "OK us.er"},
		{key: "+open", want: "OK +open"},
		{key: "+shared", want: denied},
		{key: "+hidden", want: none},
		{key: "+nothere", want: none},
		{key: "bb+open", want: none},
		{key: "bb+open", want: "OK bb+open", conf: []string{"postuser: bb"}},
		{key: "bb+shared", want: denied, conf: []string{"postuser: bb"}},
		{key: "bb", want: none, conf: []string{"postuser: bb"}},
		{key: "", want: none},
		{key: "+", want: none},
		{key: "@", want: none},
		{key: "user1 x", want: none},
		{key: "<user1>", want: none},
		{key: `"user1"`, want: none},
		{key: "us\u00e9r", want: none},
		{key: "user1\x00x", want: "OK user1"},
		{key: "user1+\xff\xfe", want: none},
		{key: strings.Repeat("a", 1000), want: none},
	} {
		conf := strings.Join(c.conf, " ")
		if servers[conf] == nil {
			servers[conf] = newServer(t, c.conf...)
		}
		t.Run(c.key+conf, func(t *testing.T) {
			s := *servers[conf]
			s.skipPlus = c.skip
			if got := s.answer(t.Context(), []byte("cyrus "+c.key), "localhost"); got != c.want {
				t.Errorf("%q: %q, want %q", c.key, got, c.want)
			}
		})
	}
}

// socket is a client's connection.
type socket struct{ net.Conn }

func (socket) Park(context.Context, time.Duration) error { return nil }

// talk gives a session all of input and returns what it says.
func talk(t *testing.T, s *server, input string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		err = s.serve(t.Context(), socket{c}, "localhost")
		_, _ = io.Copy(io.Discard, c) // or what it said is lost
		done <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, input); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(c)
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if err != nil {
		t.Error(err)
	}
	return string(said)
}

// TestProtocol: what a real Cyrus says, but that a session ends with what
// cannot be understood; Cyrus says the same again for ever.
func TestProtocol(t *testing.T) {
	s := newServer(t)
	bad := func(why string) string { return string(netstring("PERM Bad protocol (" + why + ")")) }
	for _, c := range []struct{ in, want string }{
		{"11:cyrus user1,", "8:OK user1,"},
		{"11:cyrus user1,13:cyrus nothere,11:cyrus user2,", "8:OK user1,31:NOTFOUND Mailbox does not exist,15:TEMP Over quota,"},
		{"3:abc,11:cyrus user1,", bad("missing key") + "8:OK user1,"},
		{"0:,", bad("missing key")},
		{"x:abc,", bad("missing length")},
		{":abc,", bad("missing length")},
		{"-1:abc,", bad("missing length")},
		{"+3:abc,", bad("missing length")},
		{"3 :abc,", bad("missing length")},
		{"3:abc;,", bad("missing terminator")},
		{"99999999999999999999999999:a,", bad("request is too long")},
		{"1025:" + strings.Repeat("a", 1025) + ",", bad("request is too long")},
		{"1024:x " + strings.Repeat("a", 1022) + ",", "31:NOTFOUND Mailbox does not exist,"},
		{"GET / HTTP/1.0\r\n\r\n,", bad("missing length")},
	} {
		if got := talk(t, s, c.in); got != c.want {
			t.Errorf("%.60q: %.200q, want %q", c.in, got, c.want)
		}
	}
}

// TestCutOff: a client that leaves in the middle of a request.
func TestCutOff(t *testing.T) {
	for in, want := range map[string]error{
		"": io.EOF, "1": errLength, "11": errLength, "11:": errShort, "11:cyrus": errShort, "5:hello": errTerminator,
	} {
		if _, err := newReader(strings.NewReader(in)).next(); err != want {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"11:cyrus user1,", "0:,", "1024:", "x", "3:abc;", "00000003:abc,1:x,"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newReader(bytes.NewReader(in))
		for {
			b, err := r.next()
			if err != nil {
				return
			}
			if len(b) > maxRequest {
				t.Fatalf("a request of %d octets", len(b))
			}
			if want := fmt.Sprintf("%d:%s,", len(b), b); !bytes.Contains(in, []byte(want)[len(fmt.Sprint(len(b))):]) {
				t.Fatalf("%q is not in %q", want, in)
			}
		}
	})
}

package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
)

// TestOptions: what imapd.conf says of scripts and of clients without a
// password, each at another value than its default.
func TestOptions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := testServer(t, sieveUser(t, "keep;"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := config.Parse("/imapd.conf", testConf+"soft_noauth: no\nsieve_duplicate_max_expiration: 1h\nsievenotifier: log\nnotifysocket: "+path+"\n", "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	s.conf, s.notify = c, notify.NewQueue(notify.NewSender(c), slog.New(slog.DiscardHandler))
	n := &session{server: s}
	if got := n.authNeeded(); got != "530 Authentication required" {
		t.Errorf("soft_noauth: %q", got)
	}
	st, err := s.site.Store.Stage("default")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Remove()
	h := &scriptHost{Owner: &scripts.Owner{Ctx: t.Context(), Site: s.site, User: "a"}, s: n, ctx: t.Context(), m: &incoming{staged: st}, r: &recipient{user: "a"}}
	h.Track(sieve.Tracked{ID: "x", Seconds: 1_000_000})
	if until, ok := h.marked(h.trackKey("x")); !ok || time.Until(until) > time.Hour {
		t.Errorf("sieve_duplicate_max_expiration: %v, %v", until, ok)
	}
	if err := h.Notify(sieve.Notification{Method: "default", Message: "hello"}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, notify.MaxSize)
	if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	size, err := l.Read(b)
	if got := string(b[:size]); err != nil || !strings.HasPrefix(got, "log\x00SIEVE\x00") || !strings.HasSuffix(got, "\x00"+st.Path()+"\x00") {
		t.Errorf("sievenotifier: %q, %v", got, err)
	}
}

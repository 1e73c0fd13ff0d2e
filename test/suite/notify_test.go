package suite

import (
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestNotify: with mailnotifier lmtpd tells notifyd of new mail, which
// writes it into the log.
func TestNotify(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"mailnotifier: log"}})
	if _, dot := deliverTo(t, s, "<a@b>", "<user1>", "From: a@b\nSubject: to be told\n\nbody"); !strings.HasPrefix(dot, "250") {
		t.Fatalf("delivery: %q", dot)
	}
	const want = `MAIL, , user1, INBOX,  "From: a@b`
	for end := time.Now().Add(60 * time.Second); !strings.Contains(s.Log(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not show %q", want)
		}
	}
}

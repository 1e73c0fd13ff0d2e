package main

import (
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

// TestTimeout: the option timeout has minutes, 30 at least (RFC 3501 section
// 5.4).
func TestTimeout(t *testing.T) {
	for line, want := range map[string]time.Duration{"": 32 * time.Minute, "timeout: 45\n": 45 * time.Minute, "timeout: 5\n": 30 * time.Minute} {
		c, err := config.Parse("imapd.conf", "configdirectory: /x\n"+line, "imap")
		if err != nil {
			t.Fatal(err)
		}
		s := &server{conf: c}
		s.options()
		if s.timeout != want {
			t.Errorf("%q: %v", line, s.timeout)
		}
	}
}

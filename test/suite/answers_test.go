package suite

import (
	"testing"
	"time"

	"gocyrus/test/server"
)

// answers fails the test unless a client can log in and read its INBOX
// within d. A connection that a dying process took is tried again.
func answers(t *testing.T, s *server.Site, d time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		k, err := s.TryLogin("user1")
		if err == nil {
			_, _, err = k.Do("STATUS INBOX (MESSAGES)")
			k.Close()
		}
		took := time.Since(began)
		switch {
		case err == nil && took <= d:
			return
		case err == nil:
			t.Errorf("a client was answered after %v, want %v at most", took, d)
			return
		case took > 15*time.Second:
			t.Fatalf("no answer for 15 s: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

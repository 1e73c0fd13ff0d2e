package suite

import (
	"testing"
	"time"

	"gocyrus/test/server"
)

func TestDbg(t *testing.T) {
	s := server.Start(t, server.Options{})
	w := startWriters(s, 4)
	time.Sleep(300 * time.Millisecond)
	w.finish()
	at := time.Now()
	t.Log(s.Stop(20*time.Second), time.Since(at))
	t.Log(s.Log())
}

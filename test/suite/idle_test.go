package suite

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestThousandIdleClients has 1,000 clients in IDLE at a time in few
// processes, and each hears of a new message.
func TestThousandIdleClients(t *testing.T) {
	const clients, first = 1000, 100
	s := server.Start(t, server.Options{})
	var idle []*server.IMAP
	connect := func(n int) {
		for len(idle) < n {
			c := s.Login(fmt.Sprintf("user%d", 1+len(idle)%3))
			idle = append(idle, c)
			c.Must("SELECT INBOX")
			fmt.Fprint(c, "i IDLE\r\n")
			if line, err := c.Line(); err != nil || !strings.HasPrefix(line, "+") {
				t.Fatalf("IDLE: %q, %v", line, err)
			}
		}
	}
	connect(first)
	time.Sleep(time.Second)
	before := memory(t, s)
	connect(clients)
	time.Sleep(time.Second)
	per := (memory(t, s) - before) / (clients - first)
	processes := len(s.Processes("imapd"))
	t.Logf("%d clients in IDLE in %d processes, %d KiB each", clients, processes, per)
	if processes > 6 {
		t.Errorf("%d processes of imapd for %d clients", processes, clients)
	}
	c, err := dialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := 1; n <= 3; n++ {
		if err := c.send(fmt.Sprintf("user%d", n), fmt.Sprintf("<idle-%d@writer.example.org>", n)); err != nil {
			t.Fatal(err)
		}
	}
	for i, k := range idle {
		if line, err := k.Line(); err != nil || line != "* 1 EXISTS\r\n" {
			t.Fatalf("client %d hears %q, %v", i, line, err)
		}
		k.Close()
	}
}

// memory is the private memory of all imapd processes in KiB.
func memory(t *testing.T, s *server.Site) (sum int) {
	t.Helper()
	for _, pid := range s.Processes("imapd") {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			var kib int
			if n, _ := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); n == 1 {
				sum += kib
			}
		}
	}
	return sum
}

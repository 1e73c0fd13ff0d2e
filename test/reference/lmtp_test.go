//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"net"
	"time"

	"gocyrus/test/server"
)

// deliverLMTP delivers one message to a user over TCP.
func deliverLMTP(s *server.Site, user, id string) {
	if err := tryLMTP(s, user, id); err != nil {
		panic(err)
	}
}

// tryLMTP is deliverLMTP for a delivery that may fail.
func tryLMTP(s *server.Site, user, id string) error {
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	for _, step := range []string{"", "LHLO test", "MAIL FROM:<a@example.org>", "RCPT TO:<" + user + ">", "DATA",
		fmt.Sprintf("Subject: by LMTP\r\nMessage-ID: <lmtp-%s@example.org>\r\nX-8bit: \xe4\r\n\r\nbody\r\n.", id), "QUIT"} {
		if step != "" {
			fmt.Fprint(c, step+"\r\n")
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil || line[0] != '2' && line[0] != '3' {
				return fmt.Errorf("LMTP, after %q: %q, %w", step, line, err)
			}
			if line[3] != '-' {
				break
			}
		}
	}
	return nil
}

//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"net"
	"strings"

	"gocyrus/test/server"
)

// deliverLMTP delivers one message to a user over TCP.
func deliverLMTP(s *server.Site, user, id string) {
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for _, step := range []string{"", "LHLO test", "MAIL FROM:<a@example.org>", "RCPT TO:<" + user + ">", "DATA",
		fmt.Sprintf("Subject: by LMTP\r\nMessage-ID: <lmtp-%s@example.org>\r\nX-8bit: \xe4\r\n\r\nbody\r\n.", id), "QUIT"} {
		if step != "" {
			fmt.Fprint(c, step+"\r\n")
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil || line[0] != '2' && line[0] != '3' {
				panic(fmt.Sprintf("LMTP, after %q: %q, %v", step, line, err))
			}
			if line[3] != '-' {
				break
			}
		}
		if strings.HasPrefix(step, "QUIT") {
			return
		}
	}
}

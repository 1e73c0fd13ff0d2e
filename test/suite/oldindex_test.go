package suite

import (
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestOldIndex works in a mailbox whose index is of version 10: what its
// owner has seen is in his seen database, not in the index.
func TestOldIndex(t *testing.T) {
	s := server.Unpack(t, "sample-spool", true)
	s.Run()
	const box = "INBOX/sub.with.dots"
	c := s.DialIMAP()
	defer c.Close()
	c.Must("LOGIN first.last pw-first.last")
	c.Must(`APPEND ` + box + ` (\Seen) {8+}` + "\r\nA: b\r\n\r\n")
	c.Must("APPEND " + box + " {8+}\r\nA: b\r\n\r\n")
	c.Must("SELECT " + box)
	c.Must("STORE 1 +FLAGS.SILENT (\\Seen)")
	c.Must("COPY 1 " + box)
	c.Must("CLOSE")
	c.Must("EXAMINE " + box)
	got := strings.Join(c.Must("FETCH 1:* FLAGS"), "")
	want := "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (FLAGS ())\r\n* 4 FETCH (FLAGS (\\Seen))\r\n"
	if got := strings.ReplaceAll(strings.ReplaceAll(got, `\Recent `, ""), `\Recent`, ""); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package suite

import (
	"net"
	"path/filepath"
	"testing"

	"gocyrus/test/server"
	"gocyrus/test/transcript"
)

// TestDialogs plays the dialogs in testdata/dialogs: what Cyrus 3.6 has not,
// so that they are written by hand, from the RFCs that their first lines
// name. $any in a reply stands for any text; the rest of the form is that of
// the recordings in test/golden. Each is played in both modes.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs: %v", err)
	}
	for _, name := range files {
		for mode, shared := range map[string]bool{"own": false, "shared": true} {
			t.Run(filepath.Base(name)+"/"+mode, func(t *testing.T) {
				t.Parallel()
				play(t, name, shared)
			})
		}
	}
}

// play plays a dialog on a site of its own.
func play(t *testing.T, name string, shared bool) {
	d, err := transcript.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := server.Start(t, server.Options{Config: d.Config, Shared: shared})
	if err := d.Fill(s.IMAP); err != nil {
		t.Fatal(err)
	}
	mask := transcript.NewMasker(nil)
	mask.Wildcards()
	dial := func() (net.Conn, error) { return net.Dial("tcp", s.IMAP) }
	if err := transcript.Replay(d, dial, mask); err != nil {
		t.Error(err)
	}
}

package suite

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/test/server"
)

// TestGoIMAP lets a client that is not ours parse what imapd says.
func TestGoIMAP(t *testing.T) {
	s := server.Start(t, server.Options{})
	c, err := imapclient.DialInsecure(s.IMAP, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Login("user1", "pass").Wait())
	must(c.Create("INBOX/Grüße", nil).Wait())
	boxes, err := c.List("", "*", nil).Collect()
	must(err)
	if len(boxes) != 2 || boxes[1].Mailbox != "INBOX/Grüße" {
		t.Errorf("LIST: %+v", boxes)
	}
	text := "From: A <a@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <w@example.org>\r\n\r\nbody\r\n"
	a := c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagFlagged}, Time: time.Unix(1795449086, 0)})
	_, err = a.Write([]byte(text))
	must(err)
	must(a.Close())
	appended, err := a.Wait()
	must(err)
	selected, err := c.Select("INBOX", nil).Wait()
	must(err)
	if selected.NumMessages != 1 || appended.UID != 1 || appended.UIDValidity != selected.UIDValidity {
		t.Errorf("APPEND %+v, SELECT %+v", appended, selected)
	}
	messages, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		Envelope: true, Flags: true, InternalDate: true, RFC822Size: true, UID: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	}).Collect()
	must(err)
	m := messages[0]
	if m.Envelope.Subject != "Grüße" || m.RFC822Size != int64(len(text)) || m.InternalDate.Unix() != 1795449086 ||
		string(m.BodySection[0].Bytes) != text || m.BodyStructure.MediaType() != "text/plain" {
		t.Errorf("FETCH: %+v", m)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "Grüße"}}}, nil).Wait()
	must(err)
	if uids := found.AllUIDs(); len(uids) != 1 || uids[0] != 1 {
		t.Errorf("SEARCH: %v", uids)
	}
	copied, err := c.Move(imap.SeqSetNum(1), "INBOX/Grüße").Wait()
	must(err)
	if copied.DestUIDs == nil {
		t.Errorf("MOVE: %+v", copied)
	}
	must(c.Logout().Wait())
}

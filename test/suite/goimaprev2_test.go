package suite

import (
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/test/server"
)

// TestGoIMAPRev2 lets a client that is not ours speak IMAP4rev2.
func TestGoIMAPRev2(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{})
	told := make(chan uint32, 1)
	c, err := imapclient.DialInsecure(s.IMAP, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				told <- *data.NumMessages
			}
		},
	}})
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
	if !c.Caps().Has(imap.CapIMAP4rev2) {
		t.Fatalf("capabilities: %v", c.Caps())
	}
	enabled, err := c.Enable(imap.CapIMAP4rev2).Wait()
	must(err)
	if !enabled.Caps.Has(imap.CapIMAP4rev2) {
		t.Errorf("ENABLE: %v", enabled.Caps)
	}
	must(c.Create("INBOX/Grüße & 日本", nil).Wait())
	boxes, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, NumDeleted: true, Size: true}}).Collect()
	must(err)
	if len(boxes) != 2 || boxes[1].Mailbox != "INBOX/Grüße & 日本" || boxes[1].Status == nil || *boxes[1].Status.NumDeleted != 0 {
		t.Errorf("LIST: %+v", boxes)
	}
	text := "From: Grüße <a@example.org>\r\nSubject: £\r\n\r\nbody\r\n"
	a := c.Append("INBOX", int64(len(text)), nil)
	_, err = a.Write([]byte(text))
	must(err)
	must(a.Close())
	_, err = a.Wait()
	must(err)
	_, err = c.Select("INBOX", nil).Wait()
	must(err)
	found, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait()
	must(err)
	if uids := found.AllUIDs(); len(uids) != 1 || uids[0] != 1 {
		t.Errorf("SEARCH: %+v", found)
	}
	got, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{Flags: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	must(err)
	if len(got) != 1 || string(got[0].BodySection[0].Bytes) != text || len(got[0].Flags) != 0 {
		t.Errorf("FETCH: %+v", got)
	}
	idle, err := c.Idle()
	must(err)
	s.Login("user1").Append("INBOX", "Subject: two\r\n\r\nbody\r\n")
	if n := <-told; n != 2 {
		t.Errorf("told of %d messages", n)
	}
	must(idle.Close())
	must(idle.Wait())
	must(c.Logout().Wait())
}

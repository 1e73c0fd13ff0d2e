package scripts

import (
	"log/slog"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

// TestOptions: scripts lie in the folder that sieve_folder names, and with
// anysievefolder a script may make any folder of its owner.
func TestOptions(t *testing.T) {
	m, s := newSite(t)
	owner := &Owner{Site: s, User: "a"}
	if owner.mayMake("user.a.x", false) {
		t.Error("a folder is made without anysievefolder")
	}
	s.Close()
	c, err := config.Parse("/imapd.conf", conf+"sieve_folder: #other\nanysievefolder: yes\n", "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err = site.OpenOn(m, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u := open(t, s)
	if err := u.Put(t.Context(), "one", []byte("keep;\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List.Lookup(t.Context(), mboxname.Name("user.a.#other")); err != nil {
		t.Errorf("sieve_folder: %v", err)
	}
	owner.Site = s
	if !owner.mayMake("user.a.x", false) {
		t.Error("anysievefolder: no folder is made")
	}
}

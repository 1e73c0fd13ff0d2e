package config

import (
	"testing"
	"time"
)

const minimal = "configdirectory: /var/lib/cyrus\npartition-default: /var/spool/cyrus\n"

func TestDefaults(t *testing.T) {
	c, err := Parse("imapd.conf", minimal, "imapd")
	if err != nil {
		t.Fatal(err)
	}
	if Allowplaintext.In(c) || !Altnamespace.In(c) || Timeout.In(c) != 32*time.Minute ||
		Maxheaderlines.In(c) != 1000 || MboxlistDb.In(c) != "pebble" || !SieveExtensions.In(c).Has("fileinto") {
		t.Error("wrong default")
	}
	if got := MboxnameLockpath.In(c); got != "" {
		t.Errorf("mboxname_lockpath = %q", got)
	}
	if err := c.CheckPartitions(); err == nil {
		t.Log("ok")
	}
}

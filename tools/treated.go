package main

import (
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sasl"
)

// treatedOptions is the options of imapd.conf that do something else here
// than in Cyrus 3.6.1, when they do, and what. README.md has the reasons.
var treatedOptions = []struct {
	option string
	when   func(c *config.Config) bool
	text   string
}{
	{"sasl_mech_list", otherMechs, "there are no GSSAPI, NTLM, ANONYMOUS, EXTERNAL and SCRAM with channel binding"},
	{"tls_versions", oldTLS, "TLS 1.0 and 1.1 are offered only because it names them"},
	{"auth_mech", func(c *config.Config) bool { return config.AuthMech.In(c) != "unix" }, "groups come from the system's group file alone"},
	{"mupdate_server", func(c *config.Config) bool { return config.MupdateServer.In(c) != "" }, "a murder is not in this version: remote mailboxes are not served"},
	{"event_groups", otherEvents, "there are no events of calendars and of Apple's push service"},
	{"object_storage_enabled", config.ObjectStorageEnabled.In, "not in this version: messages must lie in partitions"},
	{"statuscache", config.Statuscache.In, "no effect: STATUS is answered from the index"},
}

// treated prints what of imapd.conf is treated differently.
func (r *takeoverCheck) treated() {
	for _, o := range treatedOptions {
		if o.when(r.c) {
			r.line("differs", "%s: %s", o.option, o.text)
		}
	}
}

func otherMechs(c *config.Config) bool {
	list, _ := c.Overflow("sasl_mech_list")
	for _, m := range strings.Fields(list) {
		if !sasl.Known(m) {
			return true
		}
	}
	return false
}

func otherEvents(c *config.Config) bool {
	g := config.EventGroups.In(c)
	return config.EventNotifier.In(c) != "" && (g.Has("calendar") || g.Has("applepushservice"))
}

func oldTLS(c *config.Config) bool {
	words := strings.Fields(config.TlsVersions.In(c))
	return slices.Contains(words, "tls1_0") || slices.Contains(words, "tls1_1")
}

package config

import (
	"regexp"
	"strings"
)

// A Pattern is a family of keys that imapd.conf may have besides the
// options: their names are made of what the site has. They are found by
// Overflow and OverflowPrefix.
type Pattern struct {
	Name string // as imapd.conf(5) shows it: "partition-<name>"
	Doc  string
	re   *regexp.Regexp // the whole key, without the service in front
}

// patterns is every such family, in the order of imapd.conf(5).
var patterns = []Pattern{
	{Name: "partition-<name>", re: match(`partition-[a-z0-9]+`),
		Doc: `Directory of the partition <name>; letters and digits. There must be at
least one.`},
	{Name: "metapartition-<name>", re: match(`metapartition-[a-z0-9]+`),
		Doc: `Directory of the files named in metapartition_files, for mailboxes on the
partition <name>.`},
	{Name: "archivepartition-<name>", re: match(`archivepartition-[a-z0-9]+`),
		Doc: `Directory of archived messages, for mailboxes on the partition <name>.`},
	{Name: "<tier>searchpartition-<name>", re: match(`[a-z0-9]+searchpartition-[a-z0-9]+`),
		Doc: `No effect: there are no search indexes.`},
	{Name: "backuppartition-<name>", re: match(`backuppartition-[a-z0-9]+`),
		Doc: `No effect: backups are made by cyrus-backup(8).`},
	{Name: "xlist-<flag>", re: match(`xlist-[a-z]+`),
		Doc: `Folder that gets the special use <flag> when it is made automatically:
"xlist-junk: Spam".`},
	{Name: "autocreate_acl", re: match(`autocreate_acl`),
		Doc: `Folder, identifier and rights, separated by blanks: the ACL of an
automatically made folder.`},
	{Name: "sasl_<option>", re: match(`sasl_[a-z0-9_-]+`),
		Doc: `Option of the SASL layer: sasl_pwcheck_method (saslauthd, auxprop, or both; auxprop unless set),
sasl_auxprop_plugin (sasldb, or accounts for those of cyrus-passwd(8)), sasl_mech_list,
sasl_saslauthd_path, sasl_sasldb_path.`},
	{Name: "<host>_password", re: match(`[a-z0-9_-]+_password`),
		Doc: `No effect: a murder is not in this version.`},
	{Name: "<host>_mechs", re: match(`[a-z0-9_-]+_mechs`),
		Doc: `No effect: a murder is not in this version.`},
	{Name: "<host>_client_cert", re: match(`[a-z0-9_-]+_client_(cert|key)`),
		Doc: `No effect: a murder is not in this version.`},
	{Name: "<channel>_sync_<option>", re: match(`[a-z0-9_-]+_sync_(host|authname|password|realm|port|` +
		`shutdown_file|repeat_interval|try_imap|cache_db_path)`),
		Doc: `No effect: replication is not in this version.`},
}

func match(s string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + s + `)\z`) }

// Patterns returns every family of keys. The caller may not change it.
func Patterns() []Pattern { return patterns }

// Unexplained returns the keys of the file that are neither an option nor
// fit a pattern, sorted, for a check of the configuration. A key may have
// one of services, the names of programs, in front.
func (c *Config) Unexplained(services []string) []KeyValue {
	var list []KeyValue
	for _, kv := range c.OverflowPrefix("") {
		if !explained(kv.Key, services) {
			list = append(list, kv)
		}
	}
	return list
}

func explained(key string, services []string) bool {
	if known(key) {
		return true
	}
	for _, s := range services {
		if rest, ok := strings.CutPrefix(key, strings.ToLower(s)+"_"); ok && known(rest) {
			return true
		}
	}
	return false
}

// known reports whether key is an option or fits a pattern.
func known(key string) bool {
	if ByName(key) != nil {
		return true
	}
	for _, p := range patterns {
		if p.re.MatchString(key) {
			return true
		}
	}
	return false
}

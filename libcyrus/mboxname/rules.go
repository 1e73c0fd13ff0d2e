package mboxname

import (
	"strings"

	"gocyrus/libcyrus/config"
)

// Virtual is imapd.conf's virtdomains.
type Virtual uint8

// The values of virtdomains.
const (
	VirtualOff    Virtual = iota
	VirtualUserID         // the domain is in the user id
	VirtualOn             // … or found by the address that the client came to
)

// Rules is what imapd.conf says about names.
type Rules struct {
	AltNamespace      bool
	UnixHierarchySep  bool   // external separator '/' instead of '.'
	UserPrefix        string // altnamespace: "Other Users"
	SharedPrefix      string // altnamespace: "Shared Folders"
	AltPrefix         string // altnamespace: "Alt Folders"
	DeletedPrefix     string // "DELETED"
	DefaultDomain     string
	Virtual           Virtual
	CrossDomains      bool // names show other users' domains
	CrossDomainsOther bool // … but only of domains other than one's own
	HideUsers         bool // disable_user_namespace
	HideShared        bool // disable_shared_namespace
}

// DefaultRules is what an imapd.conf that says nothing means.
func DefaultRules() Rules {
	return Rules{
		AltNamespace:     true,
		UnixHierarchySep: true,
		UserPrefix:       "Other Users",
		SharedPrefix:     "Shared Folders",
		AltPrefix:        "Alt Folders",
		DeletedPrefix:    "DELETED",
		DefaultDomain:    "internal",
	}
}

// RulesFrom reads the rules of a configuration.
func RulesFrom(c *config.Config) Rules {
	r := Rules{
		AltNamespace:      config.Altnamespace.In(c),
		UnixHierarchySep:  config.Unixhierarchysep.In(c),
		UserPrefix:        config.Userprefix.In(c),
		SharedPrefix:      config.Sharedprefix.In(c),
		AltPrefix:         config.Altprefix.In(c),
		DeletedPrefix:     config.Deletedprefix.In(c),
		DefaultDomain:     config.Defaultdomain.In(c),
		CrossDomains:      config.Crossdomains.In(c),
		CrossDomainsOther: config.CrossdomainsOnlyother.In(c),
		HideUsers:         config.DisableUserNamespace.In(c),
		HideShared:        config.DisableSharedNamespace.In(c),
	}
	switch config.Virtdomains.In(c) {
	case "userid":
		r.Virtual = VirtualUserID
	case "on":
		r.Virtual = VirtualOn
	}
	return r
}

// UserID is a user id as it is stored: without the default domain.
func (r Rules) UserID(id string) string {
	if i := strings.LastIndexByte(id, '@'); i >= 0 && id[i+1:] == r.DefaultDomain {
		return id[:i]
	}
	return id
}

// Inbox is the name of a user's INBOX; his id may have the default domain.
func (r Rules) Inbox(userID string) Name { return Inbox(r.UserID(userID)) }

// LayoutFrom reads where files lie from a configuration.
func LayoutFrom(c *config.Config) *Layout {
	l := &Layout{
		ConfigDir:         config.Configdirectory.In(c),
		Partitions:        byName(c, "partition-"),
		MetaPartitions:    byName(c, "metapartition-"),
		ArchivePartitions: byName(c, "archivepartition-"),
		MetaDirs:          byName(c, "metadir-"),
		MetaFiles:         map[MetaFile]bool{},
		HashSpool:         config.Hashimapspool.In(c),
		FullHash:          config.Fulldirhash.In(c),
		LockDir:           config.MboxnameLockpath.In(c),
		QuotaDir:          config.QuotaDbPath.In(c),
		SieveDir:          config.Sievedir.In(c),
		DeletedPrefix:     config.Deletedprefix.In(c),
	}
	for _, name := range config.MetapartitionFiles.In(c).Names() {
		l.MetaFiles[MetaFile(name)] = true
	}
	return l
}

// byName is the values of all options that begin with prefix, by what
// follows it.
func byName(c *config.Config, prefix string) map[string]string {
	m := map[string]string{}
	for _, kv := range c.OverflowPrefix(prefix) {
		m[strings.TrimPrefix(kv.Key, prefix)] = kv.Value
	}
	return m
}

package config

// Options from p to r.

var PartitionSelectMode = newList(Row{Name: "partition_select_mode", Default: "freespace-most", Since: "2.5.0", Group: "mailbox",
	Values: []string{
		"random", "freespace-most", "freespace-percent-most", "freespace-percent-weighted",
		"freespace-percent-weighted-delta",
	},
	Doc: `How the partition of a new mailbox is chosen where there is no defaultpartition.`,
})

var PartitionSelectExclude = newString(Row{Name: "partition_select_exclude", Since: "2.5.0", Group: "mailbox",
	Doc: `Partitions, separated by blanks, that are never chosen.`,
})

var PartitionSelectUsageReinit = newInt(Row{Name: "partition_select_usage_reinit", Default: "0", Since: "2.5.0", Group: "mailbox",
	Doc: `After this many choices free space is looked up again; zero: at each.`,
})

var PartitionSelectSoftUsageLimit = newInt(Row{Name: "partition_select_soft_usage_limit", Default: "0", Since: "2.5.0", Group: "mailbox",
	Doc: `Percentage of use above which a partition is chosen only if all are.`,
})

var Plaintextloginpause = newDuration(Row{Name: "plaintextloginpause", Since: "3.1.8", Unit: "s", Group: "auth",
	Doc: `Time to wait before a log-in without encryption is accepted.`,
})

var Plaintextloginalert = newString(Row{Name: "plaintextloginalert", Since: "2.3.17", Group: "auth",
	Doc: `Text that users see who log in without encryption.`,
})

var Popexpiretime = newDuration(Row{Name: "popexpiretime", Default: "-1", Since: "3.1.8", Unit: "d", Group: "pop3",
	Doc: `Advertised time after which mail may be removed, in whole days; negative: never.`,
})

var Popminpoll = newDuration(Row{Name: "popminpoll", Since: "3.1.8", Unit: "m", Group: "pop3",
	Doc: `Least time between two log-ins of a POP3 user.`,
})

var Popsubfolders = newSwitch(Row{Name: "popsubfolders", Default: "no", Since: "2.3.17", Group: "pop3",
	Doc: `Let user+folder log in by POP3.`,
})

var Poppollpadding = newInt(Row{Name: "poppollpadding", Default: "1", Since: "2.3.17", Group: "pop3",
	Doc: `Number of log-ins that may come sooner than popminpoll.`,
})

var Poptimeout = newDuration(Row{Name: "poptimeout", Default: "10m", Since: "3.1.8", Unit: "m", Group: "pop3",
	Doc: `Time after which an idle POP3 client is logged out; at least 10 minutes.`,
})

var Popuseacl = newSwitch(Row{Name: "popuseacl", Default: "no", Since: "2.3.17", Group: "pop3",
	Doc: `Let POP3 users do only what the ACL of their INBOX allows.`,
})

var Popuseimapflags = newSwitch(Row{Name: "popuseimapflags", Default: "no", Since: "2.3.17", Group: "pop3",
	Doc: `Set \Seen on messages that were retrieved by POP3.`,
})

var Postmaster = newString(Row{Name: "postmaster", Default: "postmaster", Since: "2.3.17", Group: "lmtp",
	Doc: `Sender of the messages that Sieve makes.`,
})

var Postspec = newString(Row{Name: "postspec", Since: "2.3.17", Group: "imap"})

var Postuser = newString(Row{Name: "postuser", Since: "2.3.17", Group: "lmtp",
	Doc: `User part of addresses of shared folders: postuser+folder. Empty: +folder.`,
})

var ProcPath = newString(Row{Name: "proc_path", Since: "2.5.0", Group: "logging",
	Doc: `Directory with one file per session; the default is proc in
configdirectory. Must begin with "/".`,
})

var PrometheusEnabled = newSwitch(Row{Name: "prometheus_enabled", Default: "no", Since: "3.1.2", Group: "prometheus",
	Doc: `Count what services do, for a Prometheus server to read.`,
})

var PrometheusNeedAuth = newList(Row{Name: "prometheus_need_auth", Default: "admin", Since: "3.1.2", Group: "prometheus",
	Values: []string{"none", "user", "admin"},
})

var PrometheusUpdateFreq = newDuration(Row{Name: "prometheus_update_freq", Default: "10s", Since: "3.1.8", Unit: "s", Group: "prometheus",
	Doc: `Time between two reports made of them.`,
})

var PrometheusStatsDir = newString(Row{Name: "prometheus_stats_dir", Since: "3.1.2", Group: "prometheus",
	Doc: `Directory of those counters; the default is stats in configdirectory.`,
})

var ProxyAuthname = newString(Row{Name: "proxy_authname", Default: "proxy", Since: "2.3.17", Group: "murder"})

var ProxyCompress = newSwitch(Row{Name: "proxy_compress", Default: "no", Since: "2.3.17", Group: "murder"})

var ProxyPassword = newString(Row{Name: "proxy_password", Since: "2.3.17", Group: "murder"})

var ProxyRealm = newString(Row{Name: "proxy_realm", Since: "2.3.17", Group: "murder"})

var ProxydAllowStatusReferral = newSwitch(Row{Name: "proxyd_allow_status_referral", Default: "no", Since: "2.3.17", Group: "murder"})

var ProxydDisableMailboxReferrals = newSwitch(Row{Name: "proxyd_disable_mailbox_referrals", Default: "no", Since: "2.3.17", Group: "murder",
	Doc: `MAILBOX-REFERRALS (RFC 2193) is not among the capabilities of imapd.`})

var Proxyservers = newString(Row{Name: "proxyservers", Since: "2.3.17", Group: "auth",
	Doc: `Users, separated by blanks, who may act for others as frontends of a murder do.`,
})

var PtsModule = newList(Row{Name: "pts_module", Default: "afskrb", Since: "2.3.17", Group: "ptloader",
	Values: []string{"afskrb", "ldap"},
})

var PtloaderSock = newString(Row{Name: "ptloader_sock", Since: "2.3.17", Group: "ptloader"})

var PtscacheDb = newList(Row{Name: "ptscache_db", Default: "twoskip", Since: "3.1.6", Group: "ptloader",
	Values: []string{"skiplist", "twoskip", "zeroskip"},
})

var PtscacheDbPath = newString(Row{Name: "ptscache_db_path", Since: "2.5.0", Group: "ptloader"})

var PtscacheTimeout = newDuration(Row{Name: "ptscache_timeout", Default: "3h", Since: "3.1.8", Unit: "s", Group: "ptloader"})

var Ptskrb5Convert524 = newSwitch(Row{Name: "ptskrb5_convert524", Default: "yes", Since: "2.3.16", Group: "ptloader-afs"})

var Ptskrb5StripDefaultRealm = newSwitch(Row{Name: "ptskrb5_strip_default_realm", Default: "yes", Since: "2.3.17", Group: "ptloader-afs"})

var Qosmarking = newEnum(Row{Name: "qosmarking", Default: "cs0", Since: "2.5.0", Group: "imap",
	Values: []string{
		"cs0", "cs1", "cs2", "cs3", "cs4", "cs5", "cs6", "cs7", "af11", "af12", "af13", "af21", "af22",
		"af23", "af31", "af32", "af33", "af41", "af42", "af43", "ef",
	},
	Doc: `Differentiated services code of outgoing packets.`,
})

var QuotaDb = newList(Row{Name: "quota_db", Default: "quotalegacy", Since: "3.1.6", Group: "database",
	Values: []string{"flat", "skiplist", "sql", "quotalegacy", "twoskip", "zeroskip"},
	Doc: `Kind of database of quota roots; "quotalegacy" is one file per root. Nothing
starts with another kind: cvt_cyrusdb of Cyrus converts it.`,
})

var QuotaDbPath = newString(Row{Name: "quota_db_path", Since: "2.5.0", Group: "database",
	Doc: `Directory or file of quota roots; the default is quota or quotas.db in configdirectory.`,
})

var QuotaUseConversations = newSwitch(Row{Name: "quota_use_conversations", Default: "no", Since: "3.3.0", Group: "quota",
	Doc: `Count equal messages of one user once.`,
})

var Quotawarn = newInt(Row{Name: "quotawarn", Default: "90", Since: "2.3.17", Group: "quota",
	Doc: `Percentage of a quota at which users are warned on SELECT.`,
})

var Quotawarnkb = newInt(Row{Name: "quotawarnkb", Default: "0", Since: "2.3.17", Unit: "KiB", Group: "quota",
	Doc: `Warn only if less than this many KiB are free; zero: in any case.`,
})

var Quotawarnmsg = newInt(Row{Name: "quotawarnmsg", Default: "0", Since: "2.5.0", Group: "quota",
	Doc: `Warn only if less than this many messages are free; zero: in any case.`,
})

var Readonly = newSwitch(Row{Name: "readonly", Default: "no", Since: "3.3.0", Group: "auth",
	Doc: `Refuse all that changes mail.`,
})

var Reject8bit = newSwitch(Row{Name: "reject8bit", Default: "no", Since: "2.3.17", Group: "lmtp",
	Doc: `Refuse mail with bytes above 127 in its headers, unless it comes with
SMTPUTF8 and they are UTF-8.`,
})

var RestoreAuthname = newString(Row{Name: "restore_authname", Since: "3.0.0", Group: "backup"})

var RestorePassword = newString(Row{Name: "restore_password", Since: "3.0.0", Group: "backup"})

var RestoreRealm = newString(Row{Name: "restore_realm", Since: "3.0.0", Group: "backup"})

var Reverseacls = newSwitch(Row{Name: "reverseacls", Default: "no", Since: "3.0.0", Group: "acl",
	Doc: `Keep an index of mailboxes by who may see them.`,
})

var Reverseuniqueids = newSwitch(Row{Name: "reverseuniqueids", Default: "yes", Since: "3.6.0", Deprecated: "3.6.0", Group: "mailbox"})

var Rfc2046Strict = newSwitch(Row{Name: "rfc2046_strict", Default: "no", Since: "2.3.17", Group: "mailbox",
	Doc: `Take the end of a MIME part only from a boundary of the full length.`,
})

var Rfc2047Utf8 = newSwitch(Row{Name: "rfc2047_utf8", Default: "no", Since: "3.0.0", Group: "mailbox",
	Doc: `Take text in headers that is not encoded for UTF-8.`,
})

var Rfc3028Strict = newSwitch(Row{Name: "rfc3028_strict", Default: "yes", Since: "2.3.17", Group: "sieve",
	Doc: `Refuse Sieve scripts that RFC 3028 did not allow, such as tests of headers that hold
no address.`,
})

var RssFeedlistTemplate = newString(Row{Name: "rss_feedlist_template", Since: "2.5.0", Group: "rss"})

var RssFeeds = newString(Row{Name: "rss_feeds", Default: "*", Since: "2.5.0", Group: "rss"})

var RssMaxage = newDuration(Row{Name: "rss_maxage", Since: "3.1.8", Unit: "d", Group: "rss"})

var RssMaxitems = newInt(Row{Name: "rss_maxitems", Default: "0", Since: "2.5.0", Group: "rss"})

var RssMaxsynopsis = newInt(Row{Name: "rss_maxsynopsis", Default: "0", Since: "2.5.0", Group: "rss"})

var RssRealm = newString(Row{Name: "rss_realm", Since: "2.5.0", Group: "rss"})

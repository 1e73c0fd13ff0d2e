package config

// Options with s.

var SaslMaximumLayer = newInt(Row{Name: "sasl_maximum_layer", Default: "256", Since: "2.3.17", Group: "auth",
	Doc: `No effect: SASL has no security layers here.`,
})

var SaslMinimumLayer = newInt(Row{Name: "sasl_minimum_layer", Default: "0", Since: "2.3.17", Group: "auth",
	Doc: `Least strength of encryption, in bits, before a user may log in.`,
})

var SearchBatchsize = newInt(Row{Name: "search_batchsize", Default: "20", Since: "3.0.0", Group: "search"})

var SearchAttachmentExtractorUrl = newString(Row{Name: "search_attachment_extractor_url", Since: "3.3.1", Group: "search"})

var SearchIndexLanguage = newSwitch(Row{Name: "search_index_language", Default: "no", Since: "3.3.1", Group: "search"})

var SearchIndexParts = newSwitch(Row{Name: "search_index_parts", Default: "no", Since: "3.2.1", Deprecated: "3.2.1", Group: "search"})

var SearchIndexSkipDomains = newString(Row{Name: "search_index_skip_domains", Since: "3.3.1", Group: "search"})

var SearchIndexSkipUsers = newString(Row{Name: "search_index_skip_users", Since: "3.3.1", Group: "search"})

var SearchQueryLanguage = newSwitch(Row{Name: "search_query_language", Default: "no", Since: "3.3.0", Deprecated: "3.3.0", Group: "search"})

var SearchNormalisationMax = newInt(Row{Name: "search_normalisation_max", Default: "1000", Since: "3.0.0", Group: "imap"})

var SearchEngine = newEnum(Row{Name: "search_engine", Default: "none", Since: "3.1.2", Group: "search",
	Values: []string{"none", "squat", "xapian"},
})

var SearchFuzzyAlways = newSwitch(Row{Name: "search_fuzzy_always", Default: "no", Since: "3.1.5", Group: "search",
	Doc: `Texts in SEARCH, not in SORT and THREAD, are looked for as with FUZZY (RFC
6203). Without a search engine that finds nothing.`,
})

var SearchIndexHeaders = newSwitch(Row{Name: "search_index_headers", Default: "yes", Since: "3.0.0", Group: "search"})

var SearchIndexedDb = newList(Row{Name: "search_indexed_db", Default: "twoskip", Since: "3.1.6", Group: "search",
	Values: []string{"flat", "skiplist", "twoskip", "zeroskip"},
})

var SearchMaxtime = newString(Row{Name: "search_maxtime", Since: "3.0.0", Group: "imap"})

var SearchMaxsize = newInt(Row{Name: "search_maxsize", Default: "4096", Since: "3.6.0", Unit: "KiB", Group: "search"})

var SearchQueryscan = newInt(Row{Name: "search_queryscan", Default: "5000", Since: "3.1.7", Group: "search"})

var SearchSkipdiacrit = newSwitch(Row{Name: "search_skipdiacrit", Default: "yes", Since: "2.5.0", Group: "imap",
	Doc: `Ignore accents when searching.`,
})

var SearchSkiphtml = newSwitch(Row{Name: "search_skiphtml", Default: "no", Since: "3.0.0", Group: "imap",
	Doc: `Do not search in HTML parts.`,
})

var SearchWhitespace = newEnum(Row{Name: "search_whitespace", Default: "merge", Since: "2.5.0", Group: "imap",
	Values: []string{"skip", "merge", "keep"},
	Doc: `What white space means when searching: "merge" takes a run of it as one blank,
"skip" ignores it, "keep" compares it.`,
})

var SearchSnippetLength = newInt(Row{Name: "search_snippet_length", Default: "255", Since: "3.0.0", Group: "search"})

var SearchStopwordPath = newString(Row{Name: "search_stopword_path", Since: "3.1.7", Group: "search"})

var SeenstateDb = newList(Row{Name: "seenstate_db", Default: "twoskip", Since: "3.1.6", Group: "database",
	Values: []string{"flat", "skiplist", "twoskip", "zeroskip"},
	Doc:    `Kind of database of users' seen state.`,
})

var Sendmail = newString(Row{Name: "sendmail", Default: "/usr/lib/sendmail", Since: "2.3.17", Group: "sieve",
	Doc: `Program that sends mail, with -bs or the arguments of sendmail.`,
})

var SendmailAuthId = newString(Row{Name: "sendmail_auth_id", Default: "CYRUS_SENDMAIL_AUTH_ID", Since: "3.1.3", Group: "sieve"})

var Serverlist = newString(Row{Name: "serverlist", Since: "2.3.17", Group: "murder"})

var ServerlistSelectMode = newList(Row{Name: "serverlist_select_mode", Default: "freespace-most", Since: "2.5.0", Group: "murder",
	Values: []string{
		"random", "freespace-most", "freespace-percent-most", "freespace-percent-weighted",
		"freespace-percent-weighted-delta",
	},
})

var ServerlistSelectUsageReinit = newInt(Row{Name: "serverlist_select_usage_reinit", Default: "0", Since: "2.5.0", Group: "murder"})

var ServerlistSelectSoftUsageLimit = newInt(Row{Name: "serverlist_select_soft_usage_limit", Default: "0", Since: "2.5.0", Group: "murder"})

var Servername = newString(Row{Name: "servername", Since: "2.3.17", Group: "auth",
	Doc: `Name of this server as clients see it; unset: that of the host.`,
})

var Serverinfo = newEnum(Row{Name: "serverinfo", Default: "on", Since: "2.3.17", Group: "auth",
	Values: []string{"off", "min", "on"},
	Doc:    `How much of name and version greetings tell: "on", "min" or "off".`,
})

var Sharedprefix = newString(Row{Name: "sharedprefix", Default: "Shared Folders", Since: "2.3.17", Group: "namespace",
	Doc: `With altnamespace, the name below which shared folders appear.`,
})

var SieveAllowreferrals = newSwitch(Row{Name: "sieve_allowreferrals", Default: "yes", Since: "2.3.17", Group: "sieve"})

var SieveDuplicateMaxExpiration = newDuration(Row{Name: "sieve_duplicate_max_expiration", Default: "90d", Since: "3.1.8", Unit: "s", Group: "sieve",
	Doc: `The longest time that Sieve's test duplicate remembers an id.`,
})

var SieveExtensions = newBits(Row{Name: "sieve_extensions", Default: "fileinto reject vacation vacation-seconds notify include envelope environment body relational regex subaddress copy date index imap4flags mailbox mboxmetadata servermetadata variables editheader extlists duplicate ihave fcc special-use redirect-dsn redirect-deliverby mailboxid vnd.cyrus.log vnd.cyrus.jmapquery vnd.cyrus.imip snooze", Since: "3.6.0", Group: "sieve",
	Values: []string{
		"fileinto", "reject", "vacation", "vacation-seconds", "notify", "include", "envelope",
		"environment", "body", "relational", "regex", "subaddress", "copy", "date", "index",
		"imap4flags=imapflags", "mailbox", "mboxmetadata", "servermetadata", "variables", "editheader",
		"extlists", "duplicate", "ihave", "fcc", "special-use", "redirect-dsn", "redirect-deliverby",
		"mailboxid", "vnd.cyrus.log=x-cyrus-log", "vnd.cyrus.jmapquery=x-cyrus-jmapquery",
		"vnd.cyrus.imip", "snooze=vnd.cyrus.snooze=x-cyrus-snooze",
	},
	Doc: `Sieve extensions that uploaded scripts may use.`,
})

var SieveFolder = newString(Row{Name: "sieve_folder", Default: "#sieve", Since: "3.6.0", Group: "sieve",
	Doc: `Folder of each user that holds his Sieve scripts.`,
})

var SieveMaxscriptsize = newInt(Row{Name: "sieve_maxscriptsize", Default: "32", Since: "2.3.17", Unit: "KiB", Group: "sieve",
	Doc: `Most KiB of one Sieve script.`,
})

var SieveMaxscripts = newInt(Row{Name: "sieve_maxscripts", Default: "5", Since: "2.3.17", Group: "sieve",
	Doc: `Most Sieve scripts of one user.`,
})

var SieveUtf8fileinto = newSwitch(Row{Name: "sieve_utf8fileinto", Default: "no", Since: "2.3.17", Group: "sieve",
	Doc: `Mailbox names in Sieve scripts are UTF-8 and not modified UTF-7.`,
})

var SieveSaslSendUnsolicitedCapability = newSwitch(Row{Name: "sieve_sasl_send_unsolicited_capability", Default: "no", Since: "2.3.17", Group: "sieve"})

var SieveUseLmtpReject = newSwitch(Row{Name: "sieve_use_lmtp_reject", Default: "yes", Since: "3.1.1", Group: "sieve",
	Doc: `Answer Sieve's reject in the LMTP session, where all recipients allow, and not by
a message.`,
})

var SieveVacationMinResponse = newDuration(Row{Name: "sieve_vacation_min_response", Default: "3d", Since: "3.1.8", Unit: "s", Group: "sieve",
	Doc: `Least time between two vacation answers to the same sender.`,
})

var SieveVacationMaxResponse = newDuration(Row{Name: "sieve_vacation_max_response", Default: "90d", Since: "3.1.8", Unit: "s", Group: "sieve",
	Doc: `Longest time between two vacation answers to the same sender.`,
})

var SpamLearnProgram = newString(Row{Name: "spam_learn_program", Since: "gocyrus", Group: "sieve",
	Doc: `Program that learns from users who copy or move messages in IMAP: into their mailbox with
the special use \Junk, and out of it but not to \Trash. It gets three arguments, "spam" or
"ham", the user and the mailbox to which the message has gone, and the message on standard
input. One runs at a time in each process, for at most 60 s; sessions do not wait for it.`,
})

var Sievedir = newString(Row{Name: "sievedir", Default: "/usr/sieve", Since: "2.3.17", Group: "sieve",
	Doc: `Directory of compiled Sieve scripts.`,
})

var Sievenotifier = newString(Row{Name: "sievenotifier", Since: "2.3.17", Group: "events",
	Doc: `Method that notifyd is asked to use for Sieve's notify.`,
})

var Sieveusehomedir = newSwitch(Row{Name: "sieveusehomedir", Default: "no", Since: "2.3.17", Group: "sieve",
	Doc: `Look for the script in the user's home directory, file .sieve.`,
})

var Anysievefolder = newSwitch(Row{Name: "anysievefolder", Default: "no", Since: "2.5.0", Group: "autocreate",
	Doc: `Let Sieve's fileinto make any folder that is missing.`,
})

var Singleinstancestore = newSwitch(Row{Name: "singleinstancestore", Default: "yes", Since: "2.3.17", Group: "singleinstance",
	Doc: `Store mail for several recipients, and copies within a partition, once, by hard links.`,
})

var SkiplistAlwaysCheckpoint = newSwitch(Row{Name: "skiplist_always_checkpoint", Default: "yes", Since: "2.3.17", Group: "database"})

var SkiplistUnsafe = newSwitch(Row{Name: "skiplist_unsafe", Default: "no", Since: "2.3.17", Group: "database"})

var SmtpBackend = newList(Row{Name: "smtp_backend", Default: "sendmail", Since: "3.1.4", Group: "sieve",
	Values: []string{"host", "sendmail"},
	Doc: `How mail is sent: "sendmail" runs the program of that option, "host"
connects to smtp_host.`,
})

var SmtpHost = newString(Row{Name: "smtp_host", Default: "localhost:587", Since: "3.1.4", Group: "sieve",
	Doc: `Server that takes outgoing mail, host:port; with /tls or /noauth behind.`,
})

var SmtpAuthAuthname = newString(Row{Name: "smtp_auth_authname", Since: "3.1.4", Group: "sieve",
	Doc: `User name for smtp_host.`,
})

var SmtpAuthPassword = newString(Row{Name: "smtp_auth_password", Since: "3.1.4", Group: "sieve",
	Doc: `Password for smtp_host.`,
})

var SmtpAuthRealm = newString(Row{Name: "smtp_auth_realm", Since: "3.1.4", Group: "sieve",
	Doc: `No effect: the mechanisms for smtp_auth_authname have no realms.`,
})

var SoftNoauth = newSwitch(Row{Name: "soft_noauth", Default: "yes", Since: "2.3.17", Group: "lmtp",
	Doc: `Answer commands that need a log-in with a temporary error to LMTP clients.`,
})

var SortcacheDb = newList(Row{Name: "sortcache_db", Default: "twoskip", Since: "3.1.6", Group: "database",
	Values: []string{"skiplist", "twoskip", "zeroskip"},
})

var SpecialuseExtra = newString(Row{Name: "specialuse_extra", Since: "2.5.0", Group: "mailbox",
	Doc: `Further special uses that users may set, separated by blanks.`,
})

var SpecialuseNochildren = newString(Row{Name: "specialuse_nochildren", Since: "3.6.0", Group: "mailbox",
	Doc: `Special uses of mailboxes that may not have folders below.`,
})

var SpecialuseProtect = newString(Row{Name: "specialuse_protect", Default: "\\Archive \\Drafts \\Important \\Junk \\Sent \\Trash", Since: "3.1.7", Group: "mailbox",
	Doc: `Special uses whose mailboxes may not be deleted or renamed.`,
})

var Specialusealways = newSwitch(Row{Name: "specialusealways", Default: "yes", Since: "3.1.1", Group: "mailbox",
	Doc: `Show special uses in LIST also without being asked.`,
})

var SqlDatabase = newString(Row{Name: "sql_database", Since: "2.3.17", Group: "database"})

var SqlEngine = newList(Row{Name: "sql_engine", Since: "2.3.17", Group: "database",
	Values: []string{"mysql", "pgsql", "sqlite"},
})

var SqlHostnames = newString(Row{Name: "sql_hostnames", Since: "2.3.17", Group: "database"})

var SqlPasswd = newString(Row{Name: "sql_passwd", Since: "2.3.17", Group: "database"})

var SqlUser = newString(Row{Name: "sql_user", Since: "2.3.17", Group: "database"})

var SqlUsessl = newSwitch(Row{Name: "sql_usessl", Default: "no", Since: "2.3.17", Group: "database"})

var SrsAlwaysrewrite = newSwitch(Row{Name: "srs_alwaysrewrite", Default: "no", Since: "2.5.0", Group: "sieve",
	Doc: `Rewrite also senders who are in srs_domain.`,
})

var SrsDomain = newString(Row{Name: "srs_domain", Since: "3.1.2", Group: "sieve",
	Doc: `Domain into which the return path of redirected mail is rewritten (sender rewriting
scheme, in the form of libsrs2). Without it the sender's stays.`,
})

var SrsHashlength = newInt(Row{Name: "srs_hashlength", Default: "0", Since: "3.1.2", Group: "sieve",
	Doc: `Characters of the hash in such an address, at most 27; 0 means 4.`,
})

var SrsSecrets = newString(Row{Name: "srs_secrets", Since: "3.1.2", Group: "sieve",
	Doc: `Secrets, separated by blanks or commas; the first makes the hashes.`,
})

var SrsSeparator = newString(Row{Name: "srs_separator", Since: "3.1.2", Group: "sieve",
	Doc: `Character behind SRS0 and SRS1: "=" (the default), "-" or "+".`,
})

var Srvtab = newString(Row{Name: "srvtab", Since: "2.3.17", Group: "auth"})

var Submitservers = newString(Row{Name: "submitservers", Since: "2.3.17", Group: "imap",
	Doc: `Users and groups (as group:NAME), separated by blanks, whom URLs with
URLAUTH=submit+USER let fetch a message.`,
})

var SubscriptionDb = newList(Row{Name: "subscription_db", Default: "flat", Since: "3.1.6", Group: "database",
	Values: []string{"flat", "skiplist", "twoskip", "zeroskip"},
	Doc:    `Kind of database of users' subscriptions.`,
})

var SuppressCapabilities = newString(Row{Name: "suppress_capabilities", Since: "3.0.0", Group: "imap",
	Doc: `Capabilities, separated by blanks, that are not shown. Those that Cyrus 3.6 does not
have (IMAP4rev2, NOTIFY, UTF8=ACCEPT, QUOTA=RES-STORAGE, …) are turned off with it.`,
})

var Statuscache = newSwitch(Row{Name: "statuscache", Default: "no", Since: "2.3.17", Group: "statuscache",
	Doc: `Let STATUS answers be cached. Nothing is gained by it here, as they come from the
index; the file is kept correct for other programs.`,
})

var StatuscacheDb = newList(Row{Name: "statuscache_db", Default: "twoskip", Since: "3.1.6", Group: "statuscache",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
	Doc:    `No effect, as statuscache.`,
})

var StatuscacheDbPath = newString(Row{Name: "statuscache_db_path", Since: "2.5.0", Group: "statuscache",
	Doc: `File of that cache; the default is statuscache.db in configdirectory.`,
})

var SyncAuthname = newString(Row{Name: "sync_authname", Since: "2.5.0", Group: "replication"})

var SyncBatchsize = newInt(Row{Name: "sync_batchsize", Default: "8192", Since: "3.0.0", Group: "replication"})

var SyncCacheDb = newList(Row{Name: "sync_cache_db", Default: "twoskip", Since: "3.3.1", Group: "replication",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var SyncCacheDbPath = newString(Row{Name: "sync_cache_db_path", Since: "3.3.1", Group: "replication"})

var SyncHost = newString(Row{Name: "sync_host", Since: "2.5.0", Group: "replication"})

var SyncLog = newSwitch(Row{Name: "sync_log", Default: "no", Since: "2.3.17", Group: "replication",
	Doc: `No effect: replication is not in this version.`,
})

var SyncLogChain = newSwitch(Row{Name: "sync_log_chain", Default: "no", Since: "2.4.0", Group: "replication"})

var SyncLogChannels = newString(Row{Name: "sync_log_channels", Since: "2.5.0", Group: "replication",
	Doc: `No effect: replication is not in this version.`,
})

var SyncLogUnsuppressableChannels = newString(Row{Name: "sync_log_unsuppressable_channels", Default: "squatter", Since: "2.5.0", Group: "replication"})

var SyncPassword = newString(Row{Name: "sync_password", Since: "2.5.0", Group: "replication"})

var SyncPort = newString(Row{Name: "sync_port", Since: "3.0.0", Group: "replication"})

var SyncRealm = newString(Row{Name: "sync_realm", Since: "2.5.0", Group: "replication"})

var SyncReconnectMaxwait = newDuration(Row{Name: "sync_reconnect_maxwait", Default: "20m", Since: "3.6.0", Unit: "s", Group: "replication"})

var SyncRepeatInterval = newDuration(Row{Name: "sync_repeat_interval", Default: "1s", Since: "3.1.8", Unit: "s", Group: "replication"})

var SyncRightnowChannel = newString(Row{Name: "sync_rightnow_channel", Since: "3.3.1", Group: "replication"})

var SyncShutdownFile = newString(Row{Name: "sync_shutdown_file", Since: "2.5.0", Group: "replication"})

var SyncTimeout = newDuration(Row{Name: "sync_timeout", Default: "30m", Since: "3.1.8", Unit: "s", Group: "replication"})

var SyncTryImap = newSwitch(Row{Name: "sync_try_imap", Default: "yes", Since: "3.0.0", Group: "replication"})

var SyslogPrefix = newString(Row{Name: "syslog_prefix", Since: "3.1.8", Group: "logging",
	Doc: `Put in front of the service's name in the system log, with a slash between; "cyrus" if
this is not set, as in Debian's Cyrus (master then has none). The environment's CYRUS_SYSLOG_PREFIX
comes first.`,
})

var SyslogFacility = newString(Row{Name: "syslog_facility", Since: "2.5.0", Group: "logging",
	Doc: `Facility of the system log: DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7.
Unset: that of the distribution. master always takes the latter.`,
})

package config

// Options from m to o.

var MailboxDefaultOptions = newInt(Row{Name: "mailbox_default_options", Default: "0", Since: "2.3.17", Group: "mailbox",
	Doc: `Option bits of new mailboxes, as numbers that are added.`,
})

var MailboxInitialFlags = newString(Row{Name: "mailbox_initial_flags", Since: "2.5.0", Group: "mailbox",
	Doc: `No effect, as in Cyrus 3.6.`,
})

var MailboxLegacyDirs = newSwitch(Row{Name: "mailbox_legacy_dirs", Default: "no", Since: "3.6.0", Group: "mailbox",
	Doc: `Name directories of new mailboxes after the mailbox and not after its unique id.`,
})

var MailboxMaxmessagesAddressbook = newInt(Row{Name: "mailbox_maxmessages_addressbook", Default: "0", Since: "3.3.0", Group: "mailbox",
	Doc: `Most entries of one address book; zero: no limit.`,
})

var MailboxMaxmessagesCalendar = newInt(Row{Name: "mailbox_maxmessages_calendar", Default: "0", Since: "3.3.0", Group: "mailbox",
	Doc: `Most entries of one calendar; zero: no limit.`,
})

var MailboxMaxmessagesEmail = newInt(Row{Name: "mailbox_maxmessages_email", Default: "0", Since: "3.3.0", Group: "mailbox",
	Doc: `Most messages of one mailbox; zero: no limit.`,
})

var Mailnotifier = newString(Row{Name: "mailnotifier", Since: "2.3.17", Group: "events",
	Doc: `Method that notifyd is asked to use for newly delivered mail. Unset: none.`,
})

var MasterBindErrorsFatal = newSwitch(Row{Name: "master_bind_errors_fatal", Default: "no", Since: "3.3.0", Group: "master",
	Doc: `Stop master when it cannot listen for a service at start.`,
})

var Maxheaderlines = newInt(Row{Name: "maxheaderlines", Default: "1000", Since: "2.3.17", Group: "mailbox",
	Doc: `Most header lines of a message that are kept in the cache; zero: no limit.`,
})

var MaxloginsPerHost = newInt(Row{Name: "maxlogins_per_host", Default: "0", Since: "2.5.0", Group: "auth",
	Doc: `Most sessions from one address; zero: no limit.`,
})

var MaxloginsPerUser = newInt(Row{Name: "maxlogins_per_user", Default: "0", Since: "2.5.0", Group: "auth",
	Doc: `Most sessions of one user; zero: no limit.`,
})

var Maxargssize = newInt(Row{Name: "maxargssize", Default: "0", Since: "3.6.5", Unit: "bytes", Group: "imap",
	Doc: `Most bytes of the arguments of one command; zero: the program's own limit.`,
})

var Maxmessagesize = newInt(Row{Name: "maxmessagesize", Default: "0", Since: "2.3.17", Unit: "bytes", Group: "imap",
	Doc: `Size of the biggest message: bytes for mail that is delivered, KiB for mail that IMAP
clients upload. Zero: no limit.`,
})

var Maxliteral = newInt(Row{Name: "maxliteral", Default: "131072", Since: "3.6.5", Unit: "bytes", Group: "imap",
	Doc: `Most bytes of one literal that is not a message.`,
})

var Maxquoted = newInt(Row{Name: "maxquoted", Default: "131072", Since: "2.3.17", Unit: "bytes", Group: "imap",
	Doc: `Most bytes of one quoted string.`,
})

var Maxword = newInt(Row{Name: "maxword", Default: "131072", Since: "2.3.17", Unit: "bytes", Group: "imap",
	Doc: `Most bytes of one atom.`,
})

var MboxkeyDb = newList(Row{Name: "mboxkey_db", Default: "twoskip", Since: "3.1.6", Group: "mailbox",
	Values: []string{"skiplist", "twoskip", "zeroskip"},
	Doc: `Kind of new databases of the keys with which users sign URLs
(RFC 4467), one per user.`,
})

var MboxlistDb = newList(Row{Name: "mboxlist_db", Default: "pebble", Since: "3.1.6", Group: "database",
	Values: []string{"pebble", "flat", "skiplist", "sql", "twoskip", "zeroskip"},
	Doc:    `Kind of database that holds the list of mailboxes. See annotation_db.`,
})

var MboxlistDbPath = newString(Row{Name: "mboxlist_db_path", Since: "2.5.0", Group: "database",
	Doc: `File of the list of mailboxes; the default is mailboxes.db in configdirectory.`,
})

var MboxnameLockpath = newString(Row{Name: "mboxname_lockpath", Since: "2.4.0", Group: "mailbox",
	Doc: `Directory of the files that stand for locks on names; the default is lock in
configdirectory. It may be in memory and is emptied at boot.`,
})

var MetapartitionFiles = newBits(Row{Name: "metapartition_files", Since: "3.0.0", Group: "mailbox",
	Values: []string{"header", "index", "cache", "expunge", "squat", "annotations", "lock", "dav", "archivecache"},
	Doc:    `Kinds of files that are kept on metapartition-NAME and not with the messages.`,
})

var MupdateAuthname = newString(Row{Name: "mupdate_authname", Since: "2.3.17", Group: "murder"})

var MupdateConfig = newEnum(Row{Name: "mupdate_config", Default: "standard", Since: "2.3.17", Group: "murder",
	Values: []string{"standard", "unified", "replicated"},
	Doc:    `No effect: a murder is not in this version.`,
})

var Munge8bit = newSwitch(Row{Name: "munge8bit", Default: "yes", Since: "2.3.17", Group: "lmtp",
	Doc: `Replace bytes above 127 in headers by "X" when mail is delivered. With "no"
they stay. UTF-8 in mail that comes with SMTPUTF8 always stays.`,
})

var MupdateConnectionsMax = newInt(Row{Name: "mupdate_connections_max", Default: "128", Since: "2.3.17", Group: "murder"})

var MupdatePassword = newString(Row{Name: "mupdate_password", Since: "2.3.17", Group: "murder"})

var MupdatePort = newInt(Row{Name: "mupdate_port", Default: "3905", Since: "2.3.17", Group: "murder"})

var MupdateRealm = newString(Row{Name: "mupdate_realm", Since: "2.3.17", Group: "murder"})

var MupdateRetryDelay = newInt(Row{Name: "mupdate_retry_delay", Default: "20", Since: "2.3.17", Group: "murder"})

var MupdateServer = newString(Row{Name: "mupdate_server", Since: "2.3.17", Group: "murder",
	Doc: `Host that keeps the list of mailboxes of a murder. Unset: there is no murder.`,
})

var MupdateUsername = newString(Row{Name: "mupdate_username", Since: "2.3.17", Group: "murder"})

var MupdateWorkersMax = newInt(Row{Name: "mupdate_workers_max", Default: "50", Since: "2.3.17", Group: "murder"})

var MupdateWorkersMaxspare = newInt(Row{Name: "mupdate_workers_maxspare", Default: "10", Since: "2.3.17", Group: "murder"})

var MupdateWorkersMinspare = newInt(Row{Name: "mupdate_workers_minspare", Default: "2", Since: "2.3.17", Group: "murder"})

var MupdateWorkersStart = newInt(Row{Name: "mupdate_workers_start", Default: "5", Since: "2.3.17", Group: "murder"})

var Netscapeurl = newString(Row{Name: "netscapeurl", Since: "2.3.17", Group: "imap"})

var Newsaddheaders = newBits(Row{Name: "newsaddheaders", Default: "to", Since: "2.5.0", Group: "nntp",
	Values: []string{"to", "replyto"},
})

var Newsgroups = newString(Row{Name: "newsgroups", Default: "*", Since: "2.4.0", Group: "nntp"})

var Newsmaster = newString(Row{Name: "newsmaster", Default: "news", Since: "2.3.17", Group: "nntp"})

var Newspeer = newString(Row{Name: "newspeer", Since: "2.3.17", Group: "nntp"})

var Newspostuser = newString(Row{Name: "newspostuser", Since: "2.5.0", Group: "nntp"})

var Newsprefix = newString(Row{Name: "newsprefix", Since: "2.3.17", Group: "nntp"})

var NewsrcDbPath = newString(Row{Name: "newsrc_db_path", Since: "2.5.0", Group: "nntp"})

var Nntptimeout = newDuration(Row{Name: "nntptimeout", Default: "3m", Since: "3.1.8", Unit: "m", Group: "nntp"})

var Notesmailbox = newString(Row{Name: "notesmailbox", Since: "3.0.0", Group: "mailbox"})

var Notifysocket = newString(Row{Name: "notifysocket", Default: "{configdirectory}/socket/notify", Since: "2.3.17", Group: "events",
	Doc: `Unix datagram socket of notifyd; with "dlist:" in front a stream socket with the
newer protocol.`,
})

var NotifyExternal = newString(Row{Name: "notify_external", Since: "2.4.0", Group: "events",
	Doc: `Program that notifyd's method "external" runs.`,
})

var NotifyStream = newString(Row{Name: "notify_stream", Since: "gocyrus", Group: "events",
	Doc: `Unix stream socket on which notifyd's method "stream" gives notifications to
any number of local programs: each line is a JSON object. Who may connect is
who may write to it (mode 0660). A program that reads too slowly misses some
and is told how many: {"event":"gocyrus.Lost","count":5}. Unset: none.`,
})

var NotifyWebhook = newString(Row{Name: "notify_webhook", Since: "gocyrus", Group: "events",
	Doc: `URL (http or https) to which notifyd's method "webhook" posts notifications:
a JSON array of one to a hundred of them, in their order. A receiver that
answers with 2xx has taken them. After 5xx, 408, 429, no answer or no
connection a request is repeated, eight times in four minutes, with the
same Delivery-ID in its header; any other answer refuses it. At most a
thousand notifications wait; what is dropped is counted in the log. Unset: none.`,
})

var NotifyWebhookTimeout = newDuration(Row{Name: "notify_webhook_timeout", Default: "10s", Since: "gocyrus", Unit: "s", Group: "events",
	Doc: `Time that the receiver of notify_webhook has for one request.`,
})

var NotifyWebhookToken = newString(Row{Name: "notify_webhook_token", Since: "gocyrus", Group: "events",
	Doc: `What notifyd sends to the receiver of notify_webhook as its bearer token
(RFC 6750). Unset: none.`,
})

package config

// Options from f to i.

var IscheduleDkimDomain = newString(Row{Name: "ischedule_dkim_domain", Since: "2.5.0", Group: "ischedule"})

var IscheduleDkimKeyFile = newString(Row{Name: "ischedule_dkim_key_file", Since: "2.5.0", Group: "ischedule"})

var IscheduleDkimRequired = newSwitch(Row{Name: "ischedule_dkim_required", Default: "yes", Since: "3.1.4", Group: "ischedule"})

var IscheduleDkimSelector = newString(Row{Name: "ischedule_dkim_selector", Since: "2.5.0", Group: "ischedule"})

var DuplicateDb = newList(Row{Name: "duplicate_db", Default: "pebble", Since: "3.1.6", Group: "database",
	Values: []string{"pebble", "skiplist", "sql", "twoskip", "zeroskip"},
	Doc:    `Kind of database that remembers which message was delivered where. See annotation_db.`,
})

var DuplicateDbPath = newString(Row{Name: "duplicate_db_path", Since: "2.5.0", Group: "database",
	Doc: `File of that database; the default is deliver.db in configdirectory.`,
})

var Duplicatesuppression = newSwitch(Row{Name: "duplicatesuppression", Default: "yes", Since: "2.3.17", Group: "duplicate",
	Doc: `Deliver a message with the same Message-ID (or Resent-Message-ID) and the
same text of Date to a mailbox only once, unless the mailbox's annotation
/vendor/cmu/cyrus-imapd/duplicatedeliver says otherwise. cyr_expire -E
forgets deliveries.`,
})

var EventContentInclusionMode = newEnum(Row{Name: "event_content_inclusion_mode", Default: "standard", Since: "2.5.0", Group: "events",
	Values: []string{"standard", "message", "header", "body", "headerbody"},
	Doc: `What of a new message an event carries as messageContent, where
event_extra_params has that: with "standard" the whole message if it is not
larger than event_content_size, else nothing; with "message", "header" and
"body" that piece, cut to event_content_size; with "headerbody" the header
and a body cut to it. What has no room in a notification is left out.`,
})

var EventContentSize = newInt(Row{Name: "event_content_size", Default: "0", Since: "2.5.0", Unit: "bytes", Group: "events",
	Doc: `Most bytes of a message that an event carries; zero: no limit.`,
})

var EventExcludeFlags = newString(Row{Name: "event_exclude_flags", Since: "2.5.0", Group: "events",
	Doc: `Flags, separated by blanks, whose change makes no event. They are
not told among others either.`,
})

var EventExcludeSpecialuse = newString(Row{Name: "event_exclude_specialuse", Default: "\\Junk", Since: "2.5.0", Group: "events",
	Doc: `Special uses, separated by blanks, of the mailboxes that make no events.
"ALL" leaves only those of INBOXes.`,
})

var EventExtraParams = newBits(Row{Name: "event_extra_params", Default: "timestamp", Since: "3.6.0", Group: "events",
	Values: []string{
		"bodyStructure", "clientAddress", "diskUsed", "flagNames", "messageContent", "messageSize",
		"messages", "modseq", "service", "timestamp", "uidnext", "vnd.cmu.midset",
		"vnd.cmu.unseenMessages", "vnd.cmu.envelope", "vnd.cmu.sessionId", "vnd.cmu.mailboxACL",
		"vnd.cmu.mbtype", "vnd.cmu.davFilename", "vnd.cmu.davUid", "vnd.fastmail.clientId",
		"vnd.fastmail.sessionId", "vnd.fastmail.convExists", "vnd.fastmail.convUnseen", "vnd.fastmail.cid",
		"vnd.fastmail.counters", "vnd.fastmail.jmapEmail", "vnd.fastmail.jmapStates", "vnd.cmu.emailid",
		"vnd.cmu.threadid",
	},
	Doc: `Members of the events beyond those that are always there. Those for
mailboxes of calendars and address books (vnd.cmu.davFilename, vnd.cmu.davUid)
and vnd.fastmail.jmapEmail are never told; vnd.cmu.mailboxACL and
vnd.cmu.mbtype always; vnd.fastmail.clientId is empty. The others of
vnd.fastmail but sessionId, vnd.cmu.emailid and vnd.cmu.threadid want
"conversations".`,
})

var EventGroups = newBits(Row{Name: "event_groups", Default: "message mailbox", Since: "3.0.0", Group: "events",
	Values: []string{"message", "quota", "flags", "access", "mailbox", "subscription", "calendar", "applepushservice"},
	Doc: `Groups of events (RFC 5423) that are sent. There are none of "calendar" and
"applepushservice".`,
})

var EventNotifier = newString(Row{Name: "event_notifier", Since: "2.5.0", Group: "events",
	Doc: `Method that notifyd is asked to use for events, such as external, webhook
or stream, or several with blanks between. Each event is one line of JSON.
Nobody waits for notifyd: at most a thousand events of a process wait for it,
the rest is dropped and counted in the log. Unset: there are no events.`,
})

var ExpungeMode = newEnum(Row{Name: "expunge_mode", Default: "delayed", Since: "3.1.1", Group: "expire",
	Values: []string{"immediate", "semidelayed", "delayed"},
	Doc: `"delayed" keeps expunged messages for unexpunge until cyr_expire -X.
"semidelayed" keeps those, but writes the index without them. "immediate"
removes them at once.`,
})

var Failedloginpause = newDuration(Row{Name: "failedloginpause", Default: "3s", Since: "3.1.8", Unit: "s", Group: "auth",
	Doc: `Time to wait before a wrong log-in is answered.`,
})

var Flushseenstate = newSwitch(Row{Name: "flushseenstate", Default: "yes", Since: "2.5.0", Deprecated: "2.5.0", Group: "expire"})

var Foolstupidclients = newSwitch(Row{Name: "foolstupidclients", Default: "no", Since: "2.3.17", Group: "namespace",
	Doc: `Answer LIST "" * with the user's own folders only.`,
})

var ForceSaslClientMech = newString(Row{Name: "force_sasl_client_mech", Since: "2.3.17", Group: "auth"})

var Fulldirhash = newSwitch(Row{Name: "fulldirhash", Default: "no", Since: "2.3.17", Group: "mailbox",
	Doc: `Hash user names over 23 directories by all letters and not by the first.`,
})

var Hashimapspool = newSwitch(Row{Name: "hashimapspool", Default: "no", Since: "2.3.17", Group: "mailbox",
	Doc: `Put a directory with one letter between partition and mailbox.`,
})

var Httpallowcompress = newSwitch(Row{Name: "httpallowcompress", Default: "yes", Since: "2.5.0", Group: "http"})

var Httpallowcors = newString(Row{Name: "httpallowcors", Since: "2.5.0", Group: "http"})

var Httpallowtrace = newSwitch(Row{Name: "httpallowtrace", Default: "no", Since: "2.5.0", Group: "http"})

var Httpallowedurls = newString(Row{Name: "httpallowedurls", Since: "2.5.0", Group: "http"})

var Httpcontentmd5 = newSwitch(Row{Name: "httpcontentmd5", Default: "no", Since: "2.5.0", Group: "http"})

var Httpdocroot = newString(Row{Name: "httpdocroot", Since: "2.5.0", Group: "http"})

var Httpkeepalive = newDuration(Row{Name: "httpkeepalive", Default: "20s", Since: "3.1.8", Unit: "s", Group: "http"})

var Httplogheaders = newString(Row{Name: "httplogheaders", Since: "3.3.1", Group: "http"})

var Httpmodules = newBits(Row{Name: "httpmodules", Since: "3.1.7", Group: "http",
	Values: []string{
		"admin", "caldav", "carddav", "cgi", "domainkey", "freebusy", "ischedule", "jmap", "prometheus",
		"rss", "tzdist", "webdav",
	},
	Doc: `Modules of httpd, which is not built. With carddav among them Sieve scripts may require extlists.`,
})

var Httpprettytelemetry = newSwitch(Row{Name: "httpprettytelemetry", Default: "no", Since: "2.5.0", Group: "http"})

var Httptimeout = newDuration(Row{Name: "httptimeout", Default: "5m", Since: "3.1.8", Unit: "m", Group: "http"})

var HttpH2Altsvc = newString(Row{Name: "http_h2_altsvc", Since: "3.6.0", Group: "http"})

var HttpJwtKeyDir = newString(Row{Name: "http_jwt_key_dir", Since: "3.6.0", Group: "http"})

var HttpJwtMaxAge = newDuration(Row{Name: "http_jwt_max_age", Default: "0s", Since: "3.6.0", Unit: "s", Group: "http"})

var IcalendarMaxSize = newInt(Row{Name: "icalendar_max_size", Default: "0", Since: "3.6.0", Unit: "bytes", Group: "dav"})

var Idlesocket = newString(Row{Name: "idlesocket", Default: "{configdirectory}/socket/idle", Since: "2.3.17", Group: "idle",
	Doc: `Unix datagram socket of idled, told of changes if it exists.`,
})

var Ignorereference = newSwitch(Row{Name: "ignorereference", Default: "no", Since: "2.3.17", Group: "namespace",
	Doc: `Ignore the reference name of LIST and LSUB.`,
})

var Imapsieve = newSwitch(Row{Name: "imapsieve", Default: "no", Since: "gocyrus", Group: "sieve",
	Doc: `Run Sieve scripts also when messages are appended, copied and moved in IMAP, and when
their flags change (RFC 6785): the script that the annotation /shared/imapsieve/script
of the mailbox names, or else that of the server. In a mailbox of his own it is a script
of the user, if he has one of that name, else a global one.`,
})

var ImapsieveUrl = newString(Row{Name: "imapsieve_url", Since: "gocyrus", Group: "sieve",
	Doc: `URL of the ManageSieve server that IMAP clients are told, "sieve://" and the server's name if
it is not set.`,
})

var Imapidlepoll = newDuration(Row{Name: "imapidlepoll", Default: "60s", Since: "3.1.8", Unit: "s", Group: "idle",
	Doc: `Time between looks for changes during IDLE where the system cannot tell of
them. Zero turns IDLE off.`,
})

var Imapidresponse = newSwitch(Row{Name: "imapidresponse", Default: "yes", Since: "2.3.17", Group: "imap",
	Doc: `Tell the operating system and how imapd was built in answer to ID, if serverinfo
is "on"; name and version are told in any case.`,
})

var Imapmagicplus = newSwitch(Row{Name: "imapmagicplus", Default: "no", Since: "2.3.17", Group: "auth",
	Doc: `Let users log in with a plus sign behind their names: LIST shows them then what
they have subscribed to only. More behind the sign has no effect.`,
})

var Imipnotifier = newString(Row{Name: "imipnotifier", Since: "3.0.0", Group: "events"})

var ImplicitOwnerRights = newString(Row{Name: "implicit_owner_rights", Default: "lkxan", Since: "3.1.2", Group: "acl",
	Doc: `Rights that a user always has on his own folders.`,
})

var ImprovedMboxlistSort = newSwitch(Row{Name: "improved_mboxlist_sort", Default: "no", Since: "2.3.17", Group: "namespace"})

var InprogressInterval = newDuration(Row{Name: "inprogress_interval", Default: "10s", Since: "gocyrus", Unit: "s", Group: "imap",
	Doc: `Time after which a client whose command takes long is told that it goes on,
and how far it is, and again after each such time. Zero turns that off.`,
})

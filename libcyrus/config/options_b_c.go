package config

// Options from b to c.

var BackupCompactMinsize = newInt(Row{Name: "backup_compact_minsize", Default: "0", Since: "3.0.0", Unit: "KiB", Group: "backup"})

var BackupCompactMaxsize = newInt(Row{Name: "backup_compact_maxsize", Default: "0", Since: "3.0.0", Unit: "KiB", Group: "backup"})

var BackupCompactWorkThreshold = newInt(Row{Name: "backup_compact_work_threshold", Default: "1", Since: "3.0.0", Group: "backup"})

var BackupStagingPath = newString(Row{Name: "backup_staging_path", Since: "3.0.0", Group: "backup"})

var BackupRetentionDays = newDuration(Row{Name: "backup_retention_days", Since: "3.1.8", Unit: "d", Deprecated: "3.1.8", Replacement: "backup_retention", Group: "backup"})

var BackupRetention = newDuration(Row{Name: "backup_retention", Default: "7d", Since: "3.1.0", Unit: "d", Group: "backup"})

var BackupDb = newList(Row{Name: "backup_db", Default: "twoskip", Since: "3.1.6", Group: "backup",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var BackupDbPath = newString(Row{Name: "backup_db_path", Since: "3.0.0", Group: "backup"})

var BackupKeepPrevious = newSwitch(Row{Name: "backup_keep_previous", Default: "no", Since: "3.0.0", Group: "backup"})

var BoundaryLimit = newInt(Row{Name: "boundary_limit", Default: "1000", Since: "2.5.0", Group: "mailbox",
	Doc: `Most levels of multiparts that the structure of a message may have; what lies
deeper is treated as text. Zero: no limit.`,
})

var CaldavAcceptInvalidRrules = newSwitch(Row{Name: "caldav_accept_invalid_rrules", Default: "no", Since: "3.6.0", Group: "dav"})

var CaldavAllowattach = newSwitch(Row{Name: "caldav_allowattach", Default: "yes", Since: "3.0.0", Group: "dav"})

var CaldavAllowcalendaradmin = newSwitch(Row{Name: "caldav_allowcalendaradmin", Default: "no", Since: "3.1.2", Group: "dav"})

var CaldavAllowscheduling = newEnum(Row{Name: "caldav_allowscheduling", Default: "on", Since: "2.5.0", Group: "dav",
	Values: []string{"off", "on", "apple"},
})

var CaldavCreateAttach = newSwitch(Row{Name: "caldav_create_attach", Default: "yes", Since: "3.0.0", Group: "dav"})

var CaldavCreateDefault = newSwitch(Row{Name: "caldav_create_default", Default: "yes", Since: "3.0.0", Group: "dav"})

var CaldavCreateSched = newSwitch(Row{Name: "caldav_create_sched", Default: "yes", Since: "3.0.0", Group: "dav"})

var CaldavHistoricalAge = newDuration(Row{Name: "caldav_historical_age", Default: "7d", Since: "3.1.8", Unit: "d", Group: "dav"})

var CaldavMaxdatetime = newString(Row{Name: "caldav_maxdatetime", Default: "20380119T031407Z", Since: "2.5.0", Group: "dav"})

var CaldavMindatetime = newString(Row{Name: "caldav_mindatetime", Default: "19011213T204552Z", Since: "2.5.0", Group: "dav"})

var CaldavRealm = newString(Row{Name: "caldav_realm", Since: "2.5.0", Group: "dav"})

var Calendarprefix = newString(Row{Name: "calendarprefix", Default: "#calendars", Since: "2.5.0", Group: "dav"})

var CalendarDefaultDisplayname = newString(Row{Name: "calendar_default_displayname", Default: "personal", Since: "3.3.0", Group: "dav"})

var CalendarUserAddressSet = newString(Row{Name: "calendar_user_address_set", Since: "2.5.0", Group: "dav"})

var CalendarComponentSet = newBits(Row{Name: "calendar_component_set", Default: "VEVENT VTODO VJOURNAL VFREEBUSY VAVAILABILITY VPOLL", Since: "3.1.7", Group: "dav",
	Values: []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"},
})

var CarddavAllowaddmember = newSwitch(Row{Name: "carddav_allowaddmember", Default: "no", Since: "3.1.3", Group: "dav"})

var CarddavAllowaddressbookadmin = newSwitch(Row{Name: "carddav_allowaddressbookadmin", Default: "no", Since: "3.1.2", Group: "dav"})

var CarddavRealm = newString(Row{Name: "carddav_realm", Since: "2.5.0", Group: "dav"})

var CarddavRepairVcard = newSwitch(Row{Name: "carddav_repair_vcard", Default: "no", Since: "3.0.0", Deprecated: "3.3.1", Group: "dav"})

var Chatty = newSwitch(Row{Name: "chatty", Default: "no", Since: "2.5.0", Group: "logging",
	Doc: `Log every command and, where there is one, its mailbox.`,
})

var ClientBind = newSwitch(Row{Name: "client_bind", Default: "no", Since: "3.0.0", Group: "imap"})

var ClientBindName = newString(Row{Name: "client_bind_name", Since: "3.0.0", Group: "imap"})

var ClientTimeout = newDuration(Row{Name: "client_timeout", Default: "10s", Since: "3.1.8", Unit: "s", Group: "imap",
	Doc: `No effect: there are no other servers of a murder.`,
})

var Commandmintimer = newString(Row{Name: "commandmintimer", Since: "2.4.0", Group: "logging",
	Doc: `No effect: commands that take 5 seconds are in the log.`,
})

var Configdirectory = newString(Row{Name: "configdirectory", Since: "2.3.17", Group: "mailbox",
	Doc: `Directory of everything but mail: databases, quotas, users' state, sockets,
logs of sessions. Must be given. "{configdirectory}" at the start of another
option stands for it.`,
})

var Createonpost = newSwitch(Row{Name: "createonpost", Default: "no", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_post", Group: "autocreate"})

var Conversations = newSwitch(Row{Name: "conversations", Default: "no", Since: "3.0.0", Group: "conversations",
	Doc: `Keep track of which messages of a user belong together, over all his
folders, in a database of his. All his folders count their modseqs together
then. After it was switched on, ctl_conversationsdb -b gives the messages
that were there before their threads.`,
})

var ConversationsCountedFlags = newString(Row{Name: "conversations_counted_flags", Since: "3.0.0", Group: "conversations",
	Doc: `Flags, up to 32, that are counted in each thread, with blanks between them. After
a change, ctl_conversationsdb -R counts anew.`,
})

var ConversationsDb = newList(Row{Name: "conversations_db", Default: "skiplist", Since: "3.1.6", Group: "conversations",
	Doc: `Type of new databases of threads. Databases that are found are recognised by
their contents; one of type skiplist becomes twoskip with its first change,
which Cyrus opens unasked, and new ones are always twoskip.`,
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var ConversationsExpireDays = newDuration(Row{Name: "conversations_expire_days", Since: "3.1.8", Unit: "d", Deprecated: "3.1.8", Replacement: "conversations_expire_after", Group: "conversations"})

var ConversationsExpireAfter = newDuration(Row{Name: "conversations_expire_after", Default: "90d", Since: "3.1.8", Unit: "d", Group: "conversations",
	Doc: `Age from which cyr_expire forgets in which threads a Message-ID was named, if
conversations_keep_existing is off.`,
})

var ConversationsKeepExisting = newSwitch(Row{Name: "conversations_keep_existing", Default: "yes", Since: "3.3.0", Group: "conversations",
	Doc: `Let cyr_expire keep Message-IDs of threads that have messages, however old, and
remove all others.`,
})

var ConversationsMaxThread = newInt(Row{Name: "conversations_max_thread", Default: "100", Since: "3.1.1", Group: "conversations",
	Doc: `Most messages of one conversation. The thread goes on in another one, which
FETCH tells by BASECID; how, is written in the user's mailbox #splitconversations.
A number below 0 is no limit.`,
})

var ConversationsMaxGuidrecords = newInt(Row{Name: "conversations_max_guidrecords", Default: "5000", Since: "3.3.0", Group: "conversations",
	Doc: `Most copies of one message that a user may have, expunged ones with them.`,
})

var ConversationsMaxGuidexists = newInt(Row{Name: "conversations_max_guidexists", Default: "100", Since: "3.3.0", Group: "conversations",
	Doc: `Most copies of one message that a user may have in all his folders.`,
})

var ConversationsMaxGuidinfolder = newInt(Row{Name: "conversations_max_guidinfolder", Default: "10", Since: "3.3.0", Group: "conversations",
	Doc: `Most copies of one message that a folder may have.`,
})

var Crossdomains = newSwitch(Row{Name: "crossdomains", Default: "no", Since: "3.0.0", Group: "namespace",
	Doc: `Let users see folders of other domains, as user@domain.`,
})

var CrossdomainsOnlyother = newSwitch(Row{Name: "crossdomains_onlyother", Default: "no", Since: "3.0.0", Group: "namespace",
	Doc: `With crossdomains, show the domain in the names of other domains only.`,
})

var CyrusGroup = newString(Row{Name: "cyrus_group", Since: "3.1.7", Group: "mailbox",
	Doc: `Group that programs run as; unset: the main group of cyrus_user. The
environment's CYRUS_GROUP comes first.`,
})

var CyrusUser = newString(Row{Name: "cyrus_user", Since: "3.0.0", Group: "mailbox",
	Doc: `User that programs run as. The environment's CYRUS_USER comes first.`,
})

package config

// Options with a.

var AclAdminImpliesWrite = newSwitch(Row{Name: "acl_admin_implies_write", Default: "no", Since: "3.6.0", Group: "acl",
	Doc: `Treat the right "a" as if it held "w" too, so that whoever may change the
ACL of a mailbox may also set its shared annotations.`,
})

var Addressbookprefix = newString(Row{Name: "addressbookprefix", Default: "#addressbooks", Since: "2.5.0", Group: "dav"})

var Admins = newString(Row{Name: "admins", Since: "2.3.17", Group: "acl",
	Doc: `Users with administrative rights, separated by blanks. They may list every
mailbox and change any ACL, and may act for other users. An admin should
not read mail with the same account. With virtdomains, user@domain is an
admin of that domain only.`,
})

var AfsptsLocalrealms = newString(Row{Name: "afspts_localrealms", Since: "2.3.17", Group: "ptloader-afs"})

var AfsptsMycell = newString(Row{Name: "afspts_mycell", Since: "2.3.17", Group: "ptloader-afs"})

var Allowallsubscribe = newSwitch(Row{Name: "allowallsubscribe", Default: "no", Since: "2.3.17", Group: "namespace",
	Doc: `Let clients subscribe to mailboxes that do not exist.`,
})

var Allowanonymouslogin = newSwitch(Row{Name: "allowanonymouslogin", Default: "no", Since: "2.3.17", Group: "auth",
	Doc: `Let clients log in as "anonymous" without a password.`,
})

var Allowapop = newSwitch(Row{Name: "allowapop", Default: "yes", Since: "2.3.17", Group: "auth",
	Doc: `No effect: APOP is not offered.`,
})

var Allowdeleted = newSwitch(Row{Name: "allowdeleted", Default: "no", Since: "3.1.8", Group: "mailbox",
	Doc: `No effect: clients cannot ask for VENDOR.CMU-INCLUDE-DELETED and the like.`,
})

var Allownewnews = newSwitch(Row{Name: "allownewnews", Default: "no", Since: "2.3.17", Group: "nntp"})

var Allowplaintext = newSwitch(Row{Name: "allowplaintext", Default: "no", Since: "3.0.0", Group: "auth",
	Doc: `Accept passwords in clear text on connections that are not encrypted. With
"no", LOGIN, USER and PLAIN work only after STARTTLS or on an implicit TLS port.`,
})

var Allowsetacl = newSwitch(Row{Name: "allowsetacl", Default: "yes", Since: "3.1.8", Group: "acl",
	Doc: `Let clients change ACLs. "no" holds for admins, too.`,
})

var Allowusermoves = newSwitch(Row{Name: "allowusermoves", Default: "no", Since: "2.3.17", Group: "auth",
	Doc: `Let admins rename a user's INBOX to that of another name, which takes the
user's folders, seen state, subscriptions and quota along.`,
})

var Altnamespace = newSwitch(Row{Name: "altnamespace", Default: "yes", Since: "3.0.0", Group: "namespace",
	Doc: `Show a user's own folders beside INBOX and not below it. The folders of
other users are then below userprefix, shared ones below sharedprefix.
Samples shipped by Debian set "no".`,
})

var Altprefix = newString(Row{Name: "altprefix", Default: "Alt Folders", Since: "3.0.0", Group: "namespace",
	Doc: `With altnamespace, the name below which a user's own folders appear that
could not be told from others otherwise, such as one named INBOX below INBOX.`,
})

var AnnotationDb = newList(Row{Name: "annotation_db", Default: "pebble", Since: "3.1.6", Group: "database",
	Values: []string{"pebble", "skiplist", "twoskip", "zeroskip"},
	Doc: `Kind of database that holds the annotations of the server and of mailboxes.
The four options mboxlist_db, annotation_db, duplicate_db and userdeny_db go
together: all "pebble" (the default) keeps the four in one indexed database that
cyrusdbd serves; all four set to kinds of Cyrus lets Cyrus's own programs
work on the same store at the same time. A mixture is refused.`,
})

var AnnotationDbPath = newString(Row{Name: "annotation_db_path", Since: "2.5.0", Group: "database",
	Doc: `File of the annotations; the default is annotations.db in configdirectory.`,
})

var Anyoneuseracl = newSwitch(Row{Name: "anyoneuseracl", Default: "yes", Since: "2.3.17", Group: "acl",
	Doc: `Let users give rights to "anyone" on their own folders.`,
})

var AnnotationAllowUndefined = newSwitch(Row{Name: "annotation_allow_undefined", Default: "no", Since: "2.5.0", Group: "annotation",
	Doc: `Accept annotations of any name. With "no", only those in
annotation_definitions and the built-in ones.`,
})

var AnnotationDefinitions = newString(Row{Name: "annotation_definitions", Since: "2.5.0", Group: "annotation",
	Doc: `File that declares further annotations, one per line: name, scope, type,
proxy type, attributes, rights.`,
})

var AnnotationCallout = newString(Row{Name: "annotation_callout", Since: "2.5.0", Group: "annotation",
	Doc: `Program, or unix socket of a service, that is asked about each new message (by LMTP and
APPEND): it is told the message's file, structure, flags and annotations, and may
change flags and set annotations. Cyrus::Annotator::Daemon is such a service.`,
})

var AnnotationCalloutDisableAppend = newSwitch(Row{Name: "annotation_callout_disable_append", Default: "no", Since: "3.1.2", Group: "annotation",
	Doc: `annotation_callout is not asked about messages that are delivered or appended.`,
})

var AnnotationEnableLegacyCommands = newSwitch(Row{Name: "annotation_enable_legacy_commands", Default: "no", Since: "3.1.6", Group: "annotation",
	Doc: `Offer GETANNOTATION and SETANNOTATION of the ANNOTATEMORE drafts.`,
})

var ApsTopic = newString(Row{Name: "aps_topic", Since: "3.0.0", Group: "push-apple"})

var ApsTopicCaldav = newString(Row{Name: "aps_topic_caldav", Since: "3.0.0", Group: "push-apple"})

var ApsTopicCarddav = newString(Row{Name: "aps_topic_carddav", Since: "3.0.0", Group: "push-apple"})

var ArchiveEnabled = newSwitch(Row{Name: "archive_enabled", Default: "no", Since: "3.0.0", Group: "archive",
	Doc: `Keep old and big messages in a second directory, named by
archivepartition-NAME.`,
})

var ArchiveDays = newDuration(Row{Name: "archive_days", Since: "3.1.8", Unit: "d", Deprecated: "3.1.8", Replacement: "archive_after", Group: "archive"})

var ArchiveAfter = newDuration(Row{Name: "archive_after", Default: "7d", Since: "3.1.8", Unit: "d", Group: "archive",
	Doc: `Age at which cyr_expire -A moves a message to the archive partition.`,
})

var ArchiveMaxsize = newInt(Row{Name: "archive_maxsize", Default: "1024", Since: "3.0.0", Unit: "KiB", Group: "archive",
	Doc: `Size in KiB above which a message is archived at once; zero or less: never.`,
})

var ArchiveKeepflagged = newSwitch(Row{Name: "archive_keepflagged", Default: "no", Since: "3.0.0", Group: "archive",
	Doc: `Leave messages with \Flagged on the first partition.`,
})

var Auditlog = newSwitch(Row{Name: "auditlog", Default: "no", Since: "2.4.0", Group: "logging",
	Doc: `Log one line, beginning with "auditlog:", for each thing that is created,
removed, renamed or read, with session, mailbox, UID and GUID.`,
})

var AuthMech = newList(Row{Name: "auth_mech", Default: "unix", Since: "2.3.17", Group: "ptloader",
	Values: []string{"unix", "pts", "krb", "krb5"},
	Doc: `Where groups of users come from: "unix" (the system's groups), "pts" (asked
of ptloader), "krb" or "krb5".`,
})

var Autocreateinboxfolders = newString(Row{Name: "autocreateinboxfolders", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_inbox_folders", Group: "autocreate"})

var Autocreatequota = newInt(Row{Name: "autocreatequota", Default: "0", Since: "2.5.0", Unit: "KiB", Deprecated: "2.5.0", Replacement: "autocreate_quota", Group: "autocreate"})

var Autocreatequotamsg = newInt(Row{Name: "autocreatequotamsg", Default: "-1", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_quota_messages", Group: "autocreate"})

var Autosievefolders = newString(Row{Name: "autosievefolders", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_sieve_folders", Group: "autocreate"})

var GenerateCompiledSieveScript = newSwitch(Row{Name: "generate_compiled_sieve_script", Default: "no", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_sieve_script_compile", Group: "autocreate"})

var AutocreateSieveCompiledScript = newString(Row{Name: "autocreate_sieve_compiled_script", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_sieve_script_compiled", Group: "autocreate"})

var Autosubscribeinboxfolders = newString(Row{Name: "autosubscribeinboxfolders", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_subscribe_folders", Group: "autocreate"})

var Autosubscribesharedfolders = newString(Row{Name: "autosubscribesharedfolders", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_subscribe_sharedfolders", Group: "autocreate"})

var AutosubscribeAllSharedfolders = newSwitch(Row{Name: "autosubscribe_all_sharedfolders", Default: "no", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "autocreate_subscribe_sharedfolders_all", Group: "autocreate"})

var AutocreateInboxFolders = newString(Row{Name: "autocreate_inbox_folders", Since: "2.5.0", Group: "autocreate",
	Doc: `Folders to make together with a new INBOX, separated by "|". The flags of
xlist-FLAG options are given to them.`,
})

var AutocreatePost = newSwitch(Row{Name: "autocreate_post", Default: "no", Since: "2.5.0", Group: "autocreate",
	Doc: `Make the INBOX of a known user when the first mail for it arrives.`,
})

var AutocreateQuota = newInt(Row{Name: "autocreate_quota", Default: "-1", Since: "2.5.0", Unit: "KiB", Group: "autocreate",
	Doc: `Storage limit in KiB of an INBOX that is made at log-in. Zero: it is made
without a limit. Negative: none is made.`,
})

var AutocreateQuotaMessages = newInt(Row{Name: "autocreate_quota_messages", Default: "-1", Since: "3.0.0", Group: "autocreate",
	Doc: `Limit on the number of messages of an automatically made INBOX. Negative:
no limit.`,
})

var AutocreateSieveFolders = newString(Row{Name: "autocreate_sieve_folders", Since: "2.5.0", Group: "autocreate",
	Doc: `Folders, separated by "|", that Sieve's fileinto makes when they are missing.`,
})

var AutocreateSieveScript = newString(Row{Name: "autocreate_sieve_script", Since: "2.5.0", Group: "autocreate",
	Doc: `Sieve script that is installed and made active for a new INBOX.`,
})

var AutocreateSieveScriptCompile = newSwitch(Row{Name: "autocreate_sieve_script_compile", Default: "no", Since: "2.5.0", Group: "autocreate",
	Doc: `Write the byte code of autocreate_sieve_script to the file that autocreate_sieve_script_compiled names.`,
})

var AutocreateSieveScriptCompiled = newString(Row{Name: "autocreate_sieve_script_compiled", Since: "2.5.0", Group: "autocreate",
	Doc: `File for the byte code of autocreate_sieve_script. It is only written: users get what the text compiles to.`,
})

var AutocreateSubscribeFolders = newString(Row{Name: "autocreate_subscribe_folders", Since: "2.5.0", Group: "autocreate",
	Doc: `Those of autocreate_inbox_folders, separated by "|", that the new user is
subscribed to.`,
})

var AutocreateSubscribeSharedfolders = newString(Row{Name: "autocreate_subscribe_sharedfolders", Since: "2.5.0", Group: "autocreate",
	Doc: `Shared folders, separated by "|", that a new user is subscribed to.`,
})

var AutocreateSubscribeSharedfoldersAll = newSwitch(Row{Name: "autocreate_subscribe_sharedfolders_all", Default: "no", Since: "2.5.0", Group: "autocreate",
	Doc: `Subscribe a new user to all shared folders that he may see.`,
})

var AutocreateUsers = newString(Row{Name: "autocreate_users", Default: "anyone", Since: "2.5.0", Group: "autocreate",
	Doc: `Users and groups, separated by blanks, for whom an INBOX is made.`,
})

var Autoexpunge = newSwitch(Row{Name: "autoexpunge", Default: "no", Since: "3.1.7", Group: "mailbox",
	Doc: `Remove messages with \Deleted when a mailbox is closed in any way, also
when the connection breaks.`,
})

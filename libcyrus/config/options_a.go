package config

// Options with a.

var AclAdminImpliesWrite = newSwitch(Row{Name: "acl_admin_implies_write", Default: "no", Since: "3.6.0", Group: "acl"})

var Addressbookprefix = newString(Row{Name: "addressbookprefix", Default: "#addressbooks", Since: "2.5.0", Group: "dav"})

var Admins = newString(Row{Name: "admins", Since: "2.3.17", Group: "acl"})

var AfsptsLocalrealms = newString(Row{Name: "afspts_localrealms", Since: "2.3.17", Group: "ptloader-afs"})

var AfsptsMycell = newString(Row{Name: "afspts_mycell", Since: "2.3.17", Group: "ptloader-afs"})

var Allowallsubscribe = newSwitch(Row{Name: "allowallsubscribe", Default: "no", Since: "2.3.17", Group: "namespace"})

var Allowanonymouslogin = newSwitch(Row{Name: "allowanonymouslogin", Default: "no", Since: "2.3.17", Group: "auth"})

var Allowapop = newSwitch(Row{Name: "allowapop", Default: "yes", Since: "2.3.17", Group: "auth"})

var Allowdeleted = newSwitch(Row{Name: "allowdeleted", Default: "no", Since: "3.1.8", Group: "mailbox"})

var Allownewnews = newSwitch(Row{Name: "allownewnews", Default: "no", Since: "2.3.17", Group: "nntp"})

var Allowplaintext = newSwitch(Row{Name: "allowplaintext", Default: "no", Since: "3.0.0", Group: "auth"})

var Allowsetacl = newSwitch(Row{Name: "allowsetacl", Default: "yes", Since: "3.1.8", Group: "acl"})

var Allowusermoves = newSwitch(Row{Name: "allowusermoves", Default: "no", Since: "2.3.17", Group: "auth"})

var Altnamespace = newSwitch(Row{Name: "altnamespace", Default: "yes", Since: "3.0.0", Group: "namespace"})

var Altprefix = newString(Row{Name: "altprefix", Default: "Alt Folders", Since: "3.0.0", Group: "namespace"})

var AnnotationDb = newList(Row{Name: "annotation_db", Default: "pebble", Since: "3.1.6", Group: "database",
	Values: []string{"pebble", "skiplist", "twoskip", "zeroskip"},
})

var AnnotationDbPath = newString(Row{Name: "annotation_db_path", Since: "2.5.0", Group: "database"})

var Anyoneuseracl = newSwitch(Row{Name: "anyoneuseracl", Default: "yes", Since: "2.3.17", Group: "acl"})

var AnnotationAllowUndefined = newSwitch(Row{Name: "annotation_allow_undefined", Default: "no", Since: "2.5.0", Group: "annotation"})

var AnnotationDefinitions = newString(Row{Name: "annotation_definitions", Since: "2.5.0", Group: "annotation"})

var AnnotationCallout = newString(Row{Name: "annotation_callout", Since: "2.5.0", Group: "annotation"})

var AnnotationCalloutDisableAppend = newSwitch(Row{Name: "annotation_callout_disable_append", Default: "no", Since: "3.1.2", Group: "annotation"})

var AnnotationEnableLegacyCommands = newSwitch(Row{Name: "annotation_enable_legacy_commands", Default: "no", Since: "3.1.6", Group: "annotation"})

var ApsTopic = newString(Row{Name: "aps_topic", Since: "3.0.0", Group: "push-apple"})

var ApsTopicCaldav = newString(Row{Name: "aps_topic_caldav", Since: "3.0.0", Group: "push-apple"})

var ApsTopicCarddav = newString(Row{Name: "aps_topic_carddav", Since: "3.0.0", Group: "push-apple"})

var ArchiveEnabled = newSwitch(Row{Name: "archive_enabled", Default: "no", Since: "3.0.0", Group: "archive"})

var ArchiveDays = newDuration(Row{Name: "archive_days", Since: "3.1.8", Unit: "d", Deprecated: "3.1.8", Replacement: "archive_after", Group: "archive"})

var ArchiveAfter = newDuration(Row{Name: "archive_after", Default: "7d", Since: "3.1.8", Unit: "d", Group: "archive"})

var ArchiveMaxsize = newInt(Row{Name: "archive_maxsize", Default: "1024", Since: "3.0.0", Unit: "KiB", Group: "archive"})

var ArchiveKeepflagged = newSwitch(Row{Name: "archive_keepflagged", Default: "no", Since: "3.0.0", Group: "archive"})

var Auditlog = newSwitch(Row{Name: "auditlog", Default: "no", Since: "2.4.0", Group: "logging"})

var AuthMech = newList(Row{Name: "auth_mech", Default: "unix", Since: "2.3.17", Group: "ptloader",
	Values: []string{"unix", "pts", "krb", "krb5"},
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

var AutocreateInboxFolders = newString(Row{Name: "autocreate_inbox_folders", Since: "2.5.0", Group: "autocreate"})

var AutocreatePost = newSwitch(Row{Name: "autocreate_post", Default: "no", Since: "2.5.0", Group: "autocreate"})

var AutocreateQuota = newInt(Row{Name: "autocreate_quota", Default: "-1", Since: "2.5.0", Unit: "KiB", Group: "autocreate"})

var AutocreateQuotaMessages = newInt(Row{Name: "autocreate_quota_messages", Default: "-1", Since: "3.0.0", Group: "autocreate"})

var AutocreateSieveFolders = newString(Row{Name: "autocreate_sieve_folders", Since: "2.5.0", Group: "autocreate"})

var AutocreateSieveScript = newString(Row{Name: "autocreate_sieve_script", Since: "2.5.0", Group: "autocreate"})

var AutocreateSieveScriptCompile = newSwitch(Row{Name: "autocreate_sieve_script_compile", Default: "no", Since: "2.5.0", Group: "autocreate"})

var AutocreateSieveScriptCompiled = newString(Row{Name: "autocreate_sieve_script_compiled", Since: "2.5.0", Group: "autocreate"})

var AutocreateSubscribeFolders = newString(Row{Name: "autocreate_subscribe_folders", Since: "2.5.0", Group: "autocreate"})

var AutocreateSubscribeSharedfolders = newString(Row{Name: "autocreate_subscribe_sharedfolders", Since: "2.5.0", Group: "autocreate"})

var AutocreateSubscribeSharedfoldersAll = newSwitch(Row{Name: "autocreate_subscribe_sharedfolders_all", Default: "no", Since: "2.5.0", Group: "autocreate"})

var AutocreateUsers = newString(Row{Name: "autocreate_users", Default: "anyone", Since: "2.5.0", Group: "autocreate"})

var Autoexpunge = newSwitch(Row{Name: "autoexpunge", Default: "no", Since: "3.1.7", Group: "mailbox"})

package config

// Options from d to e.

var Davdriveprefix = newString(Row{Name: "davdriveprefix", Default: "#drive", Since: "3.0.0", Group: "dav"})

var Davnotificationsprefix = newString(Row{Name: "davnotificationsprefix", Default: "#notifications", Since: "3.0.0", Group: "dav"})

var DavRealm = newString(Row{Name: "dav_realm", Since: "2.5.0", Group: "dav"})

var DavLockTimeout = newDuration(Row{Name: "dav_lock_timeout", Default: "20s", Since: "3.1.8", Unit: "s", Group: "dav"})

var Debug = newSwitch(Row{Name: "debug", Default: "no", Since: "2.5.0", Group: "logging"})

var DebugCommand = newString(Row{Name: "debug_command", Since: "2.3.17", Group: "logging"})

var DebugWritefailGuid = newString(Row{Name: "debug_writefail_guid", Since: "3.6.0", Group: "mailbox"})

var Defaultacl = newString(Row{Name: "defaultacl", Default: "anyone lrs", Since: "2.3.17", Group: "acl"})

var Defaultdomain = newString(Row{Name: "defaultdomain", Default: "internal", Since: "3.0.0", Group: "namespace"})

var Defaultpartition = newString(Row{Name: "defaultpartition", Since: "2.3.17", Group: "mailbox"})

var Defaultsearchtier = newString(Row{Name: "defaultsearchtier", Since: "3.0.0", Group: "search"})

var Defaultserver = newString(Row{Name: "defaultserver", Since: "2.3.17", Group: "murder"})

var Deletedprefix = newString(Row{Name: "deletedprefix", Default: "DELETED", Since: "2.3.17", Group: "expire"})

var DeleteMode = newEnum(Row{Name: "delete_mode", Default: "delayed", Since: "2.5.0", Group: "expire",
	Values: []string{"immediate", "delayed"},
})

var DeleteUnsubscribe = newSwitch(Row{Name: "delete_unsubscribe", Default: "no", Since: "3.0.0", Group: "mailbox"})

var Deleteright = newString(Row{Name: "deleteright", Default: "c", Since: "2.3.17", Group: "acl"})

var DisableUserNamespace = newSwitch(Row{Name: "disable_user_namespace", Default: "no", Since: "2.5.0", Group: "namespace"})

var DisableSharedNamespace = newSwitch(Row{Name: "disable_shared_namespace", Default: "no", Since: "2.5.0", Group: "namespace"})

var DisconnectOnVanishedMailbox = newSwitch(Row{Name: "disconnect_on_vanished_mailbox", Default: "no", Since: "2.3.17", Group: "mailbox"})

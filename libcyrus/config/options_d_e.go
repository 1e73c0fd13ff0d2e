package config

// Options from d to e.

var Davdriveprefix = newString(Row{Name: "davdriveprefix", Default: "#drive", Since: "3.0.0", Group: "dav"})

var Davnotificationsprefix = newString(Row{Name: "davnotificationsprefix", Default: "#notifications", Since: "3.0.0", Group: "dav"})

var DavRealm = newString(Row{Name: "dav_realm", Since: "2.5.0", Group: "dav"})

var DavLockTimeout = newDuration(Row{Name: "dav_lock_timeout", Default: "20s", Since: "3.1.8", Unit: "s", Group: "dav"})

var Debug = newSwitch(Row{Name: "debug", Default: "no", Since: "2.5.0", Group: "logging",
	Doc: `Log debugging messages too.`,
})

var DebugCommand = newString(Row{Name: "debug_command", Since: "2.3.17", Group: "logging",
	Doc: `Command that a worker started with -D runs on itself; its two %s or %d
become program and process id.`,
})

var DebugWritefailGuid = newString(Row{Name: "debug_writefail_guid", Since: "3.6.0", Group: "mailbox"})

var Defaultacl = newString(Row{Name: "defaultacl", Default: "anyone lrs", Since: "2.3.17", Group: "acl",
	Doc: `ACL of a new shared mailbox without a parent: identifier and rights in turn.`,
})

var Defaultdomain = newString(Row{Name: "defaultdomain", Default: "internal", Since: "3.0.0", Group: "namespace",
	Doc: `Domain of users and mailboxes that are named without one.`,
})

var Defaultpartition = newString(Row{Name: "defaultpartition", Since: "2.3.17", Group: "mailbox",
	Doc: `Partition of new mailboxes; letters and digits. Unset: chosen by
partition_select_mode.`,
})

var Defaultsearchtier = newString(Row{Name: "defaultsearchtier", Since: "3.0.0", Group: "search"})

var Defaultserver = newString(Row{Name: "defaultserver", Since: "2.3.17", Group: "murder"})

var Deletedprefix = newString(Row{Name: "deletedprefix", Default: "DELETED", Since: "2.3.17", Group: "expire",
	Doc: `First part of the internal names of deleted mailboxes.`,
})

var DeleteMode = newEnum(Row{Name: "delete_mode", Default: "delayed", Since: "2.5.0", Group: "expire",
	Values: []string{"immediate", "delayed"},
	Doc: `"delayed" renames a deleted mailbox to one below deletedprefix, from where
cyr_expire -D removes it later. "immediate" removes it at once.`,
})

var DeleteUnsubscribe = newSwitch(Row{Name: "delete_unsubscribe", Default: "no", Since: "3.0.0", Group: "mailbox",
	Doc: `Take a deleted mailbox off its owner's subscriptions.`,
})

var Deleteright = newString(Row{Name: "deleteright", Default: "c", Since: "2.3.17", Group: "acl",
	Doc: `The right that deletes a mailbox, in clients that know only RFC 2086's
rights: what "c" stands for besides "k".`,
})

var DisableUserNamespace = newSwitch(Row{Name: "disable_user_namespace", Default: "no", Since: "2.5.0", Group: "namespace",
	Doc: `Show no folders of other users.`,
})

var DisableSharedNamespace = newSwitch(Row{Name: "disable_shared_namespace", Default: "no", Since: "2.5.0", Group: "namespace",
	Doc: `Show no shared folders to users.`,
})

var DisconnectOnVanishedMailbox = newSwitch(Row{Name: "disconnect_on_vanished_mailbox", Default: "no", Since: "2.3.17", Group: "mailbox",
	Doc: `Cut clients whose selected mailbox is deleted. With "no" they see it empty.`,
})

var DrainTimeout = newDuration(Row{Name: "drain_timeout", Default: "1h", Since: "gocyrus", Unit: "s", Group: "master",
	Doc: `Longest time that a worker which takes no more clients waits for those that
it has. Then it says good-bye to the idle ones and leaves.`,
})

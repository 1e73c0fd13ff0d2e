package config

// Options with l.

var LdapAuthz = newString(Row{Name: "ldap_authz", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapBase = newString(Row{Name: "ldap_base", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapBindDn = newString(Row{Name: "ldap_bind_dn", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapDeref = newList(Row{Name: "ldap_deref", Default: "never", Since: "2.3.17", Group: "ptloader-ldap",
	Values: []string{"search", "find", "always", "never"},
})

var LdapDomainBaseDn = newString(Row{Name: "ldap_domain_base_dn", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapDomainFilter = newString(Row{Name: "ldap_domain_filter", Default: "(&(objectclass=domainrelatedobject)(associateddomain=%s))", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapDomainNameAttribute = newString(Row{Name: "ldap_domain_name_attribute", Default: "associateddomain", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapDomainScope = newList(Row{Name: "ldap_domain_scope", Default: "sub", Since: "2.5.0", Group: "ptloader-ldap",
	Values: []string{"sub", "one", "base"},
})

var LdapDomainResultAttribute = newString(Row{Name: "ldap_domain_result_attribute", Default: "inetdomainbasedn", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapFilter = newString(Row{Name: "ldap_filter", Default: "(uid=%u)", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapGroupBase = newString(Row{Name: "ldap_group_base", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapGroupFilter = newString(Row{Name: "ldap_group_filter", Default: "(cn=%u)", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapGroupScope = newList(Row{Name: "ldap_group_scope", Default: "sub", Since: "2.3.17", Group: "ptloader-ldap",
	Values: []string{"sub", "one", "base"},
})

var LdapId = newString(Row{Name: "ldap_id", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapMech = newString(Row{Name: "ldap_mech", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapUserAttribute = newString(Row{Name: "ldap_user_attribute", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapMemberAttribute = newString(Row{Name: "ldap_member_attribute", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapMemberBase = newString(Row{Name: "ldap_member_base", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapMemberFilter = newString(Row{Name: "ldap_member_filter", Default: "(member=%D)", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapMemberMethod = newList(Row{Name: "ldap_member_method", Default: "attribute", Since: "2.3.17", Group: "ptloader-ldap",
	Values: []string{"attribute", "filter"},
})

var LdapMemberScope = newList(Row{Name: "ldap_member_scope", Default: "sub", Since: "2.3.17", Group: "ptloader-ldap",
	Values: []string{"sub", "one", "base"},
})

var LdapPassword = newString(Row{Name: "ldap_password", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapRealm = newString(Row{Name: "ldap_realm", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapReferrals = newSwitch(Row{Name: "ldap_referrals", Default: "no", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapRestart = newSwitch(Row{Name: "ldap_restart", Default: "yes", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapSasl = newSwitch(Row{Name: "ldap_sasl", Default: "yes", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapSaslAuthc = newString(Row{Name: "ldap_sasl_authc", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_id", Group: "ptloader-ldap"})

var LdapSaslAuthz = newString(Row{Name: "ldap_sasl_authz", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_authz", Group: "ptloader-ldap"})

var LdapSaslMech = newString(Row{Name: "ldap_sasl_mech", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_mech", Group: "ptloader-ldap"})

var LdapSaslPassword = newString(Row{Name: "ldap_sasl_password", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_password", Group: "ptloader-ldap"})

var LdapSaslRealm = newString(Row{Name: "ldap_sasl_realm", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_realm", Group: "ptloader-ldap"})

var LdapScope = newList(Row{Name: "ldap_scope", Default: "sub", Since: "2.3.17", Group: "ptloader-ldap",
	Values: []string{"sub", "one", "base"},
})

var LdapServers = newString(Row{Name: "ldap_servers", Default: "ldap://localhost/", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_uri", Group: "ptloader-ldap"})

var LdapSizeLimit = newInt(Row{Name: "ldap_size_limit", Default: "1", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapStartTls = newSwitch(Row{Name: "ldap_start_tls", Default: "no", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapTimeLimit = newDuration(Row{Name: "ldap_time_limit", Default: "5s", Since: "3.1.8", Unit: "s", Group: "ptloader-ldap"})

var LdapTimeout = newDuration(Row{Name: "ldap_timeout", Default: "5s", Since: "3.1.8", Unit: "s", Group: "ptloader-ldap"})

var LdapCaDir = newString(Row{Name: "ldap_ca_dir", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapCaFile = newString(Row{Name: "ldap_ca_file", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapCiphers = newString(Row{Name: "ldap_ciphers", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapClientCert = newString(Row{Name: "ldap_client_cert", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapClientKey = newString(Row{Name: "ldap_client_key", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapVerifyPeer = newSwitch(Row{Name: "ldap_verify_peer", Default: "no", Since: "2.5.0", Group: "ptloader-ldap"})

var LdapTlsCacertDir = newString(Row{Name: "ldap_tls_cacert_dir", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_ca_dir", Group: "ptloader-ldap"})

var LdapTlsCacertFile = newString(Row{Name: "ldap_tls_cacert_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_ca_file", Group: "ptloader-ldap"})

var LdapTlsCert = newString(Row{Name: "ldap_tls_cert", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_client_cert", Group: "ptloader-ldap"})

var LdapTlsKey = newString(Row{Name: "ldap_tls_key", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_client_key", Group: "ptloader-ldap"})

var LdapTlsCheckPeer = newSwitch(Row{Name: "ldap_tls_check_peer", Default: "no", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_verify_peer", Group: "ptloader-ldap"})

var LdapTlsCiphers = newString(Row{Name: "ldap_tls_ciphers", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "ldap_ciphers", Group: "ptloader-ldap"})

var LdapUri = newString(Row{Name: "ldap_uri", Since: "2.3.17", Group: "ptloader-ldap"})

var LdapVersion = newInt(Row{Name: "ldap_version", Default: "3", Since: "2.3.17", Group: "ptloader-ldap"})

var Literalminus = newSwitch(Row{Name: "literalminus", Default: "no", Since: "3.0.0", Group: "imap"})

var LmtpDowncaseRcpt = newSwitch(Row{Name: "lmtp_downcase_rcpt", Default: "yes", Since: "2.5.0", Group: "lmtp",
	Doc: `Turn the local part of recipient addresses into lower case.`,
})

var LmtpExcludeSpecialuse = newString(Row{Name: "lmtp_exclude_specialuse", Default: "\\Snoozed", Since: "3.1.8", Group: "lmtp",
	Doc: `Special uses of mailboxes that mail cannot be addressed to.`,
})

var LmtpFuzzyMailboxMatch = newSwitch(Row{Name: "lmtp_fuzzy_mailbox_match", Default: "no", Since: "2.3.17", Group: "lmtp",
	Doc: `Deliver user+folder to a folder whose name differs in case, or in blanks,
"-" or "_", or else to the nearest parent.`,
})

var LmtpOverQuotaPermFailure = newSwitch(Row{Name: "lmtp_over_quota_perm_failure", Default: "no", Since: "2.3.17", Group: "lmtp",
	Doc: `Refuse mail for full mailboxes for good (552) and not for a while (452).`,
})

var LmtpPreparse = newSwitch(Row{Name: "lmtp_preparse", Default: "no", Since: "3.3.1", Group: "lmtp",
	Doc: `No effect: messages are always parsed before the mailbox is locked.`,
})

var LmtpStrictQuota = newSwitch(Row{Name: "lmtp_strict_quota", Default: "no", Since: "2.3.17", Group: "lmtp",
	Doc: `Refuse a message that would exceed the quota. With "no", only a mailbox that is
over it already refuses mail.`,
})

var LmtpStrictRfc2821 = newSwitch(Row{Name: "lmtp_strict_rfc2821", Default: "yes", Since: "2.5.0", Group: "lmtp",
	Doc: `Answer RCPT for an address of a wrong form with the codes of RFC 2821.`,
})

var Lmtpsocket = newString(Row{Name: "lmtpsocket", Default: "{configdirectory}/socket/lmtp", Since: "2.3.17", Group: "lmtp",
	Doc: `Unix socket at which lmtpd listens and to which deliver connects.`,
})

var LmtptxnTimeout = newDuration(Row{Name: "lmtptxn_timeout", Default: "5m", Since: "3.1.8", Unit: "s", Group: "lmtp",
	Doc: `No effect: no mail is handed on to other servers of a murder.`,
})

var LockDebugtime = newString(Row{Name: "lock_debugtime", Since: "3.1.4", Group: "logging",
	Doc: `No effect: locks that time out are in the log.`,
})

var Loginrealms = newString(Row{Name: "loginrealms", Since: "2.3.17", Group: "auth",
	Doc: `Realms, separated by blanks, whose users may log in with user@realm.`,
})

var Loginuseacl = newSwitch(Row{Name: "loginuseacl", Default: "no", Since: "2.3.17", Group: "acl",
	Doc: `Let a user who has "a" on another's INBOX act for him.`,
})

var Logtimestamps = newSwitch(Row{Name: "logtimestamps", Default: "no", Since: "2.3.17", Group: "logging"})

package config

// Options from t to z.

var TcpKeepalive = newSwitch(Row{Name: "tcp_keepalive", Default: "no", Since: "2.4.0", Group: "imap"})

var TcpKeepaliveCnt = newInt(Row{Name: "tcp_keepalive_cnt", Default: "0", Since: "2.4.0", Group: "imap"})

var TcpKeepaliveIdle = newDuration(Row{Name: "tcp_keepalive_idle", Default: "0", Since: "3.1.8", Unit: "s", Group: "imap"})

var TcpKeepaliveIntvl = newDuration(Row{Name: "tcp_keepalive_intvl", Default: "0", Since: "3.1.8", Unit: "s", Group: "imap"})

var TempPath = newString(Row{Name: "temp_path", Default: "/tmp", Since: "3.3.0", Group: "mailbox"})

var TelemetryBysessionid = newSwitch(Row{Name: "telemetry_bysessionid", Default: "no", Since: "3.0.0", Group: "logging"})

var Timeout = newDuration(Row{Name: "timeout", Default: "32m", Since: "3.1.8", Unit: "m", Group: "imap"})

var Imapidletimeout = newDuration(Row{Name: "imapidletimeout", Since: "3.1.8", Unit: "m", Group: "idle"})

var TlsCaFile = newString(Row{Name: "tls_ca_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_client_ca_file", Group: "tls"})

var TlsCaPath = newString(Row{Name: "tls_ca_path", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_client_ca_dir", Group: "tls"})

var TlscacheDb = newList(Row{Name: "tlscache_db", Default: "twoskip", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_sessions_db", Group: "tls",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var TlscacheDbPath = newString(Row{Name: "tlscache_db_path", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_sessions_db_path", Group: "tls"})

var TlsCertFile = newString(Row{Name: "tls_cert_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_server_cert", Group: "tls"})

var TlsCipherList = newString(Row{Name: "tls_cipher_list", Default: "DEFAULT", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_ciphers", Group: "tls"})

var TlsCiphers = newString(Row{Name: "tls_ciphers", Default: "DEFAULT", Since: "2.5.0", Group: "tls"})

var TlsCrlFile = newString(Row{Name: "tls_crl_file", Since: "3.1.2", Group: "tls"})

var TlsClientCaDir = newString(Row{Name: "tls_client_ca_dir", Since: "2.5.0", Group: "tls"})

var TlsClientCaFile = newString(Row{Name: "tls_client_ca_file", Since: "2.5.0", Group: "tls"})

var TlsClientCert = newString(Row{Name: "tls_client_cert", Since: "2.5.0", Group: "tls"})

var TlsClientCerts = newEnum(Row{Name: "tls_client_certs", Default: "optional", Since: "2.5.0", Group: "tls",
	Values: []string{"off", "optional", "require"},
})

var TlsClientKey = newString(Row{Name: "tls_client_key", Since: "2.5.0", Group: "tls"})

var TlsEccurve = newString(Row{Name: "tls_eccurve", Default: "prime256v1", Since: "2.5.0", Group: "tls"})

var TlsKeyFile = newString(Row{Name: "tls_key_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_server_key", Group: "tls"})

var TlsRequired = newSwitch(Row{Name: "tls_required", Default: "no", Since: "3.0.0", Group: "tls"})

var TlsPreferServerCiphers = newSwitch(Row{Name: "tls_prefer_server_ciphers", Default: "no", Since: "2.5.0", Group: "tls"})

var TlsServerCaDir = newString(Row{Name: "tls_server_ca_dir", Since: "2.5.0", Group: "tls"})

var TlsServerCaFile = newString(Row{Name: "tls_server_ca_file", Since: "2.5.0", Group: "tls"})

var TlsServerCert = newString(Row{Name: "tls_server_cert", Since: "3.1.8", Group: "tls"})

var TlsServerDhparam = newString(Row{Name: "tls_server_dhparam", Since: "3.1.4", Group: "tls"})

var TlsServerKey = newString(Row{Name: "tls_server_key", Since: "3.1.8", Group: "tls"})

var TlsSessionsDb = newList(Row{Name: "tls_sessions_db", Default: "twoskip", Since: "3.1.6", Group: "tls",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var TlsSessionsDbPath = newString(Row{Name: "tls_sessions_db_path", Since: "2.5.0", Group: "tls"})

var TlsSessionTimeout = newDuration(Row{Name: "tls_session_timeout", Default: "24h", Since: "3.1.8", Unit: "m", Group: "tls"})

var TlsVersions = newString(Row{Name: "tls_versions", Default: "tls1_0 tls1_1 tls1_2 tls1_3", Since: "3.1.8", Group: "tls"})

var UidlFormat = newEnum(Row{Name: "uidl_format", Default: "cyrus", Since: "3.0.0", Group: "pop3",
	Values: []string{"uidonly", "cyrus", "dovecot", "courier"},
})

var Umask = newString(Row{Name: "umask", Default: "077", Since: "2.3.17", Group: "mailbox"})

var UserdenyDb = newList(Row{Name: "userdeny_db", Default: "pebble", Since: "3.1.6", Group: "userdeny",
	Values: []string{"pebble", "flat", "skiplist", "sql", "twoskip", "zeroskip"},
})

var UserdenyDbPath = newString(Row{Name: "userdeny_db_path", Since: "2.5.0", Group: "userdeny"})

var UsernameTolower = newSwitch(Row{Name: "username_tolower", Default: "yes", Since: "2.3.17", Group: "auth"})

var Userprefix = newString(Row{Name: "userprefix", Default: "Other Users", Since: "2.3.17", Group: "namespace"})

var UnixGroupEnable = newSwitch(Row{Name: "unix_group_enable", Default: "yes", Since: "2.3.17", Group: "acl"})

var Unixhierarchysep = newSwitch(Row{Name: "unixhierarchysep", Default: "yes", Since: "3.0.0", Group: "namespace"})

var VcardMaxSize = newInt(Row{Name: "vcard_max_size", Default: "0", Since: "3.6.0", Unit: "bytes", Group: "dav"})

var Virtdomains = newEnum(Row{Name: "virtdomains", Default: "off", Since: "3.1.8", Group: "namespace",
	Values: []string{"off", "userid", "on"},
})

var VirusscanNotificationSubject = newString(Row{Name: "virusscan_notification_subject", Default: "Automatically deleted mail", Since: "3.1.8", Group: "virusscan"})

var VirusscanNotificationTemplate = newString(Row{Name: "virusscan_notification_template", Since: "3.1.8", Group: "virusscan"})

var WebsocketTimeout = newDuration(Row{Name: "websocket_timeout", Default: "30m", Since: "3.6.0", Unit: "m", Group: "http"})

var XbackupEnabled = newSwitch(Row{Name: "xbackup_enabled", Default: "no", Since: "3.0.0", Group: "backup"})

var LmtpCatchallMailbox = newString(Row{Name: "lmtp_catchall_mailbox", Since: "2.5.0", Group: "lmtp"})

var ZoneinfoDb = newList(Row{Name: "zoneinfo_db", Default: "twoskip", Since: "3.1.6", Group: "tzdist",
	Values: []string{"flat", "skiplist", "twoskip", "zeroskip"},
})

var ZoneinfoDbPath = newString(Row{Name: "zoneinfo_db_path", Since: "2.5.0", Group: "tzdist"})

var ZoneinfoDir = newString(Row{Name: "zoneinfo_dir", Since: "3.2.0", Group: "tzdist"})

var ObjectStorageEnabled = newSwitch(Row{Name: "object_storage_enabled", Default: "no", Since: "3.0.0", Group: "objectstore"})

var ObjectStorageDummySpool = newString(Row{Name: "object_storage_dummy_spool", Since: "3.0.0", Group: "objectstore"})

var OpenioNamespace = newString(Row{Name: "openio_namespace", Since: "3.0.0", Group: "objectstore"})

var OpenioAccount = newString(Row{Name: "openio_account", Since: "3.0.0", Group: "objectstore"})

var OpenioRawxTimeout = newDuration(Row{Name: "openio_rawx_timeout", Default: "30s", Since: "3.1.8", Unit: "s", Group: "objectstore"})

var OpenioProxyTimeout = newDuration(Row{Name: "openio_proxy_timeout", Default: "5s", Since: "3.1.8", Unit: "s", Group: "objectstore"})

var OpenioAutocreate = newSwitch(Row{Name: "openio_autocreate", Default: "no", Since: "3.0.0", Group: "objectstore"})

var OpenioVerbosity = newString(Row{Name: "openio_verbosity", Since: "3.0.0", Group: "objectstore"})

var CaringoHostname = newString(Row{Name: "caringo_hostname", Since: "3.0.0", Group: "objectstore"})

var CaringoPort = newInt(Row{Name: "caringo_port", Default: "80", Since: "3.0.0", Group: "objectstore"})

var Fastmailsharing = newSwitch(Row{Name: "fastmailsharing", Default: "no", Since: "3.0.0", Group: "namespace"})

var Maxargssize = newInt(Row{Name: "maxargssize", Default: "0", Since: "3.6.5", Unit: "bytes", Group: "imap"})

var Maxliteral = newInt(Row{Name: "maxliteral", Default: "131072", Since: "3.6.5", Unit: "bytes", Group: "imap"})

package config

// Options from t to z.

var TcpKeepalive = newSwitch(Row{Name: "tcp_keepalive", Default: "no", Since: "2.4.0", Group: "imap",
	Doc: `Send keep-alive packets to idle clients.`,
})

var TcpKeepaliveCnt = newInt(Row{Name: "tcp_keepalive_cnt", Default: "0", Since: "2.4.0", Group: "imap",
	Doc: `Number of unanswered packets after which a client is gone; zero: the system's.`,
})

var TcpKeepaliveIdle = newDuration(Row{Name: "tcp_keepalive_idle", Default: "0", Since: "3.1.8", Unit: "s", Group: "imap",
	Doc: `Time without traffic before the first packet; zero: the system's.`,
})

var TcpKeepaliveIntvl = newDuration(Row{Name: "tcp_keepalive_intvl", Default: "0", Since: "3.1.8", Unit: "s", Group: "imap",
	Doc: `Time between packets; zero: the system's.`,
})

var TempPath = newString(Row{Name: "temp_path", Default: "/tmp", Since: "3.3.0", Group: "mailbox",
	Doc: `No effect: temporary files lie beside those that they become.`,
})

var TelemetryBysessionid = newSwitch(Row{Name: "telemetry_bysessionid", Default: "no", Since: "3.0.0", Group: "logging",
	Doc: `Name the files with the protocol of a user's sessions by session and not by process.`,
})

var Timeout = newDuration(Row{Name: "timeout", Default: "32m", Since: "3.1.8", Unit: "m", Group: "imap",
	Doc: `Time after which an idle client is logged out; at least 30 minutes.`,
})

var Imapidletimeout = newDuration(Row{Name: "imapidletimeout", Since: "3.1.8", Unit: "m", Group: "idle",
	Doc: `Time after which an idle client is logged out during IDLE; unset: timeout.`,
})

var TlsCaFile = newString(Row{Name: "tls_ca_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_client_ca_file", Group: "tls"})

var TlsCaPath = newString(Row{Name: "tls_ca_path", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_client_ca_dir", Group: "tls"})

var TlscacheDb = newList(Row{Name: "tlscache_db", Default: "twoskip", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_sessions_db", Group: "tls",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
})

var TlscacheDbPath = newString(Row{Name: "tlscache_db_path", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_sessions_db_path", Group: "tls"})

var TlsCertFile = newString(Row{Name: "tls_cert_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_server_cert", Group: "tls"})

var TlsCipherList = newString(Row{Name: "tls_cipher_list", Default: "DEFAULT", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_ciphers", Group: "tls"})

var TlsCiphers = newString(Row{Name: "tls_ciphers", Default: "DEFAULT", Since: "2.5.0", Group: "tls",
	Doc: `Ciphers for TLS 1.2 and older, as an OpenSSL cipher list.`,
})

var TlsCrlFile = newString(Row{Name: "tls_crl_file", Since: "3.1.2", Group: "tls",
	Doc: `File with certificates that were revoked.`,
})

var TlsClientCaDir = newString(Row{Name: "tls_client_ca_dir", Since: "2.5.0", Group: "tls",
	Doc: `Directory with certificates of authorities that clients' certificates may come from.`,
})

var TlsClientCaFile = newString(Row{Name: "tls_client_ca_file", Since: "2.5.0", Group: "tls",
	Doc: `File with certificates of such authorities.`,
})

var TlsClientCert = newString(Row{Name: "tls_client_cert", Since: "2.5.0", Group: "tls",
	Doc: `No effect: no certificate is shown to other servers.`,
})

var TlsClientCerts = newEnum(Row{Name: "tls_client_certs", Default: "optional", Since: "2.5.0", Group: "tls",
	Values: []string{"off", "optional", "require"},
	Doc:    `Whether clients are asked for a certificate: "off", "optional" or "require".`,
})

var TlsClientKey = newString(Row{Name: "tls_client_key", Since: "2.5.0", Group: "tls",
	Doc: `No effect, as tls_client_cert.`,
})

var TlsEccurve = newString(Row{Name: "tls_eccurve", Default: "prime256v1", Since: "2.5.0", Group: "tls",
	Doc: `Elliptic curve of key exchange in TLS 1.2.`,
})

var TlsKeyFile = newString(Row{Name: "tls_key_file", Since: "2.5.0", Deprecated: "2.5.0", Replacement: "tls_server_key", Group: "tls"})

var TlsRequired = newSwitch(Row{Name: "tls_required", Default: "no", Since: "3.0.0", Group: "tls",
	Doc: `Allow no log-in of any kind before TLS.`,
})

var TlsPreferServerCiphers = newSwitch(Row{Name: "tls_prefer_server_ciphers", Default: "no", Since: "2.5.0", Group: "tls",
	Doc: `No effect: the cipher is always chosen by the server's preference.`,
})

var TlsServerCaDir = newString(Row{Name: "tls_server_ca_dir", Since: "2.5.0", Group: "tls",
	Doc: `No effect: see tls_server_ca_file.`,
})

var TlsServerCaFile = newString(Row{Name: "tls_server_ca_file", Since: "2.5.0", Group: "tls",
	Doc: `File with certificates of such authorities.`,
})

var TlsServerCert = newString(Row{Name: "tls_server_cert", Since: "3.1.8", Group: "tls",
	Doc: `File with the server's certificate and those above it. Two files separated by a
comma: one for each kind of key. "disabled" turns TLS off.`,
})

var TlsServerDhparam = newString(Row{Name: "tls_server_dhparam", Since: "3.1.4", Group: "tls",
	Doc: `No effect: key exchange here is by elliptic curves only.`,
})

var TlsServerKey = newString(Row{Name: "tls_server_key", Since: "3.1.8", Group: "tls",
	Doc: `File with the key of tls_server_cert; two as there.`,
})

var TlsSessionsDb = newList(Row{Name: "tls_sessions_db", Default: "twoskip", Since: "3.1.6", Group: "tls",
	Values: []string{"skiplist", "sql", "twoskip", "zeroskip"},
	Doc: `Kind of database of TLS sessions. Sessions are resumed by tickets here and
need none; an existing one is pruned by tls_prune.`,
})

var TlsSessionsDbPath = newString(Row{Name: "tls_sessions_db_path", Since: "2.5.0", Group: "tls",
	Doc: `File of that database; the default is tls_sessions.db in configdirectory.`,
})

var TlsSessionTimeout = newDuration(Row{Name: "tls_session_timeout", Default: "24h", Since: "3.1.8", Unit: "m", Group: "tls",
	Doc: `Time in which a TLS session may be resumed, at most 24 hours; zero: never.`,
})

var TlsVersions = newString(Row{Name: "tls_versions", Default: "tls1_2 tls1_3", Since: "3.1.8", Group: "tls",
	Doc: `Versions of TLS that are allowed: tls1_0, tls1_1, tls1_2, tls1_3.
Cyrus allows all four unless told otherwise.`,
})

var UidlFormat = newEnum(Row{Name: "uidl_format", Default: "cyrus", Since: "3.0.0", Group: "pop3",
	Values: []string{"uidonly", "cyrus", "dovecot", "courier"},
	Doc: `Form of POP3's unique ids, so that clients of another server do not fetch
all mail again: "cyrus" is uidvalidity.uid.`,
})

var Umask = newString(Row{Name: "umask", Default: "077", Since: "2.3.17", Group: "mailbox",
	Doc: `Which rights new files and directories do not have, in octal: with 027 the
group of the Cyrus user may read mail. What holds passwords and keys, and
db.pebble, is for the Cyrus user alone, whatever stands here.`,
})

var UserdenyDb = newList(Row{Name: "userdeny_db", Default: "pebble", Since: "3.1.6", Group: "userdeny",
	Values: []string{"pebble", "flat", "skiplist", "sql", "twoskip", "zeroskip"},
	Doc:    `Kind of database of users who may not use a service. See annotation_db.`,
})

var UserdenyDbPath = newString(Row{Name: "userdeny_db_path", Since: "2.5.0", Group: "userdeny",
	Doc: `File of that database; the default is user_deny.db in configdirectory.`,
})

var UsernameTolower = newSwitch(Row{Name: "username_tolower", Default: "yes", Since: "2.3.17", Group: "auth",
	Doc: `Turn user names into lower case.`,
})

var Userprefix = newString(Row{Name: "userprefix", Default: "Other Users", Since: "2.3.17", Group: "namespace",
	Doc: `With altnamespace, the name below which other users' folders appear.`,
})

var UnixGroupEnable = newSwitch(Row{Name: "unix_group_enable", Default: "yes", Since: "2.3.17", Group: "acl",
	Doc: `Look up the groups of users in the system.`,
})

var Unixhierarchysep = newSwitch(Row{Name: "unixhierarchysep", Default: "yes", Since: "3.0.0", Group: "namespace",
	Doc: `Separate levels of names by "/" and not by ".". Samples shipped by Debian set "no".`,
})

var VcardMaxSize = newInt(Row{Name: "vcard_max_size", Default: "0", Since: "3.6.0", Unit: "bytes", Group: "dav"})

var Virtdomains = newEnum(Row{Name: "virtdomains", Default: "off", Since: "3.1.8", Group: "namespace",
	Values: []string{"off", "userid", "on"},
	Doc: `Serve several domains: "userid" takes the domain from the log-in name, "on" also
from the address of the server that the client connected to.`,
})

var VirusscanNotificationSubject = newString(Row{Name: "virusscan_notification_subject", Default: "Automatically deleted mail", Since: "3.1.8", Group: "virusscan"})

var VirusscanNotificationTemplate = newString(Row{Name: "virusscan_notification_template", Since: "3.1.8", Group: "virusscan"})

var WebsocketTimeout = newDuration(Row{Name: "websocket_timeout", Default: "30m", Since: "3.6.0", Unit: "m", Group: "http"})

var XbackupEnabled = newSwitch(Row{Name: "xbackup_enabled", Default: "no", Since: "3.0.0", Group: "backup"})

var LmtpCatchallMailbox = newString(Row{Name: "lmtp_catchall_mailbox", Since: "2.5.0", Group: "lmtp",
	Doc: `User who gets mail for users that do not exist.`,
})

var ZoneinfoDb = newList(Row{Name: "zoneinfo_db", Default: "twoskip", Since: "3.1.6", Group: "tzdist",
	Values: []string{"flat", "skiplist", "twoskip", "zeroskip"},
})

var ZoneinfoDbPath = newString(Row{Name: "zoneinfo_db_path", Since: "2.5.0", Group: "tzdist"})

var ZoneinfoDir = newString(Row{Name: "zoneinfo_dir", Since: "3.2.0", Group: "tzdist",
	Doc: `No effect: calendars are not in this version.`,
})

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

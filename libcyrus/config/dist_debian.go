//go:build !upstream && !rhel

package config

// dist is Debian's cyrus-imapd packages (3.6.1-4).
var dist = distribution{
	conf:      "/etc/imapd.conf",
	cyrusConf: "/etc/cyrus.conf",
	binDir:    "/usr/lib/cyrus/bin",
	sbinDir:   "/usr/lib/cyrus/bin",
	pidFile:   "/run/cyrus-master.pid",
	user:      "cyrus",
	facility:  "mail",
}

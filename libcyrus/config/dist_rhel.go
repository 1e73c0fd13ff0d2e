//go:build rhel && !upstream

package config

// dist is Red Hat's and Fedora's cyrus-imapd package.
var dist = distribution{
	conf:      "/etc/imapd.conf",
	cyrusConf: "/etc/cyrus.conf",
	binDir:    "/usr/libexec/cyrus-imapd",
	sbinDir:   "/usr/sbin",
	pidFile:   "/run/cyrus-master.pid",
	user:      "cyrus",
	facility:  "mail",
}

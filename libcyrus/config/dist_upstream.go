//go:build upstream

package config

// dist is what ./configure of cyrus-imapd 3.6.1 chooses by itself.
var dist = distribution{
	conf:      "/etc/imapd.conf",
	cyrusConf: "/etc/cyrus.conf",
	binDir:    "/usr/local/libexec",
	sbinDir:   "/usr/local/sbin",
	pidFile:   "/var/run/cyrus-master.pid",
	user:      "cyrus",
	facility:  "local6",
}

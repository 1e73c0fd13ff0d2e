package osuser

import (
	"syscall"

	"gocyrus/libcyrus/config"
)

// SetUmask has new files and directories of the process lack the rights that
// umask of imapd.conf names. It is called before any file is made.
//
// Source: config_read in Cyrus lib/libconfig.c.
func SetUmask(c *config.Config) { syscall.Umask(mask(config.Umask.In(c))) }

// mask reads octal digits and passes over all else, as Cyrus does. Without any
// digit it is 077, not 0.
func mask(value string) int {
	mask, found := 0, false
	for _, d := range value {
		if '0' <= d && d <= '7' {
			mask, found = mask<<3|int(d-'0'), true
		}
	}
	if !found {
		return 0o077
	}
	return mask & 0o777
}

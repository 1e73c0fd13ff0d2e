package config

// A distribution is what differs between the systems that Cyrus is packaged
// for. Exactly one of the files dist_*.go is built: dist_debian.go unless
// the build tag upstream or rhel is given.
type distribution struct {
	conf      string // imapd.conf
	cyrusConf string // cyrus.conf
	binDir    string // the services, and the commands that cyrus.conf names
	sbinDir   string // the admin commands
	pidFile   string // of master
	user      string // cyrus_user, where imapd.conf has none
	facility  string // syslog_facility, likewise
}

// DefaultConf returns the imapd.conf that is read without -C.
func DefaultConf() string { return dist.conf }

// DefaultCyrusConf returns the cyrus.conf that is read without -M.
func DefaultCyrusConf() string { return dist.cyrusConf }

// BinDir returns the directory of the services.
func BinDir() string { return dist.binDir }

// SbinDir returns the directory of the admin commands, often BinDir.
func SbinDir() string { return dist.sbinDir }

// DefaultPidFile returns where master writes its process id without -p.
func DefaultPidFile() string { return dist.pidFile }

// DefaultUser returns the user that programs run as unless cyrus_user or
// $CYRUS_USER names another.
func DefaultUser() string { return dist.user }

// DefaultFacility returns the syslog facility that is used where
// syslog_facility is not set.
func DefaultFacility() string { return dist.facility }

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
)

// elsewhere is Cyrus's programs that this suite does not have (yet). A line
// of cyrus.conf that runs one is skipped if the program is not installed.
var elsewhere = []string{
	"backupd", "calalarmd", "ctl_backups", "ctl_zoneinfo", "cvt_cyrusdb", "cyr_backup", "cyr_virusscan",
	"fetchnews", "fud", "httpd", "idled", "ipurge", "lmtpproxyd", "mupdate", "nntpd", "pop3proxyd",
	"promstatsd", "proxyd", "ptdump", "ptexpire", "ptloader", "restore", "squatter",
	"sync_client", "sync_reset", "sync_server", "tls_prune",
}

// clientsOf is how many clients a process of a program takes if cyrus.conf
// does not say: those of imapd and pop3d are idle most of the time, while
// those of lmtpd write.
var clientsOf = map[string]int{"imapd": 250, "pop3d": 250, "lmtpd": 20}

// clientsOfOthers is the number for all other programs.
const clientsOfOthers = 50

// defaultClients returns how many clients a process of the program at path
// takes if cyrus.conf does not say.
func defaultClients(path string) int {
	if n, ok := clientsOf[filepath.Base(path)]; ok {
		return n
	}
	return clientsOfOthers
}

// folders is where programs are looked for: beside master, then where the
// distribution has them.
func (m *master) folders() []string {
	return slices.Compact([]string{filepath.Dir(m.self), config.BinDir(), config.SbinDir()})
}

// find returns the path of a program of cyrus.conf. An absolute path is
// taken as it is; if nothing is there, and for all others, the program is
// looked for in our folders. If it is nowhere, the path is where it should
// be, and ok is false.
func (m *master) find(word string) (path string, ok bool) {
	should := filepath.Join(filepath.Dir(m.self), word)
	if strings.HasPrefix(word, "/") {
		if executable(word) {
			return word, true
		}
		word, should = filepath.Base(word), word
	}
	for _, dir := range m.folders() {
		if p := filepath.Join(dir, word); executable(p) {
			return p, true
		}
	}
	return should, false
}

// executable reports whether path is a file that its owner may execute.
//
// Source: verify_service_file in Cyrus master/master.c.
func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o100 != 0
}

// missingByDesign reports whether the program of a line is one that this
// suite does not have, so that the line is skipped. The wrapper cyrus is
// such a program if the command it is to run is.
func missingByDesign(cmd []string) bool {
	name := filepath.Base(cmd[0])
	if name == "cyrus" && len(cmd) > 1 {
		name = cmd[1]
	}
	return slices.Contains(elsewhere, name)
}

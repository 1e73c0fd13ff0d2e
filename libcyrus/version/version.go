// Package version says which gocyrus this is, in the forms that clients
// and scripts written for Cyrus expect.
package version

// Version is gocyrus's own version. The build may set it:
//
//	go build -ldflags "-X gocyrus/libcyrus/version.Version=0.2.0"
var Version = "0.1.0"

// Compatible is the Cyrus release whose behaviour and files are kept.
// Clients and scripts compare it, so it leads every version string.
const Compatible = "3.6.1"

// Package is the name that Cyrus prints before its version.
const Package = "cyrus-imapd"

// Cyrus returns the version as Cyrus would write it, with ours in the
// place where distributions put theirs: "3.6.1-gocyrus-0.1.0".
func Cyrus() string { return Compatible + "-gocyrus-" + Version }

// Line returns what a program prints for -V, without the line end:
// "cyrus-imapd 3.6.1-gocyrus-0.1.0".
func Line() string { return Package + " " + Cyrus() }

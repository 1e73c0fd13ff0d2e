// Imapd serves IMAP4rev1 (RFC 3501) to clients handed over by master.
//
// Usage: imapd [-C imapd.conf] [-U uses] [-T seconds] [-D] [-X] [-s] [-N] [-q] [-p ssf]
//
//	-s      TLS from the start (imaps)
//	-N      no password check of LOGIN: any password will do
//	-q      quotas do not count for APPEND and COPY
//	-p ssf  the connection is protected from outside with so many bits
package main

import "gocyrus/libcyrus/worker"

func main() {
	worker.Main(worker.Service{Name: "imapd", Flags: "sNqp:", Open: open})
}

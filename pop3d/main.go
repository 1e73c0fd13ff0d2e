// Pop3d serves POP3 (RFC 1939) to clients handed over by master.
//
// Usage: pop3d [-C imapd.conf] [-U uses] [-T seconds] [-D] [-X] [-s] [-k] [-p ssf]
//
//	-s      TLS from the start (pop3s)
//	-k      accepted for old configurations; there is no Kerberos POP
//	-p ssf  the connection is protected from outside with so many bits
package main

import "gocyrus/libcyrus/worker"

func main() {
	worker.Main(worker.Service{Name: "pop3d", Flags: "skp:", Open: open})
}

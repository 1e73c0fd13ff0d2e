// Timsieved serves ManageSieve (RFC 5804) to clients handed over by master:
// users list, check, store and activate their Sieve scripts.
//
// Usage: timsieved [-C imapd.conf] [-U uses] [-T seconds] [-D] [-X]
package main

import "gocyrus/libcyrus/worker"

func main() {
	worker.Main(worker.Service{Name: "timsieved", Open: open})
}

// Bench puts the same load on gocyrus, Cyrus and Dovecot, one after the
// other in one run, and prints a table with the ratios.
//
// Usage: go run ./test/bench [-rounds n] [-time d] [-clients n] [-only name,...] [-servers name,...] [-bin dir] [-syscalls]
//
//	go run ./test/bench -takeover n [-bin dir]
//
// With -syscalls it counts what the server's processes ask of the system for
// an operation (strace), which does not depend on how busy the machine is.
//
// It needs root and Debian's packages of both (test/bin/reference-server
// install). Every number is the median of the rounds. All keep their data on
// the same disk. Dovecot as it is installed does not sync flag changes;
// dovecot-sync is the same with mail_fsync = always, which promises what
// the others promise.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	rounds  int
	time    time.Duration // of each measurement
	clients int           // of loads with several
	size    int           // octets of a message
	mailbox int           // messages in the mailbox that is read
	folders int           // mailboxes that are listed
	idle    int           // idle connections
	only    []string
	bin     string              // directory of our programs
	port    int                 // the lowest that a server may get
	count   int                 // of operations, if not 0: instead of time
	around  func() (end func()) // called before the operations, and its result after them
}

func main() {
	log.SetFlags(0)
	var set settings
	flag.IntVar(&set.rounds, "rounds", 3, "rounds; the median counts")
	flag.DurationVar(&set.time, "time", 2*time.Second, "length of each measurement")
	flag.IntVar(&set.clients, "clients", 8, "clients at a time")
	flag.IntVar(&set.size, "size", 4096, "octets of a message")
	flag.IntVar(&set.mailbox, "mailbox", 5000, "messages in the mailbox that is read")
	flag.IntVar(&set.folders, "folders", 500, "mailboxes that are listed")
	flag.IntVar(&set.idle, "idle", 300, "idle connections")
	flag.StringVar(&set.bin, "bin", "bin", "directory of gocyrus's programs")
	flag.IntVar(&set.port, "port", 23000, "lowest port that servers may get")
	syscalls := flag.Bool("syscalls", false, "count system calls and syncs of one operation instead")
	cpu := flag.Bool("cpu", false, "measure the processor time of one operation instead")
	only := flag.String("only", "", "measurements to run, comma separated")
	boxes := flag.Int("takeover", 0, "measure how long a site of so many mailboxes takes to be taken over instead")
	servers := flag.String("servers", "gocyrus,cyrus,dovecot,dovecot-sync", "servers to run")
	flag.Parse()
	if *only != "" {
		set.only = strings.Split(*only, ",")
	}
	if *boxes > 0 {
		for _, ids := range []bool{true, false} {
			if err := takeOver(set.bin, *boxes, ids); err != nil {
				log.Fatal(err)
			}
		}
		return
	}
	if *syscalls {
		if err := countSyscalls(strings.Split(*servers, ","), set); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *cpu {
		if err := countTime(strings.Split(*servers, ","), set); err != nil {
			log.Fatal(err)
		}
		return
	}
	results := map[string]map[string][]float64{}
	names := strings.Split(*servers, ",")
	for round := range set.rounds {
		for _, name := range names {
			fmt.Fprintf(os.Stderr, "round %d: %s\n", round+1, name)
			if err := measure(name, set, results); err != nil {
				log.Fatalf("%s: %v", name, err)
			}
		}
	}
	printTable(os.Stdout, names, results)
}

// measure starts a server, runs every load on it and stops it.
func measure(name string, set settings, results map[string]map[string][]float64) error {
	t, err := start(name, &set)
	if err != nil {
		return err
	}
	defer t.stop()
	// Once alone: the real lmtpd fails an assertion when several make the
	// stage directory at the same time.
	if _, err := lmtp(t, settings{time: time.Millisecond, size: set.size}, 1, 1); err != nil {
		return err
	}
	for _, l := range loads {
		if len(set.only) > 0 && !slices.Contains(set.only, l.name) {
			continue
		}
		v, err := l.run(t, set)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if results[l.name] == nil {
			results[l.name] = map[string][]float64{}
		}
		results[l.name][name] = append(results[l.name][name], v)
		fmt.Fprintf(os.Stderr, "  %-16s %12.1f %s\n", l.name, v, l.unit)
	}
	return nil
}

func printTable(w *os.File, names []string, results map[string]map[string][]float64) {
	fmt.Fprint(w, "| load | unit |")
	for _, n := range names {
		fmt.Fprintf(w, " %s |", n)
	}
	for _, n := range names[1:] {
		fmt.Fprintf(w, " %s ÷ %s |", names[0], n)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n", strings.Repeat("---:|", 2*len(names)-1))
	for _, l := range loads {
		r := results[l.name]
		if r == nil {
			continue
		}
		fmt.Fprintf(w, "| %s | %s |", l.about, l.unit)
		for _, n := range names {
			fmt.Fprintf(w, " %s |", number(median(r[n])))
		}
		for _, n := range names[1:] {
			fmt.Fprintf(w, " %.2f |", median(r[names[0]])/median(r[n]))
		}
		fmt.Fprintln(w)
	}
}

func number(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func median[T cmp.Ordered](v []T) (m T) {
	if len(v) == 0 {
		return m
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

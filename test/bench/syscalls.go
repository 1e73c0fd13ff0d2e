package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// countedOps is how many operations are counted for an average.
const countedOps = 100

// calls is how often each system call was made.
type calls map[string]int

// syncs is those that make something last.
func (c calls) syncs() int {
	return c["fsync"] + c["fdatasync"] + c["msync"] + c["sync_file_range"] + c["syncfs"]
}

// countSyscalls prints the system calls of one operation of each load, done
// by one client, for each server.
func countSyscalls(servers []string, set settings) error {
	set.count, set.clients = countedOps, 1
	fmt.Printf("| load | server | syncs | system calls | of these |\n|---|---|---:|---:|---|\n")
	for _, name := range servers {
		if err := countOf(name, set); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func countOf(name string, set settings) error {
	t, err := start(name, &set)
	if err != nil {
		return err
	}
	defer t.stop()
	for _, l := range loads {
		if l.name == "idle" || l.name == "lmtp1" || l.name == "lmtp-same" || len(set.only) > 0 && !slices.Contains(set.only, l.name) {
			continue
		}
		// Once before, so that everything is open; then for the count.
		warm := set
		warm.count = 3
		if _, err := l.run(t, warm); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		var c calls
		set.around = func() func() {
			end, err := t.trace()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return func() {}
			}
			return func() { c = end() }
		}
		if _, err := l.run(t, set); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		fmt.Println(c.row(l.name, name))
	}
	return nil
}

// row is a line of the table: averages, the most frequent calls first.
func (c calls) row(load, server string) string {
	total := 0
	for _, n := range c {
		total += n
	}
	names := slices.SortedFunc(maps.Keys(c), func(a, b string) int { return c[b] - c[a] })
	var top []string
	for _, n := range names[:min(14, len(names))] {
		top = append(top, fmt.Sprintf("%s %.1f", n, float64(c[n])/countedOps))
	}
	return fmt.Sprintf("| %s | %s | %.2f | %.1f | %s |", load, server, float64(c.syncs())/countedOps, float64(total)/countedOps, strings.Join(top, ", "))
}

// trace counts the system calls of all processes of the server until end is
// called.
func (t *target) trace() (end func() calls, err error) {
	out := filepath.Join(t.dir, "strace")
	args := []string{"-f", "-c", "-qq", "-U", "calls,name", "-o", out}
	for _, pid := range t.processes() {
		args = append(args, "-p", strconv.Itoa(pid))
	}
	cmd := exec.Command("strace", args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // until it is attached
	return func() calls {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait() // it ends by the signal
		return readCounts(out)
	}, nil
}

// readCounts reads strace's table of calls and names.
func readCounts(file string) calls {
	c := calls{}
	data, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	for line := range strings.Lines(string(data)) {
		var n int
		var name string
		if k, _ := fmt.Sscanf(line, "%d %s", &n, &name); k == 2 && name != "total" {
			c[name] = n
		}
	}
	return c
}

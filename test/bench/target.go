package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// users is how many accounts each server has.
const users = 40

// A target is a running server.
type target struct {
	name, dir  string
	imap, lmtp string // addresses
	pop3       string
	sieve      string
	pid        int // of its first process
}

// start starts a fresh server by test/bin/reference-server; set.bin has our
// programs.
func start(name string, set *settings) (*target, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	port, err := freePorts(set.port, 5)
	if err != nil {
		return nil, err
	}
	t := &target{name: name, dir: filepath.Join(dir, "site")}
	t.imap, t.lmtp = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+2)
	t.pop3 = fmt.Sprintf("127.0.0.1:%d", port+1)
	t.sieve = fmt.Sprintf("127.0.0.1:%d", port+3)
	kind, env := name, os.Environ()
	env = append(env, fmt.Sprintf("USERS=%d", users))
	switch name {
	case "dovecot-sync":
		kind = "dovecot"
		env = append(env, "EXTRA=mail_fsync = always\n")
	case "gocyrus":
		kind = "cyrus"
		bin, err := filepath.Abs(set.bin)
		if err != nil {
			return nil, err
		}
		secrets, err := sasldb(dir)
		if err != nil {
			return nil, err
		}
		env = append(env, "BINDIR="+bin, "EXTRA=sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: "+secrets+"\n")
	}
	cmd := exec.Command("test/bin/reference-server", kind, t.dir, strconv.Itoa(port))
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	pid, err := os.ReadFile(filepath.Join(t.dir, "pid"))
	if err != nil {
		return nil, err
	}
	t.pid, err = strconv.Atoi(strings.TrimSpace(string(pid)))
	return t, err
}

// sasldb writes the accounts as Cyrus has them, so that both look
// passwords up in the same kind of file.
func sasldb(dir string) (string, error) {
	path := filepath.Join(dir, "sasldb2")
	for i := range users + 1 {
		user := "cyrus"
		if i > 0 {
			user = userName(i)
		}
		cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", path, "-u", "reference.example.org", user)
		cmd.Stdin = strings.NewReader("pass")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("saslpasswd2: %w\n%s", err, out)
		}
	}
	return path, os.Chmod(path, 0o644)
}

func userName(n int) string { return fmt.Sprintf("user%d", n) }

// freePorts returns the first of n free ports in a row, at from or above.
func freePorts(from, n int) (int, error) {
	for first := from; first < from+7000; first += n {
		free := true
		for p := first; p < first+n && free; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return first, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}

func (t *target) stop() {
	if out, err := exec.Command("test/bin/reference-server", "stop", t.dir).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "stop: %v %s\n", err, out)
	}
	time.Sleep(200 * time.Millisecond)
	os.RemoveAll(filepath.Dir(t.dir))
}

// processes returns the ids of the server's first process and all below it.
func (t *target) processes() []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if ppid, err := strconv.Atoi(fields[1]); err == nil {
			children[ppid] = append(children[ppid], pid)
		}
	}
	all := []int{t.pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// memory is what the server's processes have of their own, and their share
// of what they have in common, in KiB (Pss of smaps_rollup).
func (t *target) memory() float64 {
	sum := 0.0
	for _, pid := range t.processes() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			var kib float64
			if n, _ := fmt.Sscanf(line, "Pss: %f kB", &kib); n == 1 {
				sum += kib
			}
		}
	}
	return sum
}

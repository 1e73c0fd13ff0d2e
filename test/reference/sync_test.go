//go:build reference

package reference

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestSyncsBeforeReply looks at the system calls of all processes: when the
// client is told that something is done, all of it is on the disk.
func TestSyncsBeforeReply(t *testing.T) {
	for _, shared := range []bool{true, false} {
		t.Run(map[bool]string{true: "shared", false: "own"}[shared], func(t *testing.T) {
			s := server.Start(t, server.Options{Shared: shared})
			deliverLMTP(s, "user1", "before") // lmtpd is there
			c, admin, other := s.Login("user1"), s.Login("cyrus"), s.Login("user2")
			defer c.Close()
			admin.Must("CREATE shared")
			admin.Must("SETACL shared anyone lrswi")
			other.Append("shared", "Subject: x\r\n\r\nbody\r\n")
			other.Must("SELECT shared")
			deliverLMTP(s, "user3", "pop")
			c.Must("SELECT INBOX")
			lines(t, s.Sieve, "LOGOUT") // there is a process
			lines(t, s.POP3, "QUIT")
			traced := straceOf(t, s, func() { c.Must("NOOP") })
			deliverLMTP(s, "user1", "traced")
			c.Append("INBOX", "Subject: x\r\n\r\nbody\r\n")
			c.Must(`STORE 1 +FLAGS (\Seen \Flagged)`)
			c.Must("STORE 2 +FLAGS ($new)")
			c.Must("COPY 1 INBOX")
			c.Must("SETACL INBOX user2 lrs")
			c.Must("CREATE INBOX/made")
			c.Must("MOVE 1 INBOX/made")
			c.Must(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			c.Must("EXPUNGE")
			c.Must("REPLACE 1 INBOX {14+}\r\nSubject: y\r\n\r\n")
			c.Must("RENAME INBOX/made INBOX/other")
			c.Must(`SETMETADATA INBOX (/private/comment "x")`)
			c.Must("SUBSCRIBE INBOX")
			admin.Must("SETQUOTA user/user1 (STORAGE 1000)")
			c.Must("DELETE INBOX/other")
			other.Must(`STORE 1 +FLAGS (\Seen)`)
			lines(t, s.Sieve, "AUTHENTICATE \"PLAIN\" \"AHVzZXIxAHBhc3M=\"", "PUTSCRIPT \"s\" {19+}\r\n# keep what comes\r\n", "SETACTIVE \"s\"", "LOGOUT")
			lines(t, s.POP3, "USER user3", "PASS pass", "DELE 1", "QUIT")
			list, notes := `conf/mailboxes\.db$`, `conf/annotations\.db$`
			if !shared {
				list, notes = `conf/db\.pebble/\d+\.log$`, `conf/db\.pebble/\d+\.log$`
			}
			const user = `conf/user/uuid/./[^/]/[a-z0-9]{20,}`
			const index, cache, header, dir = `/cyrus\.index$`, `/cyrus\.cache$`, `/cyrus\.header\.NEW$`, `/uuid/./././?[a-z0-9]{20,}$|/uuid/./[^/]/[a-z0-9]{20,}$`
			steps := []step{
				{"LMTP", `^250 2\.1\.5 .*SESSIONID`, []string{`/stage\./`, index, cache, dir}},
				{"APPEND", ` OK \[APPENDUID `, []string{`/stage\./`, index, cache, dir}},
				{"STORE", `\* 1 FETCH .* OK `, []string{index}},
				{"STORE of a new keyword", `\* 2 FETCH .* OK `, []string{header, index, dir}},
				{"COPY", ` OK \[COPYUID `, []string{index, cache, dir}},
				{"SETACL", `^t\d+ OK Completed`, []string{list, header, dir}},
				{"CREATE", `^t\d+ OK .*Completed`, []string{list, `/cyrus\.index$`, `/cyrus\.header$`, dir}},
				{"MOVE", ` OK \[COPYUID `, []string{index, cache, dir}},
				{"STORE before EXPUNGE", ` OK Completed`, []string{index}},
				{"EXPUNGE", `\* 1 EXPUNGE`, []string{index}},
				{"REPLACE", `APPENDUID `, []string{`/stage\./`, index, cache, dir}},
				{"RENAME", `\* OK rename `, []string{list, header, dir, `/unfinished$`}},
				{"SETMETADATA", `^t\d+ OK Completed`, []string{notes, index}},
				{"SUBSCRIBE", `^t\d+ OK Completed`, []string{user + `/sub\.db\.NEW$`, user + `$`}},
				{"SETQUOTA", `^t\d+ OK Completed`, []string{`conf/quota/user\.user1\.NEW$`, `conf/quota/u$`, header}},
				{"DELETE", `^t\d+ OK Completed`, []string{list, header, dir, `/unfinished$`}},
				{"STORE in another's mailbox", `\* 1 FETCH .* OK `, []string{user + `/seen\.db$`, index}},
				{"AUTHENTICATE, which makes #sieve", `^OK`, []string{list, `/cyrus\.header$`}},
				{"PUTSCRIPT", `^OK`, []string{`/stage\./`, index, cache, dir, `sieve/.*/s\.bc\.NEW$`, `sieve/uuid/./[^/]/[a-z0-9]{20,}$`}},
				{"SETACTIVE", `^OK`, []string{index, `sieve/uuid/./[^/]/[a-z0-9]{20,}$`}},
				{"QUIT", `^\+OK`, []string{index}},
			}
			trace := traced()
			for _, text := range judge(s, trace, steps, t.Logf) {
				t.Error(text)
			}
			without := regexp.MustCompile(`(?m)^.*fdatasync\(.*cyrus\.index.*\n`).ReplaceAll(trace, nil)
			if len(judge(s, without, steps, func(string, ...any) {})) == 0 {
				t.Error("that the index is not synced would not be seen")
			}
		})
	}
}

// lines sends lines to a server that greets and answers each with lines of
// which the last begins with OK or +OK.
func lines(t *testing.T, addr string, send ...string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, line := range append([]string{""}, send...) {
		if line != "" {
			fmt.Fprint(c, line+"\r\n")
		}
		for {
			answer, err := r.ReadString('\n')
			if err != nil || strings.HasPrefix(answer, "NO") || answer[0] == '-' {
				t.Fatalf("%q: %q, %v", line, answer, err)
			}
			if strings.HasPrefix(answer, "OK") || answer[0] == '+' {
				break
			}
		}
	}
}

// step is a reply and the files that have to be synced for it.
type step struct {
	name, reply string
	synced      []string
}

// calls is the system calls that write, or make what was written last.
const calls = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,syncfs,rename,renameat,renameat2,link,linkat,openat,mkdir,mkdirat,ftruncate,copy_file_range"

// straceOf follows all processes of a site. It returns when they are, for
// which poke has to make one of them write, with a function that ends it and
// returns what they called.
func straceOf(t *testing.T, s *server.Site, poke func()) func() []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "-yy", "-s", "400", "-o", out, "-e", "trace=" + calls}
	for _, pid := range s.Processes("") {
		args = append(args, "-p", fmt.Sprint(pid))
	}
	cmd := exec.Command("strace", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := func() []byte {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it ends with the status of the signal
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		poke()
		if data, _ := os.ReadFile(out); bytes.Contains(data, []byte("OK Completed")) {
			return ended
		}
	}
	ended()
	t.Fatal("strace shows nothing")
	return nil
}

var (
	call    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.* = 0$`)
	onFile  = regexp.MustCompile(`^\d+<(/[^>]*)>`)
	socket  = regexp.MustCompile(`^\d+<TCP:\[[^\]]*\]>, "(.*)`)
	paths   = regexp.MustCompile(`"(/[^"]*)"`)
)

// disk is what is not yet on the disk, as seen from system calls.
type disk struct {
	s       *server.Site
	wrong   []string
	line    int
	dirty   map[string]int    // path to the line of its last change
	waiting map[string]waited // thread to the sync that it waits for
	synced  map[string]int    // path to the number of its syncs since the last reply
	made    map[string]bool   // directories that are new since the last reply
}

type waited struct {
	path string
	line int
}

// judge goes through a trace. Each step's reply has to come, in order, with
// nothing dirty and its files synced since the reply before. It returns what
// is wrong, and logs the number of syncs.
func judge(s *server.Site, trace []byte, steps []step, logf func(string, ...any)) []string {
	d := &disk{s: s, dirty: map[string]int{}, waiting: map[string]waited{}, synced: map[string]int{}, made: map[string]bool{}}
	lines := bufio.NewScanner(bytes.NewReader(trace))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && len(steps) > 0 {
		text := d.call(lines.Text())
		if text == "" || !regexp.MustCompile(steps[0].reply).MatchString(text) || len(d.synced) == 0 {
			continue // NOOP, and the like
		}
		logf("%s: %d syncs", steps[0].name, d.replied(steps[0]))
		steps = steps[1:]
	}
	if len(steps) > 0 {
		d.errorf("no reply of %s", steps[0].name)
	}
	return d.wrong
}

func (d *disk) errorf(format string, args ...any) {
	d.wrong = append(d.wrong, fmt.Sprintf(format, args...))
}

// replied looks at the disk at the time of a reply, and returns the number
// of syncs since the one before.
func (d *disk) replied(s step) (total int) {
	for path, line := range d.dirty {
		d.errorf("%s: told before %s is on the disk (changed in line %d, told in line %d)", s.name, path, line, d.line)
	}
	for _, n := range d.synced {
		total += n
	}
	for _, want := range s.synced {
		re := regexp.MustCompile(want)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(d.synced)), re.MatchString) {
			d.errorf("%s: no sync of %s, only %v", s.name, want, d.synced)
		}
	}
	clear(d.dirty)
	clear(d.synced)
	clear(d.made)
	return total
}

// matters reports whether a path holds what must not be lost.
func (d *disk) matters(path string) bool {
	rest, ok := strings.CutPrefix(path, d.s.Dir+"/")
	if !ok {
		return false
	}
	top, rest, _ := strings.Cut(rest, "/")
	switch top {
	case "spool":
		return true
	case "sieve":
		return !strings.HasSuffix(rest, ".lock")
	case "conf":
		db, inPebble := strings.CutPrefix(rest, "db.pebble/")
		// A twoskip file is whole when it was synced, though its header still
		// says that it is being changed. They are only in the lists of steps.
		return strings.HasPrefix(rest, "user/") && !strings.HasSuffix(rest, ".db") ||
			rest == "mailboxes.db" || strings.HasPrefix(rest, "quota/") || inPebble && strings.HasSuffix(db, ".log")
	}
	return false
}

func (d *disk) change(path string) {
	if d.matters(path) {
		d.dirty[path] = d.line
	}
}

// onDisk notes that a sync of path that began in a line has ended.
func (d *disk) onDisk(path string, began int) {
	if strings.HasPrefix(path, d.s.Dir+"/") {
		d.synced[path]++
	}
	if d.dirty[path] < began {
		delete(d.dirty, path)
	}
}

// call takes a line of the trace; it returns what was written to a client.
func (d *disk) call(line string) string {
	d.line++
	if m := resumed.FindStringSubmatch(line); m != nil {
		if w, ok := d.waiting[m[1]]; ok && strings.HasSuffix(m[2], "sync") {
			d.onDisk(w.path, w.line)
			delete(d.waiting, m[1])
		}
		return ""
	}
	m := call.FindStringSubmatch(line)
	if m == nil || strings.Contains(m[3], ") = -1 ") {
		return ""
	}
	thread, name, args := m[1], m[2], m[3]
	file := ""
	if f := onFile.FindStringSubmatch(args); f != nil {
		file = f[1]
	}
	names := paths.FindAllStringSubmatch(args, -1)
	switch name {
	case "fsync", "fdatasync":
		if strings.HasSuffix(args, "<unfinished ...>") {
			d.waiting[thread] = waited{file, d.line}
		} else if strings.HasSuffix(args, " = 0") {
			d.onDisk(file, d.line)
		}
	case "rename", "renameat", "renameat2":
		old, name := names[0][1], names[1][1]
		if at, ok := d.dirty[old]; ok && d.made[filepath.Dir(name)] {
			delete(d.dirty, old) // nobody knows of the directory yet
			d.dirty[name] = at
		} else if ok {
			d.errorf("%s is renamed before what was written in line %d is on the disk", old, at)
			delete(d.dirty, old)
		}
		d.change(filepath.Dir(name))
	case "link", "linkat":
		d.change(filepath.Dir(names[1][1]))
	case "openat":
		if strings.Contains(args, "O_CREAT") && len(names) > 0 && !strings.Contains(names[0][1], "/stage./") {
			d.created(names[0][1])
		}
	case "mkdir", "mkdirat":
		d.made[names[0][1]] = true
		d.change(filepath.Dir(names[0][1]))
	default:
		if file != "" {
			d.change(file)
		} else if w := socket.FindStringSubmatch(args); w != nil {
			return w[1]
		}
	}
	return ""
}

// created notes that a file may be new. Most that are opened so are there.
func (d *disk) created(path string) {
	if strings.HasSuffix(path, ".NEW") {
		return // its rename counts
	}
	if _, known := d.synced[path]; !known && strings.Contains(path, "/cyrus.") {
		d.change(filepath.Dir(path))
	}
}

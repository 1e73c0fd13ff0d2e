package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workerVar makes the test binary be what master starts. Its value is the
// file in which it notes what happens to it.
const workerVar = "MASTER_TEST_WORKER"

func TestMain(m *testing.M) {
	if note, ok := os.LookupEnv(workerVar); ok {
		fakeProcess(note)
	}
	os.Exit(buildAndRun(m))
}

// fake is a process that master has started.
type fake struct {
	note    *os.File
	name    string
	signals chan os.Signal
}

// fakeProcess plays the part that the arguments say. It does not return.
func fakeProcess(note string) {
	file, err := os.OpenFile(note, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		os.Exit(2)
	}
	f := &fake{file, os.Getenv("CYRUS_SERVICE"), make(chan os.Signal, 1)}
	signal.Notify(f.signals, syscall.SIGTERM, syscall.SIGHUP) // before anybody sees that it has started
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == databaseName {
		f.name = databaseName
		args = []string{"ready"}
		if mode, err := os.ReadFile(filepath.Join(filepath.Dir(note), "dbmode")); err == nil {
			args = strings.Fields(string(mode))
		}
	}
	f.say("start", strings.Join(os.Args[1:], " "))
	switch args[0] {
	case "exit": // at once
		f.leave(args[1])
	case "print": // something, then exit
		fmt.Println(args[1])
		fmt.Fprint(os.Stderr, args[2])
		f.leave("0")
	case "ready": // a wait daemon
		time.Sleep(50 * time.Millisecond)
		f.write([]byte(readyWord))
		f.say("ready", "")
	case "unready":
		f.write([]byte("no\r\n"))
	case "junk":
		f.write([]byte("xyz"))
		time.Sleep(50 * time.Millisecond)
		f.tell(9)
		f.write([]byte{1, 0, 0, 0, 1, 0, 0, 0})
	case "flood": // the status pipe, for ever
		for len(f.signals) == 0 {
			f.write(make([]byte, 4096))
		}
	case "serve":
		f.serve()
	}
	f.wait()
}

func (f *fake) say(what, more string) {
	fmt.Fprintf(f.note, "%d %s %s %s\n", os.Getpid(), f.name, what, more)
}

func (f *fake) leave(status string) {
	code, err := strconv.Atoi(status)
	if err != nil {
		code = 2
	}
	f.say("exit", status)
	os.Exit(code)
}

func (f *fake) write(b []byte) { _, _ = unix.Write(statusFD, b) }

func (f *fake) tell(kind uint32) {
	b := binary.NativeEndian.AppendUint32(nil, kind)
	f.write(binary.NativeEndian.AppendUint32(b, uint32(os.Getpid())))
}

// wait is what a daemon does.
func (f *fake) wait() {
	s := <-f.signals
	f.say("signal", s.String())
	f.leave("75")
}

// serve is a worker: it takes as many clients as it is told, by the rules
// of the status pipe, and leaves on SIGTERM, on SIGHUP when it is idle, and
// when master is gone.
func (f *fake) serve() {
	places, err := strconv.Atoi(os.Getenv("CYRUS_MAXCLIENTS"))
	if err != nil {
		places = 1
	}
	w := &fakeWorker{fake: f, places: places}
	w.room = sync.NewCond(&w.mu)
	go w.watch(f.signals)
	go func() {
		for {
			p := []unix.PollFd{{Fd: statusFD}}
			if n, _ := unix.Poll(p, 100); n > 0 {
				f.leave("75") // nobody reads the pipe
			}
		}
	}()
	_ = unix.SetsockoptTimeval(listenFD, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	for {
		w.mu.Lock()
		for w.clients >= w.places || w.leaving {
			if w.leaving && w.clients == 0 {
				w.leave("75")
			}
			w.room.Wait()
		}
		w.mu.Unlock()
		fd, _, err := unix.Accept4(listenFD, unix.SOCK_CLOEXEC)
		if err != nil {
			continue
		}
		w.admit()
		go w.client(fd)
	}
}

type fakeWorker struct {
	*fake
	mu      sync.Mutex
	room    *sync.Cond
	clients int
	places  int
	leaving bool
}

func (w *fakeWorker) admit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients++
	if w.clients < w.places {
		w.tell(4)
		return
	}
	w.tell(2)
	w.tell(3)
}

func (w *fakeWorker) watch(signals <-chan os.Signal) {
	for s := range signals {
		w.mu.Lock()
		w.say("signal", s.String())
		if s == syscall.SIGTERM {
			w.leave("75")
		}
		w.leaving = true
		if w.clients < w.places {
			w.tell(2)
		}
		w.room.Broadcast()
		w.mu.Unlock()
	}
}

// client serves one connection: a greeting with the pid, then commands.
func (w *fakeWorker) client(fd int) {
	file := os.NewFile(uintptr(fd), "client")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return
	}
	fmt.Fprintf(conn, "%d\n", os.Getpid())
	in := bufio.NewScanner(conn)
	for in.Scan() {
		switch in.Text() {
		case "crash":
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		case "about":
			fmt.Fprintln(conn, about())
		}
	}
	conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients == w.places && !w.leaving {
		w.tell(1)
	}
	w.clients--
	w.room.Broadcast()
}

// about is what a process has inherited, in one line.
func about() string {
	var s []string
	for _, name := range childVars {
		if v, ok := os.LookupEnv(name); ok {
			s = append(s, name+"="+v)
		}
	}
	var r unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		for _, want := range []string{"CapPrm", "CapInh", "CapAmb", "SigIgn"} {
			if v, ok := strings.CutPrefix(line, want+":\t"); ok {
				s = append(s, want+"="+strings.TrimSpace(v))
			}
		}
	}
	for fd := range 5 {
		name, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
		name, _, _ = strings.Cut(name, ":")
		s = append(s, fmt.Sprintf("%d=%s", fd, name))
	}
	return fmt.Sprintf("%s uid=%d group=%t", strings.Join(s, " "), os.Getuid(), unix.Getpgrp() == os.Getppid())
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
)

// account is the user that everything runs as.
type account struct {
	name     string
	uid, gid int
	groups   []int // supplementary; with gid
}

// cyrusUser returns the name of the Cyrus user and group (may be "": the
// user's own), and whether anybody named the user.
func (m *master) cyrusUser() (name, group string, named bool) {
	name, group = config.CyrusUser.In(m.conf), config.CyrusGroup.In(m.conf)
	if v := os.Getenv("CYRUS_USER"); v != "" {
		name = v
	}
	if v := os.Getenv("CYRUS_GROUP"); v != "" {
		group = v
	}
	if name == "" {
		return config.DefaultUser(), group, false
	}
	return name, group, true
}

// becomeCyrus makes the process run as the Cyrus user. As root it does not
// return if it succeeds: master executes itself, as that user and with no
// right but to bind to the ports below 1024. Anybody else runs as himself,
// if the configuration names no user, or him. It returns 0, or the status
// to exit with.
//
// Source: become_cyrus in Cyrus lib/util.c.
func (m *master) becomeCyrus(st stage, args []string) int {
	if st.name == stageDropped && os.Geteuid() != 0 {
		if err := keepOnlyPermitted(); err != nil {
			m.errorf("cannot set caps: %s", text(err))
		}
		return 0
	}
	name, group, named := m.cyrusUser()
	if os.Geteuid() != 0 && !named {
		return 0
	}
	a, err := lookupAccount(name, group)
	if err == nil && a.uid == os.Geteuid() {
		return 0
	}
	if err == nil {
		err = m.drop(a, st, args)
	}
	m.errorf("%s", err)
	m.errorf("can't change to the cyrus user: %s", text(err))
	m.early.say("can't change to the cyrus user: " + err.Error())
	return exFailure
}

// drop changes the user and executes master again. It returns only to tell
// why it could not. The thread must be locked.
func (m *master) drop(a account, st stage, args []string) error {
	failed := func(what string, err error) error { return &sysFault{what + ": " + text(err), err} }
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		m.errorf("cannot set keepcaps flag: %s", text(err))
	}
	if err := syscall.Setgroups(a.groups); err != nil {
		return failed(fmt.Sprintf("unable to initialize groups for user %s", a.name), err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return failed(fmt.Sprintf("unable to set group id to %d for user %s", a.gid, a.name), err)
	}
	if err := syscall.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return failed(fmt.Sprintf("unable to set user id to %d for user %s", a.uid, a.name), err)
	}
	if err := carryBindRight(); err != nil {
		m.errorf("cannot set caps: %s", text(err)) // ports from 1024 up still work
	}
	st.name, st.pidFile = stageDropped, m.pidFile
	for _, fd := range []int{st.pidFile, st.complain} {
		if fd > 2 {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
				return err
			}
		}
	}
	if err := syscall.Exec(selfPath, args, st.environ()); err != nil {
		return failed("couldn't exec "+m.self, err)
	}
	return nil
}

// lookupAccount finds a user, and the group if it is not "". The error is
// in Cyrus's words.
func lookupAccount(name, group string) (account, error) {
	a := account{name: name}
	u, groups, err := lookupUser(name)
	if err != nil {
		return a, fmt.Errorf("no entry in /etc/passwd for user %s", name)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return a, err
	}
	a.uid, a.gid = uid, gid
	if group != "" {
		if a.gid, err = lookupGroup(group); err != nil {
			return a, fmt.Errorf("no entry in /etc/group for group %s", group)
		}
	}
	a.groups = []int{a.gid}
	for _, s := range groups {
		if g, err := strconv.Atoi(s); err == nil && g != gid && !slices.Contains(a.groups, g) {
			a.groups = append(a.groups, g)
		}
	}
	return a, nil
}

// lookupUser asks /etc/passwd, and if he is not there the system's name
// services, which a program without the C library can't see.
func lookupUser(name string) (*user.User, []string, error) {
	if u, err := user.Lookup(name); err == nil {
		groups, err := u.GroupIds()
		return u, groups, err
	}
	f, err := getent("passwd", name, 7)
	if err != nil {
		return nil, nil, err
	}
	ids, err := exec.Command("id", "-G", "--", name).Output()
	if err != nil {
		return nil, nil, err
	}
	return &user.User{Username: f[0], Uid: f[2], Gid: f[3]}, strings.Fields(string(ids)), nil
}

func lookupGroup(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	f, err := getent("group", name, 4)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(f[2])
}

// getent returns the fields of an entry of a system database.
func getent(database, key string, fields int) ([]string, error) {
	out, err := exec.Command("getent", database, key).Output()
	if err != nil {
		return nil, err
	}
	f := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(f) < fields {
		return nil, fmt.Errorf("getent %s %s: %q", database, key, out)
	}
	return f, nil
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"gocyrus/libcyrus/config"
)

// becomeCyrus makes a process of root that of the Cyrus user, with his
// groups. Anybody else goes on as himself.
//
// Source: become_cyrus in Cyrus lib/util.c, and its callers.
func becomeCyrus(c *config.Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := cyrusIDs(c)
	if err != nil {
		return err
	}
	name := cyrusName(c)
	if err := syscall.Setgroups(memberships(name, gid)); err != nil {
		return fmt.Errorf("unable to initialize groups for user %s: %v", name, err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("unable to set group id to %d for user %s: %v", gid, name, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("unable to set user id to %d for user %s: %v", uid, name, err)
	}
	return nil
}

// cyrusName is the name of the Cyrus user.
func cyrusName(c *config.Config) string {
	return choose("CYRUS_USER", config.CyrusUser.In(c), config.DefaultUser())
}

// cyrusIDs returns the ids of the Cyrus user and his group.
func cyrusIDs(c *config.Config) (uid, gid int, err error) {
	name := cyrusName(c)
	if uid, gid, err = lookupUser(name); err != nil {
		return 0, 0, fmt.Errorf("no entry in /etc/passwd for user %s", name)
	}
	if group := choose("CYRUS_GROUP", config.CyrusGroup.In(c), ""); group != "" {
		if gid, err = lookupGroup(group); err != nil {
			return 0, 0, fmt.Errorf("no entry in /etc/group for group %s", group)
		}
	}
	return uid, gid, nil
}

// choose returns the environment's variable if it is set, else the first
// of values that is not empty.
func choose(variable string, values ...string) string {
	if v := os.Getenv(variable); v != "" {
		return v
	}
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// lookupUser returns the user's ids, from /etc/passwd or else from what
// getent asks, since a program without the C library sees files only.
func lookupUser(name string) (uid, gid int, err error) {
	if u, err := user.Lookup(name); err == nil {
		return ids(u.Uid, u.Gid)
	}
	f, err := getent("passwd", name, 4)
	if err != nil {
		return 0, 0, err
	}
	return ids(f[2], f[3])
}

func lookupGroup(name string) (gid int, err error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	f, err := getent("group", name, 3)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(f[2])
}

// memberships returns gid and all groups that name is a member of. What
// cannot be found out is left out.
func memberships(name string, gid int) []int {
	groups := []int{gid}
	out, err := exec.Command("id", "-G", "--", name).Output()
	if err != nil {
		return groups
	}
	for word := range strings.FieldsSeq(string(out)) {
		if g, err := strconv.Atoi(word); err == nil && g != gid {
			groups = append(groups, g)
		}
	}
	return groups
}

// getent returns the fields of a record of the system's name services, at
// least as many as given.
func getent(database, key string, fields int) ([]string, error) {
	out, err := exec.Command("getent", database, key).Output()
	if err != nil {
		return nil, err
	}
	f := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(f) < fields {
		return nil, fmt.Errorf("%s of %s: bad record", database, key)
	}
	return f, nil
}

func ids(uid, gid string) (int, int, error) {
	u, err := strconv.Atoi(uid)
	if err != nil {
		return 0, 0, err
	}
	g, err := strconv.Atoi(gid)
	return u, g, err
}

// Package osuser finds users and groups of the operating system, that of
// Cyrus above all, and makes the process run as one.
//
// Programs without the C library read /etc/passwd and /etc/group only; whoever
// is not there is asked for with getent(1) and id(1), which know LDAP and the
// like. All functions may be called from many goroutines.
package osuser

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

	"gocyrus/libcyrus/config"
)

// ErrUnknown means that there is no such user or group.
var ErrUnknown = errors.New("not known to the system")

// User is a user of the system.
type User struct {
	Name     string
	UID, GID int
	Home     string

	primary int // the GID that the system gives him; Cyrus may change the other
}

// Fault is what the system refused, in Cyrus's words.
type Fault struct {
	What string
	Err  error // the errno
}

func (f *Fault) Error() string {
	why := f.Err.Error()
	return f.What + ": " + strings.ToUpper(why[:1]) + why[1:]
}
func (f *Fault) Unwrap() error { return f.Err }

// Lookup finds a user. The error wraps ErrUnknown if there is none, or getent
// could not tell.
func Lookup(name string) (User, error) {
	if u, err := user.Lookup(name); err == nil {
		return record(name, u.Uid, u.Gid, u.HomeDir)
	}
	f, err := getent("passwd", name, 6)
	if err != nil {
		return User{}, err
	}
	return record(name, f[2], f[3], f[5])
}

func record(name, uid, gid, home string) (User, error) {
	u := User{Name: name, Home: home}
	var err1, err2 error
	u.UID, err1 = strconv.Atoi(uid)
	u.GID, err2 = strconv.Atoi(gid)
	u.primary = u.GID
	return u, errors.Join(err1, err2)
}

// LookupGroup finds the id of a group; errors are those of Lookup.
func LookupGroup(name string) (gid int, err error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	f, err := getent("group", name, 3)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(f[2])
}

// getent returns the fields of a record of the system's name services, at
// least as many as given.
func getent(database, key string, fields int) ([]string, error) {
	out, err := exec.Command("getent", database, "--", key).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w (getent: %v)", database, key, ErrUnknown, err)
	}
	f := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(f) < fields {
		return nil, fmt.Errorf("%s %s: %w: bad record", database, key, ErrUnknown)
	}
	return f, nil
}

// Cyrus finds the user and group that the programs run as: $CYRUS_USER and
// $CYRUS_GROUP, else cyrus_user and cyrus_group, else the distribution's and
// his own group. named tells whether anybody named the user. The error is in
// Cyrus's words and wraps ErrUnknown.
//
// Source: become_cyrus and cyrus_group in Cyrus lib/util.c.
func Cyrus(c *config.Config) (u User, named bool, err error) {
	name := first(os.Getenv("CYRUS_USER"), config.CyrusUser.In(c))
	if named = name != ""; !named {
		name = config.DefaultUser()
	}
	if u, err = Lookup(name); err != nil {
		return u, named, worded{"no entry in /etc/passwd for user " + name, err}
	}
	if group := first(os.Getenv("CYRUS_GROUP"), config.CyrusGroup.In(c)); group != "" {
		if u.GID, err = LookupGroup(group); err != nil {
			return u, named, worded{"no entry in /etc/group for group " + group, err}
		}
	}
	return u, named, nil
}

// worded is an error that reads as Cyrus words it.
type worded struct {
	text string
	err  error
}

func (w worded) Error() string { return w.text }
func (w worded) Unwrap() error { return w.err }

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Groups returns GID, then all groups that he is a member of, as initgroups(3)
// does: his own group is none of them if another one took its place. What
// cannot be found out is left out.
func (u User) Groups() []int {
	groups := []int{u.GID}
	out, err := exec.Command("id", "-G", "--", u.Name).Output()
	if err != nil {
		return groups
	}
	for word := range strings.FieldsSeq(string(out)) {
		if g, err := strconv.Atoi(word); err == nil && g != u.primary && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// Become makes the whole process that user, with his groups, for good. Only
// root can. An error is a *Fault; then the process must end: it may have the
// groups already.
func (u User) Become() error {
	if err := syscall.Setgroups(u.Groups()); err != nil {
		return &Fault{fmt.Sprintf("unable to initialize groups for user %s", u.Name), err}
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return &Fault{fmt.Sprintf("unable to set group id to %d for user %s", u.GID, u.Name), err}
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return &Fault{fmt.Sprintf("unable to set user id to %d for user %s", u.UID, u.Name), err}
	}
	return nil
}

// BecomeCyrus makes a process of root that of the Cyrus user. Anybody else
// goes on as himself.
//
// Source: become_cyrus in Cyrus lib/util.c, and its callers.
func BecomeCyrus(c *config.Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, _, err := Cyrus(c)
	if err != nil {
		return err
	}
	return u.Become()
}

package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"gocyrus/libcyrus/config"
)

// becomeCyrus makes a process of root that of the Cyrus user. Under master
// it is that already. Anybody else goes on as himself.
func becomeCyrus(c *config.Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	name := config.DefaultUser()
	if n := config.CyrusUser.In(c); n != "" {
		name = n
	}
	if n := os.Getenv("CYRUS_USER"); n != "" {
		name = n
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("no entry in /etc/passwd for user %s", name)
	}
	uid, uerr := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(u.Gid)
	if uerr != nil || gerr != nil {
		return fmt.Errorf("no valid ids for user %s", name)
	}
	if uid == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
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

package main

import "golang.org/x/sys/unix"

// bindRight is the right to bind to ports below 1024.
const bindRight = 1 << unix.CAP_NET_BIND_SERVICE

// setCapabilities gives this thread exactly these sets of rights.
func setCapabilities(effective, permitted, inheritable uint32) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: effective, Permitted: permitted, Inheritable: inheritable}}
	return unix.Capset(&header, &data[0])
}

// permitted returns the rights below 32 that this thread may take.
func permitted() (uint32, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return data[0].Permitted, err
}

// carryBindRight gives up all rights but the one to bind, and makes that
// last when this thread executes a program.
func carryBindRight() error {
	if err := setCapabilities(bindRight, bindRight, bindRight); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_BIND_SERVICE, 0, 0)
}

// keepOnlyPermitted ends what carryBindRight did: the right stays with this
// thread, to be used in withBindRight, and what it starts has none.
func keepOnlyPermitted() error {
	have, err := permitted()
	if err != nil {
		return err
	}
	return setCapabilities(0, have&bindRight, 0)
}

// withBindRight calls bind with the right in force, if there is one.
func withBindRight(bind func() error) error {
	have, err := permitted()
	if err != nil || have&bindRight == 0 || have != bindRight {
		return bind() // root, or somebody who has nothing to raise
	}
	if err := setCapabilities(bindRight, bindRight, 0); err != nil {
		return bind()
	}
	err = bind()
	if err2 := setCapabilities(0, bindRight, 0); err == nil {
		err = err2
	}
	return err
}

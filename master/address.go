package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// address is one place to listen at.
type address struct {
	family string // "ipv4", "ipv6", "unix"
	domain int    // AF_…
	kind   int    // SOCK_…
	path   string // of a unix socket
	ip     netip.Addr
	port   uint16
}

// String returns a text that is different for different addresses.
func (a address) String() string {
	if a.family == "unix" {
		return a.path
	}
	return netip.AddrPortFrom(a.ip, a.port).String()
}

func (a address) sockaddr() unix.Sockaddr {
	switch a.family {
	case "unix":
		return &unix.SockaddrUnix{Name: a.path}
	case "ipv4":
		return &unix.SockaddrInet4{Port: int(a.port), Addr: a.ip.As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(a.port), Addr: a.ip.As16()}
	if i, err := net.InterfaceByName(a.ip.Zone()); err == nil {
		sa.ZoneId = uint32(i.Index)
	}
	return sa
}

// resolveWait is how long the name of a listen address may take to look up.
const resolveWait = 30 * time.Second

// The texts of getaddrinfo.
const (
	errNoName    = fault("Name or service not known")
	errNoService = fault("Servname not supported for ai_socktype")
	errFamily    = fault("Address family for hostname not supported")
)

// badListen is a listen or proto that has no meaning. Its service does not
// run.
type badListen struct {
	msg  string
	info bool // worth a line of level info only
}

func (e *badListen) Error() string { return e.msg }

// addresses returns where l listens. IPv4 comes first, as the C library
// has it for the wildcard. The error is a *badListen.
//
// Source: service_create in Cyrus master/master.c.
func (l *line) addresses() ([]address, error) {
	if strings.HasPrefix(l.listen, "/") {
		if len(l.listen) > maxSocketPath {
			return nil, &badListen{fmt.Sprintf("invalid listen '%s' (too long), disabling %s", l.listen, l.name), false}
		}
		a := address{family: "unix", domain: unix.AF_UNIX, kind: unix.SOCK_STREAM, path: l.listen}
		if l.proto != "tcp" {
			a.kind = unix.SOCK_DGRAM
		}
		return []address{a}, nil
	}
	kind, want, ok := protocol(l.proto)
	if !ok {
		return nil, &badListen{fmt.Sprintf("invalid proto '%s', disabling %s", l.proto, l.name), true}
	}
	host, port, ok := splitListen(l.listen)
	if !ok {
		return nil, &badListen{fmt.Sprintf("invalid listen '%s', disabling %s", l.listen, l.name), false}
	}
	all, err := resolve(host, port, kind, want)
	if err != nil {
		return nil, &badListen{fmt.Sprintf("%s, disabling %s", err, l.name), true}
	}
	return all, nil
}

// maxSocketPath is the longest path of a unix socket, in bytes.
const maxSocketPath = 107

// protocol reads the proto of a service that is not on a unix socket. want
// is "4", "6" or "".
func protocol(proto string) (kind int, want string, ok bool) {
	for name, kind := range map[string]int{"tcp": unix.SOCK_STREAM, "udp": unix.SOCK_DGRAM} {
		if want, ok := strings.CutPrefix(proto, name); ok && (want == "" || want == "4" || want == "6") {
			return kind, want, true
		}
	}
	return 0, "", false
}

// splitListen reads PORT, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. A host
// or port that is not given is "".
//
// Source: parse_inet_listen in Cyrus master/master.c.
func splitListen(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.LastIndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		host, rest := s[1:end], s[end+1:]
		if rest == "" {
			return host, "", true
		}
		port, ok := strings.CutPrefix(rest, ":")
		return host, port, ok && port != ""
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", s, true
	}
	return s[:i], s[i+1:], i+1 < len(s)
}

// resolve is getaddrinfo for a listener: kind is SOCK_…, want "4", "6" or
// "" for both families.
func resolve(host, port string, kind int, want string) ([]address, error) {
	n := 0
	if port != "" {
		var err error
		network := "tcp"
		if kind == unix.SOCK_DGRAM {
			network = "udp"
		}
		if n, err = net.LookupPort(network, port); err != nil {
			return nil, errNoService
		}
	}
	ips, err := hostAddresses(host)
	if err != nil {
		return nil, err
	}
	var all []address
	for _, ip := range ips {
		a := address{family: "ipv4", domain: unix.AF_INET, kind: kind, ip: ip, port: uint16(n)}
		if !ip.Is4() {
			a.family, a.domain = "ipv6", unix.AF_INET6
		}
		if want == "" || strings.HasSuffix(a.family, want) {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return nil, errFamily
	}
	return all, nil
}

// hostAddresses returns the addresses of a host, "" being the wildcard of
// both families.
func hostAddresses(host string) ([]netip.Addr, error) {
	if host == "" {
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveWait)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return nil, errNoName
	}
	var ips []netip.Addr
	for _, ip := range found {
		ips = append(ips, ip.Unmap())
	}
	return ips, nil
}

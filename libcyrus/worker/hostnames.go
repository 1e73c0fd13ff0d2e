package worker

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How long names of clients are looked for, and remembered.
const (
	lookupWait  = 2 * time.Second
	nameTTL     = 5 * time.Minute
	noNameTTL   = time.Minute
	maxNameKept = 10_000
)

// hostNames finds the names of addresses, as gethostbyaddr does: also in
// /etc/hosts. A name server that does not answer costs each address two
// seconds once a minute, not each client.
type hostNames struct {
	find func(ctx context.Context, addr string) ([]string, error)

	mu    sync.Mutex // guards cache
	cache map[netip.Addr]hostName
}

type hostName struct {
	name  string // "" if it has none
	until time.Time
}

func newHostNames() *hostNames {
	return &hostNames{find: net.DefaultResolver.LookupAddr, cache: make(map[netip.Addr]hostName)}
}

// of returns the name of addr, "" if it has none.
func (h *hostNames) of(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	now := time.Now()
	h.mu.Lock()
	n, ok := h.cache[addr]
	h.mu.Unlock()
	if ok && now.Before(n.until) {
		return n.name
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupWait)
	defer cancel()
	n = hostName{until: now.Add(noNameTTL)}
	if names, err := h.find(ctx, addr.String()); err == nil && len(names) > 0 {
		n = hostName{cleanHost(names[0]), now.Add(nameTTL)}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.cache) >= maxNameKept {
		clear(h.cache)
	}
	h.cache[addr] = n
	return n.name
}

// cleanHost keeps what may be in a host name: a name server may say
// anything, and it goes into the log and into the list of sessions.
func cleanHost(s string) string {
	s = strings.TrimSuffix(s, ".")
	for i := range len(s) {
		c := s[i]
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return ""
		}
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "" // a name that looks like an address is a lie
	}
	return s
}

// remoteIP returns the address of the client; ok is false for a unix
// socket.
func (c *Conn) remoteIP() (addr netip.Addr, ok bool) {
	t, ok := c.wire.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return t.AddrPort().Addr().Unmap(), true
}

// lookUp finds out how to name the client (get_clienthost in Cyrus
// imap/global.c).
func (c *Conn) lookUp() {
	client := "[unix socket]"
	if addr, ok := c.remoteIP(); ok {
		client = "[" + addr.WithZone("").String() + "]"
		if name := c.process.names.of(addr); name != "" {
			client = name + " " + client
		}
	}
	c.mu.Lock()
	c.client = client
	c.mu.Unlock()
}

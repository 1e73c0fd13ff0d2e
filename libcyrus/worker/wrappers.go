package worker

import (
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
)

// wrappers is TCP wrappers (hosts_access(5)): Debian's Cyrus is built with
// them. /etc/hosts.allow and /etc/hosts.deny are read again when they have
// changed. What is there: lists of daemons and clients with ALL, LOCAL,
// KNOWN, UNKNOWN, PARANOID and EXCEPT, names, .domain, addresses, prefixes
// ("10.1."), net/mask, net/bits, [v6]/bits, patterns with * and ?, lists in
// files (/path), and the options ALLOW and DENY; other options are without
// effect. There is no netgroup (@name): it matches nobody.
type wrappers struct {
	allowFile, denyFile string
	log                 *slog.Logger

	mu     sync.Mutex // guards what follows
	stamps [2]stamp
	rules  [2][]rule
}

// rule is one line: who of which daemon, and whether that is let in.
type rule struct {
	daemons, clients []string // with "EXCEPT" as in the file
	permit           bool
}

func newWrappers(log *slog.Logger) *wrappers {
	return &wrappers{allowFile: "/etc/hosts.allow", denyFile: "/etc/hosts.deny", log: log}
}

// allow reports whether the client may use the service, and logs if not.
// Clients over unix sockets always may.
func (w *wrappers) allow(service string, c *Conn) bool {
	addr, isTCP := c.remoteIP()
	if !isTCP {
		return true
	}
	for _, r := range w.load() {
		h := &peerHost{addr: addr, names: c.process.names}
		if listMatches(r.daemons, func(p string) bool { return matchPattern(p, service) }) &&
			listMatches(r.clients, h.matches) {
			if !r.permit {
				w.log.Error("refused connection from " + h.String())
			}
			return r.permit
		}
	}
	return true
}

// load returns the rules as they are now, those of hosts.allow first.
func (w *wrappers) load() []rule {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, path := range []string{w.allowFile, w.denyFile} {
		now := stampOf(path)
		if now == w.stamps[i] {
			continue
		}
		w.stamps[i] = now
		data, err := os.ReadFile(path)
		if err != nil {
			w.rules[i] = nil
			continue
		}
		w.rules[i] = parseRules(string(data), i == 0)
	}
	if len(w.rules[1]) == 0 {
		return w.rules[0] // mostly both are empty
	}
	return append(w.rules[0][:len(w.rules[0]):len(w.rules[0])], w.rules[1]...)
}

// parseRules reads a file whose lines let in, or keep out.
func parseRules(text string, permit bool) (rules []rule) {
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := splitColons(line)
		if len(f) < 2 {
			continue
		}
		r := rule{daemons: words(f[0]), clients: words(f[1]), permit: permit}
		for _, option := range f[2:] {
			switch strings.ToUpper(strings.TrimSpace(option)) {
			case "ALLOW":
				r.permit = true
			case "DENY":
				r.permit = false
			}
		}
		rules = append(rules, r)
	}
	return rules
}

// splitColons cuts at colons outside of brackets and without a backslash
// before them.
func splitColons(s string) (parts []string) {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && s[i+1] == ':':
			i++
			b.WriteByte(':')
			continue
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ':' && depth <= 0:
			parts = append(parts, b.String())
			b.Reset()
			continue
		}
		b.WriteByte(s[i])
	}
	return append(parts, b.String())
}

// words cuts a list at blanks and commas.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '\r' })
}

// listMatches reports whether one of the patterns before EXCEPT matches
// and none of those behind it. "a EXCEPT b EXCEPT c" is a EXCEPT (b EXCEPT c).
func listMatches(list []string, match func(string) bool) bool {
	for i, p := range list {
		if strings.EqualFold(p, "EXCEPT") {
			return false
		}
		if !match(p) {
			continue
		}
		for j, q := range list[i+1:] {
			if strings.EqualFold(q, "EXCEPT") {
				return !listMatches(list[i+j+2:], match)
			}
		}
		return true
	}
	return false
}

// matchPattern compares a name with one that may hold * and ?, or is ALL.
func matchPattern(pattern, s string) bool {
	return strings.EqualFold(pattern, "ALL") || glob(strings.ToLower(pattern), strings.ToLower(s))
}

// glob matches * (any text) and ? (one byte).
func glob(pattern, s string) bool {
	back, from := -1, 0 // where the last * is, and what it has taken
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			back, from = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case back >= 0:
			from++
			i, j = back+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// peerHost is a client as the patterns see it. Its name is looked up only
// when a pattern needs it.
type peerHost struct {
	addr   netip.Addr
	names  *hostNames
	looked bool
	name   string // "" is unknown
}

func (h *peerHost) hostname() string {
	if !h.looked {
		h.name, h.looked = h.names.of(h.addr), true
	}
	return h.name
}

// String is how the log names the client.
func (h *peerHost) String() string {
	if n := h.hostname(); n != "" {
		return n
	}
	return h.addr.String()
}

// matches compares the client with one pattern.
func (h *peerHost) matches(p string) bool {
	switch strings.ToUpper(p) {
	case "ALL":
		return true
	case "KNOWN":
		return h.hostname() != ""
	case "UNKNOWN":
		return h.hostname() == ""
	case "LOCAL":
		return h.hostname() != "" && !strings.Contains(h.hostname(), ".")
	case "PARANOID":
		return false // names that do not lead back count as unknown
	}
	if _, host, ok := strings.Cut(p, "@"); ok && p[0] != '@' {
		p = host // user@host: there is nobody to ask for the user
	}
	switch {
	case p == "":
		return false
	case p[0] == '/':
		return h.inFile(p)
	case p[0] == '@':
		return false
	case p[0] == '.':
		return strings.HasSuffix(strings.ToLower(h.hostname()), strings.ToLower(p))
	case p[len(p)-1] == '.':
		return h.addr.Is4() && strings.HasPrefix(h.addr.String(), p)
	case strings.Contains(p, "/"):
		return h.inNet(p)
	}
	if a, err := netip.ParseAddr(strings.Trim(p, "[]")); err == nil {
		return a.Unmap() == h.addr
	}
	return matchPattern(p, h.addr.String()) || h.hostname() != "" && matchPattern(p, h.hostname())
}

// inNet compares with net/mask, net/bits and [net]/bits.
func (h *peerHost) inNet(p string) bool {
	net, mask, _ := strings.Cut(p, "/")
	base, err := netip.ParseAddr(strings.Trim(net, "[]"))
	if err != nil || base.Is4() != h.addr.Is4() {
		return false
	}
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() && base.Is4() {
		a, b, k := h.addr.As4(), base.As4(), m.As4()
		for i := range k {
			if a[i]&k[i] != b[i] {
				return false
			}
		}
		return true
	}
	prefix, err := netip.ParsePrefix(base.String() + "/" + mask)
	return err == nil && prefix.Contains(h.addr.WithZone(""))
}

// inFile compares with each pattern in a file.
func (h *peerHost) inFile(path string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for _, p := range strings.Fields(string(data)) {
		if p[0] != '/' && h.matches(p) {
			return true
		}
	}
	return false
}

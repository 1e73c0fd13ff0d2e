package main

import (
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// maxPatterns bounds the patterns of one LIST.
const maxPatterns = 1000

// listArgs is the arguments of LIST and LSUB.
type listArgs struct {
	reference string
	patterns  []string
	lsub      bool
	xlist     bool
	extended  bool // written in the form of RFC 5258
	selected  listSelection
	returned  listReturn
	status    []statusItem // STATUS of each (RFC 5819)

	metadata        []string // entries (RFC 9590)
	metadataOptions metadataOptions
}

// listSelection is a set of selection options.
type listSelection uint8

const (
	onlySubscribed listSelection = 1 << iota
	remoteToo
	recursiveMatch
	onlySpecial
	metadataMode // options for what is returned
	servicesToo  // calendars, Sieve scripts and the like
)

var selections = map[string]listSelection{
	"subscribed":     onlySubscribed,
	"remote":         remoteToo,
	"recursivematch": recursiveMatch,
	"special-use":    onlySpecial,
	"metadata":       metadataMode,
	"vendor.cmu-dav": servicesToo,
}

// listReturn is a set of return options.
type listReturn uint8

const (
	withSubscribed listReturn = 1 << iota
	withChildren
	withStatus
	withRights
	withSpecial
	withMetadata
)

var returns = map[string]listReturn{
	"subscribed":  withSubscribed,
	"children":    withChildren,
	"status":      withStatus,
	"myrights":    withRights,
	"special-use": withSpecial,
	"metadata":    withMetadata,
}

// parseLsub reads the arguments of LSUB (RFC 3501 section 6.3.9).
func parseLsub(r *imapwire.Reader) (a listArgs, err error) {
	a.lsub = true
	if a.reference, err = argument(r); err != nil {
		return a, err
	}
	pattern, err := argument(r)
	a.patterns = []string{pattern}
	return a, err
}

// parseList reads the arguments of LIST (RFC 3501 section 6.3.8, RFC 5258).
//
// Source: getlistargs in Cyrus imap/imapd.c.
func parseList(r *imapwire.Reader) (a listArgs, err error) {
	if !r.Space() {
		return a, r.Missing()
	}
	if r.Accept('(') {
		a.extended = true
		if err = parseSelections(r, &a); err != nil {
			return a, err
		}
		if !r.Space() {
			return a, r.Missing()
		}
	}
	if a.reference, err = r.AString(); err != nil {
		return a, orWrong(r, err, "Missing required argument to List: reference name")
	}
	if err = parsePatterns(r, &a); err != nil {
		return a, err
	}
	if r.Space() {
		a.extended = true
		err = parseReturns(r, &a)
	}
	return a, err
}

// parseRlist reads the arguments of RLIST: those of LIST before RFC 5258.
func parseRlist(r *imapwire.Reader) (a listArgs, err error) {
	a, err = parseLsub(r)
	a.lsub = false
	return a, err
}

// parseSelections reads selection options behind "(".
func parseSelections(r *imapwire.Reader, a *listArgs) error {
	for first := true; !r.Accept(')'); first = false {
		if !first && !r.Space() {
			return orWrong(r, nil, "Missing close parenthesis for List selection options")
		}
		word := strings.ToLower(r.Word())
		o, ok := selections[word]
		switch {
		case r.Err() != nil:
			return r.Err()
		case word == "":
			return imapwire.SyntaxError("Invalid syntax in List command")
		case !ok:
			return imapwire.SyntaxError(`Invalid List selection option "` + word + `"`)
		}
		a.selected |= o
		if o == metadataMode {
			r.Space()
			words, _, _, err := r.MetadataList()
			if err != nil {
				return err
			}
			if o, ok := parseMetadataOptions(words); ok { // else Cyrus ignores them
				a.metadataOptions = o
			}
		}
	}
	if a.selected&recursiveMatch != 0 && a.selected&onlySubscribed == 0 {
		return imapwire.SyntaxError("Invalid combination of selection options")
	}
	return nil
}

// parsePatterns reads a pattern or a list of patterns.
func parsePatterns(r *imapwire.Reader, a *listArgs) error {
	const none = imapwire.SyntaxError("Missing required argument to List: mailbox pattern")
	if !r.Space() {
		return orWrong(r, nil, none)
	}
	if !r.Accept('(') {
		p, err := r.AString()
		if err != nil {
			return orWrong(r, err, none)
		}
		a.patterns = []string{p}
		return nil
	}
	a.extended = true
	for {
		p, err := r.AString()
		if err != nil || len(a.patterns) == maxPatterns {
			return orWrong(r, err, "Invalid syntax in List command")
		}
		a.patterns = append(a.patterns, p)
		if r.Accept(')') {
			return nil
		}
		if !r.Space() {
			return orWrong(r, nil, "Invalid syntax in List command")
		}
	}
}

// parseReturns reads RETURN and its options.
func parseReturns(r *imapwire.Reader, a *listArgs) error {
	word := strings.ToLower(r.Word())
	if word != "return" {
		return orWrong(r, nil, imapwire.SyntaxError(`Unexpected extra argument to List: "`+word+`"`))
	}
	if !r.Space() || !r.Accept('(') {
		return orWrong(r, nil, "Missing return argument list")
	}
	for first := true; !r.Accept(')'); first = false {
		if !first && !r.Space() {
			return orWrong(r, nil, "Missing close parenthesis for List return options")
		}
		word := strings.ToLower(r.Word())
		o, ok := returns[word]
		if word == "" {
			return orWrong(r, nil, "Invalid syntax in List command")
		}
		if !ok {
			return orWrong(r, nil, imapwire.SyntaxError(`Invalid List return option "`+word+`"`))
		}
		a.returned |= o
		if o == withStatus {
			if c, ok := r.Peek(); ok && c != ' ' {
				return orWrong(r, nil, "Bad status string")
			}
			items, err := parseStatusItems(r)
			if err != nil {
				return err
			}
			a.status = items
		}
		if o == withMetadata {
			if !r.Space() {
				return orWrong(r, nil, "Missing close parenthesis for List return options")
			}
			words, _, _, err := r.MetadataList()
			if err != nil {
				return err
			}
			a.metadata = words
		}
	}
	return nil
}

// lsub lists subscribed mailboxes (RFC 3501 section 6.3.9).
func (s *session) lsub(a listArgs) (string, error) { return s.list(a) }

// xlist lists mailboxes with their special uses, as clients asked for them
// before RFC 6154.
func (s *session) xlist(a listArgs) (string, error) {
	a.xlist = true
	a.returned |= withSpecial
	return s.list(a)
}

// list lists mailboxes (RFC 3501 section 6.3.8).
//
// Source: cmd_list in Cyrus imap/imapd.c.
func (s *session) list(a listArgs) (string, error) {
	start := time.Now()
	if len(a.patterns) == 1 && a.patterns[0] == "" && !a.lsub && !a.extended { // RFC 5258 section 3
		s.w.Line("* ", a.name(), ` (\Noselect) "`, string(s.ns.Separator()), `" ""`)
		return completed(start, 0), nil
	}
	if s.user.Plus == "+" && !a.lsub { // imapmagicplus
		a.selected |= onlySubscribed
		a.returned |= withSubscribed
	}
	o := mboxlist.ListOptions{
		Patterns:       s.matchers(&a),
		Subscribed:     a.lsub || a.selected&onlySubscribed != 0,
		WantSubscribed: a.returned&withSubscribed != 0,
		RecursiveMatch: a.lsub || a.selected&recursiveMatch != 0,
		Services:       a.selected&servicesToo != 0,
	}
	n, longest := 0, 0
	special := config.Specialusealways.In(s.conf) || s.client.Rev2 || a.returned&withSpecial != 0 || a.selected&onlySpecial != 0
	err := s.site.List.Each(s.ctx, s.who, s.ns, o, func(l mboxlist.Listed) error {
		n++
		var uses []string
		if special {
			var err error
			if uses, err = s.uses(l.Entry); err != nil {
				return err
			}
		}
		if a.selected&onlySpecial != 0 && uses == nil || a.lsub && l.Entry == nil && !l.ChildSubscribed {
			return nil
		}
		s.listed(&a, &l, uses)
		if a.returned&(withStatus|withRights|withMetadata) != 0 && l.Entry != nil && l.Entry.Exists() {
			long, err := s.listedMore(&a, &l)
			longest = max(longest, long)
			return err
		}
		return s.w.Err()
	})
	if err != nil {
		return "", err
	}
	if longest > 0 {
		return longEntries(longest), nil
	}
	return completed(start, n), nil
}

// uses is the special uses of one of the user's own mailboxes.
func (s *session) uses(e *mboxlist.Entry) ([]string, error) {
	if e == nil || e.Name.IsInbox() || s.site.Names.UserID(e.Name.Owner()) != s.who.User {
		return nil, nil
	}
	return s.site.List.SpecialUses(s.ctx, e)
}

// matchers makes the patterns of a LIST.
func (s *session) matchers(a *listArgs) []mboxname.Matcher {
	ms := make([]mboxname.Matcher, 0, len(a.patterns))
	for _, p := range a.patterns {
		p = s.pattern(a.reference, p)
		if p == "*" && !a.extended && config.Foolstupidclients.In(s.conf) {
			p = "INBOX*"
		}
		ms = append(ms, s.ns.NewMatcher(p))
		if composed := s.newName(p); composed != p { // see internal
			ms = append(ms, s.ns.NewMatcher(composed))
		}
	}
	return ms
}

// pattern joins reference and pattern. One that begins with a separator
// replaces the reference up to the first of its components. With
// ignorereference others have no reference.
//
// Source: canonical_list_pattern(s) in Cyrus imap/imapd.c.
func (s *session) pattern(reference, pattern string) string {
	sep := string(s.ns.Separator())
	if reference == "" || config.Ignorereference.In(s.conf) && !strings.HasPrefix(pattern, sep) {
		return pattern
	}
	if strings.HasSuffix(reference, sep) {
		pattern = strings.TrimPrefix(pattern, sep)
	}
	return reference + pattern
}

// completed is the text of a LIST that found n mailboxes.
func completed(start time.Time, n int) string {
	secs := time.Since(start).Seconds()
	if n == 0 {
		return fmt.Sprintf("Completed (%.3f secs)", secs)
	}
	return fmt.Sprintf("Completed (%.3f secs %d calls)", secs, n)
}

// listed tells the client of one mailbox.
//
// Source: list_response in Cyrus imap/imapd.c.
func (s *session) listed(a *listArgs, l *mboxlist.Listed, uses []string) {
	b := append(append(append(s.w.Buffer(), "* "...), a.name()...), " ("...)
	start := len(b)
	all := attributes(a, l)
	if s.client.Rev2 && a.returned&withStatus != 0 && !a.lsub && l.Entry != nil && l.Entry.Exists() && !s.mayRead(l.Entry) {
		all = append([]string{`\Noselect`}, all...) // RFC 5819 section 2; Cyrus does not say so
	}
	if a.xlist && l.Entry != nil && l.Entry.Name == s.site.Names.Inbox(s.who.User) {
		all = append(all, `\Inbox`)
	}
	for _, attribute := range append(all, uses...) {
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, attribute...)
	}
	b = append(b, `) "`...)
	b = append(b, s.ns.Separator(), '"', ' ')
	b = s.appendName(b, l.External)
	if l.ChildSubscribed && a.selected&recursiveMatch != 0 {
		b = append(b, ` (CHILDINFO ("SUBSCRIBED"))`...)
	}
	s.w.SetBuffer(append(b, "\r\n"...))
}

// name is what the answer is called.
func (a *listArgs) name() string {
	switch {
	case a.lsub:
		return "LSUB"
	case a.xlist:
		return "XLIST"
	}
	return "LIST"
}

// attributes is the attributes of a mailbox in Cyrus's order.
func attributes(a *listArgs, l *mboxlist.Listed) []string {
	exists := l.Entry != nil && l.Entry.Exists()
	if a.lsub {
		if !exists || !l.Subscribed {
			return []string{`\Noselect`, `\HasChildren`}
		}
		if l.ChildSubscribed {
			return []string{`\HasChildren`}
		}
		return nil
	}
	var out []string
	switch {
	case exists && (l.Subscribed || !l.ChildSubscribed):
	case a.selected&onlySubscribed != 0:
		out = append(out, `\NonExistent`)
	case a.extended:
		out = append(out, `\NonExistent`)
	default:
		out = append(out, `\Noselect`)
	}
	if l.Subscribed && (a.selected&onlySubscribed != 0 || a.returned&withSubscribed != 0) {
		out = append(out, `\Subscribed`)
	}
	if l.HasChildren {
		return append(out, `\HasChildren`)
	}
	return append(out, `\HasNoChildren`)
}

// listedMore sends what was asked for with each mailbox. It returns the length
// of the longest annotation that was left out.
func (s *session) listedMore(a *listArgs, l *mboxlist.Listed) (longest int, err error) {
	if a.returned&withStatus != 0 {
		if err := s.sendStatus(l.External, l.Entry, a.status); err != nil && ofServer(err) {
			return 0, err
		}
	}
	if a.returned&withRights != 0 {
		s.sendRights(l.External, l.Entry)
	}
	if a.returned&withMetadata != 0 {
		if longest, err = s.sendListMetadata(a, l); err != nil && ofServer(err) {
			return longest, err
		}
	}
	return longest, s.w.Err()
}

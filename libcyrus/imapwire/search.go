package imapwire

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A SearchOp is the kind of a search key.
type SearchOp uint8

// The kinds of search keys (RFC 3501 section 6.4.4), and which fields of
// SearchKey they use.
const (
	SearchAnd         SearchOp = iota // Keys: all of them; none is ALL
	SearchOr                          // Keys: two
	SearchNot                         // Keys: one
	SearchSeq                         // Set of sequence numbers
	SearchUID                         // Set of UIDs
	SearchFlag                        // Flag is set
	SearchKeyword                     // Text is the name of a user flag that is set
	SearchRecent                      //
	SearchDate                        // internal date in [From, To)
	SearchSent                        // day of the Date field in [From, To)
	SearchLarger                      // more than Size octets
	SearchSmaller                     // less than Size octets
	SearchHeader                      // field Field contains Text; empty Text: there is such a field
	SearchBody                        // Text in the body
	SearchText                        // Text in header or body
	SearchSaved                       // save date in [From, To) (RFC 8514)
	SearchAge                         // at least From and less than To seconds old (RFC 5032)
	SearchEmailID                     // Text is the EMAILID (RFC 8474)
	SearchThreadID                    // Text is the THREADID
	SearchAnnotation                  // Text in the Attribute of the entry Field (RFC 5257)
	SearchModseq                      // at least Modseq (RFC 7162)
	SearchFolder                      // the mailbox is the one that the client calls Text
	SearchCID                         // the conversation is Modseq; 0 is none
	SearchSpam                        // a hundred times X-Spam-score is in [From, To)
	SearchContentType                 // Text in the type of a part, as "TEXT/PLAIN"
)

// A SearchFlagName is a system flag that SEARCH can ask for.
type SearchFlagName uint8

// The system flags.
const (
	FlagAnswered SearchFlagName = iota
	FlagFlagged
	FlagDeleted
	FlagDraft
	FlagSeen
)

// A SearchKey is one node of a search program.
type SearchKey struct {
	Op        SearchOp
	Keys      []SearchKey
	Set       SeqSet
	Flag      SearchFlagName
	Field     string // name of a header field, lower case
	Attribute string // of SearchAnnotation
	Text      string // in the charset of the command
	From, To  int64  // seconds since 1970, To exclusive
	Size      uint32
	Modseq    uint64
}

// Uses reports whether a key of the kind op is in k.
func (k *SearchKey) Uses(op SearchOp) bool {
	if k.Op == op {
		return true
	}
	for i := range k.Keys {
		if k.Keys[i].Uses(op) {
			return true
		}
	}
	return false
}

// ValidUTF8 reports whether all texts in k are UTF-8.
func (k *SearchKey) ValidUTF8() bool {
	return utf8.ValidString(k.Text) && !slices.ContainsFunc(k.Keys, func(k SearchKey) bool { return !k.ValidUTF8() })
}

// Search is the arguments of SEARCH.
type Search struct {
	Charset string // as the client wrote it; "" is US-ASCII
	Key     SearchKey
	// Modseq says that the answer has the highest modseq of what is found
	// (RFC 7162 section 3.1.5).
	Modseq  bool
	Return  ReturnOption
	Partial Partial // with ReturnPartial
	// Update is, with ReturnUpdate, what is sent of new messages that are found
	// (RFC 5465 section 7); nil is nothing.
	Update *Fetch
	// Sorts says that it is that of SORT or THREAD, which must have a charset.
	Sorts bool
	// Numbers says that there is a key of sequence numbers, Saved that there
	// is "$".
	Numbers, Saved bool
	// Fuzzy says that a text is to be looked for by a search engine (RFC
	// 6203).
	Fuzzy bool
	// Engine says that there is a key which a search engine can answer.
	Engine bool
}

// errBadSearch is what the client is told of most errors in a search.
const errBadSearch = SyntaxError("Invalid Search criteria")

// searchParser takes a search program. word is the last keyword that was
// read: error texts name it.
type searchParser struct {
	r     *Reader
	loc   *time.Location
	word  string
	depth int
	keys  int // so far

	modseq bool // there is a key MODSEQ
	saved  bool // there is "$"
	nums   bool // there are sequence numbers
	fuzzy  bool // there is a text within FUZZY
	texts  bool // there is a text that FUZZY can be about
	within int  // how many FUZZY are around the key
}

// maxSearchKeys bounds the keys of one search.
const maxSearchKeys = 50000

// Search takes the arguments of SEARCH up to the end of the line. Days begin
// at midnight in zone loc.
//
// Source: get_search_program in Cyrus imap/search_engines.c and imapparse.c.
func (r *Reader) Search(loc *time.Location) (Search, error) { return r.SearchFrom(loc, r.Word()) }

// SearchFrom is Search behind the first word.
func (r *Reader) SearchFrom(loc *time.Location, word string) (Search, error) {
	var s Search
	p := searchParser{r: r, loc: loc}
	if equalFold(word, "RETURN") {
		if err := r.SearchReturn(&s, "CONTEXT=SEARCH"); err != nil || r.AtEOL() {
			return s, err
		}
		if !r.Space() {
			return s, r.Extra()
		}
		word = r.Word()
	}
	if equalFold(word, "CHARSET") {
		if !r.Space() {
			return s, SyntaxError("Missing charset")
		}
		name, err := r.AString()
		if err != nil {
			return s, r.orSyntax(err, "Missing charset")
		}
		if s.Charset = name; !r.Space() {
			return s, r.orSyntax(nil, "Missing charset")
		}
		word = r.Word()
	}
	err := p.program(&s, word)
	return s, err
}

// program takes the keys, of which the first word has been read.
func (p *searchParser) program(s *Search, word string) error {
	if err := p.list(&s.Key, word); err != nil {
		return err
	}
	s.Modseq, s.Fuzzy, s.Engine, s.Saved, s.Numbers = p.modseq, p.fuzzy, p.texts, p.saved, p.nums
	return p.r.Err()
}

// ErrCharset is the error of a charset that is not known.
const ErrCharset = SyntaxError("Unrecognized character set")

// SearchProgram takes a charset, which has to be a known one (else ErrCharset),
// and a search program, as SORT and THREAD have them behind their own arguments.
//
// Source: cmd_sort in Cyrus imap/imapd.c: whatever stands before the charset
// counts as the blank.
func (r *Reader) SearchProgram(loc *time.Location, known func(charset string) bool) (s Search, err error) {
	if _, ok := r.Peek(); !ok || r.AtEOL() {
		return s, r.orSyntax(nil, "Missing charset")
	}
	r.skip()
	if s.Charset, err = r.AString(); err != nil || !r.Space() {
		return s, r.orSyntax(err, "Missing charset")
	}
	if s.Sorts = true; !known(s.Charset) {
		return s, ErrCharset
	}
	p := searchParser{r: r, loc: loc}
	return s, p.program(&s, r.Word())
}

// orSyntax returns err if it is of the connection or a limit, and else a
// SyntaxError with text.
func (r *Reader) orSyntax(err error, text string) error {
	if r.err != nil {
		return r.err
	}
	if _, ok := err.(*LimitError); ok {
		return err
	}
	return SyntaxError(text)
}

// list takes keys that are separated by blanks and adds them to parent. The
// first word has been read.
func (p *searchParser) list(parent *SearchKey, word string) error {
	for {
		key, err := p.key(word)
		if err != nil {
			return err
		}
		parent.Keys = append(parent.Keys, key)
		if !p.r.Space() {
			return nil
		}
		word = p.r.Word()
	}
}

// maxSearchNesting bounds recursion if the Reader has no limit.
const maxSearchNesting = 1000

// key takes the key that begins with word.
func (p *searchParser) key(word string) (SearchKey, error) {
	if p.r.err != nil {
		return SearchKey{}, p.r.err
	}
	if p.keys++; p.keys > maxSearchKeys {
		return SearchKey{}, SyntaxError("[LIMIT] Too many keys in Search command")
	}
	if word == "" {
		return p.parenthesised()
	}
	p.word = strings.ToLower(word)
	if c := word[0]; '0' <= c && c <= '9' || c == '*' || c == '$' {
		set, ok := p.set(word)
		p.nums = p.nums || !set.IsSaved()
		if !ok {
			return SearchKey{}, errBadSearch
		}
		return SearchKey{Op: SearchSeq, Set: set}, nil
	}
	if k, ok := plainKeys[p.word]; ok {
		return k(), nil
	}
	if parse := argumentKey(p.word); parse != nil {
		if !p.r.Space() {
			return SearchKey{}, p.missing()
		}
		return parse(p)
	}
	return SearchKey{}, errBadSearch
}

// missing is the error of a key without its argument.
func (p *searchParser) missing() error {
	if p.r.err != nil {
		return p.r.err
	}
	if p.word == "annotation" {
		return errBadSearch
	}
	return SyntaxError("Missing required argument to Search " + p.word)
}

// parenthesised takes "(SEEN FLAGGED)".
func (p *searchParser) parenthesised() (SearchKey, error) {
	k := SearchKey{Op: SearchAnd}
	if !p.r.Accept('(') || !p.enter() {
		return k, p.r.orSyntax(nil, string(errBadSearch))
	}
	if err := p.list(&k, p.r.Word()); err != nil {
		return k, err
	}
	p.depth--
	if !p.r.Accept(')') {
		return k, p.r.orSyntax(nil, "Missing required close paren in Search command")
	}
	return k, nil
}

// enter counts nesting, and returns false when there is too much.
func (p *searchParser) enter() bool {
	limit := p.r.limits.Nesting
	if limit == 0 {
		limit = maxSearchNesting
	}
	p.depth++
	return p.depth <= limit
}

// plainKeys has the keys without an argument.
var plainKeys = map[string]func() SearchKey{
	"all":               func() SearchKey { return SearchKey{} },
	"answered":          func() SearchKey { return flagKey(FlagAnswered) },
	"deleted":           func() SearchKey { return flagKey(FlagDeleted) },
	"draft":             func() SearchKey { return flagKey(FlagDraft) },
	"flagged":           func() SearchKey { return flagKey(FlagFlagged) },
	"seen":              func() SearchKey { return flagKey(FlagSeen) },
	"recent":            func() SearchKey { return SearchKey{Op: SearchRecent} },
	"unanswered":        func() SearchKey { return not(flagKey(FlagAnswered)) },
	"undeleted":         func() SearchKey { return not(flagKey(FlagDeleted)) },
	"undraft":           func() SearchKey { return not(flagKey(FlagDraft)) },
	"unflagged":         func() SearchKey { return not(flagKey(FlagFlagged)) },
	"unseen":            func() SearchKey { return not(flagKey(FlagSeen)) },
	"savedatesupported": func() SearchKey { return SearchKey{} },
	"old":               func() SearchKey { return not(SearchKey{Op: SearchRecent}) },
	"new": func() SearchKey {
		return SearchKey{Keys: []SearchKey{{Op: SearchRecent}, not(flagKey(FlagSeen))}}
	},
}

func flagKey(f SearchFlagName) SearchKey { return SearchKey{Op: SearchFlag, Flag: f} }

func not(k SearchKey) SearchKey { return SearchKey{Op: SearchNot, Keys: []SearchKey{k}} }

// argumentKey returns what reads the argument of a key, after the blank; nil
// if there is no such key.
func argumentKey(word string) func(*searchParser) (SearchKey, error) {
	switch word {
	case "bcc", "cc", "from", "subject", "to":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchHeader, Field: word}) }
	case "body":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchBody}) }
	case "text":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchText}) }
	case "header":
		return (*searchParser).header
	case "keyword":
		return (*searchParser).keyword
	case "unkeyword":
		return func(p *searchParser) (SearchKey, error) { k, err := p.keyword(); return not(k), err }
	case "emailid":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchEmailID}) }
	case "threadid":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchThreadID}) }
	case "deliveredto":
		return func(p *searchParser) (SearchKey, error) {
			return p.text(SearchKey{Op: SearchHeader, Field: "x-original-delivered-to"})
		}
	case "folder":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchFolder}) }
	case "xcontenttype":
		return func(p *searchParser) (SearchKey, error) { return p.text(SearchKey{Op: SearchContentType}) }
	case "cid":
		return (*searchParser).conversation
	case "spamabove":
		return func(p *searchParser) (SearchKey, error) {
			n, err := p.spamScore()
			return spamKey(n, math.MaxInt64), err
		}
	case "spambelow":
		return func(p *searchParser) (SearchKey, error) {
			n, err := p.spamScore()
			return spamKey(math.MinInt64, n), err
		}
	case "older":
		return func(p *searchParser) (SearchKey, error) { return p.age(SearchKey{To: math.MaxInt64}) }
	case "younger":
		return func(p *searchParser) (SearchKey, error) { return p.age(SearchKey{From: math.MinInt64}) }
	case "before", "on", "since", "sentbefore", "senton", "sentsince", "savedbefore", "savedon", "savedsince":
		return func(p *searchParser) (SearchKey, error) { return p.date(word) }
	case "larger":
		return func(p *searchParser) (SearchKey, error) { return p.size(SearchLarger) }
	case "smaller":
		return func(p *searchParser) (SearchKey, error) { return p.size(SearchSmaller) }
	case "fuzzy":
		return (*searchParser).fuzzyKey
	case "annotation":
		return (*searchParser).annotation
	case "modseq":
		return (*searchParser).modSeq
	case "not":
		return (*searchParser).not
	case "or":
		return (*searchParser).or
	case "uid":
		return (*searchParser).uid
	}
	return nil
}

// fuzzyKey takes the key after FUZZY (RFC 6203).
func (p *searchParser) fuzzyKey() (SearchKey, error) {
	p.within++
	defer func() { p.within-- }()
	return p.inner()
}

// not takes the key after NOT.
func (p *searchParser) not() (SearchKey, error) {
	k, err := p.inner()
	return not(k), err
}

// inner takes a key that is the argument of another.
func (p *searchParser) inner() (SearchKey, error) {
	if !p.enter() {
		return SearchKey{}, errBadSearch
	}
	defer func() { p.depth-- }()
	return p.key(p.r.Word())
}

// or takes the two keys after OR.
func (p *searchParser) or() (SearchKey, error) {
	a, err := p.inner()
	if err != nil {
		return a, err
	}
	if !p.r.Space() {
		return a, p.missing()
	}
	b, err := p.inner()
	return SearchKey{Op: SearchOr, Keys: []SearchKey{a, b}}, err
}

// uid takes the set after UID.
func (p *searchParser) uid() (SearchKey, error) {
	set, ok := p.set(p.r.Word())
	if !ok {
		return SearchKey{}, p.r.orSyntax(nil, string(errBadSearch))
	}
	return SearchKey{Op: SearchUID, Set: set}, nil
}

// set reads a set of messages.
func (p *searchParser) set(word string) (SeqSet, bool) {
	set, ok := p.r.MessageSet(word)
	p.saved = p.saved || set.IsSaved()
	return set, ok
}

// text takes the string of a key.
func (p *searchParser) text(k SearchKey) (SearchKey, error) {
	switch p.word {
	case "bcc", "cc", "from", "subject", "to", "body", "text", "deliveredto", "xcontenttype":
		p.texts = true
		p.fuzzy = p.fuzzy || p.within > 0
	}
	s, err := p.r.AString()
	if err != nil {
		return k, p.argument(err)
	}
	k.Text = s
	return k, nil
}

// argument words an error that a string is missing.
func (p *searchParser) argument(err error) error {
	return p.r.orSyntax(err, "Missing required argument to Search "+p.word)
}

// header takes a field's name and the string in it.
func (p *searchParser) header() (SearchKey, error) {
	name, err := p.r.AString()
	if err != nil {
		return SearchKey{}, p.argument(err)
	}
	if !p.r.Space() {
		return SearchKey{}, p.missing()
	}
	return p.text(SearchKey{Op: SearchHeader, Field: strings.ToLower(name)})
}

// keyword takes the name of a user flag.
func (p *searchParser) keyword() (SearchKey, error) {
	name := p.r.Word()
	if p.r.err != nil {
		return SearchKey{}, p.r.err
	}
	if !IsAtom(name) {
		return SearchKey{}, SyntaxError("Invalid flag name " + name + " in Search command")
	}
	return SearchKey{Op: SearchKeyword, Text: name}, nil
}

// size takes a number of octets.
func (p *searchParser) size(op SearchOp) (SearchKey, error) {
	n, err := p.r.Number()
	if err != nil {
		return SearchKey{}, p.r.orSyntax(err, "Invalid number in Search command")
	}
	return SearchKey{Op: op, Size: n}, nil
}

// modSeq takes a modification sequence number. The name and kind of an entry
// that may stand before it say nothing, as there is one number for all.
func (p *searchParser) modSeq() (SearchKey, error) {
	p.modseq = true
	if c, _ := p.r.Peek(); c == '"' {
		if _, err := p.r.String(); err != nil || !p.r.Space() {
			return SearchKey{}, p.argument(err)
		}
		if p.r.Word(); !p.r.Space() {
			return SearchKey{}, p.missing()
		}
	}
	n, err := p.r.Modseq()
	if err != nil {
		return SearchKey{}, p.r.orSyntax(nil, "Invalid number in Search command")
	}
	return SearchKey{Op: SearchModseq, Modseq: n}, nil
}

// age takes a number of seconds: the bound of k that is not set.
func (p *searchParser) age(k SearchKey) (SearchKey, error) {
	n, err := p.r.Number64()
	if err != nil {
		return k, p.r.orSyntax(nil, "Invalid interval in Search command")
	}
	k.Op = SearchAge
	if k.From == math.MinInt64 {
		k.To = n + 1
	} else {
		k.From = n
	}
	return k, nil
}

// conversation takes the id of a conversation: 16 hexadecimal digits, or NIL.
//
// Source: conversation_id_decode in Cyrus imap/conversations.c.
func (p *searchParser) conversation() (SearchKey, error) {
	text, err := p.r.AString()
	if err != nil {
		return SearchKey{}, p.argument(err)
	}
	k := SearchKey{Op: SearchCID}
	if text == "NIL" {
		return k, nil
	}
	if k.Modseq, err = strconv.ParseUint(text, 16, 64); err != nil || len(text) != 16 {
		return k, SyntaxError("Invalid number in Search command")
	}
	return k, nil
}

// spamScore takes a score, times a hundred.
func (p *searchParser) spamScore() (int64, error) {
	text, err := p.r.AString()
	if err != nil {
		return 0, p.argument(err)
	}
	return int64(uint32(SpamScore(text))), nil // as in Cyrus
}

func spamKey(from, to int64) SearchKey { return SearchKey{Op: SearchSpam, From: from, To: to} }

// SpamScore is a hundred times the number at the start of a text, rounded; 0
// without one.
func SpamScore(text string) int64 {
	text = strings.TrimLeft(text, " \t")
	for n := min(len(text), 32); n > 0; n-- {
		if f, err := strconv.ParseFloat(text[:n], 64); err == nil && f == f {
			return int64(math.Max(math.Min(f*100+0.5, math.MaxInt32), math.MinInt32))
		}
	}
	return 0
}

// date takes a day, with or without quotes; word is "before", "senton", ….
func (p *searchParser) date(word string) (SearchKey, error) {
	text, err := p.r.AString()
	if err != nil {
		return SearchKey{}, p.r.orSyntax(err, "Invalid date in Search command")
	}
	start, end, ok := ParseDate(text, p.loc)
	if !ok {
		return SearchKey{}, SyntaxError("Invalid date in Search command")
	}
	k := SearchKey{Op: SearchDate, From: start.Unix(), To: end.Unix()}
	word, sent := strings.CutPrefix(word, "sent")
	word, saved := strings.CutPrefix(word, "saved")
	switch {
	case sent:
		k.Op = SearchSent
	case saved:
		k.Op = SearchSaved
	}
	switch word {
	case "before":
		k.From, k.To = math.MinInt64, k.From
	case "since":
		k.To = math.MaxInt64
	}
	return k, nil
}

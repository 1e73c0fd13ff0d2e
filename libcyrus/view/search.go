package view

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// ErrCharset means that a search names a charset that is not known.
var ErrCharset = errors.New("unknown charset")

// searchCost bounds how long locks are held while SEARCH reads, in units of
// one record or one KiB of a message file.
const searchCost = 2000

// Found is a message that fits a search.
type Found struct {
	Seq, UID uint32
	Modseq   uint64
}

// Search calls found for each message that fits, ascending.
//
// Source: search_match in Cyrus imap/search_expr.c.
func (v *View) Search(ctx context.Context, s *imapwire.Search, found func(Found)) error {
	return v.each(ctx, s, func(c *candidate) { found(Found{c.seq, c.r.UID, c.r.Modseq}) })
}

// each calls found for each message that fits, while the mailbox is open.
func (v *View) each(ctx context.Context, s *imapwire.Search, found func(*candidate)) error {
	return v.eachOf(ctx, v.All(), s, found)
}

// eachOf is each among some messages.
func (v *View) eachOf(ctx context.Context, t Targets, s *imapwire.Search, found func(*candidate)) error {
	return v.eachWithin(ctx, t, s, nil, found)
}

// eachWithin is eachOf where found takes memory, which it waits for now and
// then, with the mailbox closed.
func (v *View) eachWithin(ctx context.Context, t Targets, s *imapwire.Search, mem *memory, found func(*candidate)) error {
	charset := s.Charset
	if charset == "" {
		charset = "us-ascii"
	}
	if !message.KnownCharset(charset) {
		return ErrCharset
	}
	c := compiler{v: v, charset: charset}
	q := c.compile(&s.Key)
	for total := t.Count(); len(t) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress := func() error { return v.progress(total, t) }
		if err := progress(); err != nil {
			return err
		}
		if mem != nil {
			if err := mem.wait(ctx, progress); err != nil {
				return err
			}
		}
		last, err := v.searchBatch(ctx, t, q, found)
		if err != nil {
			return err
		}
		t = after(t, last)
	}
	return nil
}

// searchBatch looks at the first of the messages, and returns the sequence
// number of the last one that it has looked at.
func (v *View) searchBatch(ctx context.Context, t Targets, q *query, found func(*candidate)) (last uint32, err error) {
	m, err := v.opened(ctx, mailbox.Read)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	c := candidate{v: v, m: m}
	defer c.close()
	last = t[len(t)-1].Last
	err = v.walk(m, t, func(seq uint32, r *mailbox.Record) bool {
		c.set(seq, r)
		if r.Live() && q.match(&c) {
			found(&c)
		}
		if c.err == nil && c.cost < searchCost {
			return true
		}
		last = seq
		return false
	})
	return last, firstError(err, c.err)
}

// A weight says what a query has to read; cheap ones are asked first.
type weight uint8

const (
	ofRecord weight = iota
	ofCache
	ofFile
)

// query is a compiled search key.
type query struct {
	weight weight
	match  func(*candidate) bool
}

// compiler makes queries of search keys.
type compiler struct {
	v       *View
	charset string
}

// compile makes the query of a key.
func (c *compiler) compile(k *imapwire.SearchKey) *query {
	switch k.Op {
	case imapwire.SearchAnd:
		return c.all(k.Keys)
	case imapwire.SearchOr:
		a, b := c.compile(&k.Keys[0]), c.compile(&k.Keys[1])
		if b.weight < a.weight {
			a, b = b, a
		}
		return &query{b.weight, func(m *candidate) bool { return a.match(m) || b.match(m) }}
	case imapwire.SearchNot:
		a := c.compile(&k.Keys[0])
		return &query{a.weight, func(m *candidate) bool { return !a.match(m) }}
	case imapwire.SearchHeader:
		return c.header(k)
	case imapwire.SearchAnnotation:
		return c.annotation(k)
	case imapwire.SearchSpam:
		return &query{ofCache, func(m *candidate) bool {
			// As in Cyrus negative scores are above all others.
			n := int64(uint32(imapwire.SpamScore(m.first("X-Spam-score"))))
			return n >= k.From && n < k.To
		}}
	case imapwire.SearchContentType:
		return c.contentType(k)
	case imapwire.SearchBody, imapwire.SearchText:
		return c.text(k)
	}
	return &query{ofRecord, c.plain(k)}
}

// all makes the query that all keys fit, the cheap ones first.
func (c *compiler) all(keys []imapwire.SearchKey) *query {
	parts := make([]*query, len(keys))
	for i := range keys {
		parts[i] = c.compile(&keys[i])
	}
	slices.SortStableFunc(parts, func(a, b *query) int { return int(a.weight) - int(b.weight) })
	q := &query{weight: ofRecord}
	for _, p := range parts {
		q.weight = max(q.weight, p.weight)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	q.match = func(m *candidate) bool {
		for _, p := range parts {
			if !p.match(m) {
				return false
			}
		}
		return true
	}
	return q
}

// searchFlags is the flags of search keys.
var searchFlags = [...]mailbox.Flags{
	imapwire.FlagAnswered: mailbox.Answered,
	imapwire.FlagFlagged:  mailbox.Flagged,
	imapwire.FlagDeleted:  mailbox.Deleted,
	imapwire.FlagDraft:    mailbox.Draft,
	imapwire.FlagSeen:     mailbox.Seen,
}

// plain makes the query of a key that the index record answers.
func (c *compiler) plain(k *imapwire.SearchKey) func(*candidate) bool {
	v := c.v
	switch k.Op {
	case imapwire.SearchSeq:
		set := v.BySequence(k.Set)
		return func(m *candidate) bool { return set.Contains(m.seq) }
	case imapwire.SearchUID:
		set := v.ResolveUIDs(k.Set)
		return func(m *candidate) bool { return set.Contains(m.r.UID) }
	case imapwire.SearchFlag:
		f := searchFlags[k.Flag]
		return func(m *candidate) bool { return v.flags(m.r)&f != 0 }
	case imapwire.SearchKeyword:
		n := slices.IndexFunc(v.names, func(name string) bool { return name != "" && strings.EqualFold(name, k.Text) })
		return func(m *candidate) bool { return n >= 0 && m.r.User.Has(n) }
	case imapwire.SearchRecent:
		return func(m *candidate) bool { return v.recent.Contains(m.r.UID) }
	case imapwire.SearchDate:
		return func(m *candidate) bool { return within(k, m.r.InternalDate) }
	case imapwire.SearchSent:
		return func(m *candidate) bool { return within(k, m.r.SentDate) }
	case imapwire.SearchSaved:
		return func(m *candidate) bool { return within(k, m.r.SaveDate) }
	case imapwire.SearchAge:
		start := now()
		return func(m *candidate) bool {
			age := start - int64(m.r.InternalDate)
			return age >= k.From && age < k.To
		}
	case imapwire.SearchEmailID:
		return func(m *candidate) bool { return emailID(m.r) == k.Text }
	case imapwire.SearchThreadID:
		return func(m *candidate) bool { return m.r.CID != 0 && threadID(m.r) == k.Text }
	case imapwire.SearchModseq:
		return func(m *candidate) bool { return m.r.Modseq >= k.Modseq }
	case imapwire.SearchCID:
		return func(m *candidate) bool { return m.r.CID == k.Modseq }
	case imapwire.SearchFolder:
		return c.folder(k.Text)
	case imapwire.SearchLarger:
		return func(m *candidate) bool { return m.r.Size > k.Size }
	case imapwire.SearchSmaller:
		return func(m *candidate) bool { return m.r.Size < k.Size }
	}
	return func(*candidate) bool { return false }
}

// within reports whether a time is in the range of a key.
func within(k *imapwire.SearchKey, s mailbox.Stamp) bool {
	return int64(s) >= k.From && int64(s) < k.To
}

// addressItems is the cache items in which address fields are looked for.
var addressItems = map[string]message.Item{
	"from": message.ItemFrom,
	"to":   message.ItemTo,
	"cc":   message.ItemCc,
	"bcc":  message.ItemBcc,
}

// header makes the query for text in a header field.
func (c *compiler) header(k *imapwire.SearchKey) *query {
	p, ok := c.pattern(k.Text)
	if !ok {
		return &query{ofRecord, func(*candidate) bool { return false }}
	}
	if item, ok := addressItems[k.Field]; ok {
		return &query{ofCache, func(m *candidate) bool {
			text := m.item(item)
			return len(text) > 0 && p.InUTF8(text)
		}}
	}
	if k.Field == "subject" {
		return &query{ofCache, func(m *candidate) bool {
			text, ok := nstring(m.item(message.ItemSubject))
			return ok && p.InUTF8(text)
		}}
	}
	w := ofFile
	if _, ok := message.CachedSince(k.Field); ok {
		w = ofCache
	}
	return &query{w, func(m *candidate) bool { return m.field(k.Field, p) }}
}

// folder makes the query whether the client calls the mailbox so.
func (c *compiler) folder(external string) func(*candidate) bool {
	is := false
	if c.v.o.Internal != nil {
		n, err := c.v.o.Internal(external)
		is = err == nil && n == c.v.ref.Name
	}
	return func(*candidate) bool { return is }
}

// contentType makes the query for text in the type of any part.
//
// Source: search_contenttype_match in Cyrus imap/search_expr.c.
func (c *compiler) contentType(k *imapwire.SearchKey) *query {
	want := []byte(strings.ToUpper(k.Text))
	return &query{ofCache, func(m *candidate) bool {
		found := false
		partTypes(m.item(message.ItemBodyStructure), func(name []byte) bool {
			found = bytes.Contains(name, want)
			return !found
		})
		return found
	}}
}

// pattern prepares a string of the client.
func (c *compiler) pattern(text string) (*message.Pattern, bool) {
	return c.v.o.Folding.Pattern(c.charset, []byte(text))
}

// text makes the query for text in the body, or also in the header.
func (c *compiler) text(k *imapwire.SearchKey) *query {
	p, ok := c.pattern(k.Text)
	if !ok {
		return &query{ofRecord, func(*candidate) bool { return false }}
	}
	header := k.Op == imapwire.SearchText
	return &query{ofFile, func(m *candidate) bool { return m.contains(p, header) }}
}

// nstring reads an nstring as the cache has it.
func nstring(b []byte) ([]byte, bool) {
	switch {
	case len(b) >= 2 && b[0] == '"':
		return b[1 : len(b)-1], true
	case len(b) > 0 && b[0] == '{':
		_, text, ok := bytes.Cut(b, []byte("}\r\n"))
		return text, ok
	}
	return nil, false
}

// candidate is a message that is being looked at. What it needs is read when
// it is asked for.
type candidate struct {
	v    *View
	m    *mailbox.Mailbox
	seq  uint32
	r    *mailbox.Record
	cost int
	err  error

	cache  message.Cache
	cached bool
	file   disk.File
}

// set makes the candidate the next message.
func (c *candidate) set(seq uint32, r *mailbox.Record) {
	c.close()
	c.seq, c.r, c.cached = seq, r, false
	c.cost++
}

// close closes the file of the message.
func (c *candidate) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// item returns a cache item, nil if the message has none.
func (c *candidate) item(i message.Item) []byte {
	if !c.load() {
		return nil
	}
	return c.cache.Item(i)
}

// load reads the cache record.
func (c *candidate) load() bool {
	if !c.cached && c.err == nil {
		cache, err := c.m.Cache(c.r, &c.v.cache)
		if err != nil {
			c.lost(err)
			return false
		}
		c.cache, c.cached = cache, true
		c.cost++
	}
	return c.cached
}

// open opens the message file.
func (c *candidate) open() bool {
	if c.file == nil && c.err == nil {
		f, err := c.m.OpenMessage(c.r)
		if err != nil {
			c.lost(err)
			return false
		}
		c.file = f
		c.cost += int(c.r.Size / 1024)
	}
	return c.file != nil
}

// lost notes that a message cannot be read: it does not fit then. Errors
// that are not the message's end the search.
func (c *candidate) lost(err error) {
	switch errs.KindOf(err) {
	case errs.NotFound, errs.NoSuchMessage, errs.IO, errs.BadFormat:
		c.v.o.Log.Error("IOERROR: message cannot be searched", "mailbox", string(c.v.ref.Name), "uid", c.r.UID, "error", err)
		return
	}
	c.err = err
}

// field looks for p in a header field.
func (c *candidate) field(name string, p *message.Pattern) bool {
	text := c.headers(name)
	for len(text) > 2 {
		end := fieldEnd(text)
		if _, value, ok := bytes.Cut(text[:end], []byte(":")); ok && p.InHeader(value) {
			return true
		}
		text = text[end:]
	}
	return false
}

// headers returns the header fields of a name, and an empty line.
func (c *candidate) headers(name string) []byte {
	if !c.load() {
		return nil
	}
	names := []string{name}
	header := c.cache.Item(message.ItemHeaders)
	if !message.AllCached(names, c.cache.Version()) {
		if header = c.section(0, c.r.HeaderSize); header == nil {
			return nil
		}
	}
	return message.AppendFields(nil, header, names, false, c.v.o.MaxHeaderLines)
}

// fieldEnd returns where the first field of a header ends: at a line end
// that no blank follows.
func fieldEnd(text []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 {
			return len(text)
		}
		i += n + 1
		if i == len(text) || (text[i] != ' ' && text[i] != '\t') {
			return i
		}
	}
}

// section returns a piece of the message file, nil if it cannot be read.
func (c *candidate) section(offset, size uint32) []byte {
	if !c.open() {
		return nil
	}
	b := make([]byte, size)
	if n, err := c.file.ReadAt(b, int64(offset)); n < len(b) {
		c.lost(errs.New(errs.IO, "view.Search", c.file.Name(), err))
		return nil
	}
	return b
}

// contains looks for p in the body and in the headers of its parts; with
// header also in that of the message.
//
// Source: searchmsg_cb in Cyrus imap/search_engines.c: only the topmost
// header is left out.
func (c *candidate) contains(p *message.Pattern, header bool) bool {
	if !c.load() || !c.open() {
		return false
	}
	root, err := c.cache.Sections()
	if err != nil {
		c.lost(err)
		return false
	}
	if header && !p.Empty() && p.InHeader(c.section(0, c.r.HeaderSize)) { // as in Cyrus nothing is in no header
		return true
	}
	if text := wholeText(root); text != nil {
		return c.inContent(p, text)
	}
	return len(root.Parts) > 0 && c.inParts(p, root)
}

// wholeText returns what to search in a message whose multipart header names
// no boundary, or nil for any other. Its only part is empty, and Cyrus
// searches all of it as plain text.
func wholeText(root *message.Section) *message.Section {
	if len(root.Parts) != 2 || root.Parts[1].Parts != nil || root.Parts[1].ContentSize != 0 || root.Parts[0].ContentSize == 0 {
		return nil
	}
	text := root.Parts[0]
	text.Encoding, text.Charset = message.None, "us-ascii"
	return &text
}

// inParts looks for p in the parts of s; Parts[0] is the header and text of
// all of it, which was looked at already.
func (c *candidate) inParts(p *message.Pattern, s *message.Section) bool {
	for i := 1; i < len(s.Parts); i++ {
		part := &s.Parts[i]
		if part.HeaderOffset != s.Parts[0].HeaderOffset && c.inHeader(p, part) {
			return true
		}
		if part.Parts == nil {
			if c.inContent(p, part) {
				return true
			}
			continue
		}
		if inner := &part.Parts[0]; inner.HeaderSize != noHeader && c.inHeader(p, inner) {
			return true // the header of a message in the message
		}
		if c.inParts(p, part) {
			return true
		}
	}
	return false
}

// noHeader is the header size of parts that have none.
const noHeader = 1<<32 - 1

// inHeader looks for p in the header of a part.
func (c *candidate) inHeader(p *message.Pattern, s *message.Section) bool {
	if s.HeaderSize == noHeader || s.HeaderSize == 0 || p.Empty() { // as in Cyrus
		return false
	}
	return p.InHeader(c.section(s.HeaderOffset, s.HeaderSize))
}

// inContent looks for p in the text of a part.
func (c *candidate) inContent(p *message.Pattern, s *message.Section) bool {
	if s.Charset == "" || s.ContentSize == noHeader {
		return false
	}
	r := io.NewSectionReader(c.file, int64(s.ContentOffset), int64(s.ContentSize))
	ok, err := p.InPart(r, s.Encoding, s.Charset, false)
	if err != nil {
		c.lost(errs.New(errs.IO, "view.Search", c.file.Name(), err))
	}
	return ok
}

package view

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// Limits of a batch: how long locks are held while FETCH reads.
const (
	batchMessages = 2000
	batchOctets   = 256 << 10
	// maxAnswer bounds the answer for one message that is made in memory. It
	// may ask for the same part thousands of times.
	maxAnswer = 4 << 20
)

// FETCH items that need more than the index record.
const (
	cacheItems = imapwire.FetchEnvelope | imapwire.FetchBodyStructure | imapwire.FetchBody
	idItems    = imapwire.FetchEmailID | imapwire.FetchCID | imapwire.FetchThreadID | imapwire.FetchSaveDate
	fileItems  = imapwire.FetchRFC822 | imapwire.FetchRFC822Header | imapwire.FetchRFC822Text
	ownItems   = imapwire.FetchCreatedModseq | imapwire.FetchBaseCID | imapwire.FetchFolder | imapwire.FetchUIDValidity | placeItems
	sumItems   = imapwire.FetchFileSize | imapwire.FetchSHA1
)

// plan is what a FETCH needs, found once for all messages.
type plan struct {
	*imapwire.Fetch
	uid    bool                      // print UIDs, also if not asked for
	byUID  bool                      // it is UID FETCH
	set    imapwire.SeqSet           // what was asked for
	t      Targets                   // what of it is left to do
	found  bool                      // the client asked for some message
	total  int                       // how many messages those are
	marked imapwire.SeqSet           // messages whose flags others have changed: they are printed
	others []other                   // changes of messages that were not asked for, to be told between those that were
	cache  bool                      // the cache record is needed
	file   func(version uint16) bool // the message file is needed, for cache records of this version
	annots annot.Query
	places Places // nil: not asked for
}

// Fetch sends what was asked for of the messages in a set of sequence
// numbers, or, with uid, of UIDs. Changes by others are told first, or in
// between. It returns whether there was any message in the set.
//
// Source: index_fetch in Cyrus imap/index.c.
func (v *View) Fetch(ctx context.Context, w *imapwire.Writer, set imapwire.SeqSet, f *imapwire.Fetch, uid bool) (found bool, err error) {
	if f.Partial != (imapwire.Partial{}) {
		if set, err = v.part(ctx, set, f.Partial); err != nil {
			return false, err
		}
	}
	p := plan{Fetch: f, uid: uid && !v.o.Client.UIDOnly || f.Items&imapwire.FetchUID != 0, byUID: uid, set: set}
	if f.Items&imapwire.FetchSetSeen != 0 && !v.o.Examine && v.rights.Has(acl.Seen) {
		if err := v.markSeen(ctx, set, uid); err != nil {
			return false, err
		}
	}
	p.cache, p.file = needs(f)
	p.annots = annot.Query{Entries: f.Annotations.Entries, Attrs: annot.ParseAttrs(f.Annotations.Attributes)}
	if p.places, err = v.openPlaces(ctx, f); err != nil {
		return false, err
	}
	if p.places != nil {
		defer p.places.Close()
	}
	for first := true; (first || len(p.t) > 0) && w.Err() == nil; first = false {
		if err := ctx.Err(); err != nil {
			return p.found, err
		}
		if err := v.fetchBatch(ctx, w, &p, first); err != nil {
			return p.found, err
		}
		if err := v.progress(p.total, p.t); err != nil {
			return p.found, err
		}
	}
	w.SetBuffer(v.appendOthers(w.Buffer(), &p, math.MaxUint32))
	return p.found, nil
}

// other is a change of a message that was not asked for.
type other struct {
	seq uint32
	change
}

// begin is the first look at the mailbox: what it finds new is printed to b,
// and p gets its messages.
//
// Source: index_fetchresponses in Cyrus imap/index.c.
func (v *View) begin(ctx context.Context, m *mailbox.Mailbox, b []byte, p *plan) ([]byte, error) {
	if err := v.sync(ctx, m); err != nil {
		return b, err
	}
	if v.newNames {
		b = v.appendFlagNames(b)
	}
	if p.Vanished {
		set, err := v.vanished(m, p.set, p.Fetch)
		if err != nil {
			return b, err
		}
		if len(set) > 0 {
			b = append(imapwire.AppendSeqSet(append(b, "* VANISHED (EARLIER) "...), set), "\r\n"...)
		}
	}
	b = v.appendExists(b)
	p.t = v.resolve(p.set, p.byUID, v.told)
	p.found, p.total = len(p.t) > 0, p.t.Count()
	v.takeChanged(p)
	return b, v.since(m, p)
}

// takeChanged takes the changes that the client has not been told of, as
// FETCH tells them.
func (v *View) takeChanged(p *plan) {
	v.changed = slices.DeleteFunc(v.changed, func(c change) bool {
		i, ok := slices.BinarySearch(v.uids, c.uid)
		seq := uint32(i + 1)
		switch {
		case !ok:
			return false
		case !p.t.Contains(seq):
			p.others = append(p.others, other{seq, c})
		case c.modseq <= p.ChangedSince:
			return false
		default:
			p.marked = p.marked.Add(seq)
		}
		return true
	})
}

// appendOthers prints the changes of messages below seq that were not asked
// for.
func (v *View) appendOthers(b []byte, p *plan, seq uint32) []byte {
	for len(p.others) > 0 && p.others[0].seq < seq {
		o := &p.others[0]
		b = v.appendChange(b, o.seq, &o.change, p.byUID)
		p.others = p.others[1:]
	}
	return b
}

// needs says what a FETCH has to read besides the index.
func needs(f *imapwire.Fetch) (cache bool, file func(version uint16) bool) {
	cache = f.Items&cacheItems != 0
	always := f.Items&(fileItems|sumItems) != 0
	var fields []string
	for i := range f.Sections {
		s := &f.Sections[i]
		switch {
		case s.Part == imapwire.PartAll && len(s.Numbers) == 0:
			always = true // the file as it is
		case (s.Part == imapwire.PartFields && len(s.Numbers) == 0) || s.Part == imapwire.PartLines:
			fields = append(fields, s.Fields...)
			cache = true
		default:
			always, cache = true, true
		}
	}
	cache = cache || f.Items&(imapwire.FetchRFC822Header|imapwire.FetchRFC822Text) != 0
	if always {
		return cache, func(uint16) bool { return true }
	}
	if fields == nil {
		return cache, func(uint16) bool { return false }
	}
	return cache, func(version uint16) bool { return !message.AllCached(fields, int(version)) }
}

// buffers holds the answers of a batch.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// fetchBatch answers for the first of the messages and takes them out of the
// plan. Small messages are read while the mailbox is open; a large one ends
// the batch and is sent after it is closed. The first batch begins with a
// look at what has changed.
func (v *View) fetchBatch(ctx context.Context, w *imapwire.Writer, p *plan, first bool) (err error) {
	m, err := v.opened(ctx, mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close() // also if a message makes us panic
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := batch{v: v, m: m, p: p, out: out{b: (*buf)[:0]}}
	if first {
		if b.out.b, err = v.begin(ctx, m, b.out.b, p); err != nil {
			return err
		}
	}
	var last uint32
	if len(p.t) > 0 {
		last = p.t[len(p.t)-1].Last
	}
	err = v.walk(m, p.t, func(seq uint32, r *mailbox.Record) bool {
		last = seq
		return b.message(seq, r)
	})
	m.Close()
	p.t = after(p.t, last)
	*buf = b.out.b[:0]
	w.Append(b.out.b)
	if b.large != nil {
		defer b.large.file.Close()
		if err == nil && b.err == nil {
			return b.large.send(w, v, p)
		}
	}
	return firstError(err, b.err)
}

// batch is the work of fetchBatch.
type batch struct {
	v     *View
	m     *mailbox.Mailbox
	p     *plan
	out   out
	n     int
	large *largeMessage
	err   error
}

// message answers for one message; false ends the batch.
func (b *batch) message(seq uint32, r *mailbox.Record) bool {
	if b.p.ChangedSince > 0 && r.Modseq <= b.p.ChangedSince {
		b.n++
		return b.n < batchMessages
	}
	b.out.b = b.v.appendOthers(b.out.b, b.p, seq)
	d := data{seq: seq, record: r}
	if b.p.Items&imapwire.FetchAnnotation != 0 {
		if d.annots, b.err = b.v.annotations(b.m, r.UID, b.p.annots); b.err != nil {
			return false
		}
	}
	if b.p.Items&imapwire.FetchBaseCID != 0 && r.Flags&mailbox.SplitConversation != 0 {
		as, err := b.m.MessageAnnotations(context.Background(), r.UID)
		if b.err = err; err != nil {
			return false
		}
		d.base = mailbox.SplitFrom(r, as)
	}
	if b.p.places != nil {
		if d.places, b.err = b.p.places.Find(context.Background(), r.GUID); b.err != nil {
			return false
		}
	}
	if b.p.cache {
		d.cache, b.err = b.m.Cache(r, &b.v.cache)
		if b.err != nil {
			b.err = b.lost(seq, b.err)
			return b.err == nil
		}
	}
	if b.p.Items&imapwire.FetchPreview != 0 {
		if d.preview, b.err = b.v.loadPreview(b.m, r.UID); b.err != nil {
			return false
		}
	}
	if b.p.file(r.CacheVersion) {
		f, err := b.m.OpenMessage(r)
		if err != nil {
			b.err = b.lost(seq, err)
			return b.err == nil
		}
		d.file = f
		if r.Size > batchOctets || int64(r.Size)*int64(len(b.p.Sections)+3) > maxAnswer {
			b.large = keep(&d)
			return false
		}
		defer f.Close()
	}
	start := len(b.out.b)
	if b.err = b.out.message(b.v, b.p, &d); b.err != nil {
		b.out.b = b.out.b[:start]
		b.err = b.lost(seq, b.err)
	}
	if d.failed { // as in Cyrus, nothing more is fetched, and it counts as nothing
		b.p.t, b.p.found = nil, false
		return false
	}
	b.n++
	return b.err == nil && b.n < batchMessages && len(b.out.b) < batchOctets
}

// lost tells the client that a message has no content; other errors than
// that are returned.
func (b *batch) lost(seq uint32, err error) error {
	switch errs.KindOf(err) {
	case errs.NotFound, errs.NoSuchMessage, errs.IO, errs.BadFormat:
		b.v.o.Log.Error("IOERROR: message cannot be read", "mailbox", string(b.v.ref.Name), "uid", b.v.uids[seq-1], "error", err)
		if b.v.o.Client.UIDOnly {
			seq = b.v.uids[seq-1] // RFC 9586 section 3: no sequence numbers
		}
		o := imapwire.AppendUint(append(b.out.b, "* OK Message "...), seq)
		b.out.b = append(o, " no longer exists\r\n"...)
		return nil
	}
	return err
}

// data is all there is of one message.
type data struct {
	seq     uint32
	record  *mailbox.Record
	cache   message.Cache
	file    disk.File // nil if it is not needed
	failed  bool      // the last BINARY could not be decoded
	preview string    // "" is none
	annots  []annot.Answer
	places  []Place
	base    uint64 // the conversation from which that of the message was split; 0 is none
}

// largeMessage is a message that is sent without the mailbox being open.
type largeMessage struct {
	data
	copied mailbox.Record
}

// keep copies what is valid only as long as the mailbox is open. The cache
// record is in the view's own buffer.
func keep(d *data) *largeMessage {
	l := &largeMessage{data: *d, copied: *d.record}
	l.record = &l.copied
	return l
}

// send writes the message to the client.
func (l *largeMessage) send(w *imapwire.Writer, v *View, p *plan) error {
	o := out{b: w.Buffer(), w: w}
	if err := o.message(v, p, &l.data); err != nil {
		w.Fail(err) // half of the response may be on its way
		return err
	}
	if l.failed {
		p.t, p.found = nil, false
	}
	w.SetBuffer(o.b)
	return nil
}

// out is where answers go: to b, or, with w, through it.
type out struct {
	b       []byte
	w       *imapwire.Writer
	sent    bool // w has got a part of the response
	scratch []byte
}

// message prints the whole FETCH response of a message.
//
// Source: index_fetchreply in Cyrus imap/index.c; the order is Cyrus's.
func (o *out) message(v *View, p *plan, d *data) error {
	r, line := d.record, len(o.b)
	o.b = v.appendFetch(o.b, d.seq, r.UID)
	start := len(o.b)
	changed := p.marked != nil && p.marked.Contains(d.seq)
	if changed || p.Items&imapwire.FetchFlags != 0 {
		o.b = append(v.appendFlags(o.b, r.UID, v.flags(r), &r.User), ' ')
	}
	if p.uid || changed && v.o.Client.QResync && !v.o.Client.UIDOnly {
		o.b = append(imapwire.AppendUint(append(o.b, "UID "...), r.UID), ' ')
	}
	if p.Items&imapwire.FetchGUID != 0 {
		o.b = append(append(append(o.b, "DIGEST.SHA1 "...), r.GUID.String()...), ' ')
	}
	if p.Items&imapwire.FetchInternalDate != 0 {
		o.b = append(o.b, "INTERNALDATE "...)
		o.b = append(imapwire.AppendDateTime(o.b, r.InternalDate.Time().In(time.Local)), ' ')
	}
	if p.Items&imapwire.FetchLastUpdated != 0 {
		o.b = append(o.b, "LASTUPDATED "...)
		o.b = append(imapwire.AppendDateTime(o.b, r.LastUpdated.Time().In(time.Local)), ' ')
	}
	if p.Items&imapwire.FetchModseq != 0 || changed && v.o.Client.Condstore {
		o.b = append(imapwire.AppendUint(append(o.b, "MODSEQ ("...), r.Modseq), ") "...)
	}
	if p.Items&imapwire.FetchSize != 0 {
		o.b = append(imapwire.AppendUint(append(o.b, "RFC822.SIZE "...), r.Size), ' ')
	}
	if p.Items&imapwire.FetchAnnotation != 0 {
		o.annotations(d.annots)
	}
	if p.Items&imapwire.FetchPreview != 0 {
		o.preview(d)
	}
	if p.Items&sumItems != 0 {
		if err := o.sums(p, d); err != nil {
			return err
		}
	}
	if p.Items&idItems != 0 {
		o.identity(p, r)
	}
	if p.Items&ownItems != 0 {
		o.own(v, p, d)
	}
	if p.Items&cacheItems != 0 {
		o.cacheItems(p, d)
	}
	if p.Items&fileItems != 0 || len(p.Sections) > 0 {
		if err := o.contents(v, p, d); err != nil {
			return err
		}
	}
	switch {
	case len(o.b) > start || o.sent:
		o.b[len(o.b)-1] = ')'
	case d.failed: // nothing of it can be decoded
		o.b = o.b[:line]
		return nil
	default:
		o.b = append(o.b, ')')
	}
	o.b = append(o.b, '\r', '\n')
	return nil
}

// identity prints what tells a message from others (RFC 8474), and its save
// date (RFC 8514).
func (o *out) identity(p *plan, r *mailbox.Record) {
	if p.Items&imapwire.FetchEmailID != 0 {
		o.b = append(append(append(o.b, "EMAILID ("...), emailID(r)...), ") "...)
	}
	if p.Items&imapwire.FetchCID != 0 {
		o.b = append(append(append(o.b, "CID "...), conversationID(r.CID)...), ' ')
	}
	if p.Items&imapwire.FetchThreadID != 0 {
		o.b = append(append(append(o.b, "THREADID ("...), threadID(r)...), ") "...)
	}
	if p.Items&imapwire.FetchSaveDate != 0 {
		saved := r.SaveDate
		if saved == 0 { // as Cyrus has it
			saved = r.InternalDate
		}
		o.b = append(o.b, "SAVEDATE "...)
		o.b = append(imapwire.AppendDateTime(o.b, saved.Time().In(time.Local)), ' ')
	}
}

// emailID is the EMAILID of a message: the beginning of its GUID.
func emailID(r *mailbox.Record) string { return "M" + r.GUID.String()[:24] }

// threadID is the THREADID of a message: its conversation, or NIL.
func threadID(r *mailbox.Record) string {
	if r.CID == 0 {
		return "NIL"
	}
	return "T" + conversationID(r.CID)
}

// conversationID is the id of a conversation; 0 is none.
func conversationID(cid uint64) string {
	if cid == 0 {
		return "NIL"
	}
	return fmt.Sprintf("%016x", cid)
}

// cacheItems copies items of the cache record.
func (o *out) cacheItems(p *plan, d *data) {
	for _, c := range [...]struct {
		item  imapwire.FetchItem
		name  string
		cache message.Item
	}{
		{imapwire.FetchEnvelope, "ENVELOPE ", message.ItemEnvelope},
		{imapwire.FetchBodyStructure, "BODYSTRUCTURE ", message.ItemBodyStructure},
		{imapwire.FetchBody, "BODY ", message.ItemBody},
	} {
		if p.Items&c.item != 0 {
			o.b = append(o.b, c.name...)
			o.b = append(append(o.b, d.cache.Item(c.cache)...), ' ')
		}
	}
}

// contents prints everything that consists of parts of the message: first
// the old RFC822 items, then header fields, then other sections.
func (o *out) contents(v *View, p *plan, d *data) error {
	for _, old := range [...]struct {
		item imapwire.FetchItem
		s    imapwire.Section
	}{
		{imapwire.FetchRFC822Header, imapwire.Section{Name: "RFC822.HEADER", Part: imapwire.PartHeader}},
		{imapwire.FetchRFC822Text, imapwire.Section{Name: "RFC822.TEXT", Part: imapwire.PartText}},
		{imapwire.FetchRFC822, imapwire.Section{Name: "RFC822"}},
	} {
		if p.Items&old.item != 0 {
			if err := o.section(v, &old.s, d); err != nil {
				return err
			}
		}
	}
	for turn := range turns {
		for i := range p.Sections {
			s := &p.Sections[i]
			if turnOf(s) != turn {
				continue
			}
			if err := o.section(v, s, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// isFields reports whether a section is made of single header fields.
func isFields(s *imapwire.Section) bool {
	return s.Part >= imapwire.PartFields && s.Part <= imapwire.PartLinesNot
}

// turns is how often Cyrus goes through the sections; turnOf is when a
// section is printed.
const turns = 4

func turnOf(s *imapwire.Section) int {
	switch {
	case isFields(s):
		return 0
	case s.Part == imapwire.PartBinary:
		return 2
	case s.Part == imapwire.PartBinarySize:
		return 3
	}
	return 1
}

// section prints one section and its value.
func (o *out) section(v *View, s *imapwire.Section, d *data) error {
	if turnOf(s) >= 2 {
		return o.binary(s, d)
	}
	if err := o.pass(); err != nil {
		return err
	}
	o.b = append(append(o.b, s.Name...), ' ')
	if isFields(s) {
		return o.fields(v, s, d)
	}
	span, ok, err := d.find(s)
	if err != nil {
		return err
	}
	if !ok {
		o.b = append(o.b, "NIL "...)
		return nil
	}
	from, n := partial(s, int64(span.Size))
	return o.literal(d, int64(span.Offset)+from, n)
}

// kinds is how package message calls the pieces of a part.
var kinds = map[imapwire.Part]message.Kind{
	imapwire.PartAll:        message.Whole,
	imapwire.PartBinary:     message.Whole,
	imapwire.PartBinarySize: message.Whole,
	imapwire.PartHeader:     message.Header,
	imapwire.PartText:       message.Text,
	imapwire.PartMIME:       message.MIME,
	imapwire.PartFields:     message.Header,
	imapwire.PartFieldsNot:  message.Header,
	imapwire.PartLines:      message.Header,
	imapwire.PartLinesNot:   message.Header,
}

// find returns where in the file a section is.
func (d *data) find(s *imapwire.Section) (message.Span, bool, error) {
	if len(s.Numbers) == 0 && kinds[s.Part] == message.Whole {
		return message.Span{Size: d.record.Size}, true, nil
	}
	root, err := d.cache.Sections()
	if err != nil {
		return message.Span{}, false, err
	}
	span, ok := root.Find(s.Numbers, kinds[s.Part])
	return span, ok, nil
}

// partial applies <offset.length> to a section of size octets.
func partial(s *imapwire.Section, size int64) (from, n int64) {
	if !s.Partial {
		return 0, size
	}
	from = min(s.Offset, size)
	return from, min(s.Length, size-from)
}

// literal prints n octets of the file from an offset on; none is "".
func (o *out) literal(d *data, offset, n int64) error {
	if n == 0 {
		o.b = append(o.b, `"" `...)
		return nil
	}
	if o.w != nil {
		return o.stream(func() io.Reader { return io.NewSectionReader(d.file, offset, n) }, n)
	}
	head := len(o.b)
	o.b = imapwire.AppendLiteralHead(o.b, n)
	start := len(o.b)
	o.b = slices.Grow(o.b, int(n)+1)[:start+int(n)]
	if k, err := d.file.ReadAt(o.b[start:], offset); int64(k) < n {
		return errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
	}
	if bytes.IndexByte(o.b[start:], 0) >= 0 {
		o.b = slices.Insert(o.b, head, '~') // a literal8
	}
	o.b = append(o.b, ' ')
	return nil
}

// fields prints chosen header fields.
func (o *out) fields(v *View, s *imapwire.Section, d *data) error {
	not := s.Part == imapwire.PartFieldsNot || s.Part == imapwire.PartLinesNot
	header, ok, err := d.header(s, not)
	if err != nil {
		return err
	}
	if !ok {
		o.b = append(o.b, "NIL "...)
		return nil
	}
	o.scratch = message.AppendFields(o.scratch[:0], header, s.Fields, not, v.o.MaxHeaderLines)
	from, n := partial(s, int64(len(o.scratch)))
	if n == 0 {
		o.b = append(o.b, `"" `...)
		return nil
	}
	o.b = imapwire.AppendLiteralHead(o.b, n)
	o.b = append(append(o.b, o.scratch[from:from+n]...), ' ')
	return nil
}

// header returns a header block that has the fields of a section: that of
// the cache if it is enough.
func (d *data) header(s *imapwire.Section, not bool) ([]byte, bool, error) {
	if len(s.Numbers) == 0 && !not && message.AllCached(s.Fields, d.cache.Version()) {
		return d.cache.Item(message.ItemHeaders), true, nil
	}
	span, ok, err := d.find(s)
	if err == nil && !ok && len(s.Numbers) > 0 {
		// Of a part that is no message Cyrus takes the MIME header.
		mime := *s
		mime.Part = imapwire.PartMIME
		span, ok, err = d.find(&mime)
	}
	if err != nil || !ok {
		return nil, ok, err
	}
	header := make([]byte, span.Size)
	if n, err := d.file.ReadAt(header, int64(span.Offset)); n < len(header) {
		return nil, false, errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
	}
	return header, true, nil
}

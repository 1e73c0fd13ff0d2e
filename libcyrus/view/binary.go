package view

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// pass sends what there is if it is much.
func (o *out) pass() error {
	if o.w == nil {
		return nil
	}
	o.sent = o.sent || len(o.b) > 0
	o.w.SetBuffer(o.b)
	o.b = o.w.Buffer()
	return o.w.Err()
}

// stream sends n octets as a literal, or as a literal8 if there is NUL in
// them: they are read twice.
func (o *out) stream(open func() io.Reader, n int64) error {
	nul, err := hasNUL(open())
	if err != nil {
		return err
	}
	if nul {
		o.b = append(o.b, '~')
	}
	o.b = imapwire.AppendLiteralHead(o.b, n)
	o.sent = true
	o.w.SetBuffer(o.b)
	err = o.w.Copy(open(), n)
	o.b = append(o.w.Buffer(), ' ')
	return err
}

// hasNUL reads r to its end, or to the first NUL.
func hasNUL(r io.Reader) (bool, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := (*buf)[:cap(*buf)]
	for {
		n, err := r.Read(b)
		if bytes.IndexByte(b[:n], 0) >= 0 {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, errs.New(errs.IO, "view.Fetch", "", err)
		}
	}
}

// binary prints BINARY[…] or BINARY.SIZE[…] (RFC 3516). Of a part in an
// unknown encoding nothing is printed, and the data are marked.
//
// Source: index_fetchsection in Cyrus imap/index.c.
func (o *out) binary(s *imapwire.Section, d *data) error {
	span, ok, err := d.find(s)
	if err != nil {
		return err
	}
	size := s.Part == imapwire.PartBinarySize
	if len(s.Numbers) == 0 {
		span.Encoding = message.None
	}
	if d.failed = ok && span.Encoding == message.Unknown; d.failed {
		return nil
	}
	if err := o.pass(); err != nil {
		return err
	}
	o.b = append(append(o.b, s.Name...), ' ')
	switch {
	case !ok && size:
		o.b = append(o.b, "0 "...)
		return nil
	case !ok:
		o.b = append(o.b, "NIL "...)
		return nil
	}
	if span.Encoding == message.None {
		if size {
			o.b = append(imapwire.AppendUint(o.b, span.Size), ' ')
			return nil
		}
		from, n := partial(s, int64(span.Size))
		return o.literal(d, int64(span.Offset)+from, n)
	}
	return o.decoded(s, d, span)
}

// decoded prints what a part holds, or how much that is.
func (o *out) decoded(s *imapwire.Section, d *data, span message.Span) error {
	decoder := func() io.Reader {
		return message.NewDecoder(io.NewSectionReader(d.file, int64(span.Offset), int64(span.Size)), span.Encoding)
	}
	total, err := io.Copy(io.Discard, decoder())
	if err != nil {
		return errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
	}
	if s.Part == imapwire.PartBinarySize {
		o.b = append(imapwire.AppendUint(o.b, total), ' ')
		return nil
	}
	from, n := partial(s, total)
	if n == 0 {
		o.b = append(o.b, `"" `...)
		return nil
	}
	open := func() io.Reader {
		r := decoder()
		io.CopyN(io.Discard, r, from) // what is missing, Copy finds
		return io.LimitReader(r, n)
	}
	if o.w != nil {
		return o.stream(open, n)
	}
	content, err := io.ReadAll(open())
	if err != nil || int64(len(content)) < n {
		return errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
	}
	if bytes.IndexByte(content, 0) >= 0 {
		o.b = append(o.b, '~')
	}
	o.b = append(append(imapwire.AppendLiteralHead(o.b, n), content...), ' ')
	return nil
}

// sums prints the size of the file and its SHA-1.
func (o *out) sums(p *plan, d *data) error {
	if p.Items&imapwire.FetchFileSize != 0 {
		fi, err := d.file.Stat()
		if err != nil {
			return errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
		}
		o.b = append(imapwire.AppendUint(append(o.b, "RFC822.FILESIZE "...), fi.Size()), ' ')
	}
	if p.Items&imapwire.FetchSHA1 != 0 {
		h := sha1.New()
		if _, err := io.Copy(h, io.NewSectionReader(d.file, 0, 1<<62)); err != nil {
			return errs.New(errs.IO, "view.Fetch", d.file.Name(), err)
		}
		o.b = append(o.b, "RFC822.SHA1 "...)
		o.b = append(hex.AppendEncode(o.b, h.Sum(nil)), ' ')
	}
	return nil
}

// own prints Cyrus's own items.
func (o *out) own(v *View, p *plan, d *data) {
	r := d.record
	if p.Items&imapwire.FetchCreatedModseq != 0 {
		o.b = append(imapwire.AppendUint(append(o.b, "CREATEDMODSEQ ("...), r.CreatedModseq), ") "...)
	}
	if p.Items&imapwire.FetchBaseCID != 0 {
		o.b = append(append(append(o.b, "BASECID "...), conversationID(d.base)...), ' ')
	}
	if p.Items&imapwire.FetchFolder != 0 {
		o.b = append(imapwire.AppendMailbox(append(o.b, "FOLDER "...), v.o.Folder, v.o.Client.UTF8), ' ')
	}
	if p.Items&imapwire.FetchUIDValidity != 0 {
		o.b = append(imapwire.AppendUint(append(o.b, "UIDVALIDITY "...), v.validity), ' ')
	}
	o.places(v, p, d)
}

// maxPreview is how much of a preview Cyrus sends.
const maxPreview = 256

// preview prints the text that an annotation has for it (RFC 8970).
func (o *out) preview(d *data) {
	o.b = append(o.b, "PREVIEW "...)
	if d.preview == "" {
		o.b = append(o.b, "NIL "...)
		return
	}
	o.b = append(imapwire.AppendAString(o.b, d.preview), ' ')
}

// loadPreview reads the annotation that jmap_preview_annot names. Only shared
// ones count.
//
// Source: index_fetchreply in Cyrus imap/index.c.
func (v *View) loadPreview(m *mailbox.Mailbox, uid uint32) (string, error) {
	entry, ok := strings.CutPrefix(v.o.PreviewAnnotation, "/shared")
	if !ok || !strings.HasPrefix(entry, "/") {
		return "", nil
	}
	all, err := m.MessageAnnotations(context.Background(), uid)
	for i := range all {
		if all[i].Entry == entry && all[i].User == "" {
			return string(all[i].Value[:min(len(all[i].Value), maxPreview)]), err
		}
	}
	return "", err
}

package message

import (
	"bytes"
	"crypto/sha1"
	"io"
	"sync"
)

// Encoding is a transfer encoding as the SECTION item numbers them.
type Encoding uint8

// The encodings.
const (
	None            Encoding = 0 // 7bit, 8bit, binary
	QuotedPrintable Encoding = 1
	Base64          Encoding = 2
	Unknown         Encoding = 255
)

// transferDecoder undoes a transfer encoding piece by piece, as leniently
// as Cyrus does (qp2byte and b64_2byte in Cyrus lib/charset.c): invalid
// base64 characters are skipped, padding starts anew, "=" that begins no
// escape stands for itself.
type transferDecoder struct {
	enc    Encoding
	header bool // Q encoding of RFC 2047: "_" is a blank
	bits   uint32
	have   uint8 // base64 characters in bits, 0 to 3
	line   []byte
}

// maxQPLine is how long a quoted-printable line may get before it is decoded
// in pieces, without CR and LF.
const maxQPLine = 999

// append decodes src and appends the result to dst.
func (d *transferDecoder) append(dst, src []byte) []byte {
	switch d.enc {
	case QuotedPrintable:
		return d.appendQP(dst, src)
	case Base64:
		return d.appendBase64(dst, src)
	}
	return append(dst, src...)
}

// flush appends what is still held back at the end of the input.
func (d *transferDecoder) flush(dst []byte) []byte {
	if d.enc == QuotedPrintable && len(d.line) > 0 {
		dst = d.appendLine(dst, d.line, false)
		d.line = d.line[:0]
	}
	return dst
}

func (d *transferDecoder) appendQP(dst, src []byte) []byte {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return d.holdLine(dst, src)
		}
		line := src[:i]
		src = src[i+1:]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(d.line) == 0 && len(line) < maxQPLine && bytes.IndexByte(line, '\r') < 0 {
			dst = d.appendLine(dst, line, true)
			continue
		}
		dst = d.holdLine(dst, line)
		dst = d.appendLine(dst, d.line, true)
		d.line = d.line[:0]
	}
	return dst
}

// holdLine keeps a part of a line until its end has come or it is too long.
func (d *transferDecoder) holdLine(dst, part []byte) []byte {
	for _, c := range part {
		if c == '\r' {
			continue
		}
		d.line = append(d.line, c)
		if len(d.line) >= maxQPLine {
			dst = d.appendLine(dst, d.line, false)
			d.line = d.line[:0]
		}
	}
	return dst
}

// appendLine decodes one line; end tells that a line end followed it.
func (d *transferDecoder) appendLine(dst, line []byte, end bool) []byte {
	line = bytes.TrimRight(line, " \t")
	for len(line) > 0 {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			i = len(line)
		}
		dst = d.appendPlain(dst, line[:i])
		line = line[i:]
		if len(line) == 0 {
			break
		}
		if len(line) == 1 {
			end = false // soft line break
			break
		}
		if len(line) > 2 {
			hi, lo := hexValue[line[1]], hexValue[line[2]]
			if hi|lo < 16 {
				dst = append(dst, hi<<4|lo)
				line = line[3:]
				continue
			}
		}
		dst = append(dst, '=')
		line = line[1:]
	}
	if end {
		dst = append(dst, '\r', '\n')
	}
	return dst
}

func (d *transferDecoder) appendPlain(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, text...)
	if d.header {
		for i, c := range dst[start:] {
			if c == '_' {
				dst[start+i] = ' '
			}
		}
	}
	return dst
}

// hexValue is the value of a hexadecimal digit, 255 for other characters.
var hexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['A'+i], t['a'+i] = 10+i, 10+i
	}
	return t
}()

// In base64Value 64 is padding and 128 any other character.
const (
	base64Pad     = 64
	base64Invalid = 128
)

var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = base64Invalid
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['='] = base64Pad
	return t
}()

func (d *transferDecoder) appendBase64(dst, src []byte) []byte {
	for len(src) > 0 {
		if d.have == 0 {
			n := 0
			dst, n = appendQuads(dst, src)
			if src = src[n:]; len(src) == 0 {
				return dst
			}
		}
		v := base64Value[src[0]]
		src = src[1:]
		switch {
		case v == base64Pad:
			d.bits, d.have = 0, 0
		case v < base64Pad:
			d.bits = d.bits<<6 | uint32(v)
			switch d.have++; d.have {
			case 2:
				dst = append(dst, byte(d.bits>>4))
			case 3:
				dst = append(dst, byte(d.bits>>2))
			case 4:
				dst = append(dst, byte(d.bits))
				d.bits, d.have = 0, 0
			}
		}
	}
	return dst
}

// appendQuads decodes whole groups of four valid characters, as many as
// come first in src, and returns how many octets of src that were. Line ends
// between groups are skipped.
func appendQuads(dst, src []byte) ([]byte, int) {
	need := len(src)/4*3 + 3
	if cap(dst)-len(dst) < need {
		dst = append(dst, make([]byte, need)...)[:len(dst)]
	}
	out := dst[len(dst):cap(dst)]
	i, o := 0, 0
	for {
		for i+4 <= len(src) && o+4 <= len(out) {
			s := src[i : i+4 : i+4]
			a, b, c, e := base64Value[s[0]], base64Value[s[1]], base64Value[s[2]], base64Value[s[3]]
			if a|b|c|e >= base64Pad {
				break
			}
			v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
			w := out[o : o+3 : o+3]
			w[0], w[1], w[2] = byte(v>>16), byte(v>>8), byte(v)
			i += 4
			o += 3
		}
		if i+2 < len(src) && src[i] == '\r' && src[i+1] == '\n' {
			i += 2
			continue
		}
		return dst[:len(dst)+o], i
	}
}

// decodeBuffers holds buffers for decoded content.
var decodeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 48<<10); return &b }}

// digestContent computes what SECTION says of the content of b, which starts
// at start.
func (p *parser) digestContent(b *part, start int64) {
	enc := b.transfer()
	if enc == Unknown {
		return
	}
	mem, r := p.src.section(start, b.contentSize)
	if r == nil && enc == None {
		b.content = sha1.Sum(mem)
		b.decodedSize = int64(len(mem))
		return
	}
	h := sha1.New()
	buf := decodeBuffers.Get().(*[]byte)
	defer decodeBuffers.Put(buf)
	d := transferDecoder{enc: enc}
	piece := func(in []byte) {
		*buf = d.append((*buf)[:0], in)
		h.Write(*buf)
		b.decodedSize += int64(len(*buf))
	}
	if r == nil {
		for len(mem) > 0 {
			n := min(len(mem), 32<<10)
			piece(mem[:n])
			mem = mem[n:]
		}
	} else if err := eachPiece(r, piece); err != nil && p.src.err == nil {
		p.src.err = err
	}
	*buf = d.flush((*buf)[:0])
	h.Write(*buf)
	b.decodedSize += int64(len(*buf))
	h.Sum(b.content[:0])
}

// eachPiece gives all that r has to fn, 32 KiB at a time.
func eachPiece(r io.Reader, fn func([]byte)) error {
	buf := windows.Get().(*[]byte)
	defer windows.Put(buf)
	in := (*buf)[:32<<10]
	for {
		n, err := r.Read(in)
		fn(in[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// NewDecoder returns a reader of what r holds in encoding e. Bad input is
// decoded as far as Cyrus does; None and Unknown pass through.
func NewDecoder(r io.Reader, e Encoding) io.Reader {
	if e != Base64 && e != QuotedPrintable {
		return r
	}
	return &decodingReader{r: r, d: transferDecoder{enc: e}}
}

type decodingReader struct {
	r   io.Reader
	d   transferDecoder
	in  [4096]byte
	out []byte // decoded, not yet read, is out[pos:]
	pos int
	err error
}

func (r *decodingReader) Read(p []byte) (int, error) {
	for r.pos == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		var n int
		n, r.err = r.r.Read(r.in[:])
		r.out = r.d.append(r.out[:0], r.in[:n])
		if r.err == io.EOF {
			r.out = r.d.flush(r.out)
		}
		r.pos = 0
	}
	n := copy(p, r.out[r.pos:])
	r.pos += n
	return n, nil
}

package main

import (
	"errors"
	"io"
)

// The decompressors of the Go world give nothing until a block of the kind
// ends that Z_SYNC_FLUSH makes. Clients may flush with Z_PARTIAL_FLUSH as well
// (RFC 4978 section 4; mbsync does), after which the last bits of a block are
// not there yet: so this one gives each octet as soon as it is known.

// errDeflate is the error of a stream that is not DEFLATE.
var errDeflate = errors.New("the compressed data is wrong")

// windowSize is how far back a copy may reach (RFC 1951 section 2).
const windowSize = 32 << 10

// inflater decompresses what it is given (RFC 1951). The zero value is at the
// beginning of a stream.
type inflater struct {
	bits    bitReader
	window  [windowSize]byte // a ring of what was decompressed
	total   uint64           // octets decompressed
	waiting int              // of them, not yet read: less than the window

	block  func(*inflater) error // decodes the next piece; nil: a header is next
	final  bool                  // the block is the last
	stored int                   // octets left of a block without compression
	lit    *huffman
	dist   *huffman
	err    error
}

// bitReader takes bits from the front of the input.
type bitReader struct {
	in   []byte // not looked at
	hold uint64 // bits taken from in, the lowest first
	n    uint   // how many
}

// errShort says that there is not enough input; nothing has been taken.
var errShort = errors.New("more input is needed")

// fill takes as much into hold as there is room for.
func (b *bitReader) fill() {
	for b.n <= 56 && len(b.in) > 0 {
		b.hold |= uint64(b.in[0]) << b.n
		b.in, b.n = b.in[1:], b.n+8
	}
}

// take takes n bits, at most 16.
func (b *bitReader) take(n uint) (uint32, error) {
	if b.n < n {
		if b.fill(); b.n < n {
			return 0, errShort
		}
	}
	v := uint32(b.hold & (1<<n - 1))
	b.hold >>= n
	b.n -= n
	return v, nil
}

// add gives the decompressor input, of which it keeps the part that it cannot
// use yet.
func (f *inflater) add(p []byte) { f.bits.in = append(append([]byte(nil), f.bits.in...), p...) }

// advance decompresses as much as there is input and room for. The error is
// io.EOF at the end of the stream.
func (f *inflater) advance() error {
	for f.err == nil && f.waiting < windowSize/2 {
		was := f.bits
		err := f.step()
		if err == errShort {
			f.bits = was
			return nil
		}
		f.err = err
	}
	return f.err
}

// step decodes a header, a literal or a copy.
func (f *inflater) step() error {
	if f.block != nil {
		return f.block(f)
	}
	if f.final {
		return io.EOF
	}
	head, err := f.bits.take(3)
	if err != nil {
		return err
	}
	switch head >> 1 {
	case 0:
		err = f.storedHeader()
	case 1:
		f.lit, f.dist = &fixedLiterals, &fixedDistances
		f.block = (*inflater).symbol
	case 2:
		err = f.dynamicHeader()
	default:
		err = errDeflate
	}
	if err == nil {
		f.final = head&1 != 0
	}
	return err
}

// storedHeader reads the length of a block without compression.
func (f *inflater) storedHeader() error {
	if _, err := f.bits.take(f.bits.n % 8); err != nil {
		return err
	}
	n, err := f.bits.take(16)
	if err != nil {
		return err
	}
	inverse, err := f.bits.take(16)
	if err != nil {
		return err
	}
	if n != ^inverse&0xffff {
		return errDeflate
	}
	if f.stored = int(n); n > 0 {
		f.block = (*inflater).copyStored
	}
	return nil
}

// copyStored takes an octet of a block without compression.
func (f *inflater) copyStored() error {
	v, err := f.bits.take(8)
	if err != nil {
		return err
	}
	f.put(byte(v))
	if f.stored--; f.stored == 0 {
		f.block = nil
	}
	return nil
}

// put appends an octet to what is decompressed.
func (f *inflater) put(c byte) {
	f.window[f.total%windowSize] = c
	f.total++
	f.waiting++
}

// Lengths and distances: the least of each code, and how many bits say more
// (RFC 1951 section 3.2.5).
var (
	lengthBase   = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceMore = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// symbol decodes a literal, a copy or the end of a block.
func (f *inflater) symbol() error {
	s, err := f.lit.decode(&f.bits)
	switch {
	case err != nil:
		return err
	case s < 256:
		f.put(byte(s))
		return nil
	case s == 256:
		f.block = nil
		return nil
	case s > 285:
		return errDeflate
	}
	more, err := f.bits.take(uint(lengthExtra[s-257]))
	if err != nil {
		return err
	}
	length := int(lengthBase[s-257]) + int(more)
	if s, err = f.dist.decode(&f.bits); err != nil {
		return err
	}
	if s > 29 {
		return errDeflate
	}
	if more, err = f.bits.take(uint(distanceMore[s])); err != nil {
		return err
	}
	distance := uint64(distanceBase[s]) + uint64(more)
	if distance > f.total {
		return errDeflate
	}
	for range length {
		f.put(f.window[(f.total-distance)%windowSize])
	}
	return nil
}

// read moves what is decompressed to p.
func (f *inflater) read(p []byte) int {
	n := 0
	for n < len(p) && f.waiting > 0 {
		from := (f.total - uint64(f.waiting)) % windowSize
		k := copy(p[n:], f.window[from:min(from+uint64(f.waiting), windowSize)])
		n += k
		f.waiting -= k
	}
	return n
}

// huffman is a code: how many symbols have each length, and the symbols in
// the order of their codes (RFC 1951 section 3.2.2).
type huffman struct {
	count   [16]uint16
	symbols [288]uint16
}

// newHuffman makes the code of symbols with lengths. It is complete, or has
// one symbol or none; others are an error.
func newHuffman(lengths []uint8) (*huffman, error) {
	h := &huffman{}
	for _, n := range lengths {
		h.count[n]++
	}
	left := 1
	for n := 1; n < 16; n++ {
		if left = left<<1 - int(h.count[n]); left < 0 {
			return nil, errDeflate
		}
	}
	used := len(lengths) - int(h.count[0])
	if left > 0 && (used > 1 || used == 1 && h.count[1] != 1) {
		return nil, errDeflate
	}
	var at [16]uint16
	for n := 1; n < 15; n++ {
		at[n+1] = at[n] + h.count[n]
	}
	for s, n := range lengths {
		if n != 0 {
			h.symbols[at[n]] = uint16(s)
			at[n]++
		}
	}
	return h, nil
}

// decode takes a symbol.
func (h *huffman) decode(b *bitReader) (int, error) {
	b.fill()
	code, first, index := 0, 0, 0
	hold := b.hold
	for n := uint(1); n < 16; n++ {
		if n > b.n {
			return 0, errShort
		}
		code |= int(hold & 1)
		hold >>= 1
		count := int(h.count[n])
		if code-count < first {
			b.hold >>= n
			b.n -= n
			return int(h.symbols[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errDeflate
}

// lengthOrder is the order in which the lengths of the code lengths come.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicHeader reads the codes of a block (RFC 1951 section 3.2.7).
func (f *inflater) dynamicHeader() error {
	b := &f.bits
	head, err := b.take(14)
	if err != nil {
		return err
	}
	literals, distances := int(head&31)+257, int(head>>5&31)+1
	if literals > 286 || distances > 30 {
		return errDeflate
	}
	var lengths [286 + 30 + 19]uint8
	for _, i := range lengthOrder[:head>>10+4] {
		n, err := b.take(3)
		if err != nil {
			return err
		}
		lengths[i] = uint8(n)
	}
	code, err := newHuffman(lengths[:19])
	if err != nil {
		return err
	}
	clear(lengths[:])
	if err := readLengths(b, code, lengths[:literals+distances]); err != nil {
		return err
	}
	if lengths[256] == 0 {
		return errDeflate
	}
	if f.lit, err = newHuffman(lengths[:literals]); err != nil {
		return err
	}
	if f.dist, err = newHuffman(lengths[literals : literals+distances]); err != nil {
		return err
	}
	f.block = (*inflater).symbol
	return nil
}

// readLengths reads the lengths of codes, which are coded themselves.
func readLengths(b *bitReader, code *huffman, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		s, err := code.decode(b)
		if err != nil {
			return err
		}
		if s < 16 {
			lengths[i] = uint8(s)
			i++
			continue
		}
		var value uint8
		extra, least := uint(2), 3
		switch {
		case s == 16 && i == 0:
			return errDeflate
		case s == 16:
			value = lengths[i-1]
		case s == 17:
			extra = 3
		default:
			extra, least = 7, 11
		}
		n, err := b.take(extra)
		if err != nil {
			return err
		}
		for range least + int(n) {
			if i == len(lengths) {
				return errDeflate
			}
			lengths[i] = value
			i++
		}
	}
	return nil
}

// The codes of blocks that bring none (RFC 1951 section 3.2.6).
var fixedLiterals, fixedDistances = fixedCodes()

func fixedCodes() (literals, distances huffman) {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	l, err := newHuffman(lengths[:])
	if err != nil {
		panic(err)
	}
	var thirty [32]uint8
	for i := range thirty {
		thirty[i] = 5
	}
	d, err := newHuffman(thirty[:])
	if err != nil {
		panic(err)
	}
	return *l, *d
}

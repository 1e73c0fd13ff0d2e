package imapwire

// A SetPrinter sends numbers as a set, in their order: those that follow each
// other become ranges. It keeps only the last range.
type SetPrinter struct {
	W     *Writer
	last  SeqRange
	some  bool // there is a last range
	comma bool
}

// Add puts a number at the end.
func (p *SetPrinter) Add(n uint32) {
	if p.some && n == p.last.Last+1 {
		p.last.Last = n
		return
	}
	p.End()
	p.last, p.some = SeqRange{n, n}, true
}

// End sends what was kept.
func (p *SetPrinter) End() {
	if !p.some {
		return
	}
	b := p.W.Buffer()
	if p.comma {
		b = append(b, ',')
	}
	p.W.SetBuffer(AppendSeqSet(b, SeqSet{p.last}))
	p.some, p.comma = false, true
}

package sieve

import "encoding/binary"

// encode writes byte code as Cyrus 3.6.1 does: bc_generate.c and bc_emit.c
// of Cyrus sieve/. All numbers are words in network byte order; strings have
// their length in front and are filled to words with one to four NULs.
func encode(commands []*node, variables bool) []byte {
	e := encoder{b: []byte(codeMagic)}
	e.word(codeVersion)
	if variables {
		e.word(requiresVariables)
	} else {
		e.word(0)
	}
	e.commands(commands)
	return e.b
}

type encoder struct{ b []byte }

func (e *encoder) word(v int) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }

// hole leaves a word free and returns where; fill writes it.
func (e *encoder) hole() int {
	e.word(0)
	return len(e.b) - wordSize
}

func (e *encoder) fill(at, v int) { binary.BigEndian.PutUint32(e.b[at:], uint32(v)) }

// here is the place behind what is written, in words, as jumps count.
func (e *encoder) here() int { return len(e.b) / wordSize }

func (e *encoder) commands(list []*node) {
	if len(list) == 0 {
		e.word(opNull)
	}
	for _, n := range list {
		e.word(n.op)
		if n.op == opIf {
			e.ifCommand(n)
			continue
		}
		e.args(n.args)
	}
}

// ifCommand writes where the test ends, the test, a jump for its being
// false, and the blocks with a jump between them.
func (e *encoder) ifCommand(n *node) {
	testEnd := e.hole()
	e.test(n.test)
	e.fill(testEnd, e.here())
	e.word(opJump)
	otherwise := e.hole()
	e.commands(n.then)
	// An empty else counts as none, as in Cyrus, whose empty block is null.
	if len(n.or) == 0 {
		e.fill(otherwise, e.here())
		return
	}
	e.word(opJump)
	end := e.hole()
	e.fill(otherwise, e.here())
	e.commands(n.or)
	e.fill(end, e.here())
}

func (e *encoder) test(t *testNode) {
	e.word(t.op)
	switch t.op {
	case testNot:
		e.test(t.tests[0])
	case testAnyof, testAllof:
		e.word(len(t.tests))
		end := e.hole()
		for _, x := range t.tests {
			e.test(x)
		}
		e.fill(end, len(e.b))
	default:
		e.args(t.args)
	}
}

func (e *encoder) args(args []any) {
	for _, a := range args {
		switch a := a.(type) {
		case int:
			e.word(a)
		case string:
			e.string(a)
		case optional:
			if a == nil {
				e.word(-1)
			} else {
				e.string(*a)
			}
		case []string:
			e.word(len(a))
			end := e.hole()
			for _, s := range a {
				e.string(s)
			}
			e.fill(end, len(e.b))
		case []int:
			e.word(len(a))
			end := e.hole()
			for _, n := range a {
				e.word(n)
			}
			e.fill(end, len(e.b))
		}
	}
}

func (e *encoder) string(s string) {
	e.word(len(s))
	e.b = append(e.b, s...)
	e.b = append(e.b, make([]byte, wordSize-len(s)%wordSize)...)
}

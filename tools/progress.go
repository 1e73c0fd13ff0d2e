package main

import (
	"fmt"
	"os"
	"time"
)

// progressEvery is how often a person at a terminal is told how far a
// program is.
const progressEvery = 200 * time.Millisecond

// progress returns a function that shows on a terminal how much of something
// is done, or nil if standard error is none.
func (p *program) progress(what string) func(done, total int) {
	f, ok := p.err.(*os.File)
	if !ok || !isTerminal(f) {
		return nil
	}
	var last time.Time
	return func(done, total int) {
		if done < total && time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		fmt.Fprintf(f, "\r%s: %d of %d", what, done, total)
		if done == total {
			fmt.Fprintln(f)
		}
	}
}

// ticker is progress for a walk over something whose size has to be counted
// first: the result is called for each step. Without a terminal nothing is
// counted and nothing printed. An error of count leaves the total unknown, 0.
func (p *program) ticker(what string, count func() (int, error)) (tick func()) {
	show := p.progress(what)
	if show == nil {
		return func() {}
	}
	total, _ := count()
	done := 0
	return func() {
		done++
		show(done, total)
	}
}

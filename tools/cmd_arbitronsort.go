package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// arbitronsort ranks mailboxes by their readers and then by their subscribers:
// it reads what arbitron without -o prints, from files or standard input.
//
// Source: Cyrus tools/arbitronsort.pl.
func arbitronsort(p *program) int { return p.end(p.arbitronsort()) }

func (p *program) arbitronsort() error {
	var counts [2]map[string]int
	counts[0], counts[1] = map[string]int{}, map[string]int{}
	if len(p.args) < 2 {
		if err := readRanks(p.in, counts); err != nil {
			return err
		}
	}
	for _, name := range p.args[1:] {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = readRanks(f, counts)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	p.ranks(counts[0])
	fmt.Fprint(p.out, "\n\n")
	p.ranks(counts[1])
	return nil
}

var rankLine = regexp.MustCompile(`^(.*) (\d+) (\d+)$`)

// readRanks reads lines of a mailbox, its readers and its subscribers. Others
// are passed over.
func readRanks(in io.Reader, counts [2]map[string]int) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := rankLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		for i := range counts {
			counts[i][m[1]], _ = strconv.Atoi(m[2+i])
		}
	}
	return lines.Err()
}

// ranks prints mailboxes with the highest count first, equal ones by name.
func (p *program) ranks(counts map[string]int) {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	for i, name := range names {
		fmt.Fprintf(p.out, "%d: %s - %d\n", i+1, name, counts[name])
	}
}

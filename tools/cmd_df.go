package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/mboxname"
)

const cyrDfUse = "usage: cyr_df [-C <alt_config>] [-m]\n"

// cyrDf prints how full the file systems of partitions are, in the order
// of the partitions' names. (Cyrus's own prints them in any order.)
//
// Source: Cyrus imap/cyr_df.c.
func cyrDf(p *program) int { return p.end(p.cyrDf()) }

func (p *program) cyrDf() error {
	opts, _, err := p.options("C:m", cyrDfUse, exUsage)
	if err != nil {
		return err
	}
	conf, meta := "", false
	for _, o := range opts {
		if o.Letter == 'C' {
			conf = o.Arg
		} else {
			meta = true
		}
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	l := mboxname.LayoutFrom(c)
	dirs := l.Partitions
	if meta {
		dirs = l.MetaPartitions
	}
	fmt.Fprintf(p.out, "%-12s %12s %12s %12s %3s %s\n", "Partition", "1k-blocks", "Used", "Available", "Use%", "Location")
	for _, name := range sortedKeys(dirs) {
		var fs unix.Statfs_t
		if err := unix.Statfs(dirs[name], &fs); err != nil {
			fmt.Fprintf(p.err, "%s: %v\n", dirs[name], err)
			continue
		}
		size := usedSpace(fs.Blocks, fs.Bfree, fs.Bavail, uint64(fs.Frsize))
		fmt.Fprintf(p.out, "%-12s %12d %12d %12d %3d%% %s\n", name, size.total, size.used, size.free, size.percent, dirs[name])
	}
	return nil
}

// space is the room of a file system in KiB.
type space struct {
	total, used, free uint64
	percent           int // used, of what users may use
}

// usedSpace computes it from what the kernel says, in blocks of so many octets.
func usedSpace(blocks, unused, available, block uint64) space {
	s := space{total: blocks * block / 1024, used: (blocks - unused) * block / 1024, free: available * block / 1024}
	if s.used+s.free > 0 {
		s.percent = int(float64(s.used)*100/float64(s.used+s.free) + 0.5)
	}
	return s
}

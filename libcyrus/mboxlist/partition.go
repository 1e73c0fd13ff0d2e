package mboxlist

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/errs"
)

// choosePartition is where a new tree of mailboxes goes: the default
// partition, or one by partition_select_mode.
//
// Source: partlist_local_select in Cyrus imap/partlist.c.
func (l *List) choosePartition() (string, error) {
	if l.o.DefaultPartition != "" {
		return l.o.DefaultPartition, nil
	}
	names := slices.Sorted(maps.Keys(l.o.Layout.Partitions))
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(l.o.PartitionExclude, n) })
	if len(names) == 0 {
		return "", errs.New(errs.BadPartition, "mboxlist.Create", "", errors.New("no partition may be chosen"))
	}
	if l.o.PartitionMode == "random" {
		return names[rand.IntN(len(names))], nil
	}
	weights := make([]float64, len(names))
	for i, n := range names {
		weights[i] = freeSpace(l.o.Layout.Partitions[n], l.o.PartitionMode)
	}
	if l.o.PartitionMode == "freespace-percent-weighted" || l.o.PartitionMode == "freespace-percent-weighted-delta" {
		return names[pick(weights, rand.Float64())], nil
	}
	return names[slices.Index(weights, slices.Max(weights))], nil
}

// freeSpace is what is free at path: in blocks for "freespace-most", else in
// per cent; 0 if that cannot be found out.
func freeSpace(path, mode string) float64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil || st.Blocks == 0 {
		return 0
	}
	if mode == "" || mode == "freespace-most" {
		return float64(st.Bavail) * float64(st.Bsize)
	}
	return 100 * float64(st.Bavail) / float64(st.Blocks)
}

// pick chooses an index by weight; at is from 0 to below 1.
func pick(weights []float64, at float64) int {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	at *= sum
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	return len(weights) - 1
}

package message

import (
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
	"sort"
	"strings"
	"testing"
	"time"
)

// oddTar holds unusual messages (NNNN.eml) and what a real Cyrus 3.6.1, in
// UTC, has put into its index and cache for them (NNNN.rec): sentdate, gmtime,
// header size, cache record. All have the same INTERNALDATE. They came into
// Cyrus's hands by reconstruct, so that they hold what APPEND refuses too.
//
// Two things are not in it, because Cyrus's answers to them are accidents: 8-bit
// octets in dates (it reads beyond a table), and what ICU makes of octets that
// are invalid in a charset of several octets per character.
const oddTar = "testdata/odd.tar.gz"

var oddInternal = time.Unix(1700000000, 0)

// oddMessages reads oddTar in the order of its names.
func oddMessages(t testing.TB, name string) (out []stored) {
	files := readTar(t, name)
	for name, raw := range files {
		base, ok := strings.CutSuffix(name, ".eml")
		if !ok {
			continue
		}
		rec := files[base+".rec"]
		out = append(out, stored{
			name: base, raw: raw, internal: oddInternal,
			sentdate:     binary.BigEndian.Uint32(rec),
			gmtime:       binary.BigEndian.Uint32(rec[4:]),
			headerSize:   binary.BigEndian.Uint32(rec[8:]),
			guid:         sha1.Sum(raw),
			cacheVersion: CacheVersion,
			cache:        rec[12:],
			crc:          crc32.ChecksumIEEE(rec[12:]),
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// TestOddMessages compares with a real Cyrus what we make of broken MIME,
// odd addresses, dates, encodings, charsets and random damage.
func TestOddMessages(t *testing.T) {
	for _, s := range oddMessages(t, oddTar) {
		compareStored(t, s)
	}
}

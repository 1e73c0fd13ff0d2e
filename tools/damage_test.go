package main

import (
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// damage is the steps of a recording that damage files:
//
//   - truncate PATH SIZE
//   - poke PATH OFFSET HEX        overwrite some octets
//   - edit PATH OLD NEW           replace a text
//   - copy FROM TO
func (r *recording) damage(word string, paths []string, arg string) bool {
	r.t.Helper()
	w := strings.Fields(arg)
	for _, path := range paths {
		var err error
		switch word {
		case "truncate":
			n, _ := strconv.ParseInt(w[0], 10, 64)
			err = os.Truncate(path, n)
		case "poke":
			n, _ := strconv.ParseInt(w[0], 10, 64)
			var b []byte
			if b, err = hex.DecodeString(w[1]); err == nil {
				var f *os.File
				if f, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
					_, err = f.WriteAt(b, n)
					f.Close()
				}
			}
		case "edit":
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(path, []byte(strings.Replace(string(b), w[0], w[1], 1)), 0o600)
			}
		case "copy":
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(r.root+"/"+w[0], b, 0o600)
			}
		default:
			return false
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.own()
	return true
}

// TestReconstructFlags replays what Cyrus's own makes of damaged mailboxes
// with all its options. Generations and times are masked: a repair here
// always writes a new index.
func TestReconstructFlags(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{
		masking(`Usage: reconstruct [^$]*\n\n`, "usage\n"), masking(`INT_DATE:\S+ SENTDATE:\d+`, "INT_DATE:N SENTDATE:N"), masking(`! .*invalid option`, "! invalid option"),
		masking(`Generation Number: \d+`, "Generation Number: N"),
		masking(`SAVEDATE:\d+`, "SAVEDATE:N"), masking(`LASTUPD :\d+`, "LASTUPD :N"),
		masking(`Last Append Date: .*`, "Last Append Date: N"),
		masking(`updating sync_crc(_annot)? \d+ => \d+`, "updating sync_crc$1 N => N"),
	}}
	r.replay("reconstruct_flags")
}

// TestReconstructFind replays what Cyrus's own does where the mailbox list and
// the files do not agree, with the options that say which of them is right.
func TestReconstructFind(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: finding}
	r.replay("reconstruct_find")
	r = &recording{t: t, sample: data.Legacy, masks: slices.Concat(finding, inventing)}
	r.replay("reconstruct_legacy")
}

// finding masks what is made up in each run.
var finding = []mask{
	masking(`INT_DATE:\S+ SENTDATE:\d+`, "INT_DATE:N SENTDATE:N"), masking(`SAVEDATE:\d+`, "SAVEDATE:N"), masking(`LASTUPD :\d+`, "LASTUPD :N"),
	masking(`Generation Number: \d+`, "Generation Number: N"), masking(`Last Append Date: .*`, "Last Append Date: N"),
	masking(` M \d+ A `, " M N A "), masking(`( C \d+)? F \d+ M N A`, " F N M N A"),
}

// inventing masks what a mailbox gets that is made anew.
var inventing = []mask{
	masking(` I [0-9a-z]{24} P default V \d+ F`, " I N P default V N F"), masking(`Unique ID: [0-9a-z]+`, "Unique ID: N"),
	masking(`UIDValidity: \d+`, "UIDValidity: N"), masking(`Highest Mod Sequence: \d+`, "Highest Mod Sequence: N"), masking(`MODSEQ:\d+`, "MODSEQ:N"),
}

package main

import (
	"testing"

	"gocyrus/test/data"
)

// TestFlags runs commands with all that their command lines may hold.
func TestFlags(t *testing.T) {
	for name, masks := range map[string][]mask{
		"ctl_mboxlist_flags": {masking(`"mtime": "\d{5,}"`, `"mtime": "TIME"`), masking(`(parse error at line \d+): .*`, "$1: CAUSE")},
		"quota_flags":        nil,
		"cyr_expire":         append([]mask{masking(`"mtime": "\d+"`, `"mtime": "TIME"`), masking(`NOW: \d+`, "NOW: TIME")}, touched...),
		"cyr_expire_archive": touched,
		"ipurge_days":        touched,
		"cyr_df":             {masking(`(?m)^(default|second)  .*%(.*)/spool2?$`, "NAME SIZES $2/spool")}, // Cyrus's order is that of a hash
	} {
		t.Run(name, func(t *testing.T) {
			(&recording{t: t, sample: data.ByID, masks: masks}).replay(name)
		})
	}
}

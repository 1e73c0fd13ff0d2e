package main

import (
	"testing"
	"time"

	"gocyrus/test/data"
)

func TestUnexpunge(t *testing.T) {
	for _, name := range []string{"unexpunge", "unexpunge_more"} {
		r := &recording{t: t, sample: data.ByID, masks: []mask{
			masking(`LASTUPD :\d+`, "LASTUPD :N"), masking(`(Last Append Date: ).*`, "$1"),
			masking(`SAVEDATE:\d+`, "SAVEDATE:N"), masking(`MODSEQ:\d+`, "MODSEQ:N"), masking(`(Mod Sequence: )\d+`, "$1"),
		}}
		r.replay(name)
	}
}

// TestUnexpungeConversations has conversations kept.
func TestUnexpungeConversations(t *testing.T) {
	r := &recording{t: t, sample: data.Legacy, masks: []mask{
		masking(`LASTUPD :\d+`, "LASTUPD :N"), masking(`(Last Append Date: ).*`, "$1"), masking(`SAVEDATE:\d+`, "SAVEDATE:N"),
		masking(`MODSEQ:\d+`, "MODSEQ:N"), masking(`(Mod Sequence: )\d+`, "$1"),
	}}
	r.replay("unexpunge_legacy")
}

func TestInterval(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30": 30 * time.Second, "30s": 30 * time.Second, "2m": 2 * time.Minute, "3h": 3 * time.Hour, "4d": 96 * time.Hour,
		"1w": 168 * time.Hour, "": 0, "x": 0, "99999999999999999999": 0, "999999999999d": 1<<63 - 1,
	} {
		if got := interval(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

package main

import (
	"testing"

	"gocyrus/test/data"
)

func TestRelocateByID(t *testing.T) {
	r := &recording{t: t, sample: data.Legacy, masks: []mask{masking(`"mtime": "\d+"`, `"mtime": "TIME"`)}}
	r.replay("relocate_by_id")
}

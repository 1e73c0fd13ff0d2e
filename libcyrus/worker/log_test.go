package worker

import (
	"io"
	"log/slog"
	"testing"
)

// testLog throws lines away.
func testLog(testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

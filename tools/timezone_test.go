package main

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // dates are printed in local time
	os.Exit(m.Run())
}

package message

import (
	"testing"
	"time"
)

// The dates of Date fields are compared with a real Cyrus in TestOddMessages.
func TestParseDate(t *testing.T) {
	for s, want := range map[string]int64{
		"Thu, 1 Jan 1970 00:00:00 +0000":        0,
		"Mon, 01 Jan 2024 12:34:56 +0130":       1704107096,
		"1 Jan 24 12:34 EST":                    1704130440,
		"31 Feb 2020 00:00:00 +0000":            1583107200,
		"1 Jan 1970 00:30:00 +0100":             -1800,
		"Mon, 1 Jan 2024 12:34:56 +0130 (test)": 1704107096,
	} {
		got, ok := ParseDate(s)
		if !ok || got.Unix() != want {
			t.Errorf("ParseDate(%q) = %d, %v; want %d", s, got.Unix(), ok, want)
		}
	}
	for _, s := range []string{"", "x", "Mon", "1 Jan", "1 Jan 2024", "1 Foo 2024 00:00:00 +0000", "31 Dec 1969 00:00:00 +0000",
		"99999999999 Jan 2024 00:00 Z", "1 Jan 99999999999999999999 00:00:00 Z"} {
		if got, ok := ParseDate(s); ok {
			t.Errorf("ParseDate(%q) = %v", s, got)
		}
	}
}

// TestSentDate: midnight is that of the server's zone.
func TestSentDate(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	internal := time.Date(2024, 7, 1, 23, 30, 0, 0, time.UTC)
	for raw, want := range map[string][2]time.Time{
		"Date: Mon, 1 Jan 2024 23:00:00 -0500\r\n\r\n": {
			time.Date(2024, 1, 1, 0, 0, 0, 0, berlin), time.Date(2024, 1, 2, 4, 0, 0, 0, time.UTC)},
		"Date: nonsense\r\n\r\n":   {time.Date(2024, 7, 2, 0, 0, 0, 0, berlin), internal},
		"Date: 1 Jan 2024\r\n\r\n": {time.Date(2024, 1, 1, 0, 0, 0, 0, berlin), internal},
	} {
		m, err := Parse([]byte(raw), Options{Location: berlin})
		if err != nil {
			t.Fatal(err)
		}
		if sent, gm := m.Times(internal); !sent.Equal(want[0]) || !gm.Equal(want[1]) {
			t.Errorf("%q: %v, %v; want %v", raw, sent, gm, want)
		}
	}
}

func TestFormatDate(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5400))
	if got := FormatDate(at); got != "Tue, 02 Jan 2024 03:04:05 -0130" {
		t.Errorf("FormatDate = %q", got)
	}
}

// FuzzDates: what is formatted is parsed; nothing panics.
func FuzzDates(f *testing.F) {
	f.Add("Mon, 1 Jan 2024 12:34:56 +0130", int64(1704107096))
	f.Add("01-Jan-94 00:00:00 EST", int64(0))
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		ParseDate(s)
		parseDay(s, time.UTC)
		at := time.Unix(unix&(1<<33-1), 0).UTC()
		if got, ok := ParseDate(FormatDate(at)); !ok || !got.Equal(at) {
			t.Errorf("ParseDate(%q) = %v", FormatDate(at), got)
		}
	})
}

package schedule

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have none
)

func names(due []*Event) string {
	var s []string
	for _, e := range due {
		s = append(s, e.Name)
	}
	return strings.Join(s, " ")
}

func TestPeriodsAndOnce(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	var s Schedule
	s.Add(&Event{Name: "once"}, now)
	s.Add(&Event{Name: "often", Period: time.Minute}, now)
	s.Add(&Event{Name: "odd", Period: -time.Minute}, now)
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{0, "once often odd"}, {0, ""}, {59 * time.Second, ""}, {time.Minute, "often"}, {10 * time.Minute, "often"}, {10*time.Minute + 59*time.Second, ""}, {11 * time.Minute, "often"}} {
		if got := names(s.Due(now.Add(c.after), log)); got != c.want {
			t.Errorf("after %v: %q, want %q", c.after, got, c.want)
		}
	}
	if got := s.Next().Sub(now); got != 12*time.Minute {
		t.Errorf("next after %v", got)
	}
}

func TestNothing(t *testing.T) {
	var s Schedule
	if !s.Next().IsZero() || s.Due(time.Now(), slog.Default()) != nil {
		t.Error("an empty schedule has events")
	}
}

// TestDaily follows an event over the two changes of daylight saving time
// in Berlin, 2026.
func TestDaily(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	old := time.Local
	time.Local = berlin
	defer func() { time.Local = old }()
	for _, c := range []struct {
		start  time.Time
		at     int
		marks  string
		shifts string
	}{
		{time.Date(2026, 11, 23, 12, 0, 0, 0, berlin), 1159, "24T11:59 25T11:59 26T11:59", ""},
		{time.Date(2026, 11, 23, 12, 0, 0, 0, berlin), 1200, "23T12:00 24T12:00 25T12:00", ""},
		{time.Date(2026, 3, 28, 3, 0, 0, 0, berlin), 430, "28T04:30 29T04:30 30T04:30", "-3600"},
		{time.Date(2026, 10, 24, 3, 0, 0, 0, berlin), 430, "24T04:30 25T04:30 26T04:30", "3600"},
		{time.Date(2026, 3, 28, 3, 0, 0, 0, berlin), 230, "29T03:30 30T02:30 31T02:30", "-3600"},
	} {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		var s Schedule
		s.Add(&Event{Name: "e", Daily: true, Hour: c.at / 100, Min: c.at % 100}, c.start)
		var marks []string
		for range 3 {
			next := s.Next()
			marks = append(marks, next.In(berlin).Format("02T15:04"))
			if got := names(s.Due(next, log)); got != "e" {
				t.Errorf("at its time: %q", got)
			}
		}
		if got := strings.Join(marks, " "); got != c.marks {
			t.Errorf("%v at %04d: %s, want %s", c.start, c.at, got, c.marks)
		}
		for _, shift := range strings.Fields(c.shifts) {
			if want := fmt.Sprintf("timezone shift for e - altering schedule by %s seconds", shift); !strings.Contains(out.String(), want) {
				t.Errorf("%v at %04d: log %q lacks %q", c.start, c.at, &out, want)
			}
		}
		if c.shifts == "" && out.Len() > 0 {
			t.Errorf("log %q", &out)
		}
	}
}

// TestLate runs what was missed once, not once for each time.
func TestLate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	var s Schedule
	s.Add(&Event{Name: "e", Daily: true, Hour: 13}, now)
	log := slog.New(slog.DiscardHandler)
	if got := names(s.Due(now.AddDate(0, 0, 3), log)); got != "e" {
		t.Errorf("due: %q", got)
	}
	if got := names(s.Due(now.AddDate(0, 0, 3), log)); got != "" {
		t.Errorf("due again: %q", got)
	}
}

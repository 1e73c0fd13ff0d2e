// Package schedule says when the commands of cyrus.conf's EVENTS section
// are due.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	day = 24 * time.Hour
	// levelNotice is syslog's "notice", which slog has no name for.
	levelNotice = slog.Level(2)
)

// Event is a command that runs at certain times. With a Period it runs at
// once and then again so long after each start; with Daily at Hour:Min of
// the local time; otherwise once.
type Event struct {
	Name      string
	Period    time.Duration
	Daily     bool
	Hour, Min int
	Command   []string

	mark time.Time // when it is due next
}

// Schedule is a list of events. The zero value is empty.
type Schedule struct{ events []*Event }

// Add puts e on the list. A Period that is not positive means none.
func (s *Schedule) Add(e *Event, now time.Time) {
	e.mark = now
	if e.Daily {
		e.Period = day
		e.mark = e.on(now)
		if e.mark.Before(now) {
			e.mark = e.mark.Add(day)
		}
	}
	s.events = append(s.events, e)
}

// on is the time of a daily event on the day of t.
func (e *Event) on(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), e.Hour, e.Min, 0, 0, time.Local)
}

// Due returns the events whose time has come, in the order of Add, and
// sets when they are due next; those that run once are taken off the list.
func (s *Schedule) Due(now time.Time, log *slog.Logger) (due []*Event) {
	kept := s.events[:0]
	for _, e := range s.events {
		if !e.mark.After(now) {
			due = append(due, e)
			if e.Period <= 0 {
				continue
			}
			e.next(now, log)
		}
		kept = append(kept, e)
	}
	clear(s.events[len(kept):])
	s.events = kept
	return due
}

// next sets when e, which is due now, is due next.
//
// Source: spawn_schedule in Cyrus master/master.c.
func (e *Event) next(now time.Time, log *slog.Logger) {
	if !e.Daily {
		e.mark = now.Add(e.Period)
		return
	}
	for !e.mark.After(now) {
		e.mark = e.mark.Add(day)
	}
	if t := e.mark.Local(); t.Hour() != e.Hour || t.Minute() != e.Min {
		shift := e.on(e.mark).Sub(e.mark)
		for shift > day/2 {
			shift -= day
		}
		for shift < -day/2 {
			shift += day
		}
		e.mark = e.mark.Add(shift)
		log.Log(context.Background(), levelNotice,
			fmt.Sprintf("timezone shift for %s - altering schedule by %d seconds", e.Name, int(shift.Seconds())))
	}
}

// Next returns when the first event is due; the zero time means none.
func (s *Schedule) Next() (next time.Time) {
	for _, e := range s.events {
		if next.IsZero() || e.mark.Before(next) {
			next = e.mark
		}
	}
	return next
}

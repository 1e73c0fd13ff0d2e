package main

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"
)

// The latencies are how long it takes from the moment at which a message is
// acknowledged to its sender (LMTP, another process) until a client that only
// listens is told of it; less than nothing counts as nothing. The load is one
// message every few milliseconds on an otherwise idle server.

// pauseBetween lets the server come to rest between two messages.
const pauseBetween = 15 * time.Millisecond

// idleLatency is that of a client in IDLE; share is which of the sorted times
// counts: 0.5 the median.
func idleLatency(share float64) func(*target, settings) (float64, error) {
	return latency(share, "EXISTS", "INBOX", "SELECT INBOX", "IDLE")
}

// notifyLatency is that of a client that has said NOTIFY and does nothing; the
// mailbox is not selected. A server without NOTIFY has no figure.
func notifyLatency(share float64) func(*target, settings) (float64, error) {
	return latency(share, "STATUS", "INBOX", "NOTIFY SET (personal (MessageNew MessageExpunge))", "")
}

func latency(share float64, word, mailbox, prepare, listen string) func(*target, settings) (float64, error) {
	return func(t *target, s settings) (float64, error) {
		user := userName(39)
		c, err := t.login(user)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		if err := c.do(prepare); err != nil {
			if strings.HasPrefix(prepare, "NOTIFY") {
				return math.NaN(), nil
			}
			return 0, err
		}
		if listen != "" {
			if _, err := fmt.Fprintf(c, "i %s\r\n", listen); err != nil {
				return 0, err
			}
			if _, err := c.line(); err != nil {
				return 0, err
			}
		}
		m, err := dial(t.lmtp)
		if err != nil {
			return 0, err
		}
		defer m.Close()
		if _, err := fmt.Fprint(m, "LHLO bench\r\n"); err != nil {
			return 0, err
		}
		if err := m.reply("250"); err != nil {
			return 0, err
		}
		times, err := measureLatency(c, m, user, word, s)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", mailbox, err)
		}
		slices.Sort(times)
		return float64(times[int(float64(len(times)-1)*share)].Microseconds()) / 1000, nil
	}
}

// measureLatency sends messages to a user one after the other, and notes how
// long c is not told of each.
func measureLatency(c, m *client, user, word string, s settings) (times []time.Duration, err error) {
	heard := make(chan time.Time, 1)
	failed := make(chan error, 1)
	go func() {
		for {
			line, err := c.line()
			if err != nil {
				failed <- err
				return
			}
			if strings.Contains(line, " "+word) {
				heard <- time.Now()
			}
		}
	}()
	for end := time.Now().Add(max(s.time, time.Second)); time.Now().Before(end); {
		if err := m.lmtp(append(text(s.size), ".\r\n"...), user); err != nil {
			return nil, err
		}
		acknowledged := time.Now()
		select {
		case at := <-heard:
			times = append(times, max(0, at.Sub(acknowledged)))
		case err := <-failed:
			return nil, err
		case <-time.After(time.Minute):
			return nil, net.ErrClosed
		}
		time.Sleep(pauseBetween)
	}
	return times, nil
}

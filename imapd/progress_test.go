package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
)

// lines tells when something was written.
type lines struct {
	bytes.Buffer
	told chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.Buffer.Write(b)
	l.told <- struct{}{}
	return len(b), nil
}

// TestDuring: a client is told that what it waits for goes on.
func TestDuring(t *testing.T) {
	t.Parallel()
	conf, err := config.Parse("imapd.conf", "configdirectory: /nowhere\ninprogress_interval: 1s\n", "imap")
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{told: make(chan struct{}, 100)}
	s := &session{server: &server{conf: conf}, tag: "a1", w: imapwire.NewWriter(out)}
	failed := errors.New("failed")
	err = s.during(func() error { <-out.told; <-out.told; return failed })
	if text := out.String(); err != failed || strings.Count(text, "* OK [INPROGRESS (\"a1\" NIL NIL)] Still working\r\n") < 2 {
		t.Errorf("%v, %q", err, text)
	}
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "oops") || !strings.Contains(p, "progress_test.go") {
			t.Errorf("panic %q", p)
		}
	}()
	s.during(func() error { panic("oops") })
}

func TestInProgressCode(t *testing.T) {
	for _, c := range []struct {
		tag         string
		done, total int
		want        string
	}{ // RFC 9585 section 4
		{"A001", 454, 1000, `[INPROGRESS ("A001" 454 1000)] `},
		{"A001", 999, 1000, `[INPROGRESS ("A001" 999 1000)] `},
		{"A001", 1000, 1000, `[INPROGRESS ("A001" NIL NIL)] `},
		{"A001", 0, 0, `[INPROGRESS ("A001" NIL NIL)] `},
		{"a]b", 0, 7, `[INPROGRESS (NIL 0 7)] `},
	} {
		s := &session{server: &server{}, tag: c.tag}
		if got := s.inProgress(c.done, c.total); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	s := &session{server: &server{suppressed: map[string]bool{"INPROGRESS": true}}}
	if got := s.inProgress(1, 2); got != "" {
		t.Error(got)
	}
}

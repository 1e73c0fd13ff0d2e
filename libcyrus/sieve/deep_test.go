package sieve

import (
	"strings"
	"testing"
	"time"
)

// TestDeep: a script may be long and deep without harm.
func TestDeep(t *testing.T) {
	const n = 20000
	for name, text := range map[string]string{
		"not":      "if " + strings.Repeat("not ", n) + "true {keep;}",
		"blocks":   strings.Repeat("if true {", n) + strings.Repeat("}", n),
		"anyof":    "if " + strings.Repeat("anyof(", n) + "true" + strings.Repeat(")", n) + "{keep;}",
		"elsif":    "if true {} " + strings.Repeat("elsif true {} ", n),
		"open":     strings.Repeat("if anyof(", n),
		"commands": strings.Repeat("keep;", n),
		"faults":   strings.Repeat("@ ", n),
		"comments": strings.Repeat("/* ", n) + strings.Repeat("* / ", n),
	} {
		t.Log(name)
		start := time.Now()
		s, err := Parse([]byte(text), Options{})
		if s != nil {
			_ = s.Text()
			_ = s.Dump()
			fuzzRun(s)
		} else if err == nil {
			t.Errorf("%s: neither", name)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: %v", name, d)
		}
	}
}

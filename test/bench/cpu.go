package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 everywhere.
const clockTick = 10 * time.Millisecond

// processorTime is what all processes of the server have used, and those that
// they have started and that have ended.
func (t *target) processorTime() time.Duration {
	sum := 0
	for _, pid := range t.processes() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.Atoi(f)
			sum += n
		}
	}
	return time.Duration(sum) * clockTick
}

// countTime prints the processor time of one operation of each load for each
// server: unlike how many there are in a second it hardly depends on what else
// the machine does. Each load runs for set.time.
func countTime(servers []string, set settings) error {
	results := map[string]map[string]float64{}
	for _, name := range servers {
		if err := timesOf(name, set, results); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Printf("| processor time, µs | %s |\n|---|%s\n", strings.Join(servers, " | "), strings.Repeat("---:|", len(servers)))
	for _, l := range loads {
		if r := results[l.name]; r != nil {
			fmt.Printf("| %s |", l.about)
			for _, name := range servers {
				fmt.Printf(" %s |", number(r[name]))
			}
			fmt.Println()
		}
	}
	return nil
}

func timesOf(name string, set settings, results map[string]map[string]float64) error {
	t, err := start(name, &set)
	if err != nil {
		return err
	}
	defer t.stop()
	for _, l := range loads {
		if l.name == "idle" || strings.Contains(l.name, "latency") || len(set.only) > 0 && !slices.Contains(set.only, l.name) {
			continue
		}
		warm := set
		warm.count = 3
		if _, err := l.run(t, warm); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		var used, took time.Duration
		set.around = func() func() {
			before, began := t.processorTime(), time.Now()
			return func() { used, took = t.processorTime()-before, time.Since(began) }
		}
		v, err := l.run(t, set)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if results[l.name] == nil {
			results[l.name] = map[string]float64{}
		}
		results[l.name][name] = float64(used.Nanoseconds()) / 1000 / (v * took.Seconds())
		fmt.Fprintf(os.Stderr, "  %s %-16s %12.2f µs\n", name, l.name, results[l.name][name])
	}
	return nil
}

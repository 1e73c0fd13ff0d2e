package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/master/pool"
)

// metric is one number of each service, in the text form of Prometheus.
//
// Source: do_prom_report in Cyrus master/master.c.
type metric struct {
	name, help, kind string
	value            func(*pool.Service) any
}

var metrics = []metric{
	{"cyrus_master_ready_workers", "The number of ready workers", "gauge", func(s *pool.Service) any { return s.Ready() }},
	{"cyrus_master_forks_total", "The number of children spawned", "counter", func(s *pool.Service) any { return s.Forks() }},
	{"cyrus_master_active_children", "The number of children servicing clients", "gauge", func(s *pool.Service) any { return s.Active() }},
	{"cyrus_master_max_children", "The maximum number of child processes", "gauge", func(s *pool.Service) any { return min(s.MaxProcesses(), math.MaxInt32) }},
	{"cyrus_master_forks_per_second", "The rate at which we're spawning children", "gauge", func(s *pool.Service) any { return s.ForkRate() }},
	{"cyrus_master_max_forks_per_second", "The maximum rate at which we will spawn children", "gauge", func(s *pool.Service) any { return s.Settings().MaxForkRate }},
	{"cyrus_master_ready_fails_total", "The number of failures in READY state", "counter", func(s *pool.Service) any { return s.ReadyFails() }},
}

// writeMetrics returns all metrics of the services, taken at t.
func writeMetrics(all []*pool.Service, t time.Time) string {
	var b strings.Builder
	for _, m := range metrics {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for _, s := range all {
			fmt.Fprintf(&b, "%s{service=\"%s\",family=\"%s\"} %v %d\n", m.name, s.Name, s.Family, m.value(s), t.UnixMilli())
		}
	}
	return b.String()
}

// reporter keeps the file of master's own metrics. The zero value does
// nothing.
type reporter struct {
	file  string
	every time.Duration
	next  time.Time // zero: there is no report
}

// startReports begins to write metrics, if the configuration wants that.
func (m *master) startReports() {
	m.reports = reporter{every: config.PrometheusUpdateFreq.In(m.conf)}
	if !config.PrometheusEnabled.In(m.conf) || m.reports.every < time.Second {
		return
	}
	dir := config.PrometheusStatsDir.In(m.conf)
	if len(dir) < 2 || dir[0] != '/' {
		dir = filepath.Join(config.Configdirectory.In(m.conf), "stats")
	}
	m.reports.file = filepath.Join(dir, "master.txt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.stopReports(fmt.Sprintf("mkdir(%s)", dir), err)
		return
	}
	m.debugf("updating %s every %d seconds", m.reports.file, int(m.reports.every.Seconds()))
	m.reports.next = time.Now()
}

func (m *master) stopReports(what string, err error) {
	m.errorf("%s: %s - disabling master prometheus report until next reload", what, text(err))
	m.reports.next = time.Time{}
}

// report writes the metrics when it is time to. Whoever reads the file
// holds a lock on it; then the report is left out.
func (m *master) report() {
	t := time.Now()
	if m.reports.next.IsZero() || t.Before(m.reports.next) || m.stopping {
		return
	}
	m.reports.next = t.Add(m.reports.every)
	fd, err := unix.Open(m.reports.file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		m.stopReports("open("+m.reports.file+")", err)
		return
	}
	defer unix.Close(fd)
	if err := lockFile(fd); err != nil {
		if !again(err) && !errors.Is(err, unix.EACCES) {
			m.stopReports("lock_setlock("+m.reports.file+")", err)
		}
		return
	}
	m.debugf("updating prometheus report for master process")
	all := slices.Clone(m.table.Services())
	slices.SortStableFunc(all, func(a, b *pool.Service) int { return order(a) - order(b) })
	report := writeMetrics(all, t)
	if _, err := unix.Pwrite(fd, []byte(report), 0); err != nil {
		m.stopReports("write("+m.reports.file+")", err)
		return
	}
	if err := unix.Ftruncate(fd, int64(len(report))); err != nil {
		m.errorf("IOERROR: failed to truncate prom file %s: %s", m.reports.file, text(err))
	}
}

// order puts wait daemons behind the rest.
func order(s *pool.Service) int {
	if s.Class >= pool.WaitDaemon {
		return 1
	}
	return 0
}

package suite

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
)

// Sizes of the memory measurement.
const (
	arenas       = 256 << 20 // --memory
	besideArenas = 64 << 20
	connections  = 1000
	perIdle      = 4 << 10
)

// memory measures ringnfs's resident memory: at rest, with idle connections, and at its highest
// while as many connections read 1 MiB each.
func (s *suite) memory(ctx context.Context) error {
	if len(s.Servers) > 0 && s.Servers[0] != variants[0].Name {
		return nil
	}
	l, err := s.start(ctx, variants[0], onDisk, "--memory", strconv.Itoa(arenas))
	if err != nil {
		return err
	}
	// Do everything once first: memory that is allocated only once is no part of what a
	// connection costs.
	job := load.Job{
		Workload: load.Workload{Kind: "read", Size: 1 << 20},
		Conns:    4,
		Depth:    4,
		Time:     s.Time,
		Warmup:   s.Warmup,
	}
	rest, err := resident(l.server.PID, "VmRSS")
	if err != nil {
		return err
	}
	if _, err := l.session.Run(ctx, job); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	before, err := resident(l.server.PID, "VmRSS")
	if err != nil {
		return err
	}
	release, err := l.session.Hold(ctx, connections)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	after, err := resident(l.server.PID, "VmRSS")
	release()
	if err != nil {
		return err
	}
	job.Conns, job.Depth = connections, 1
	if _, err := l.session.Run(ctx, job); err != nil {
		return fmt.Errorf("memory under load: %w", err)
	}
	high, err := resident(l.server.PID, "VmHWM")
	if err != nil {
		return err
	}
	add := func(what string, value, bound float64, unit string) {
		s.rep.Targets = append(s.rep.Targets, report.Target{
			Load: "memory", What: "resident memory of ringnfs " + what + ", " + unit, Bound: "≤ " + report.Figure(bound), Value: value, Met: value <= bound,
		})
		fmt.Fprintf(s.Log, "memory: %s: %s %s\n", what, report.Figure(value), unit)
	}
	const mib = 1 << 20
	add("at rest", float64(rest)/mib, (arenas+besideArenas)/mib, "MiB")
	add("for each idle connection", max(0, float64(after-before))/connections/1024, perIdle/1024, "KiB")
	add(
		fmt.Sprintf("under %d connections that read 1 MiB", connections),
		float64(high)/mib,
		(arenas+besideArenas)/mib,
		"MiB",
	)
	return nil
}

// resident reads a line of /proc/PID/status in bytes.
func resident(pid int, line string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, line)
}

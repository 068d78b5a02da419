package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ringnfs/ringnfs/bench/report"
)

// write writes the tables as Markdown. Each cell has three numbers.
func write(out io.Writer, f flags, places []place, tables []*table, each time.Duration) error {
	m := report.ThisMachine()
	kinds := make([]string, len(places))
	for i, p := range places {
		kinds[i] = p.kind
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, `%s`: %d rounds of %d ms each, files of %d MiB on %s.\n", time.Now().Format(time.DateOnly), command(), f.rounds,
		each.Milliseconds(), f.fileSize>>20, strings.Join(kinds, " and "))
	virtual := ""
	if m.Virt {
		virtual = " (virtual)"
	}
	fmt.Fprintf(&b, "%d × %s%s, %.0f GiB, Linux %s, %s.\n", m.CPUs, m.CPU, virtual, float64(m.Memory)/(1<<30), m.Kernel, m.Go)
	b.WriteString("Each cell: **server s/GiB** / client s/GiB / GiB/s, medians.\n")
	var spread []float64
	for _, t := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n", t.title)
		if t.note != "" {
			fmt.Fprintf(&b, "%s\n\n", t.note)
		}
		fmt.Fprintf(&b, "| way | %s |\n| --- |%s\n", strings.Join(t.columns, " | "), strings.Repeat(" --- |", len(t.columns)))
		for _, r := range t.rows {
			fmt.Fprintf(&b, "| %s |", r.name)
			for _, l := range r.loads {
				fmt.Fprintf(&b, " **%.3f** / %.3f / %.2f |", median(l.server), median(l.client), median(l.rate))
				spread = append(spread, (slices.Max(l.server)-slices.Min(l.server))/median(l.server))
			}
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "\nThe server's figures of one cell lie %.0f %% apart in the median cell, from the least to the most; load averages at the end (1 and 5 minutes): %s.\n", 100*median(spread), loadAverage())
	_, err := io.WriteString(out, b.String())
	return err
}

// loadAverage tells how idle the machine was. The program itself adds two or three.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:2], ", ")
}

// command returns the command that measures the same again.
func command() string {
	words := []string{"go run ./bench/paths"}
	for _, w := range os.Args[1:] {
		if strings.ContainsAny(w, " |^$*()?[]") {
			w = "'" + w + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

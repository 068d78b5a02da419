package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/ringnfs/ringnfs/bench/load"
)

// Figure writes a number with three digits or all in front of the point.
func Figure(v float64) string {
	switch a := math.Abs(v); {
	case a == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Header writes the first line of a table of runs.
func Header(w io.Writer) *tabwriter.Writer {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "load\tcalls/s\tMiB/s\tp50 us\tp99 us\tp99.9 us\tserver us/call\tserver s/GiB\tclient us/call\tclient busy\t")
	return tw
}

// Row writes a run as one line of such a table.
func Row(w io.Writer, name string, r *load.Result) {
	server, perGiB, rate := "-", "-", "-"
	if r.Server != nil {
		server = Figure(r.Server.PerOp)
		if r.Bytes > 0 {
			perGiB = Figure(r.Server.PerGiB)
		}
	}
	if r.Bytes > 0 {
		rate = Figure(r.BytesPerSecond / (1 << 20))
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f %%\t\n", name, Figure(r.OpsPerSecond), rate,
		Figure(r.Latency.P50), Figure(r.Latency.P99), Figure(r.Latency.P999), server, perGiB, Figure(r.Client.PerOp), 100*Busy(r))
}

// Busy is how much of its threads' time the client needed: near 1 it may have
// been what limited the run.
func Busy(r *load.Result) float64 {
	if r.Seconds == 0 || r.Threads == 0 {
		return 0
	}
	return r.Client.Seconds / r.Seconds / float64(r.Threads)
}

// WriteText writes a table of all loads for each server; of several rounds the
// one with the median rate.
func (r *Report) WriteText(w io.Writer) error {
	for _, s := range r.Servers {
		if s.Missing != "" {
			fmt.Fprintf(w, "%s: not measured: %s\n", s.Name, s.Missing)
			continue
		}
		if len(r.Servers) > 1 {
			fmt.Fprintf(w, "\n%s\n", s.Name)
		}
		tw := Header(w)
		for _, name := range r.Loads() {
			if runs := r.Of(s.Name, name); len(runs) > 0 {
				Row(tw, name, &middle(runs).Result)
			}
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	for i := range r.Runs {
		if run := &r.Runs[i]; run.Unsent > 0 {
			fmt.Fprintf(w, "note: %s %s: %d calls that were due could not be made\n", run.Server, run.Load, run.Unsent)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	return nil
}

// middle returns the run with the median rate.
func middle(runs []*Run) *Run {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *Run) int { return cmp.Compare(a.OpsPerSecond, b.OpsPerSecond) })
	return sorted[len(sorted)/2]
}

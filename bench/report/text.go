package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// Figure writes a number with three digits, or with all digits in front of the point, in groups of
// three.
func Figure(v float64) string {
	switch a := math.Abs(v); {
	case a == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 100:
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// grouped puts a comma before each three digits of a whole number.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// heads are the columns of a table of runs.
var heads = []string{
	"load",
	"calls/s",
	"MiB/s",
	"p50 us",
	"p99 us",
	"p99.9 us",
	"server us/call",
	"server s/GiB",
	"client us/call",
	"client busy",
}

// cells returns a run in these columns.
func cells(name string, r *load.Result) []string {
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
	return []string{
		name,
		Figure(r.OpsPerSecond),
		rate,
		Figure(r.Latency.P50),
		Figure(r.Latency.P99),
		Figure(r.Latency.P999),
		server,
		perGiB,
		Figure(r.Client.PerOp),
		fmt.Sprintf("%.0f %%", 100*Busy(r)),
	}
}

// Busy returns the part of its threads' time that the client needed. Near 1 the client may have
// limited the run.
func Busy(r *load.Result) float64 {
	if r.Seconds == 0 || r.Threads == 0 {
		return 0
	}
	return r.Client.Seconds / r.Seconds / float64(r.Threads)
}

// WriteText writes a table of all loads for each server, in lines of at most width columns. Of
// several rounds it shows the one with the median rate.
func (r *Report) WriteText(w io.Writer, width int) error {
	for _, s := range r.Servers {
		if s.Missing != "" {
			fmt.Fprintln(w, columns.Wrap(fmt.Sprintf("%s: not measured: %s", s.Name, s.Missing), width))
			continue
		}
		if len(r.Servers) > 1 {
			fmt.Fprintf(w, "\n%s\n", s.Name)
		}
		table := columns.Table{Head: heads}
		for _, name := range r.Loads() {
			if runs := r.Of(s.Name, name); len(runs) > 0 {
				table.Rows = append(table.Rows, cells(name, &middle(runs).Result))
			}
		}
		if err := table.Write(w, width); err != nil {
			return err
		}
	}
	for i := range r.Runs {
		if run := &r.Runs[i]; run.Unsent > 0 {
			note(
				w,
				width,
				fmt.Sprintf(
					"%s %s: %s calls that were due could not be made",
					run.Server,
					run.Load,
					Figure(float64(run.Unsent)),
				),
			)
		}
	}
	for _, n := range r.Notes {
		note(w, width, n)
	}
	return nil
}

func note(w io.Writer, width int, text string) {
	fmt.Fprintln(w, columns.Wrap("note: "+text, width))
}

// middle returns the run with the median rate.
func middle(runs []*Run) *Run {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *Run) int { return cmp.Compare(a.OpsPerSecond, b.OpsPerSecond) })
	return sorted[len(sorted)/2]
}

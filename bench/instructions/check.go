package main

import (
	"fmt"
	"io"
)

// tolerance is how much more than the recorded figure a load may cost.
const tolerance = 1.03

// verdict is how a load compares with what was recorded.
type verdict struct {
	load       string
	was, is    *Figure
	worse      bool
	least, mid float64 // ratios of the least runs and of the medians
}

// compare compares the figures of ringnfs with those that were recorded. A load is worse when both
// its least run and its median are above the tolerance: a load whose threads race has runs that
// differ, and a change that costs instructions raises all of them. Figures that were never recorded
// have no verdict, and are returned as unknown.
func compare(was, is *Record) (list []verdict, unknown []string) {
	for i := range is.Figures {
		f := &is.Figures[i]
		old := was.find(f.Server, f.FS, f.Load)
		if old == nil {
			unknown = append(unknown, f.Load)
			continue
		}
		// The same phases: a record may have more of them than a short check.
		then := Figure{Runs: old.Runs[:min(len(old.Runs), len(f.Runs))]}
		a, b := then.of(serverSide), f.of(serverSide)
		v := verdict{load: f.Load, was: &then, is: f, least: b[0] / a[0], mid: median(b) / median(a)}
		v.worse = v.least > tolerance && v.mid > tolerance
		list = append(list, v)
	}
	return list, unknown
}

// showVerdicts writes the comparison, and returns how many loads got worse.
func showVerdicts(w io.Writer, list []verdict, unknown []string) int {
	worse := 0
	fmt.Fprintf(w, "%-34s %10s %10s %8s %8s  %s\n", "server side, instructions a call", "recorded", "now",
		"least", "median", "")
	for _, v := range list {
		says := ""
		if v.worse {
			worse++
			says = "WORSE"
		}
		fmt.Fprintf(w, "%-34s %10.0f %10.0f %+7.1f%% %+7.1f%%  %s\n", v.load, v.was.of(serverSide)[0],
			v.is.of(serverSide)[0],
			100*(v.least-1), 100*(v.mid-1), says)
	}
	for _, load := range unknown {
		fmt.Fprintf(w, "%-34s was never recorded\n", load)
	}
	return worse
}

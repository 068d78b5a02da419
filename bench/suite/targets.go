package suite

import (
	"fmt"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
)

// judge compares the medians of a report with the goals of the report's cases.
func judge(r *report.Report, cases []Case, fs map[string]string) {
	for _, c := range cases {
		name := c.name(fs)
		for _, g := range c.Goals {
			r.Targets = append(r.Targets, g.judge(r, name))
		}
	}
	judgeNconnect(r, fs)
}

func (c *Case) name(fs map[string]string) string {
	name := report.LoadName(&load.Result{Workload: c.workload().String(), Conns: c.Conns, Depth: c.Depth}, fs[c.FS])
	if c.Apart {
		name += ", apart"
	}
	return name
}

func (c *Case) workload() load.Workload {
	w, err := load.ParseWorkload(c.Workload, 0, false)
	if err != nil {
		panic("suite: " + err.Error()) // the cases are constants
	}
	return w
}

func (g *Goal) judge(r *report.Report, name string) report.Target {
	t := report.Target{Load: name, What: fmt.Sprintf("%s, %s : %s", g.Metric.Name, g.Of, g.Against), Bound: bound(g.Least, g.Ratio)}
	of, ok1 := r.Median(g.Of, name, g.Metric)
	against, ok2 := r.Median(g.Against, name, g.Metric)
	switch {
	case !ok1:
		t.Reason = g.Of + " was not measured"
	case !ok2 || against == 0:
		t.Reason = g.Against + " was not measured"
	default:
		t.Value = of / against
		t.Met = t.Value <= g.Ratio
		if g.Least {
			t.Met = t.Value >= g.Ratio
		}
	}
	return t
}

func bound(least bool, v float64) string {
	sign := "≤ "
	if least {
		sign = "≥ "
	}
	return sign + report.Figure(v)
}

// judgeNconnect compares each number of connections with the best of them.
func judgeNconnect(r *report.Report, fs map[string]string) {
	for _, w := range []string{"read-4k-rand", "read-1m-seq"} {
		for _, server := range nconnectServers {
			judgeSpread(r, fs, w, server)
		}
	}
}

func judgeSpread(r *report.Report, fs map[string]string, w, server string) {
	rates := make(map[string]float64)
	best := 0.0
	var names []string
	for _, x := range nconnect {
		c := Case{Workload: w, Conns: x[0], Depth: x[1], FS: onDisk}
		name := c.name(fs)
		if v, ok := r.Median(server, name, report.OpsPerSecond); ok {
			rates[name], best = v, max(best, v)
			names = append(names, name)
		}
	}
	if len(names) < len(nconnect) {
		return
	}
	for _, name := range names {
		v := rates[name] / best
		r.Targets = append(r.Targets, report.Target{
			Load: name, What: "calls a second, " + server + " : its best at equal total depth", Bound: bound(true, nconnectLeast), Value: v, Met: v >= nconnectLeast,
		})
	}
}

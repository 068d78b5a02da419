package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// roundsLeast is how many rounds a comparison needs on either side. With four
// against four the smallest probability of the U test is 2/70.
const roundsLeast = 4

// significant is the probability below which a difference is taken for one.
const significant = 0.05

// Verdict is what became of a figure.
type Verdict string

// The verdicts.
const (
	Better    Verdict = "better"
	Worse     Verdict = "worse"
	Unchanged Verdict = "no difference shown"
	Unknown   Verdict = "too few rounds"
)

// Change is how one figure of one load has changed.
type Change struct {
	Server, Load string
	Metric       Metric
	A, B         float64 // medians
	Ratio        float64 // B/A
	Low, High    float64 // its 95 % interval; NaN when not known
	P            float64 // of the Mann-Whitney test; NaN when not known
	Verdict      Verdict
	// Sliced says that the slices of single runs were compared, for want of rounds.
	Sliced bool
}

// Comparison is what two reports say about each other.
type Comparison struct {
	Changes []Change
	OnlyA   []string // loads that the other report does not have
	OnlyB   []string
	Notes   []string // why the comparison may not be fair
}

// Compare tells what changed from a to b, for every load that both have.
func Compare(a, b *Report) *Comparison {
	c := new(Comparison)
	if a.Machine.CPU != b.Machine.CPU || a.Machine.CPUs != b.Machine.CPUs {
		c.Notes = append(c.Notes, fmt.Sprintf("the machines differ: %s (%d) and %s (%d)", a.Machine.CPU, a.Machine.CPUs, b.Machine.CPU, b.Machine.CPUs))
	}
	if a.Machine.Kernel != b.Machine.Kernel {
		c.Notes = append(c.Notes, fmt.Sprintf("the kernels differ: %s and %s", a.Machine.Kernel, b.Machine.Kernel))
	}
	type key struct{ server, load string }
	keys := func(r *Report) (list []key) {
		for i := range r.Runs {
			if k := (key{r.Runs[i].Server, r.Runs[i].Load}); !slices.Contains(list, k) {
				list = append(list, k)
			}
		}
		return list
	}
	inA, inB := keys(a), keys(b)
	// Two reports with one server each are compared whatever the servers are called.
	same := len(a.Servers) == 1 && len(b.Servers) == 1
	find := func(list []key, k key) (key, bool) {
		i := slices.IndexFunc(list, func(x key) bool { return x.load == k.load && (same || x.server == k.server) })
		if i < 0 {
			return key{}, false
		}
		return list[i], true
	}
	sliced := false
	for _, k := range inA {
		other, ok := find(inB, k)
		if !ok {
			c.OnlyA = append(c.OnlyA, k.server+": "+k.load)
			continue
		}
		runsA, runsB := a.Of(k.server, k.load), b.Of(other.server, other.load)
		name := k.server
		if other.server != k.server {
			name += " -> " + other.server
		}
		rate, cost := mainMetrics(&runsA[0].Result)
		for _, m := range []Metric{rate, cost, P50, P99, P999} {
			if x, ok := change(runsA, runsB, m); ok {
				x.Server, x.Load = name, k.load
				sliced = sliced || x.Sliced
				c.Changes = append(c.Changes, x)
			}
		}
	}
	for _, k := range inB {
		if _, ok := find(inA, k); !ok {
			c.OnlyB = append(c.OnlyB, k.server+": "+k.load)
		}
	}
	if sliced {
		c.Notes = append(c.Notes, fmt.Sprintf(
			"with fewer than %d rounds the slices of a run are compared (marked ~): they do not show what changes from run to run; --rounds 5 makes more", roundsLeast))
	}
	return c
}

// change compares one figure.
func change(a, b []*Run, m Metric) (Change, bool) {
	x := Change{Metric: m, P: math.NaN(), Low: math.NaN(), High: math.NaN(), Verdict: Unknown}
	va, vb := figures(a, m), figures(b, m)
	if len(va) == 0 || len(vb) == 0 {
		return x, false
	}
	x.A, x.B = Median(va), Median(vb)
	if len(va) < roundsLeast || len(vb) < roundsLeast {
		va, vb = sliceFigures(a, m), sliceFigures(b, m)
		x.Sliced = true
	}
	if x.A != 0 {
		x.Ratio = x.B / x.A
	}
	if len(va) < roundsLeast || len(vb) < roundsLeast {
		x.Sliced = false
		return x, true
	}
	_, x.P = MannWhitney(va, vb)
	x.Low, x.High = RatioInterval(va, vb)
	switch better := x.B > x.A == m.HigherIsBetter; {
	case x.P >= significant || x.A == x.B:
		x.Verdict = Unchanged
	case better:
		x.Verdict = Better
	default:
		x.Verdict = Worse
	}
	return x, true
}

func figures(runs []*Run, m Metric) (values []float64) {
	for _, r := range runs {
		if v, ok := m.Of(&r.Result); ok {
			values = append(values, v)
		}
	}
	return values
}

func sliceFigures(runs []*Run, m Metric) (values []float64) {
	if m.ofSlice == nil {
		return nil
	}
	for _, r := range runs {
		for i := range r.Slices {
			if v, ok := m.ofSlice(&r.Slices[i]); ok {
				values = append(values, v)
			}
		}
	}
	return values
}

// WriteText writes the comparison as a table.
func (c *Comparison) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "load\tfigure\tbefore\tafter\tchange\t95 % interval\tp\tverdict")
	last := ""
	for _, x := range c.Changes {
		title := x.Server + ": " + x.Load
		if title == last {
			title = ""
		} else {
			last = title
		}
		mark := ""
		if x.Sliced {
			mark = "~"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s %s\t%s %s\t%s\t%s\t%s\t%s%s\n", title, x.Metric.Name, Figure(x.A), x.Metric.Unit, Figure(x.B), x.Metric.Unit,
			percent(x.Ratio), interval(x.Low, x.High), probability(x.P), mark, x.Verdict)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range c.OnlyA {
		fmt.Fprintf(w, "only before: %s\n", s)
	}
	for _, s := range c.OnlyB {
		fmt.Fprintf(w, "only after: %s\n", s)
	}
	for _, s := range c.Notes {
		fmt.Fprintf(w, "note: %s\n", s)
	}
	return nil
}

func percent(ratio float64) string { return fmt.Sprintf("%+.1f %%", (ratio-1)*100) }

func interval(low, high float64) string {
	if math.IsNaN(low) || math.IsNaN(high) {
		return "-"
	}
	return fmt.Sprintf("%+.1f to %+.1f %%", (low-1)*100, (high-1)*100)
}

func probability(p float64) string {
	switch {
	case math.IsNaN(p):
		return "-"
	case p < 0.001:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

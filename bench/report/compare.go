package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// roundsLeast is how many rounds a comparison needs on either side. With four against four the
// smallest probability of the U test is 2/70.
const roundsLeast = 4

// significant is the probability below which a difference counts as one.
const significant = 0.05

// Verdict is how a figure has changed.
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
	Ratio        float64 // B/A; NaN when only A is 0
	Low, High    float64 // its 95 % interval; NaN when not known
	P            float64 // of the Mann-Whitney test; NaN when not known
	Verdict      Verdict
	// Sliced says that the slices of single runs were compared, because there were too few
	// rounds.
	Sliced bool
}

// Comparison is what changed between two reports.
type Comparison struct {
	Changes []Change
	OnlyA   []string // loads, and figures of common loads, that only one report has
	OnlyB   []string
	Notes   []string // why the comparison may not be fair
}

// Compare tells what changed from a to b, for every load that both reports have.
func Compare(a, b *Report) *Comparison {
	c := new(Comparison)
	if a.Machine.CPU != b.Machine.CPU || a.Machine.CPUs != b.Machine.CPUs {
		c.Notes = append(
			c.Notes,
			fmt.Sprintf(
				"the machines differ: %s (%d) and %s (%d)",
				a.Machine.CPU,
				a.Machine.CPUs,
				b.Machine.CPU,
				b.Machine.CPUs,
			),
		)
	}
	if a.Machine.Kernel != b.Machine.Kernel {
		c.Notes = append(
			c.Notes,
			fmt.Sprintf("the kernels differ: %s and %s", a.Machine.Kernel, b.Machine.Kernel),
		)
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
		i := slices.IndexFunc(
			list,
			func(x key) bool { return x.load == k.load && (same || x.server == k.server) },
		)
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
			switch hadA, hadB := len(figures(runsA, m)) > 0, len(figures(runsB, m)) > 0; {
			case hadA && !hadB:
				c.OnlyA = append(c.OnlyA, name+": "+k.load+": "+m.title())
			case hadB && !hadA:
				c.OnlyB = append(c.OnlyB, name+": "+k.load+": "+m.title())
			case hadA:
				x := change(runsA, runsB, m)
				x.Server, x.Load = name, k.load
				sliced = sliced || x.Sliced
				c.Changes = append(c.Changes, x)
			default: // neither does
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
			"with fewer than %d rounds the slices of a run are compared (marked ~): they do not show what changes from run to run; --rounds 5 makes more",
			roundsLeast,
		))
	}
	return c
}

// change compares one figure that both reports have.
func change(a, b []*Run, m Metric) Change {
	x := Change{Metric: m, P: math.NaN(), Low: math.NaN(), High: math.NaN(), Verdict: Unknown}
	va, vb := figures(a, m), figures(b, m)
	x.A, x.B = Median(va), Median(vb)
	if len(va) < roundsLeast || len(vb) < roundsLeast {
		va, vb = sliceFigures(a, m), sliceFigures(b, m)
		x.Sliced = true
	}
	if x.Ratio = x.B / x.A; x.A == x.B {
		x.Ratio = 1
	} else if x.A == 0 {
		x.Ratio = math.NaN()
	}
	if len(va) < roundsLeast || len(vb) < roundsLeast {
		x.Sliced = false
		return x
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
	return x
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

// WriteText writes the comparison as a table, in lines of at most width columns.
func (c *Comparison) WriteText(w io.Writer, width int) error {
	table := columns.Table{
		Head: []string{"", "before", "after", "change", "verdict", "95 % interval", "p"},
		Left: []int{4},
	}
	last := ""
	for i := range c.Changes {
		x := &c.Changes[i]
		if title := x.Server + ": " + x.Load; title != last {
			table.Rows = append(table.Rows, []string{title})
			last = title
		}
		mark := ""
		if x.Sliced {
			mark = "~"
		}
		table.Rows = append(
			table.Rows,
			[]string{
				"  " + x.Metric.title(),
				Figure(x.A),
				Figure(x.B),
				percent(x.Ratio),
				mark + string(x.Verdict),
				interval(x.Low, x.High),
				probability(x.P),
			},
		)
	}
	if len(c.Changes) > 0 {
		if err := table.Write(w, width); err != nil {
			return err
		}
	}
	for _, s := range c.OnlyA {
		fmt.Fprintln(w, columns.Wrap("only before: "+s, width))
	}
	for _, s := range c.OnlyB {
		fmt.Fprintln(w, columns.Wrap("only after: "+s, width))
	}
	for _, s := range c.Notes {
		note(w, width, s)
	}
	return nil
}

// WorseBy returns by how many percent the figure got worse, in the direction in which its metric
// does. It returns 0 if the figure did not get worse, or if enough rounds show that it may be
// chance. Slices cannot show that, because they may differ less, or more, than runs. A change from
// nothing to something is infinite.
func (x *Change) WorseBy() float64 {
	switch {
	case x.Verdict == Unchanged && !x.Sliced || x.Verdict == Better || x.B == x.A:
		return 0
	case x.A == 0 && x.Metric.HigherIsBetter:
		return 0
	case x.A == 0:
		return math.Inf(1)
	case x.Metric.HigherIsBetter:
		return max(0, 100*(1-x.Ratio))
	}
	return max(0, 100*(x.Ratio-1))
}

// Failure returns an error that names the figures that got worse by more than limit percent and
// those that are no longer measured; nil if there are none. Without enough rounds for a verdict
// only the medians decide.
func (c *Comparison) Failure(limit float64) error {
	var worse []string
	for i := range c.Changes {
		x := &c.Changes[i]
		if x.WorseBy() > limit {
			worse = append(
				worse,
				fmt.Sprintf("%s: %s: %s %s", x.Server, x.Load, x.Metric.title(), orFigures(x)),
			)
		}
	}
	switch {
	case len(worse) > 0:
		return fmt.Errorf("worse by more than %g %%: %s", limit, strings.Join(worse, "; "))
	case len(c.OnlyA) > 0:
		return fmt.Errorf("not measured any more: %s", strings.Join(c.OnlyA, "; "))
	case len(c.Changes) == 0:
		return errors.New("the two results have no load in common: nothing was compared")
	}
	return nil
}

// orFigures returns the change in percent, or the two figures if a percentage means nothing.
func orFigures(x *Change) string {
	if math.IsNaN(x.Ratio) {
		return Figure(x.A) + " to " + Figure(x.B)
	}
	return percent(x.Ratio)
}

func percent(ratio float64) string {
	if math.IsNaN(ratio) {
		return "-"
	}
	return fmt.Sprintf("%+.1f %%", (ratio-1)*100)
}

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

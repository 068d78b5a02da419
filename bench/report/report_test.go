package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
)

// sample returns a report of some servers whose rate is given, in rounds that differ a little.
func sample(rounds int, rates map[string]float64) *Report {
	r := &Report{
		Format: Format, Title: "a <b> & \"c\"", Command: "bench <x>", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: Machine{CPU: "a processor", CPUs: 2, Memory: 8 << 30, Kernel: "6.18"},
		Notes:   []string{"a note | with a bar"},
	}
	for _, name := range []string{"ringnfs", "floor"} {
		rate, ok := rates[name]
		if !ok {
			continue
		}
		r.Servers = append(r.Servers, Server{Name: name, Version: "1 <2>"})
		for round := range rounds {
			x := rate * (1 + 0.01*float64(round))
			res := load.Result{
				Workload: "getattr", Conns: 4, Depth: 16, Threads: 1, Seconds: 1, Ops: uint64(x), OpsPerSecond: x,
				Latency: load.Latency{
					Count: uint64(x),
					Mean:  12,
					P50:   10,
					P90:   20,
					P99:   40,
					P999:  80,
					Max:   100,
				},
				Curve: []load.Point{
					{Quantile: 0, Micros: 5},
					{Quantile: .5, Micros: 10},
					{Quantile: .99, Micros: 40},
					{Quantile: 1, Micros: 100},
				},
				Server: &load.CPU{Seconds: 0.5, PerOp: 1e6 / x},
				Client: load.CPU{Seconds: 0.25, PerOp: 0.5},
			}
			for i := range 10 {
				res.Slices = append(
					res.Slices,
					load.Slice{Seconds: 0.1, Ops: uint64(x/10) + uint64(i), Server: 0.05},
				)
			}
			r.Runs = append(
				r.Runs,
				Run{Server: name, Load: LoadName(&res, "ext4"), FS: "ext4", Round: round + 1, Result: res},
			)
		}
	}
	r.Servers = append(r.Servers, Server{Name: "absent", Missing: "not here"})
	r.Targets = []Target{
		{Load: "getattr 4x16 on ext4", What: "a", Bound: "≤ 1.4", Value: 1.2, Met: true},
		{Load: "getattr 4x16 on ext4", What: "b", Bound: "≥ 2", Value: 1.2},
		{Load: "getattr 4x16 on ext4", What: "c", Bound: "≥ 2", Reason: "absent was not measured"},
	}
	return r
}

func TestAReportIsTheSameAfterWritingAndReading(t *testing.T) {
	r := sample(2, map[string]float64{"ringnfs": 1000, "floor": 2000})
	dir := t.TempDir()
	var sizes []int64
	for _, name := range []string{"r.json", "r.json.gz"} {
		name = filepath.Join(dir, name)
		require.NoError(t, r.WriteFile(name))
		got, err := ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, r, got)
		st, err := os.Stat(name)
		require.NoError(t, err)
		sizes = append(sizes, st.Size())
	}
	require.Less(t, sizes[1], sizes[0], "compressed")
	cut := filepath.Join(dir, "r.json.gz")
	require.NoError(t, os.Truncate(cut, sizes[1]-8))
	_, err := ReadFile(cut)
	require.Error(t, err, "a file that was cut")
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", `{"format": 99}`, "nonsense"} {
		_, err := Read(strings.NewReader(text))
		require.Error(t, err, text)
	}
	_, err := ReadFile(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}

func TestAWriteThatFailsIsReported(t *testing.T) {
	r := sample(1, map[string]float64{"ringnfs": 1000})
	require.Error(t, r.WriteFile(filepath.Join(t.TempDir(), "none", "r.json")))
	require.Error(t, r.WriteHTMLFile("/dev/full"))
	require.Error(t, r.WriteMarkdownFile("/dev/full"))
}

func TestThePageIsWellFormedAndNeedsNothingElse(t *testing.T) {
	for name, r := range map[string]*Report{
		"two servers": sample(5, map[string]float64{"ringnfs": 1000, "floor": 2000}),
		"one round":   sample(1, map[string]float64{"ringnfs": 1000}),
		"nothing":     {Format: Format},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, r.WriteHTML(&b))
			text := b.String()
			d := xml.NewDecoder(strings.NewReader(text))
			for d.Strict = true; ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%v", err)
				}
			}
			for _, outside := range []string{"http:", "https:", "src=", "href=", "url(", "@import", "<script"} {
				require.NotContains(t, text, outside)
			}
			require.NotContains(t, text, "NaN")
			require.NotContains(
				t,
				text,
				"ZgotmplZ",
				"what the template engine writes for what it does not trust",
			)
			if len(r.Runs) > 0 {
				require.Contains(t, text, "<svg")
				require.Contains(t, text, "getattr 4x16 on ext4")
				require.Contains(t, text, "a &lt;b&gt; &amp;")
				require.Contains(t, text, "prefers-color-scheme: dark")
			}
		})
	}
}

func TestTheTablesHoldMediansAndTargets(t *testing.T) {
	r := sample(5, map[string]float64{"ringnfs": 1000, "floor": 2000})
	var b bytes.Buffer
	require.NoError(t, r.WriteMarkdown(&b))
	require.Contains(t, b.String(), "Targets: 1 of 3 met")
	require.Contains(t, b.String(), "| getattr 4x16 on ext4 | ringnfs | 1,020 (1,000–1,040) /s |")
	require.Contains(t, b.String(), `a note \| with a bar`)
	require.Contains(t, b.String(), "not measured: not here")
	b.Reset()
	require.NoError(t, r.WriteText(&b, 200))
	require.Contains(t, b.String(), "1,020")
	require.Contains(t, b.String(), "absent: not measured: not here")
}

func TestTheComparisonComesFirstAndTheTargetsLast(t *testing.T) {
	r := sample(5, map[string]float64{"ringnfs": 1000, "floor": 2000})
	var md, page bytes.Buffer
	require.NoError(t, r.WriteMarkdown(&md))
	require.NoError(t, r.WriteHTML(&page))
	inOrder := func(text string, words ...string) {
		at := -1
		for _, w := range words {
			i := strings.Index(text, w)
			require.Greater(t, i, at, w)
			at = i
		}
	}
	inOrder(
		md.String(),
		"# a <b>",
		"## How much they do",
		"## What a call",
		"## Figures",
		"## Servers",
		"## Targets",
	)
	inOrder(
		page.String(),
		"<h1>",
		"<h2>How much they do",
		"<h2>What a call",
		"<h2>Loads",
		"<h2>All figures",
		"<h2>Servers",
		"<h2>What was to be reached",
	)
	require.Contains(t, md.String(), "| getattr 4x16 on ext4 | calls/s | 1,020 | 2,040 (×2.00) |")
	require.Contains(t, md.String(), "| getattr 4x16 on ext4 | us/call | 980 | 490 (×0.5) |")
	alone := sample(5, map[string]float64{"ringnfs": 1000})
	md.Reset()
	require.NoError(t, alone.WriteMarkdown(&md))
	require.NotContains(t, md.String(), "How much", "there is nothing to compare with")
}

func TestColumnsWithoutAFigureAreLeftOut(t *testing.T) {
	r := sample(5, map[string]float64{"ringnfs": 1000})
	for i := range r.Runs {
		r.Runs[i].Result.Server = nil // its CPU time is not known
	}
	var text, page bytes.Buffer
	require.NoError(t, r.WriteText(&text, 200))
	require.NoError(t, r.WriteHTML(&page))
	for _, head := range []string{"MiB/s", "server us/call", "server s/GiB"} {
		require.NotContains(t, text.String(), head)
		require.NotContains(t, page.String(), head)
	}
	require.Contains(t, text.String(), "client us/call")
	require.Contains(t, page.String(), "client us/call")
}

func TestThousandsAreParted(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.5: "0.5", 9.999: "10.00", 99.94: "99.9", 999: "999", 1000: "1,000", 12345: "12,345", 1234567.8: "1,234,568", -1234: "-1,234",
	} {
		require.Equal(t, want, Figure(v))
	}
}

func TestBarsStandOnAScale(t *testing.T) {
	chart := string(bars("rate", "/s", []bar{{label: "a", value: 930}, {label: "b", value: 100}}))
	for _, tick := range []string{">0</text>", ">400</text>", ">1k</text>"} {
		require.Contains(t, chart, tick)
	}
	require.Contains(t, chart, `class="grid"`)
}

// TestASliceOfNoTimeIsNoPoint: a client that was held up samples twice at the same time.
func TestASliceOfNoTimeIsNoPoint(t *testing.T) {
	r := sample(1, map[string]float64{"ringnfs": 1000})
	run := &r.Runs[0]
	for i := range run.Slices {
		run.Slices[i] = load.Slice{Seconds: 0.1, Ops: 100}
	}
	run.Slices = append(run.Slices, load.Slice{Seconds: 0}, load.Slice{Seconds: 1e-5})
	chart, ok := r.timeChart(run.Load, OpsPerSecond)
	require.True(t, ok)
	_, d, ok := strings.Cut(string(chart), `class="line l0" d="M`)
	require.True(t, ok)
	d, _, _ = strings.Cut(d, `"`)
	points := strings.Split(d, "L")
	require.Len(t, points, 10)
	var y []string
	last := -1.0
	for _, p := range points {
		var at, high float64
		_, err := fmt.Sscanf(p, "%g %g", &at, &high)
		require.NoError(t, err)
		require.Greater(t, at, last, "to the right of the one before")
		last = at
		y = append(y, fmt.Sprintf("%.0f", high))
	}
	require.Equal(t, slices.Repeat(y[:1], 10), y, "a rate that stays the same")
	run.Slices[5].Ops = 0
	require.Len(t, whole(run.Slices), 10, "a time without answers is one, if it lasts")
}

func find(t *testing.T, c *Comparison, m Metric) Change {
	t.Helper()
	for _, x := range c.Changes {
		if x.Metric.Name == m.Name {
			return x
		}
	}
	t.Fatalf("no change of %s", m.Name)
	return Change{}
}

func TestChangesHaveADirectionAndAProbability(t *testing.T) {
	slow := sample(5, map[string]float64{"ringnfs": 1000})
	fast := sample(5, map[string]float64{"ringnfs": 1500})

	c := Compare(slow, fast)
	require.Equal(t, Better, find(t, c, OpsPerSecond).Verdict)
	require.Equal(t, Better, find(t, c, CPUPerOp).Verdict, "less is better")
	require.Equal(t, Unchanged, find(t, c, P99).Verdict)
	require.InDelta(t, 1.5, find(t, c, OpsPerSecond).Ratio, 1e-9)
	require.Less(t, find(t, c, OpsPerSecond).P, 0.01)
	require.Greater(t, find(t, c, OpsPerSecond).Low, 1.4)
	require.Empty(t, c.Notes)

	c = Compare(fast, slow)
	require.Equal(t, Worse, find(t, c, OpsPerSecond).Verdict)
	require.Equal(t, Worse, find(t, c, CPUPerOp).Verdict)

	require.Equal(t, Unchanged, find(t, Compare(slow, slow), OpsPerSecond).Verdict)
}

func TestSingleRunsAreComparedByTheirSlicesAndMarked(t *testing.T) {
	c := Compare(
		sample(1, map[string]float64{"ringnfs": 1000}),
		sample(1, map[string]float64{"ringnfs": 2000}),
	)
	x := find(t, c, OpsPerSecond)
	require.True(t, x.Sliced)
	require.Equal(t, Better, x.Verdict)
	require.Equal(t, Unknown, find(t, c, P99).Verdict, "slices have no latencies")
	require.NotEmpty(t, c.Notes)
	var b bytes.Buffer
	require.NoError(t, c.WriteText(&b, 200))
	require.Contains(t, b.String(), "~better")
	require.Contains(t, b.String(), "+100.0 %")
}

func TestWhatOnlyOneReportHasIsNamed(t *testing.T) {
	a := sample(5, map[string]float64{"ringnfs": 1000, "floor": 1000})
	b := sample(5, map[string]float64{"floor": 1000})
	b.Machine.Kernel = "6.12"
	c := Compare(a, b)
	require.Equal(t, []string{"ringnfs: getattr 4x16 on ext4"}, c.OnlyA)
	require.Empty(t, c.OnlyB)
	require.Len(t, c.Notes, 1)
	require.Contains(t, c.Notes[0], "kernels differ")
	require.Equal(t, c.OnlyA, Compare(b, a).OnlyB)
}

// TestASingleRoundIsJudgedByItsMedians: it is, even if the slices scatter.
func TestASingleRoundIsJudgedByItsMedians(t *testing.T) {
	scattered := func(rate float64) *Report {
		r := sample(1, map[string]float64{"ringnfs": rate})
		for i := range r.Runs[0].Slices {
			r.Runs[0].Slices[i].Ops = uint64(1000 * (i % 2))
		}
		return r
	}
	c := Compare(scattered(1000), scattered(500))
	require.Equal(t, Unchanged, find(t, c, OpsPerSecond).Verdict, "by the slices")
	require.ErrorContains(t, c.Failure(10), "calls a second -50.0 %")
	require.NoError(t, c.Failure(100))
}

func TestAFigureThatIsNotMeasuredAnyMoreIsNamed(t *testing.T) {
	a, b := sample(5, map[string]float64{"ringnfs": 1000}), sample(5, map[string]float64{"ringnfs": 1000})
	for i := range b.Runs {
		b.Runs[i].Result.Server = nil
	}
	want := []string{"ringnfs: getattr 4x16 on ext4: server CPU per call, us"}
	require.Equal(t, want, Compare(a, b).OnlyA)
	require.Equal(t, want, Compare(b, a).OnlyB)
	require.ErrorContains(t, Compare(a, b).Failure(10), "not measured any more: "+want[0])
	require.NoError(t, Compare(b, a).Failure(10))
}

func TestFromNothingToSomethingIsWorse(t *testing.T) {
	a, b := sample(5, map[string]float64{"ringnfs": 1000}), sample(5, map[string]float64{"ringnfs": 1000})
	for i := range a.Runs {
		a.Runs[i].Result.Server.PerOp = 0
	}
	require.ErrorContains(t, Compare(a, b).Failure(1e6), "server CPU per call, us 0 to ")
	require.NoError(t, Compare(b, a).Failure(0))
	var text bytes.Buffer
	require.NoError(t, Compare(a, b).WriteText(&text, 200))
	require.NotContains(t, text.String(), "NaN")
}

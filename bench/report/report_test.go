package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
)

// sample is a report of some servers whose rate is given, in rounds that differ
// a little.
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
				Latency: load.Latency{Count: uint64(x), Mean: 12, P50: 10, P90: 20, P99: 40, P999: 80, Max: 100},
				Curve:   []load.Point{{Quantile: 0, Micros: 5}, {Quantile: .5, Micros: 10}, {Quantile: .99, Micros: 40}, {Quantile: 1, Micros: 100}},
				Server:  &load.CPU{Seconds: 0.5, PerOp: 1e6 / x},
				Client:  load.CPU{Seconds: 0.25, PerOp: 0.5},
			}
			for i := range 10 {
				res.Slices = append(res.Slices, load.Slice{Seconds: 0.1, Ops: uint64(x/10) + uint64(i), Server: 0.05})
			}
			r.Runs = append(r.Runs, Run{Server: name, Load: LoadName(&res, "ext4"), FS: "ext4", Round: round + 1, Result: res})
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
	name := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.WriteFile(name))
	got, err := ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, r, got)
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
			require.NotContains(t, text, "ZgotmplZ", "what the template engine writes for what it does not trust")
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
	require.Contains(t, b.String(), "| getattr 4x16 on ext4 | ringnfs | 1020 (1000–1040) /s |")
	require.Contains(t, b.String(), `a note \| with a bar`)
	require.Contains(t, b.String(), "not measured: not here")
	b.Reset()
	require.NoError(t, r.WriteText(&b))
	require.Contains(t, b.String(), "1020")
	require.Contains(t, b.String(), "absent: not measured: not here")
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
	c := Compare(sample(1, map[string]float64{"ringnfs": 1000}), sample(1, map[string]float64{"ringnfs": 2000}))
	x := find(t, c, OpsPerSecond)
	require.True(t, x.Sliced)
	require.Equal(t, Better, x.Verdict)
	require.Equal(t, Unknown, find(t, c, P99).Verdict, "slices have no latencies")
	require.NotEmpty(t, c.Notes)
	var b bytes.Buffer
	require.NoError(t, c.WriteText(&b))
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

package suite

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
)

var someFS = map[string]string{onDisk: "ext4", onMemory: "tmpfs"}

func TestCasesNameWorkloadsAndServersThatThereAre(t *testing.T) {
	for _, c := range Cases() {
		_, err := load.ParseWorkload(c.Workload, 0, false)
		require.NoError(t, err)
		require.NotEmpty(t, c.Servers)
		for _, name := range c.Servers {
			require.True(t, slices.ContainsFunc(variants, func(v Variant) bool { return v.Name == name }), name)
		}
		for _, g := range c.Goals {
			require.Contains(t, c.Servers, g.Of)
			require.Contains(t, c.Servers, g.Against)
			require.Positive(t, g.Ratio)
		}
	}
}

func TestEachLoadIsRunOnceARound(t *testing.T) {
	s := &suite{fs: someFS}
	seen := make(map[string]bool)
	goals := 0
	for _, c := range s.cases() {
		require.False(t, seen[c.name(someFS)], c.name(someFS))
		seen[c.name(someFS)] = true
		goals += len(c.Goals)
	}
	all := 0
	for _, c := range Cases() {
		all += len(c.Goals)
	}
	require.Equal(t, all, goals)
}

// result returns a report in which every server has the same figures, except ringnfs, and by
// version 4.2, which has the given multiple of rates and costs.
func result(rate, cost float64) *report.Report {
	r := new(report.Report)
	for _, c := range Cases() {
		for _, name := range c.Servers {
			f, g := 1.0, 1.0
			if name == "ringnfs" || name == "ringnfs-4.2" || name == "ringnfs-2" || c.Apart && name == "ringnfs-1" {
				f, g = rate, cost
			}
			r.Runs = append(r.Runs, report.Run{Server: name, Load: c.name(someFS), Result: load.Result{
				Ops: 1000, Bytes: 1000, OpsPerSecond: 1000 * f, BytesPerSecond: 1e6 * f, Server: &load.CPU{PerOp: g, PerGiB: g},
			}})
		}
	}
	return r
}

func TestTargetsAreJudgedByTheRatioOfMedians(t *testing.T) {
	r := result(20, 0.01)
	judge(r, Cases(), someFS)
	require.NotEmpty(t, r.Targets)
	for _, x := range r.Targets {
		require.Empty(t, x.Reason)
		require.True(t, x.Met, "%+v", x)
	}
	r = result(0.5, 2)
	judge(r, Cases(), someFS)
	met := 0
	for _, x := range r.Targets {
		if x.Met && !strings.Contains(x.What, "ringnfs-4.2 : ringnfs") {
			met++
		}
	}
	require.Equal(t, 2*len(nconnectServers)*len(nconnect), met, "only its own rates are still like each other")
}

func TestATargetWithoutAMeasurementSaysSo(t *testing.T) {
	r := result(1, 1)
	r.Runs = slices.DeleteFunc(r.Runs, func(x report.Run) bool { return x.Server == "ganesha" })
	judge(r, Cases(), someFS)
	missing := 0
	for _, x := range r.Targets {
		if x.Reason != "" {
			require.Equal(t, "ganesha was not measured", x.Reason)
			require.False(t, x.Met)
			missing++
		}
	}
	require.Positive(t, missing)
}

func TestServersAreMeasuredInAllOrders(t *testing.T) {
	for n := 1; n < 6; n++ {
		first, after := make(map[int]int), make(map[[2]int]int)
		for round := range 2 * n {
			order := turns(n, round)
			require.ElementsMatch(t, turns(n, 0), order)
			first[order[0]]++
			for i := range order[1:] {
				after[[2]int{order[i], order[i+1]}]++
			}
		}
		for i := range n {
			require.Equal(t, 2, first[i])
		}
		for pair, times := range after {
			require.Equal(t, times, after[[2]int{pair[1], pair[0]}], "%d servers, %v", n, pair)
		}
	}
}

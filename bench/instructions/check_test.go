package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// recordOf is a record of loads of ringnfs with the server side of their runs.
func recordOf(loads map[string][]float64) *Record {
	r := &Record{Kernel: "k", Emulator: "e", Go: "g"}
	for _, load := range []string{"a", "b", "c"} {
		if runs, ok := loads[load]; ok {
			f := Figure{Server: job.Ringnfs, FS: "ext4", Load: load}
			for _, v := range runs {
				f.Runs = append(f.Runs, Run{Server: v})
			}
			r.Figures = append(r.Figures, f)
		}
	}
	return r
}

func TestALoadIsWorseAboveThreePercent(t *testing.T) {
	was := recordOf(map[string][]float64{"a": {1000}})
	for figure, worse := range map[float64]bool{900: false, 1000: false, 1029: false, 1030: false,
		1031: true, 2000: true} {
		list, unknown := compare(was, recordOf(map[string][]float64{"a": {figure}}))
		require.Empty(t, unknown)
		require.Len(t, list, 1)
		require.Equal(t, worse, list[0].worse, "%v", figure)
	}
}

func TestALoadWithSpreadIsWorseWhenItsLeastRunAndItsMedianAre(t *testing.T) {
	was := recordOf(map[string][]float64{"a": {1000, 1500, 1200}})
	for _, x := range []struct {
		runs  []float64
		worse bool
	}{
		{[]float64{1000, 1500, 1200}, false},
		{[]float64{1000, 1500, 1500}, false}, // only the median is
		{[]float64{1100, 1200, 1200}, false}, // only the least is
		{[]float64{1040, 1240, 1600}, true},
		{[]float64{1600, 1240, 1040}, true}, // in any order
	} {
		list, _ := compare(was, recordOf(map[string][]float64{"a": x.runs}))
		require.Equal(t, x.worse, list[0].worse, "%v", x.runs)
	}
}

func TestFewerMomentsAreComparedWithAsMany(t *testing.T) {
	was := recordOf(map[string][]float64{"a": {1000, 500, 600}})
	list, _ := compare(was, recordOf(map[string][]float64{"a": {1000}}))
	require.False(t, list[0].worse)
}

func TestWhatWasNeverRecordedHasNoVerdict(t *testing.T) {
	was := recordOf(map[string][]float64{"a": {1000}})
	list, unknown := compare(was, recordOf(map[string][]float64{"a": {1200}, "b": {5}}))
	require.Equal(t, []string{"b"}, unknown)
	var b bytes.Buffer
	require.Equal(t, 1, showVerdicts(&b, list, unknown))
	require.Contains(t, b.String(), "WORSE")
	require.Contains(t, b.String(), "b  ")
}

func TestFiguresOfAnotherMachineAreNoMeasure(t *testing.T) {
	r := recordOf(nil)
	require.NoError(t, r.comparable(recordOf(nil)))
	for _, change := range []func(*Record){
		func(x *Record) { x.Kernel = "other" }, func(x *Record) { x.Emulator = "other" },
		func(x *Record) { x.Go = "other" }, func(x *Record) { x.Profile = true },
	} {
		other := recordOf(nil)
		change(other)
		require.ErrorContains(t, r.comparable(other), "now")
	}
	other := recordOf(nil)
	other.Source = "another commit"
	require.NoError(t, r.comparable(other))
}

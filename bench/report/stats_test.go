package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMediansAndQuantiles(t *testing.T) {
	require.Equal(t, 3.0, Median([]float64{3}))
	require.Equal(t, 2.0, Median([]float64{9, 1, 2}))
	require.Equal(t, 2.5, Median([]float64{4, 1, 3, 2}))
	v := []float64{10, 20, 30, 40, 50}
	require.Equal(t, 10.0, Quantile(v, 0))
	require.Equal(t, 50.0, Quantile(v, 1))
	require.InDelta(t, 46, Quantile(v, 0.9), 1e-9)
	require.Equal(t, []float64{10, 20, 30, 40, 50}, v, "the values stay in order")
}

func TestMannWhitneyHasTheProbabilitiesOfItsTables(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		u, p float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 0, 2.0 / 20},
		{[]float64{4, 5, 6}, []float64{1, 2, 3}, 9, 2.0 / 20},
		{[]float64{1, 2, 3, 5}, []float64{4, 6, 7, 8}, 1, 4.0 / 70},
		{[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 0, 2.0 / 252},
		{[]float64{1, 4}, []float64{2, 3}, 2, 1},
		{[]float64{1, 2, 2, 3}, []float64{2, 3, 3, 4}, 3, 0.17203370892182296}, // ties: the approximation
		{[]float64{5, 5, 5}, []float64{5, 5, 5}, 4.5, 1},
		{nil, []float64{1}, 0, 1},
	} {
		u, p := MannWhitney(c.a, c.b)
		require.Equal(t, c.u, u, "%v against %v", c.a, c.b)
		require.InDelta(t, c.p, p, 1e-12, "%v against %v", c.a, c.b)
	}
}

func TestTheExactAndTheApproximateProbabilityAgreeOnLargeSets(t *testing.T) {
	var a, b []float64
	for i := range 20 {
		a = append(a, float64(3*i))
		b = append(b, float64(3*i+13))
	}
	_, exact := MannWhitney(a, b)
	a, b = append(a, 1000), append(b, 1000) // a tie
	_, approximate := MannWhitney(a, b)
	require.InDelta(t, exact, approximate, 0.02)
}

func TestTheIntervalHoldsTheRatioAndIsTheSameEachTime(t *testing.T) {
	a := []float64{100, 101, 99, 102, 98, 100}
	b := []float64{120, 121, 119, 122, 118, 120}
	low, high := RatioInterval(a, b)
	require.Less(t, low, 1.2)
	require.Greater(t, high, 1.2)
	require.Greater(t, low, 1.15)
	require.Less(t, high, 1.25)
	again, _ := RatioInterval(a, b)
	require.Equal(t, low, again)
	low, high = RatioInterval([]float64{0, 0}, b)
	require.True(t, math.IsNaN(low) && math.IsNaN(high))
}

package transport

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryTimeIsInABucketWhoseMiddleIsNear(t *testing.T) {
	last := 0
	for d := time.Duration(0); d < 130*time.Second; d += 1 + d/500 {
		i := bucketOf(d)
		require.True(t, i == last || i == last+1, "%v is in bucket %d, after %d", d, i, last)
		last = i
		off := math.Abs(float64(bucketMiddle(i) - d))
		require.LessOrEqual(t, off, max(float64(d)/16, float64(time.Microsecond/2))+float64(time.Microsecond), "%v", d)
	}
	require.Equal(t, HistogramBuckets-1, bucketOf(200*time.Hour))
	require.Zero(t, bucketOf(-time.Second), "a clock that was set back")
}

func TestQuantilesAreThoseOfTheTimes(t *testing.T) {
	require.Zero(t, new(Histogram).Quantile(0.5))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var live liveHistogram
	times := make([]time.Duration, 10_001)
	for i := range times {
		times[i] = time.Duration(math.Exp(rng.Float64()*18)) * time.Microsecond / 4
		live.add(times[i])
	}
	slices.Sort(times)
	h := live.load()
	require.EqualValues(t, len(times), h.Count())
	for _, q := range []float64{-1, 0, 0.01, 0.5, 0.9, 0.999, 1, 2} {
		want := times[min(int(max(q, 0)*float64(len(times))), len(times)-1)]
		require.InDelta(t, float64(want), float64(h.Quantile(q)), float64(want)/16+float64(time.Microsecond), "quantile %v", q)
	}
}

package futex

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAGoroutineThatWaitsOftenIsScheduledEveryFewMilliseconds(t *testing.T) {
	n := 0
	defer func(f func()) { gosched = f }(gosched)
	gosched = func() { n++ }
	var r Rescheduler
	start := time.Unix(1, 0)
	for i := range 100 {
		r.Before(start.Add(time.Duration(i) * 200 * time.Microsecond))
	}
	require.Equal(t, 5, n, "in 20 ms")
	r.Before(start.Add(time.Minute))
	require.Equal(t, 6, n, "one that has waited for long is scheduled when it waits again")

	n = 0
	var s Sleeper
	s.Wake()
	s.Sleep(0)
	require.Zero(t, n, "it does not wait")
	s.Sleep(time.Nanosecond)
	require.Equal(t, 1, n)
}

package notice

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAFloodLeavesABurstAndThenOneLineNowAndThen(t *testing.T) {
	now := time.Unix(1, 0)
	l := Limit{Burst: 3, Every: time.Minute, Now: func() time.Time { return now }}
	flood := func(n int) (said []int) {
		for range n {
			if left, ok := l.Take(); ok {
				said = append(said, left)
			}
		}
		return said
	}
	require.Equal(t, []int{0, 0, 0}, flood(1003))
	now = now.Add(time.Minute - 1)
	require.Empty(t, flood(1), "not yet")
	now = now.Add(1)
	require.Equal(t, []int{1001}, flood(5), "what was left out is told")
	now = now.Add(90 * time.Second)
	require.Equal(t, []int{4}, flood(2))
	now = now.Add(30 * time.Second)
	require.Equal(t, []int{1}, flood(2), "half a minute was not lost")
	now = now.Add(time.Hour)
	require.Equal(t, []int{1, 0, 0}, flood(5), "no more than the burst is saved up")
	now = now.Add(-time.Hour)
	require.Empty(t, flood(5), "a clock that goes back frees nothing")
}

func TestTheDefaultsAreTenLinesThenOneInTenSeconds(t *testing.T) {
	now := time.Unix(1, 0)
	l := Limit{Now: func() time.Time { return now }}
	said := 0
	for range 100 {
		for range 100 {
			if _, ok := l.Take(); ok {
				said++
			}
		}
		now = now.Add(time.Second)
	}
	require.Equal(t, 10+9, said)
}

func TestLinesAreCountedOnceWhoeverTakesThem(t *testing.T) {
	l := Limit{Burst: 5, Every: time.Hour}
	var said atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if _, ok := l.Take(); ok {
					said.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 5, said.Load())
	require.Equal(t, 795, l.left)
}

func TestTakingDoesNotAllocate(t *testing.T) {
	var l Limit
	require.Zero(t, testing.AllocsPerRun(100, func() { l.Take() }))
}

func TestALineSaysHowManyWereLeftOut(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	now := time.Unix(1, 0)
	l := Limit{Burst: 1, Every: time.Minute, Now: func() time.Time { return now }}
	asked := 0
	args := func() []any { asked++; return []any{"peer", "x"} }
	l.Log(log, slog.LevelDebug, "m", args)
	require.Zero(t, asked, "nobody wants such lines, and they use nothing up")
	for range 3 {
		l.Log(log, slog.LevelWarn, "m", args)
	}
	require.Equal(t, 1, asked)
	require.True(t, strings.HasSuffix(b.String(), "level=WARN msg=m peer=x\n"), b.String())
	now = now.Add(time.Minute)
	l.Log(log, slog.LevelWarn, "m", args)
	require.True(t, strings.HasSuffix(b.String(), "level=WARN msg=m peer=x left_out=2\n"), b.String())
}
